"""The Pareto front keeps what nothing else beats, and nothing besides."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.evolution.pareto import Front


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_the_front_is_what_no_other_program_dominates(values: list[tuple[int, int]]) -> None:
    front = Front(["fitness", "-cost"])
    for n, (fitness, cost) in enumerate(values):
        front.add(n, float(fitness), {"cost": cost})

    def beaten(one: tuple[int, int]) -> bool:
        return any(o != one and o[0] >= one[0] and o[1] <= one[1] for o in values)

    assert {point.values for point in front.points} == {value for value in values if not beaten(value)}
    ids = [point.id for point in front.points]
    assert all(values.index(values[n]) == n for n in ids), "of equal ones the first is kept"


def test_a_program_that_lacks_a_value_is_not_on_it() -> None:
    front = Front(["a", "b"])
    assert not front.add(1, 9.0, {"a": 1})
    assert not front.add(2, 9.0, {"a": 1, "b": math.nan})
    assert not front.add(3, 9.0, {"a": 1, "b": "many"})
    assert front.add(4, 9.0, {"a": 1, "b": 2})
