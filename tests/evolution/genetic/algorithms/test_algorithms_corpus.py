"""Every algorithm operator on code that was not written for it."""

from __future__ import annotations

import ast
import importlib
import inspect
import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms import OPERATORS
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Recipe
from peagen_ray.evolution.mutators.genetic.canonical.unify import pattern
from peagen_ray.evolution.mutators.genetic.nodes import is_metavariable
from peagen_ray.evolution.mutators.genetic.render import render

MODULES = ("bisect", "graphlib", "heapq", "textwrap")

ODD = """
from __future__ import annotations
import asyncio

LIMIT = 3
FAR = float("inf")

def outer(xs, *rest, key=None, **more):
    global LIMIT
    @staticmethod
    def inner(y, /, z=1, *, w=2):
        nonlocal xs
        xs = [y, *xs]
        return (yield y)
    with open("f") as handle, handle:
        for i, (a, b) in enumerate(zip(xs, rest), start=2):
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
    async with xs as y, y:
        pass
    return [y async for y in xs], {**{}, "a": f"{out!r:>{LIMIT}}"}, xs[..., 1:2], *xs

class Odd(list):
    items: list[int] = []
    def __getitem__(self, index):
        if index in self.items: self.items.append(index); return super()[index]
        for x in self: return x
    def again(self, n):
        self.total = self.total = n
        for self.at in range(n): self[self.at], = [n]
        return self.again(n - 1) + self.again(n - 2) if n else outer(*self, key=n)
    def odd(self, n):
        a = b = c = []
        while True:
            if n: break
            elif a: continue
            else: return self.odd(b)
        for k, v in {}.items(): a += [k, v]
        else: del a[0], b
        return min(a, key=len, default=0), max(x.y for x in a), sum([]), any(a for a in c), {}.get
"""


def sources() -> list[str]:
    return [ODD, *(inspect.getsource(importlib.import_module(name)) for name in MODULES)]


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.NAME)
def test_looking_for_sites_edits_nothing_and_applying_one_keeps_the_syntax(operator: Operator) -> None:
    for source in sources():
        draft = Draft.parse(source)
        before = ast.dump(draft.tree)
        count = len(operator.sites(draft))
        assert ast.dump(draft.tree) == before
        for index in range(min(count, 3)):
            fresh = Draft.parse(source)
            if operator.apply(fresh, operator.sites(fresh)[index], random.Random(index)):
                compile(render(fresh), "<rewritten>", "exec")


def test_operators_have_names_of_their_own_and_say_what_they_do() -> None:
    names = [each.NAME for each in OPERATORS]
    assert len(set(names)) == len(names) > 40
    for each in OPERATORS:
        text = type(each).__doc__ or ""
        assert "Before" in text, each.NAME
        assert "After" in text, each.NAME
        assert each.WEIGHT > 0


RECIPES = [(each.NAME, recipe) for each in OPERATORS if isinstance(each, Cookbook) for recipe in each.RECIPES]


@pytest.mark.parametrize(
    ("name", "recipe"), RECIPES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_templates_use_only_what_their_patterns_find(name: str, recipe: Recipe) -> None:
    wanted = pattern(recipe.pattern)
    known = {n.id for s in wanted.body for n in ast.walk(s) if isinstance(n, ast.Name)} | set(recipe.also)
    known |= set(wanted.parameters or ()) | {wanted.function}
    for node in ast.walk(ast.parse(recipe.hoisted + recipe.template)):
        if isinstance(node, ast.Name) and is_metavariable(node.id):
            assert node.id in known, f"{name}: {node.id}"
