"""Lexicase: specialists survive, tolerance is the median deviation, metrics may be anything."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Bucket, Program
from peagen_ray.evolution.selectors.base import build
from peagen_ray.evolution.selectors.lexicase import LexicaseSelector
from peagen_ray.testing.selector_suite import an_archive


def archive(*metrics):
    db = EvoDB()
    for n, found in enumerate(metrics):
        db.insert(Program(n, f"x = {n}\n", fitness=1.0, bucket=Bucket(n, 0, 0, 0), metrics=found))
    return db


def drawn(selector, db, rounds=3000):
    selector.reseed(random.Random(1))
    return Counter(selector.select(db).id for _ in range(rounds))


def test_each_specialist_is_chosen_as_often_as_its_case_comes_first():
    middling = [{"a": 5, "b": 5}] * 3
    seen = drawn(LexicaseSelector(cases=["a", "b"]), archive({"a": 9, "b": 0}, {"a": 0, "b": 9}, *middling))
    assert set(seen) == {0, 1}
    assert seen[0] / 3000 == pytest.approx(0.5, abs=0.03)


def test_the_order_of_the_cases_decides_between_those_that_are_good_at_several():
    both, one = {"a": 9, "b": 9, "c": 0}, {"a": 0, "b": 0, "c": 9}
    seen = drawn(LexicaseSelector(cases=["a", "b", "c"]), archive(both, one, *[{"a": 1, "b": 1, "c": 1}] * 3))
    assert seen[0] / 3000 == pytest.approx(2 / 3, abs=0.03)


def test_a_minus_means_that_less_is_better():
    seen = drawn(LexicaseSelector(cases=["-error"]), archive(*({"error": e} for e in (9, 9, 9, 1))), 50)
    assert set(seen) == {3}


def test_within_the_median_deviation_all_are_as_good():
    values = (10.0, 9.5, 5.0, 4.5, 4.0)  # the median is 5.0, the median deviation 1.0
    seen = drawn(LexicaseSelector(cases=["a"]), archive(*({"a": value} for value in values)))
    assert set(seen) == {0, 1}
    assert seen[0] / 3000 == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("rubbish", [None, "9", [9], math.nan, math.inf, 10**400])
def test_a_program_whose_metric_is_no_number_is_left_out_where_others_have_one(rubbish):
    assert set(drawn(LexicaseSelector(cases=["a"]), archive({"a": rubbish}, {"a": -5.0}, {}), 50)) == {1}


def test_a_case_that_no_program_has_decides_nothing():
    assert set(drawn(LexicaseSelector(cases=["none"]), archive({}, {}, {}))) == {0, 1, 2}


def test_the_pool_is_the_fittest_and_others_drawn_evenly():
    db = an_archive(50)
    assert set(drawn(LexicaseSelector(cases=["fitness"], pool=1), db, 50)) == {49}
    assert len(drawn(LexicaseSelector(cases=["none"], pool=2), db)) == 50


@pytest.mark.parametrize(
    "options",
    [
        {"cases": []},
        {"cases": "fitness"},
        {"cases": [3]},
        {"cases": ["-"]},
        {"cases": ["a", "-a"]},
        {"cases": None},
        {"pool": 0},
        {"pool": 1.5},
    ],
)
def test_options_that_mean_nothing_are_errors_that_name_them(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        build(LexicaseSelector, options)
