"""The operators' credits: who weighs more, who weighs as the average, and that credits fade."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.evolution.bandit import OperatorCredits


def told(*history):
    credits_ = OperatorCredits()
    for operator, reward in history:
        credits_.tell(operator, reward)
    return credits_


def test_an_operator_that_was_never_tried_is_not_listed_and_so_weighs_as_the_average():
    assert OperatorCredits().weights() == {}
    assert set(told(("a", 1.0)).weights()) == {"a"}


def test_all_alike_weigh_as_the_average():
    weights = told(*[(name, 0.3) for name in "abc" * 20]).weights()
    assert all(weight == pytest.approx(1.0, rel=0.05) for weight in weights.values())


def test_what_pays_weighs_more_than_what_does_not():
    weights = told(*[("good", 1.0), ("fair", 0.3), ("bad", 0.0)] * 10).weights()
    assert weights["good"] > weights["fair"] > weights["bad"]
    assert weights["good"] > 1.0 > weights["bad"]


def test_a_single_failure_does_not_condemn():
    assert 0.5 < told(*[("good", 0.5)] * 10, ("new", 0.0)).weights()["new"] < 1.0


def test_no_weight_falls_to_nothing_or_rises_without_bound():
    weights = told(*[("bad", 0.0)] * 5000, *[("good", 1.0)] * 5).weights()
    assert weights["bad"] == 0.1
    assert weights["good"] <= 10.0


def test_credits_fade_so_that_what_pays_lately_counts():
    credits_ = told(*[("early", 1.0)] * 20)
    for _ in range(600):
        credits_.tell("early", 0.0)
        credits_.tell("late", 0.5)
    assert credits_.weights()["late"] > 1.0 > credits_.weights()["early"]


def test_operators_that_share_a_proposal_share_its_credit():
    shared, alone = told(("a+b", 1.0)), told(("a", 1.0))
    assert shared.credits["a"].tries == shared.credits["b"].tries == 0.5
    assert alone.credits["a"].tries == 1.0
    assert 1.0 < shared.weights()["a"] < alone.weights()["a"]


def test_counts_are_kept_for_whoever_reports_them():
    credits_ = OperatorCredits()
    credits_.tell("a", 1.0, accepted=True, gain=0.25)
    credits_.tell("a", 0.0, gain=-3.0)
    credit = credits_.credits["a"]
    assert (credit.tries, credit.accepted, credit.gain) == (2.0, 1.0, 0.25)


def test_a_candidate_without_an_operator_credits_nobody():
    assert told(("", 1.0), ("+", 1.0)).weights() == {}


def test_many_thousands_of_credits_stay_finite():
    credits_ = told(*[("a", 1.0), ("b", 0.0)] * 40_000)
    assert credits_.weights() == {"a": pytest.approx(2.0, rel=0.1), "b": 0.1}
    assert credits_.scale < 1e61


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "a+c", "d"]), st.floats(0, 1)), max_size=60), st.data())
def test_it_goes_on_from_its_state_exactly(history, data):
    cut = data.draw(st.integers(0, len(history)))
    whole, rest = told(*history), OperatorCredits()
    rest.restore(json.loads(json.dumps(told(*history[:cut]).state())))
    for operator, reward in history[cut:]:
        rest.tell(operator, reward)
    assert rest.weights() == whole.weights()
    assert rest.state() == whole.state()
    assert all(0.1 <= weight <= 10.0 for weight in whole.weights().values())
