"""The engine: what it asks, what it makes of answers, and when it stops."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.errors import EvolutionError
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.program import Binning, Outcome, Program
from peagen_ray.evolution.questions import (
    ANY_LIFE,
    CHARGE,
    Confirm,
    Dropped,
    Duplicate,
    Mutate,
    Observation,
    Run,
)
from peagen_ray.evolution.selectors.base import ParentSelector
from peagen_ray.evolution.selectors.epsilon import EpsilonSelector
from peagen_ray.evolution.selectors.legacy import LegacySelector
from peagen_ray.evolution.settings import EngineSettings
from peagen_ray.evolution.standing import CONFIRM_ATTEMPTS, EXCLUDED
from peagen_ray.evolution.stopping import StopReason, StopRules
from peagen_ray.testing.landscape import a_program, answer, ask_all, drive


class Oldest(ParentSelector):
    """All that a selector has to know is to select."""

    NAME = "oldest"

    def select(self, db):
        return min(db.champions(), key=lambda program: program.id)


def make(*, selector=None, rules=None, seeds=1, **changes):
    options = {"seed": 1, "generation_size": 10, **changes}
    engine = Engine(EngineSettings(**options), selector or EpsilonSelector(), rules or StopRules())
    for level in range(seeds):
        engine.seed(a_program(level), 0.0)
    return engine


def ok(fitness, n=0, **changes):
    """A candidate of that fitness, unlike any other of another ``n``."""
    seen = Observation(
        Outcome.OK,
        fitness=fitness,
        speed_ms=200 * math.exp(-fitness),
        peak_kb=50.0,
        source=f"x = {n}\n",
        operator="op",
        fingerprint=f"{n:016x}",
    )
    return replace(seen, **changes)


def tell(engine, question, seen, now=1.0):
    return engine.tell(question.n, seen, now, epoch=question.epoch)


def propose(engine, question, fingerprint, **costs):
    return engine.proposed(question.n, fingerprint, 1.0, epoch=question.epoch, **costs)


# Seeds and questions


def test_seed_programs_get_the_first_ids_and_the_original_is_the_confirmed_best():
    engine = make(seeds=3)
    assert [engine.db.get(n).src for n in range(3)] == ["level = 0\n", "level = 1\n", "level = 2\n"]
    assert engine.best.id == 2
    assert engine.ask(0.0).n == 3


def test_an_engine_without_a_correct_seed_program_asks_nothing_and_says_so():
    with pytest.raises(EvolutionError, match="empty"):
        make(seeds=0).ask(0.0)
    engine = make(seeds=0)
    engine.seed(a_program(0).with_(outcome=Outcome.ERROR, fitness=None), 0.0)
    with pytest.raises(EvolutionError, match="empty"):
        engine.ask(0.0)


def test_seed_programs_come_before_the_first_question():
    engine = make()
    engine.ask(0.0)
    with pytest.raises(EvolutionError, match="before the first question"):
        engine.seed(a_program(1), 0.0)


def test_a_seed_program_that_was_only_screened_is_confirmed_first():
    engine = make()
    engine.seed(a_program(9).with_(confirmed=False), 0.0)
    question = engine.ask(0.0)
    assert isinstance(question, Confirm)
    assert question.program.id == 1


def test_a_question_carries_parent_inspirations_seed_weights_and_what_to_exclude():
    engine = make(seeds=4, inspirations=2, selector=LegacySelector())
    first, second = engine.ask(0.0), engine.ask(0.0)
    assert first.parent.id == 3
    assert first.inspirations[0] == "level = 2\n"
    assert len(first.inspirations) == 2
    assert first.parent.src not in first.inspirations
    assert first.weights == {}
    assert first.exclude == (first.parent.fingerprint,)
    assert first.seed != second.seed
    assert 0 <= first.seed < 2**53


def test_no_inspirations_are_sampled_where_none_are_wanted():
    assert make(seeds=4, inspirations=0).ask(0.0).inspirations == ()


def test_any_number_of_candidates_is_in_flight_and_a_slow_one_holds_up_nobody():
    engine = make()
    slow = engine.ask(0.0)
    for n in range(50):
        question = engine.ask(0.0)
        tell(engine, question, ok(-1.0, n))
    assert engine.outstanding() == [slow]
    assert engine.generation == 5


def test_the_same_seed_and_observations_give_the_same_questions():
    runs = [list(drive(make(rules=StopRules(max_generations=12)), random.Random(5))) for _ in range(2)]
    assert [q.digest() for q in runs[0]] == [q.digest() for q in runs[1]]
    other = list(drive(make(seed=2, rules=StopRules(max_generations=12)), random.Random(5)))
    assert [q.digest() for q in other] != [q.digest() for q in runs[0]]


def test_gains_teach_the_selector_and_the_operators():
    engine = make(selector=EpsilonSelector(eps_init=0.2))
    tell(engine, engine.ask(0.0), ok(0.5, 1, operator="good"))
    tell(engine, engine.ask(0.0), ok(0.5, 2))
    confirm = engine.ask(0.0)
    tell(engine, confirm, ok(0.5))
    for n in range(3, 9):
        tell(engine, engine.ask(0.0), Observation(Outcome.INCORRECT, operator="bad", fingerprint=f"{n}"))
    weights = engine.ask(0.0).weights
    assert weights["good"] > 1.0 > weights["bad"] > 0.0
    assert engine.operators["bad"].tries == 6
    assert engine.operators["good"].gain == 0.5
    assert engine._selectors[0].eps == pytest.approx(0.2 * 0.96 * 1.05**7)


def test_the_latest_children_of_a_parent_are_excluded_and_no_more_than_a_bounded_number():
    engine = make(selector=LegacySelector())
    own = engine.best.fingerprint
    for n in range(EXCLUDED + 50):
        tell(engine, engine.ask(0.0), Observation(Outcome.ERROR, fingerprint=f"child {n}"))
    exclude = engine.ask(0.0).exclude
    assert exclude == (own, *(f"child {n}" for n in range(50, EXCLUDED + 50)))


def test_what_was_tried_from_a_program_is_forgotten_with_it():
    engine = make(selector=LegacySelector(), binning=Binning(1e9, 1e9, 10**9), confirm_margin=1e9)
    for n in range(1, 90):
        tell(engine, engine.ask(0.0), ok(float(n), n))
    remembered = sum(1 + len(island.former) for island in engine.db.grid.values())
    assert len(engine.state()["standing"]["tried"]) <= remembered < 40


# Duplicates


def test_a_program_that_was_judged_is_not_run_again_and_counts_as_told():
    engine = make()
    first, second = engine.ask(0.0), engine.ask(0.0)
    assert propose(engine, first, "a") == Run()
    tell(engine, first, Observation(Outcome.ERROR, fingerprint="a"))
    assert propose(engine, second, "a", tokens=30, usd=0.5) == Duplicate(first.n, Outcome.ERROR)
    assert engine.counts == {Outcome.ERROR: 1, Outcome.DUPLICATE: 1}
    assert engine.outstanding() == []
    assert (engine.progress(0.0).tokens, engine.progress(0.0).usd) == (30, 0.5)


def test_a_program_that_is_in_flight_is_not_run_again():
    engine = make()
    first, second, third = (engine.ask(0.0) for _ in range(3))
    assert propose(engine, first, "a") == Run()
    assert propose(engine, second, "a") == Duplicate(first.n, None)
    assert propose(engine, third, "b") == Run()


def test_the_original_itself_is_a_duplicate():
    engine = make()
    assert propose(engine, engine.ask(0.0), engine.best.fingerprint) == Duplicate(0, Outcome.OK)


def test_proposing_twice_for_one_question_runs_it():
    engine = make()
    question = engine.ask(0.0)
    assert propose(engine, question, "a") == Run()
    assert propose(engine, question, "a") == Run()
    assert propose(engine, question, "b") == Run()
    assert propose(engine, engine.ask(0.0), "a") == Run()


def test_a_duplicate_that_was_told_without_being_proposed_is_seen_through():
    engine = make()
    first, second = engine.ask(0.0), engine.ask(0.0)
    tell(engine, first, ok(0.01, 1))
    tell(engine, second, ok(9.0, 1))
    assert engine.counts == {Outcome.OK: 1, Outcome.DUPLICATE: 1}
    assert engine.screened_best.fitness == 0.01


def test_an_answer_without_a_fingerprint_is_of_what_was_proposed():
    engine = make()
    question = engine.ask(0.0)
    propose(engine, question, "a")
    tell(engine, question, Observation(Outcome.LOST, "the worker vanished"))
    assert propose(engine, engine.ask(0.0), "a") == Duplicate(question.n, Outcome.LOST)


def test_a_source_that_does_not_parse_stands_for_nothing():
    engine = make()
    for question in [engine.ask(0.0), engine.ask(0.0)]:
        assert propose(engine, question, "") == Run()
        tell(engine, question, Observation(Outcome.ERROR, "syntax"))
    assert engine.counts == {Outcome.ERROR: 2}


def test_duplicates_and_rejected_candidates_leave_no_source_in_the_record():
    engine = make()
    first, second = engine.ask(0.0), engine.ask(0.0)
    tell(engine, first, ok(0.01, 1))
    tell(engine, second, ok(0.01, 1))
    told = [event for event in engine.take_events() if event.event is Kind.TELL]
    assert [event.source for event in told] == ["x = 1\n", ""]


# Odd answers


@pytest.mark.parametrize("fitness", [None, math.nan, math.inf, -math.inf])
def test_a_success_without_a_finite_fitness_is_a_failure_with_a_reason(fitness):
    engine = make()
    tell(engine, engine.ask(0.0), replace(ok(1.0, 1), fitness=fitness))
    assert engine.counts == {Outcome.INCORRECT: 1}
    assert "not a finite number" in engine.take_news()[-1].program.reason
    assert engine.screened_best.id == 0


def test_a_success_without_its_source_is_an_error_and_may_still_be_answered():
    engine = make()
    question = engine.ask(0.0)
    with pytest.raises(EvolutionError, match="without its source"):
        tell(engine, question, ok(1.0, 1, source=""))
    assert tell(engine, question, ok(1.0, 1))


def test_an_answer_to_a_question_that_was_never_asked_is_an_error():
    engine = make()
    for n in (-1, 1, 7):
        with pytest.raises(EvolutionError, match="no such question"):
            engine.tell(n, ok(1.0), 0.0, epoch=0)
    with pytest.raises(EvolutionError, match="no such question"):
        engine.proposed(5, "a", 0.0, epoch=0)


def test_a_second_answer_is_dropped_but_what_it_cost_counts():
    engine = make()
    question = engine.ask(0.0)
    assert tell(engine, question, ok(0.01, 1, tokens=5))
    assert not tell(engine, question, ok(9.9, 2, tokens=50))
    assert propose(engine, question, "late", tokens=500) == Dropped()
    assert engine.dropped == 2
    assert engine.progress(0.0).tokens == 555
    assert engine.progress(0.0).told == 1
    assert engine.screened_best.fitness == 0.01


def test_a_charge_costs_and_is_no_answer_that_came_too_late():
    engine = make()
    question = engine.ask(0.0)
    assert tell(engine, question, ok(0.01, 1, tokens=5))
    charge = Observation(Outcome.LOST, CHARGE, tokens=50)
    assert not engine.tell(question.n, charge, 0.0, epoch=ANY_LIFE)
    assert engine.dropped == 0
    assert engine.progress(0.0).tokens == 55


def test_text_that_utf8_cannot_hold_is_recorded_as_escapes():
    engine = make()
    tell(engine, engine.ask(0.0), Observation(Outcome.ERROR, "\udcff\0"))
    assert engine.take_events()[-1].reason == "\\udcff\0"


# Confirmation


def screened(engine, fitness, n):
    question = engine.ask(0.0)
    assert isinstance(question, Mutate)
    tell(engine, question, ok(fitness, n))
    return question


def test_a_new_best_by_the_margin_is_confirmed_and_becomes_the_best():
    engine = make(confirm_margin=0.02)
    screened(engine, 0.019, 1)
    candidate = screened(engine, 0.5, 2)
    confirm = engine.ask(0.0)
    assert isinstance(confirm, Confirm)
    assert (confirm.program.id, confirm.attempt) == (candidate.n, 1)
    assert engine.best.id == 0
    tell(engine, confirm, ok(0.4, metrics={"interval": [0.39, 0.41]}))
    assert (engine.best.id, engine.best.fitness, engine.best.confirmed) == (candidate.n, 0.4, True)
    assert engine.best.metrics == {"interval": [0.39, 0.41]}
    assert engine.db.get(candidate.n).fitness == 0.4
    assert engine.take_news()[-1].new_best


def test_what_was_to_be_confirmed_is_the_finalist_of_a_run_that_is_left_before_anything_was():
    engine = make()
    assert engine.finalist is engine.best
    first = engine.ask(0.0)
    tell(engine, first, ok(0.5, 1))
    engine.stop(StopReason.INTERRUPTED, 1.0)
    assert engine.done
    assert engine.finalist is engine.screened_best is not engine.best


def test_the_finalist_is_confirmed_where_anything_was():
    engine = make()
    tell(engine, engine.ask(0.0), ok(0.5, 1))
    confirm = engine.ask(1.0)
    assert isinstance(confirm, Confirm)
    tell(engine, confirm, ok(0.4))
    tell(engine, engine.ask(1.0), ok(5.0, 2))
    assert engine.finalist is engine.best is not engine.screened_best


def test_confirmations_count_neither_as_candidates_nor_as_generations():
    engine = make(generation_size=1)
    screened(engine, 0.5, 1)
    tell(engine, engine.ask(0.0), ok(0.5))
    progress = engine.progress(0.0)
    assert (progress.asked, progress.told, progress.generation) == (1, 1, 1)
    assert sum(engine.counts.values()) == 1


def test_at_most_one_confirmation_is_in_flight_and_then_the_latest_best_follows():
    engine = make()
    screened(engine, 0.5, 1)
    first = engine.ask(0.0)
    screened(engine, 0.6, 2)
    last = screened(engine, 0.7, 3)
    tell(engine, first, ok(0.5))
    second = engine.ask(0.0)
    assert isinstance(second, Confirm)
    assert second.program.id == last.n


def test_a_gain_that_confirmation_does_not_bear_out_is_refuted_and_not_asked_about_again():
    engine = make()
    candidate = screened(engine, 0.5, 1)
    tell(engine, engine.ask(0.0), ok(-0.1))
    assert engine.best.id == 0
    assert engine.refuted == 1
    assert engine.db.get(candidate.n).fitness == -0.1
    assert isinstance(question := engine.ask(0.0), Mutate)
    assert propose(engine, question, f"{1:016x}") == Duplicate(candidate.n, Outcome.REFUTED)


@pytest.mark.parametrize("outcome", [Outcome.INCORRECT, Outcome.ERROR, Outcome.TIMEOUT, Outcome.MEMORY])
def test_a_program_that_fails_confirmation_is_evicted(outcome):
    engine = make()
    candidate = screened(engine, 0.5, 1)
    tell(engine, engine.ask(0.0), Observation(outcome, "wrong on fresh inputs"))
    assert candidate.n not in engine.db
    assert engine.best.id == 0
    assert engine.screened_best.id == 0
    assert engine.refuted == 1
    assert propose(engine, engine.ask(0.0), f"{1:016x}") == Duplicate(candidate.n, outcome)


def test_the_next_fittest_is_confirmed_when_the_fittest_was_refuted():
    engine = make()
    second = screened(engine, 0.5, 1)
    confirm = engine.ask(0.0)
    screened(engine, 0.9, 2)
    tell(engine, confirm, Observation(Outcome.LOST))
    best = engine.ask(0.0)
    tell(engine, best, Observation(Outcome.INCORRECT))
    third = engine.ask(0.0)
    assert isinstance(third, Confirm)
    assert (third.program.id, third.attempt) == (second.n, 2)


def test_a_confirmation_that_our_machinery_loses_is_asked_again_and_given_up_in_the_end():
    engine = make()
    candidate = screened(engine, 0.5, 1)
    for attempt in range(1, CONFIRM_ATTEMPTS + 1):
        confirm = engine.ask(0.0)
        assert isinstance(confirm, Confirm)
        assert confirm.attempt == attempt
        tell(engine, confirm, Observation(Outcome.LOST))
    assert candidate.n not in engine.db
    assert isinstance(engine.ask(0.0), Mutate)


def test_a_fitness_that_is_told_as_final_needs_no_confirmation():
    engine = make()
    tell(engine, engine.ask(0.0), ok(0.5, 1, confirmed=True))
    assert engine.best.fitness == 0.5
    assert isinstance(engine.ask(0.0), Mutate)


def test_a_program_that_left_the_archive_while_it_was_confirmed_may_still_become_the_best():
    engine = make(binning=Binning(1e9, 1e9, 10**9), selector=Oldest())
    first = screened(engine, 0.5, 1)
    confirm = engine.ask(0.0)
    for n in range(2, 12):
        screened(engine, 0.5 + n / 100, n)
    assert first.n not in engine.db
    tell(engine, confirm, ok(0.5))
    assert engine.best.id == first.n


# Stopping


def test_exactly_as_many_candidates_are_asked_for_as_the_generations_hold():
    engine = make(rules=StopRules(max_generations=3), generation_size=4)
    questions = [q for q in drive(engine, random.Random(1)) if isinstance(q, Mutate)]
    assert len(questions) == 12
    assert engine.generation == 3
    assert engine.stop_reason is StopReason.MAX_GENERATIONS


def test_a_run_that_waits_for_what_is_in_flight_is_done_when_it_is_told_and_confirmed():
    engine = make(rules=StopRules(max_candidates=2))
    first, second = engine.ask(0.0), engine.ask(0.0)
    assert engine.ask(0.0) is None
    assert engine.stop_reason is StopReason.MAX_CANDIDATES
    tell(engine, first, ok(0.01, 1))
    assert not engine.done
    tell(engine, second, ok(0.5, 2))
    assert not engine.done
    confirm = engine.ask(0.0)
    assert isinstance(confirm, Confirm)
    assert not engine.done
    tell(engine, confirm, ok(0.5))
    assert engine.done
    assert engine.best.id == second.n


def test_the_target_counts_only_when_it_is_confirmed_and_leaves_the_rest_behind():
    engine = make(rules=StopRules(target_ms=150.0))
    screened(engine, 0.5, 1)
    confirm, other = engine.ask(0.0), engine.ask(0.0)
    assert engine.stop_reason is None
    tell(engine, confirm, ok(0.5))
    assert engine.ask(0.0) is None
    assert engine.stop_reason is StopReason.TARGET_MS
    assert engine.done
    assert engine.outstanding() == [other]


def test_no_improvement_is_counted_in_generations_and_put_off_by_a_confirmation():
    engine = make(rules=StopRules(no_improve=2), generation_size=3)
    screened(engine, 0.5, 1)
    confirm = engine.ask(0.0)
    for n in range(2, 10):
        screened(engine, 0.0, n)
    tell(engine, confirm, Observation(Outcome.INCORRECT))
    assert engine.ask(0.0) is None
    assert engine.stop_reason is StopReason.NO_IMPROVE


def test_a_confirmed_gain_starts_the_count_of_generations_without_one_anew():
    engine = make(rules=StopRules(no_improve=2), generation_size=3)
    for n in range(5):
        screened(engine, 0.0, n)
    tell(engine, engine.ask(0.0), ok(1.0, 99, confirmed=True))
    for n in range(10, 16):
        assert engine.stop_reason is None
        screened(engine, 0.0, n)
    assert engine.ask(0.0) is None


def test_budgets_and_the_timeout_end_the_run():
    for rules, reason in [
        (StopRules(budget_tokens=100), StopReason.BUDGET_TOKENS),
        (StopRules(budget_usd=0.5), StopReason.BUDGET_USD),
        (StopRules(run_timeout=60), StopReason.RUN_TIMEOUT),
    ]:
        engine = make(rules=rules)
        question = engine.ask(0.0)
        tell(engine, question, Observation(Outcome.ERROR, tokens=100, usd=0.5))
        assert engine.ask(60.0) is None
        assert engine.stop_reason is reason
        assert engine.done


def test_interrupting_leaves_behind_what_is_in_flight_but_a_late_answer_still_counts():
    engine = make()
    question = engine.ask(0.0)
    engine.stop(StopReason.INTERRUPTED, 1.0)
    assert engine.done
    assert engine.ask(2.0) is None
    tell(engine, question, ok(0.01, 1))
    assert engine.screened_best.fitness == 0.01


def test_a_patient_stop_may_become_an_impatient_one_and_not_the_other_way_round():
    engine = make()
    engine.ask(0.0)
    engine.stop(StopReason.NO_IMPROVE, 1.0)
    engine.stop(StopReason.MAX_GENERATIONS, 1.0)
    assert engine.stop_reason is StopReason.NO_IMPROVE
    engine.stop(StopReason.INTERRUPTED, 1.0)
    engine.stop(StopReason.RUN_TIMEOUT, 1.0)
    assert engine.stop_reason is StopReason.INTERRUPTED
    assert [e.reason for e in engine.take_events() if e.event is Kind.STOP] == ["no_improve", "interrupted"]


def test_remaining_speaks_of_every_rule_that_is_set():
    engine = make(rules=StopRules(max_generations=2, run_timeout=100.0))
    left = engine.remaining(30.0)
    assert set(left) == {StopReason.MAX_GENERATIONS, StopReason.RUN_TIMEOUT}
    assert left[StopReason.RUN_TIMEOUT].amount == 70.0


# Lives


def test_what_is_outstanding_is_asked_again_and_is_the_same_question():
    engine = make()
    first, second, third = (engine.ask(0.0) for _ in range(3))
    tell(engine, second, ok(0.01, 1))
    engine.stop(StopReason.INTERRUPTED, 1.0)
    engine.resume(2.0)
    again = [engine.ask(3.0), engine.ask(3.0)]
    assert [q.n for q in again] == [first.n, third.n]
    assert [replace(q, epoch=0) for q in again] == [first, third]
    assert [q.digest() for q in again] == [first.digest(), third.digest()]
    assert engine.ask(3.0).n == third.n + 1
    assert engine.epoch == 1


def test_a_confirmation_of_an_earlier_life_is_asked_again_though_the_budget_is_spent():
    engine = make(rules=StopRules(budget_tokens=10))
    tell(engine, engine.ask(0.0), ok(1.0, 1, tokens=10))
    confirm = engine.ask(1.0)
    assert isinstance(confirm, Confirm)
    engine.resume(2.0)
    again = engine.ask(3.0)
    assert (again.n, engine.stop_reason) == (confirm.n, StopReason.BUDGET_TOKENS)
    assert not engine.done
    tell(engine, again, ok(1.0, 1))
    assert engine.done
    assert engine.best.confirmed


def test_answers_of_an_earlier_life_are_dropped_and_counted():
    engine = make()
    old = engine.ask(0.0)
    engine.resume(1.0)
    assert not tell(engine, old, ok(9.0, 1, tokens=10))
    assert propose(engine, old, "a") == Dropped()
    new = engine.ask(2.0)
    assert not tell(engine, old, ok(9.0, 1, tokens=10))
    assert tell(engine, new, ok(0.01, 1, tokens=10))
    assert engine.dropped == 3
    assert engine.progress(0.0).tokens == 30


def test_what_was_proposed_in_an_earlier_life_stands_for_nothing():
    engine = make()
    first, second = engine.ask(0.0), engine.ask(0.0)
    propose(engine, first, "a")
    engine.resume(1.0)
    engine.ask(1.0)
    assert propose(engine, engine.ask(1.0), "a") == Run()
    assert second.n in {q.n for q in engine.outstanding()}


def test_an_outstanding_confirmation_is_asked_again():
    engine = make()
    screened(engine, 0.5, 1)
    confirm = engine.ask(0.0)
    engine.resume(1.0)
    again = engine.ask(1.0)
    assert replace(again, epoch=0) == confirm
    assert isinstance(engine.ask(1.0), Mutate)


def test_a_full_run_that_is_resumed_asks_again_what_it_still_lacks():
    engine = make(rules=StopRules(max_candidates=2))
    first, second = engine.ask(0.0), engine.ask(0.0)
    tell(engine, first, ok(0.01, 1))
    engine.resume(1.0)
    assert engine.ask(1.0).n == second.n
    assert engine.ask(1.0) is None
    assert engine.stop_reason is StopReason.MAX_CANDIDATES


def test_a_run_out_of_budget_that_is_resumed_asks_nothing_again():
    engine = make(rules=StopRules(budget_tokens=100))
    first = engine.ask(0.0)
    engine.ask(0.0)
    tell(engine, first, Observation(Outcome.ERROR, tokens=100))
    engine.resume(1.0)
    assert engine.ask(1.0) is None
    assert engine.done


# Ordered mode


def ordered(**changes):
    return make(ordered=True, **{"look_ahead": 4, **changes})


def test_ordered_no_more_is_asked_than_the_look_ahead_allows():
    engine = ordered()
    questions = ask_all(engine)
    assert len(questions) == 4
    for question in questions[1:]:
        tell(engine, question, ok(-1.0, question.n))
    assert engine.ask(0.0) is None
    tell(engine, questions[0], ok(-1.0, 99))
    assert len(ask_all(engine)) == 4


def test_ordered_an_answer_takes_effect_only_when_its_turn_comes():
    engine = ordered(selector=LegacySelector(), confirm_margin=9.0)
    questions = ask_all(engine)
    tell(engine, questions[1], ok(5.0, 1))
    tell(engine, questions[0], ok(1.0, 2))
    assert engine.progress(0.0).told == 0
    assert engine.ask(0.0).parent.fitness == 1.0
    assert engine.ask(0.0).parent.fitness == 5.0


def test_ordered_of_two_that_propose_the_same_the_earlier_one_is_judged():
    engine = ordered()
    first, second, *rest = ask_all(engine)
    assert propose(engine, second, "a") == Run()
    assert propose(engine, first, "a") == Run()
    tell(engine, second, ok(2.0, 0, fingerprint="a"))
    tell(engine, first, ok(1.0, 0, fingerprint="a"))
    for question in rest:
        tell(engine, question, ok(0.0, question.n))
    ask_all(engine)
    assert engine.db.get(first.n).fitness == 1.0
    assert engine.counts[Outcome.DUPLICATE] == 1


def test_ordered_a_later_one_is_a_duplicate_of_an_earlier_one_that_was_told_but_not_applied():
    engine = ordered()
    first, second, *_ = ask_all(engine)
    tell(engine, first, ok(1.0, 0, fingerprint="a"))
    assert propose(engine, second, "a") == Duplicate(first.n, Outcome.OK)


def test_ordered_what_was_told_counts_when_the_run_is_left_at_once():
    engine = ordered()
    questions = ask_all(engine)
    tell(engine, questions[2], ok(5.0, 1))
    engine.stop(StopReason.INTERRUPTED, 1.0)
    assert engine.screened_best.fitness == 5.0
    tell(engine, questions[3], ok(6.0, 2))
    assert engine.screened_best.fitness == 6.0
    engine.resume(2.0)
    assert [q.n for q in ask_all(engine)[:2]] == [questions[0].n, questions[1].n]


def test_ordered_a_run_that_is_left_and_resumed_comes_to_its_end():
    engine = ordered(rules=StopRules(max_generations=6))
    order = random.Random(3)
    for n, _ in enumerate(drive(engine, order)):
        if n == 25:
            engine.stop(StopReason.INTERRUPTED, 9.0)
    assert engine.outstanding()
    engine.resume(10.0)
    list(drive(engine, order))
    assert engine.progress(0.0).told == 60
    assert engine.done


@settings(max_examples=60, deadline=None)
@given(orders=st.lists(st.integers(0, 10**9), min_size=2, max_size=2), seed=st.integers(0, 10**6))
def test_ordered_the_questions_do_not_depend_on_the_order_of_the_answers(orders, seed):
    """The same seed and observations give the same run whatever the timing, and whatever is in flight."""
    lived = []
    for order in orders:
        rng = random.Random(order)
        engine = ordered(seed=seed, rules=StopRules(max_generations=8), seeds=2)
        asked = [(q.n, q.KIND, q.digest()) for q in drive(engine, rng, width=rng.randrange(1, 8))]
        state = engine.state()
        lived.append((asked, json.dumps(state), engine.best, engine.counts))
    assert lived[0] == lived[1]


@settings(max_examples=40, deadline=None)
@given(order=st.integers(0, 10**9), is_ordered=st.booleans(), cut=st.integers(0, 120))
def test_an_engine_restored_from_its_state_goes_on_as_if_nothing_had_happened(order, is_ordered, cut):
    def fresh():
        return make(ordered=is_ordered, rules=StopRules(max_generations=8), seeds=0)

    engine = fresh()
    engine.seed(a_program(0), 0.0)
    questions = drive(engine, random.Random(order))
    for _ in range(cut):
        next(questions, None)
    twin = fresh()
    twin.restore(json.loads(json.dumps(engine.state())))
    assert json.dumps(twin.state()) == json.dumps(engine.state())
    runs = []
    for one in (engine, twin):
        one.resume(50.0)
        runs.append([(q.n, q.epoch, q.digest()) for q in drive(one, random.Random(order), now=50.0)])
    assert runs[0] == runs[1]
    assert json.dumps(twin.state()) == json.dumps(engine.state())


def test_a_state_of_other_settings_is_refused():
    engine = make()
    with pytest.raises(EvolutionError, match="other settings"):
        make(seed=2).restore(engine.state())


def test_a_selector_needs_to_know_nothing_but_to_select():
    engine = make(selector=Oldest(), rules=StopRules(max_generations=3))
    assert all(q.parent.id == 0 for q in drive(engine, random.Random(1)) if isinstance(q, Mutate))
    assert engine.done


def test_the_pretended_search_meets_every_kind_of_answer():
    """What the tests above rely on."""
    engine = make(rules=StopRules(max_generations=40))
    kinds = {type(question) for question in drive(engine, random.Random(2))}
    assert kinds == {Mutate, Confirm}
    wanted = {Outcome.OK, Outcome.REJECTED, Outcome.DUPLICATE, Outcome.INCORRECT, Outcome.LOST, Outcome.ERROR}
    assert wanted <= set(engine.counts)
    assert engine.refuted
    assert engine.best.fitness > 0.5
    assert isinstance(answer(Confirm(9, 0, Program(1, "level = 3\n"), 1, 0)), Observation)
