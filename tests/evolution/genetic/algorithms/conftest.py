"""Applying one operator to a program, and comparing what programs do."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.render import render


def rewritten(operator: Operator, source: str, site: int = 0, entry: str = "") -> str:
    """The source after the operator was applied at one of its sites."""
    draft = Draft.parse(source, entry)
    sites = operator.sites(draft)
    assert len(sites) > site, f"{operator.NAME} does not apply:\n{source}"
    assert operator.apply(draft, sites[site], random.Random(0))
    return render(draft)


def outcome(source: str, entry: str, args: tuple[Any, ...]) -> tuple[str, Any, Any]:
    """What a call returns or raises, and its arguments afterwards."""
    space: dict[str, Any] = {"__name__": "candidate"}
    exec(compile(source, "candidate", "exec"), space)
    given = copy.deepcopy(args)
    try:
        result = space[entry](*given)
    except Exception as error:
        return "raised", type(error).__name__, given
    return "returned", result, given


def typed(value: Any) -> Any:
    """A value that equals another only if their types do, within containers and for dict order too."""
    if isinstance(value, dict):
        return "dict", [(typed(k), typed(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [typed(v) for v in value]
    if isinstance(value, float):
        return "float", repr(round(value, 6))
    return type(value).__name__, value


@pytest.fixture
def improve() -> Callable[..., str]:
    """Rewrites a source with an operator and checks that it still does the same for every input."""

    def check(
        operator: Operator,
        source: str,
        entry: str,
        inputs: Iterable[tuple[Any, ...]],
        *,
        site: int = 0,
        contains: Iterable[str] = (),
        without: Iterable[str] = (),
    ) -> str:
        after = rewritten(operator, source, site)
        for args in inputs:
            expected, actual = outcome(source, entry, args), outcome(after, entry, args)
            assert typed(actual) == typed(expected), f"{args!r}\n{after}"
        for text in contains:
            assert text in after, after
        for text in without:
            assert text not in after, after
        return after

    return check


@pytest.fixture
def applies() -> Callable[[Operator, str], bool]:
    """Says whether an operator has a site in a source."""
    return lambda operator, source: bool(operator.sites(Draft.parse(source)))
