from __future__ import annotations

import ast
import random

import pytest

from peagen_ray.evolution.mutators.genetic.base import Draft
from peagen_ray.evolution.mutators.genetic.idioms_accumulators import SplitSums
from peagen_ray.evolution.mutators.genetic.render import render

MEAN = """def f(xs):
    total = 0.0
    count = 0
    for x in xs:
        total = total + x
        count += 1
    return (total, count)
"""


def rewritten(source: str) -> str | None:
    draft = Draft.parse(source, "f")
    sites = SplitSums().sites(draft)
    if not sites:
        return None
    assert SplitSums().apply(draft, sites[0], random.Random(1))
    return render(draft)


def run(source: str, *args: object) -> object:
    namespace: dict[str, object] = {}
    exec(compile(ast.parse(source), "<test>", "exec"), namespace)
    return namespace["f"](*args)  # type: ignore[operator]


def test_a_sum_and_a_count_become_their_builtins() -> None:
    text = rewritten(MEAN)
    assert text is not None
    assert "total += sum(xs)\n    count += len(xs)\n" in text
    for xs in ([], [1], [3, 4, 5]):
        assert run(text, xs) == run(MEAN, xs)


def test_expressions_are_summed_and_constants_multiplied() -> None:
    source = (
        "def f(xs):\n    a = b = 0\n    for x in xs:\n        a += x * x\n        b += 3\n    return a, b\n"
    )
    text = rewritten(source)
    assert text is not None
    assert run(text, [1, 2, 3]) == run(source, [1, 2, 3]) == (14, 9)


@pytest.mark.parametrize(
    "body",
    [
        "a += x",
        "a += x\n        b += a",
        "a += x\n        a += 1",
        "a += x\n        print(x)",
        "a = b + x\n        b += 1",
    ],
)
def test_other_loops_are_left_alone(body: str) -> None:
    assert (
        rewritten(f"def f(xs):\n    a = b = 0\n    for x in xs:\n        {body}\n    return a, b\n") is None
    )


def test_what_can_be_gone_through_only_once_is_left_alone() -> None:
    assert rewritten(MEAN.replace("in xs", "in iter(xs)")) is None
