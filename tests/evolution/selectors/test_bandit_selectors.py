"""ucb and thompson: arms by what their children came to; the formulas, the distributions, the options."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from statistics import NormalDist

import pytest

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Bucket, Outcome, Program
from peagen_ray.evolution.selectors.base import build
from peagen_ray.evolution.selectors.thompson import ThompsonSelector
from peagen_ray.evolution.selectors.ucb import UcbSelector
from peagen_ray.testing.selector_suite import an_archive

FAILED = Program(99, "", outcome=Outcome.ERROR)


def archive(*fitness):
    db = EvoDB()
    for n, value in enumerate(fitness):
        db.insert(Program(n, f"x = {n}\n", fitness=value, bucket=Bucket(n, 0, 0, 0)))
    return db


def child(fitness):
    return Program(100, "", fitness=fitness)


def select(selector, db, rounds, learn=lambda parent: FAILED):
    selector.reseed(random.Random(2))
    chosen = []
    for _ in range(rounds):
        parent = selector.select(db)
        chosen.append(parent.id)
        selector.learn(parent, learn(parent), 0.0)
    return chosen


def test_ucb_takes_the_largest_bound_of_ucb1_with_ties_to_the_fitter():
    """Three arms, the spread between best and middle is 1; tries in vain leave the means alone."""
    fitness, tries, c = (2.0, 3.0, 1.0), [1, 1, 1], 2.0
    for n, chosen in enumerate(select(UcbSelector(c=c), archive(*fitness), 60)):
        bounds = [f + c * math.sqrt(2 * math.log(1 + n) / t) for f, t in zip(fitness, tries, strict=True)]
        assert bounds[chosen] == max(bounds)
        tries[chosen] += 1
    assert tries[1] > tries[0] > tries[2] > 1


def test_ucb_leaves_a_program_whose_children_are_worse_for_one_whose_children_are_better():
    chosen = select(
        UcbSelector(), archive(1.0, 1.1), 200, lambda parent: child(2.0 if parent.id == 0 else 0.0)
    )
    assert chosen[0] == 1
    assert Counter(chosen[50:])[0] > 120


def test_without_doubt_both_take_the_best_mean():
    assert set(select(UcbSelector(c=0), an_archive(9), 20)) == {8}
    assert set(select(ThompsonSelector(scale=0), an_archive(9), 20)) == {8}


def test_choices_in_flight_are_spread_before_anything_is_told():
    selector, db = UcbSelector(c=5.0), an_archive(6)
    selector.reseed(random.Random(0))
    assert len({selector.select(db).id for _ in range(12)}) == 6


def test_thompson_takes_an_arm_as_often_as_its_draw_is_the_largest():
    """Two arms of mean 1 and 0, spread 1, tried once each: the difference is Normal(1, 2 scale²)."""
    db, rounds = archive(1.0, 0.0), 4000
    won = 0
    for seed in range(rounds):
        selector = ThompsonSelector(scale=0.8)
        selector.reseed(random.Random(seed))
        won += selector.select(db).id == 0
    assert won / rounds == pytest.approx(NormalDist(0, 0.8 * math.sqrt(2)).cdf(1.0), abs=0.025)


def test_thompson_doubts_less_what_it_has_tried():
    chosen = select(ThompsonSelector(scale=2.0), archive(1.0, 0.5, 0.0), 3000)
    early, late = Counter(chosen[:60]), Counter(chosen[-1000:])
    assert len(early) == 3
    assert early[0] / 60 < late[0] / 1000 - 0.1


@pytest.mark.parametrize("make", [UcbSelector, ThompsonSelector])
def test_the_arms_of_a_large_archive_are_the_fittest_and_any_others(make):
    selector, db = make(arms=8), an_archive(300)
    selector.reseed(random.Random(0))
    arms = [{arm.program.id for arm in selector.arms.drawn(db, 8, selector.rng)} for _ in range(200)]
    assert all({299, 298, 297, 296} <= drawn and len(drawn) <= 8 for drawn in arms)
    assert len(set().union(*arms)) > 200


@pytest.mark.parametrize("make", [UcbSelector, ThompsonSelector])
def test_what_is_known_of_programs_that_left_is_forgotten_in_time_and_a_restored_one_does_the_same(make):
    selector, twin, db = make(arms=2), make(arms=2), EvoDB()
    rng = random.Random(4)
    for n in range(3000):
        db.insert(Program(n, f"x = {n}\n", fitness=float(n), bucket=Bucket(n % 7, 0, 0, 0)))
        selector.reseed(rng)
        selector.learn(selector.select(db), child(1.0), 0.0)
        if n % 500 == 0:
            twin.restore(json.loads(json.dumps(selector.state())))
            assert twin.state() == selector.state()
    assert len(selector.state()["records"]) < 1200


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (UcbSelector, {"c": -1}),
        (UcbSelector, {"c": "1"}),
        (UcbSelector, {"c": math.nan}),
        (UcbSelector, {"arms": 0}),
        (UcbSelector, {"arms": 3.0}),
        (ThompsonSelector, {"scale": math.inf}),
        (ThompsonSelector, {"scale": True}),
        (ThompsonSelector, {"arms": None}),
    ],
)
def test_an_option_out_of_range_is_an_error_that_names_it(make, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        build(make, options)
