"""How the rewrites are tested: what they make of a program, and that it still does the same."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Sequence
from textwrap import dedent
from typing import Any

import pytest

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.render import rendered

Check = Callable[..., None]


def rewrites(operator: Operator, source: str, entry: str = "f") -> list[str]:
    """The program that each site of the operator leads to."""
    made: list[str] = []
    for index in range(len(operator.sites(Draft.parse(source, entry)))):
        draft = Draft.parse(source, entry)
        if operator.apply(draft, operator.sites(draft)[index], random.Random(0)):
            draft.touched()
            made.append(rendered(draft).text)
    return made


def outcome(source: str, arguments: Sequence[Any], entry: str) -> tuple[Any, Sequence[Any]]:
    """What the program returns, or the type that it raises, and its arguments after the call."""
    names: dict[str, Any] = {}
    exec(compile(source, "<program>", "exec"), names)
    own = copy.deepcopy(arguments)
    try:
        result = names[entry](*own)
    except Exception as error:
        return type(error), own
    return (type(result), list(result.items()) if isinstance(result, dict) else result), own


@pytest.fixture
def check() -> Check:
    """Asserts that an operator has a site that turns one program into another, which does the same.

    Call it with the operator, the program, what one of the sites must lead to, and argument tuples.
    """

    def checked(operator: Operator, before: str, after: str, *calls: Sequence[Any], entry: str = "f") -> None:
        before, after = dedent(before).lstrip(), dedent(after).lstrip()
        found = [ast.unparse(ast.parse(text)) for text in rewrites(operator, before, entry)]
        assert ast.unparse(ast.parse(after)) in found
        for arguments in calls:
            assert outcome(after, arguments, entry) == outcome(before, arguments, entry)

    return checked


@pytest.fixture
def sites() -> Callable[..., int]:
    """How many sites an operator has in a program."""

    def counted(operator: Operator, source: str, entry: str = "f") -> int:
        return len(operator.sites(Draft.parse(dedent(source).lstrip(), entry)))

    return counted


@pytest.fixture
def made() -> Callable[..., list[str]]:
    """The programs that an operator makes of one."""

    def listed(operator: Operator, source: str, entry: str = "f") -> list[str]:
        return rewrites(operator, dedent(source).lstrip(), entry)

    return listed
