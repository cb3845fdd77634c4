"""The size to time is found with few and cheap probes, whatever shape the growth has."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.workload.scaling import Scale, size_for

TARGET = 0.01


class Meter:
    """Times by a formula, and keeps what was asked."""

    def __init__(self, formula):
        self.formula = formula
        self.sizes: list[int] = []
        self.spent = 0.0
        self.longest = 0.0

    def __call__(self, size):
        self.sizes.append(size)
        taken = self.formula(size)
        self.spent += taken or 0
        self.longest = max(self.longest, taken or 0)
        return taken


@pytest.mark.parametrize(
    ("formula", "smallest"),
    [
        (lambda n: 1e-7 * n * n, 317),
        (lambda n: 1e-6 * n, 10_000),
        (lambda n: 1e-8 * n**3, 100),
        (lambda n: 1e-7 * 1.618**n, 24),
        (lambda n: 1e-8 * 2.0**n, 20),
        (lambda n: 1e-7 * math.factorial(n), 9),
        (lambda n: 1e-3 + 1e-6 * n, 9000),
    ],
)
def test_the_smallest_size_that_takes_long_enough_is_found(formula, smallest):
    meter = Meter(formula)
    scale = size_for(meter, TARGET)
    assert scale.repeat == 1
    assert scale.seconds >= TARGET
    assert smallest <= scale.size <= math.ceil(smallest * 1.06) + 1
    assert meter.spent < 20 * TARGET
    assert meter.longest < 5 * TARGET
    assert len(meter.sizes) <= 40


@pytest.mark.parametrize("formula", [lambda n: 3e-6, lambda n: 1e-6 * math.log2(n + 1), lambda n: 0.0])
def test_a_call_that_does_not_grow_is_repeated(formula):
    scale = size_for(Meter(formula), TARGET)
    assert scale.size < 100_000
    assert scale.repeat * max(scale.seconds, 1e-7) >= TARGET


def test_a_call_that_grows_too_slowly_is_repeated_at_the_largest_size():
    meter = Meter(lambda n: 1e-8 * n)
    scale = size_for(meter, TARGET, sizes=(1, 1000))
    assert scale == Scale(1000, 1e-5, 1000)
    assert max(meter.sizes) == 1000


def test_sizes_that_fail_are_a_wall():
    scale = size_for(Meter(lambda n: 1e-6 * n if n < 950 else None), TARGET)
    assert 900 <= scale.size < 950
    assert scale.repeat * scale.seconds >= TARGET


def test_time_beyond_the_wall_is_not_needed():
    scale = size_for(Meter(lambda n: 1e-4 * n if n < 950 else None), TARGET)
    assert scale.size == 100
    assert scale.repeat == 1


def test_a_call_slow_from_the_start_is_timed_at_the_smallest_size():
    assert size_for(Meter(lambda n: 1.0), TARGET, sizes=(3, 100)) == Scale(3, 1.0, 1)


def test_nothing_that_works_is_no_scale():
    assert size_for(Meter(lambda n: None), TARGET) is None


def test_the_budget_ends_the_search():
    meter = Meter(lambda n: 9e-3)
    scale = size_for(meter, TARGET, budget=0.02)
    assert len(meter.sizes) == 3
    assert scale.repeat == 2


@given(
    exponent=st.floats(0.0, 4.0),
    factor=st.floats(1e-9, 1e-2),
    noise=st.lists(st.floats(0.7, 1.4), min_size=1, max_size=7),
    low=st.integers(0, 5),
    high=st.integers(5, 5000),
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_growth_the_answer_is_usable(exponent, factor, noise, low, high):
    turn = iter(noise * 100)
    meter = Meter(lambda n: factor * max(n, 1) ** exponent * next(turn))
    scale = size_for(meter, TARGET, sizes=(low, high))
    assert low <= scale.size <= high
    assert scale.repeat * max(scale.seconds, 1e-7) >= TARGET * 0.999
    assert len(meter.sizes) <= 40
    assert meter.spent - meter.longest <= 20 * TARGET
