"""Every idiom operator on code that was not written for it."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import random

import pytest

from peagen_ray.evolution.mutators import genetic
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.render import rendered

OPERATORS: list[Operator] = [
    operator
    for found in pkgutil.iter_modules(genetic.__path__, f"{genetic.__name__}.")
    if ".idioms_" in found.name
    for operator in importlib.import_module(found.name).OPERATORS
]
MODULES = ("bisect", "colorsys", "fnmatch", "graphlib", "heapq")

ODD = """
from __future__ import annotations
import asyncio

LIMIT = 3

def outer(xs, *rest, key=None, **more):
    global LIMIT
    @staticmethod
    def inner(y, /, z=1, *, w=2):
        nonlocal xs
        xs = [y, *xs]
        return (yield y)
    with open("f") as handle, handle:
        for i, (a, b) in enumerate(zip(xs, rest)):
            match a:
                case [1, *others] if others:
                    b += 1
                case {"k": v, **left}:
                    del left["v"]
                case _:
                    continue
    try:
        while (n := len(xs)) > 0:
            xs = xs[1:]
        else:
            n = -1
    except* ValueError as error:
        raise TypeError from error
    finally:
        LIMIT += 1
    return lambda q=n: (q for q in xs if q if not q for q in [q])

async def wait(xs):
    out = []
    async for x in xs:
        out.append(await x)
    return [y async for y in xs], {**{}, "a": f"{out!r:>{LIMIT}}"}, xs[..., 1:2], *xs

class Odd(list):
    items: list[int] = []
    def __getitem__(self, index):
        if index in self.items: self.items.append(index); return super()[index]
        for x in self: return x
"""


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.NAME)
def test_looking_for_sites_edits_nothing_and_applying_one_keeps_the_syntax(operator: Operator) -> None:
    for source in [ODD, *(inspect.getsource(importlib.import_module(name)) for name in MODULES)]:
        draft = Draft.parse(source)
        before = ast.dump(draft.tree)
        count = len(operator.sites(draft))
        assert ast.dump(draft.tree) == before
        for index in range(min(count, 3)):
            fresh = Draft.parse(source)
            if operator.apply(fresh, operator.sites(fresh)[index], random.Random(index)):
                fresh.touched()
                compile(rendered(fresh).text, "<rewritten>", "exec")


def test_operators_have_names_of_their_own_and_say_what_they_do() -> None:
    names = [each.NAME for each in OPERATORS]
    assert len(set(names)) == len(names) > 70
    for each in OPERATORS:
        assert type(each).__doc__
        assert each.NAME.lower() == each.NAME
        assert " " not in each.NAME
        assert each.WEIGHT > 0
