"""Intervals: they hold their middle, widen with what differs, and bear a few that are far off."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.sandbox.statistics import interval, pooled, student

LOGS = st.floats(-5, 5)


def families(values: list[float], size: int) -> list[list[float]]:
    return [values[first : first + size] for first in range(0, len(values), size)]


@given(st.lists(LOGS, min_size=1, max_size=60))
def test_the_interval_holds_the_median_and_is_positive(logs: list[float]) -> None:
    found = interval(logs)
    assert 0 < found.low <= found.ratio * (1 + 1e-12)
    assert found.ratio <= found.high * (1 + 1e-12)
    assert min(logs) <= math.log(found.ratio) + 1e-9
    assert math.log(found.ratio) - 1e-9 <= max(logs)


@given(st.integers(1, 7), st.integers(1, 7), st.data())
def test_a_pool_lies_within_its_values_and_does_not_depend_on_their_order(
    count: int, size: int, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(st.lists(LOGS, min_size=size, max_size=size), min_size=count, max_size=count))
    found = pooled(drawn)
    assert found.samples == count * size
    assert min(map(min, drawn)) - 1e-9 <= math.log(found.ratio) <= max(map(max, drawn)) + 1e-9
    again = pooled([family[::-1] for family in reversed(drawn)])
    assert again.ratio == pytest.approx(found.ratio)
    if count * size > 1:
        assert math.isclose(again.half_width, found.half_width, rel_tol=1e-6, abs_tol=1e-9)


@given(st.lists(st.floats(-0.1, 0.1), min_size=9, max_size=9), st.floats(-2, 2))
def test_a_shift_of_all_values_shifts_the_pool(values: list[float], shift: float) -> None:
    one, other = pooled(families(values, 3)), pooled(families([value + shift for value in values], 3))
    assert math.log(other.ratio / one.ratio) == pytest.approx(shift, abs=1e-9)
    assert math.log(other.high / other.low) == pytest.approx(math.log(one.high / one.low), abs=1e-9)


def test_families_that_disagree_widen_the_interval() -> None:
    rng = random.Random(1)
    alike = [[rng.gauss(0, 0.01) for _ in range(6)] for _ in range(3)]
    apart = [[value + shift for value in family] for family, shift in zip(alike, (-0.1, 0, 0.1), strict=True)]
    assert pooled(apart).half_width > 3 * pooled(alike).half_width


def test_one_process_that_is_slow_for_all_its_life_moves_little() -> None:
    rng = random.Random(2)
    alike = [[rng.gauss(0, 0.01) for _ in range(5)] for _ in range(3)]
    odd = [*alike[:2], [*alike[2][:4], 0.3]]
    assert abs(math.log(pooled(odd).ratio / pooled(alike).ratio)) < 0.01


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = random.Random(3)
    for spread in (0.0, 0.02):
        covered = 0
        for _ in range(400):
            centres = [rng.gauss(0, spread) for _ in range(5)]
            found = pooled([[centre + rng.gauss(0, 0.01) for _ in range(3)] for centre in centres])
            covered += found.low <= 1 <= found.high
        assert covered > 360


@pytest.mark.parametrize(("freedom", "value"), [(2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (60, 2.000)])
def test_students_quantile(freedom: int, value: float) -> None:
    assert student(freedom) == pytest.approx(value, rel=0.01)
