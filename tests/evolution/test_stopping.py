"""Stopping rules: each holds exactly at its limit, and says how much is left before it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from peagen_ray.evolution.stopping import Progress, StopReason, StopRules

CASES = [
    (StopRules(max_generations=3), "asked", 29, 30, StopReason.MAX_GENERATIONS),
    (StopRules(max_candidates=7), "asked", 6, 7, StopReason.MAX_CANDIDATES),
    (StopRules(target_ms=50.0), "best_ms", 50.1, 50.0, StopReason.TARGET_MS),
    (StopRules(no_improve=4), "stale_generations", 3, 4, StopReason.NO_IMPROVE),
    (StopRules(budget_tokens=1000), "tokens", 999, 1000, StopReason.BUDGET_TOKENS),
    (StopRules(budget_usd=2.5), "usd", 2.49, 2.5, StopReason.BUDGET_USD),
    (StopRules(run_timeout=60.0), "elapsed_s", 59.9, 60.0, StopReason.RUN_TIMEOUT),
]


def at(**changes):
    return Progress(**{"generation_size": 10, **changes})


@pytest.mark.parametrize(("rules", "name", "before", "limit", "reason"), CASES)
def test_a_rule_holds_at_its_limit_and_not_before(rules, name, before, limit, reason):
    assert rules.check(at(**{name: before})) is None
    assert rules.check(at(**{name: limit})) is reason
    assert rules.remaining(at(**{name: before}))[reason].amount > 0
    assert rules.remaining(at(**{name: limit}))[reason].amount == 0


def test_the_cases_cover_every_rule():
    assert len(CASES) == len(fields(StopRules))


def test_no_rule_never_stops():
    progress = at(asked=10**9, told=10**9, stale_generations=10**6, best_ms=0.0, tokens=10**12, elapsed_s=1e9)
    assert StopRules().check(progress) is None
    assert StopRules().remaining(progress) == {}


def test_what_is_past_its_limit_has_nothing_left_and_not_less():
    left = StopRules(run_timeout=10.0, max_candidates=5).remaining(at(asked=9, told=9, elapsed_s=30.0))
    assert {span.amount for span in left.values()} == {0.0}


def test_a_target_says_nothing_while_no_best_was_timed():
    assert StopRules(target_ms=50.0).check(at(best_ms=None)) is None
    assert StopRules(target_ms=50.0).remaining(at(best_ms=None)) == {}


def test_a_confirmation_that_is_awaited_puts_off_no_improve_and_nothing_else():
    rules = StopRules(no_improve=2, budget_tokens=10)
    assert rules.check(at(stale_generations=5, confirming=True)) is None
    assert rules.check(at(stale_generations=5, confirming=True, tokens=10)) is StopReason.BUDGET_TOKENS
    assert rules.check(at(stale_generations=5)) is StopReason.NO_IMPROVE


def test_of_several_rules_that_hold_the_one_that_leaves_at_once_is_named():
    rules = StopRules(max_candidates=1, run_timeout=5.0)
    assert rules.check(at(asked=1, elapsed_s=5.0)) is StopReason.RUN_TIMEOUT


def test_time_left_is_told_by_the_pace_so_far():
    left = StopRules(max_generations=4, max_candidates=100, budget_tokens=900, run_timeout=60.0).remaining(
        at(asked=20, told=20, tokens=300, elapsed_s=30.0)
    )
    assert left[StopReason.MAX_GENERATIONS].seconds == pytest.approx(2 * 15.0)
    assert left[StopReason.MAX_CANDIDATES].seconds == pytest.approx(80 * 1.5)
    assert left[StopReason.BUDGET_TOKENS].seconds == pytest.approx(60.0)
    assert left[StopReason.RUN_TIMEOUT].seconds == 30.0
    assert {str(reason): span.unit for reason, span in left.items()} == {
        "max_generations": "generations",
        "max_candidates": "candidates",
        "budget_tokens": "tokens",
        "run_timeout": "s",
    }


def test_time_left_is_unknown_before_anything_was_told():
    left = StopRules(max_generations=4, budget_usd=1.0).remaining(at(elapsed_s=3.0))
    assert [span.seconds for span in left.values()] == [None, None]


def test_only_whole_generations_count():
    assert [at(told=told).generation for told in (0, 9, 10, 19, 20)] == [0, 0, 1, 1, 2]
