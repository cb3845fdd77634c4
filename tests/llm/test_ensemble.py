"""Whom to ask: shares, different ones at once, breakers, rates and gains, with time and chance in hand."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.config.model import LLMTable
from peagen_ray.errors import ConfigError
from peagen_ray.llm.breaker import LONGEST_PAUSE_S, Breaker, Bucket
from peagen_ray.llm.ensemble import Call, Choice, Ensemble, Outcome, Wait
from peagen_ray.llm.gains import Gains
from peagen_ray.llm.opening import chosen

OK, FAILED = Call(Outcome.OK), Call(Outcome.FAILED, "503")


def ensemble(weights: dict[str, float], seed: int = 1, *, each: Any = None, **table: Any) -> Ensemble:
    backends = tuple(
        BackendTable(name=name, weight=weight, **(each or {})) for name, weight in weights.items()
    )
    return Ensemble(backends, LLMTable(backends=backends, **table), random.Random(seed))


def choice(of: Ensemble, now: float = 0.0, n: int = 1, **options: Any) -> Choice:
    found = of.choose(now, n, **options)
    assert isinstance(found, Choice), found
    return found


def wait(of: Ensemble, now: float, **options: Any) -> Wait:
    found = of.choose(now, **options)
    assert isinstance(found, Wait), found
    return found


def test_shares_are_the_weights_over_their_sum() -> None:
    weights = {"a": 6.0, "b": 3.0, "c": 1.0, "never": 0.0}
    of = ensemble(weights)
    assert of.weights() == {"a": 0.6, "b": 0.3, "c": 0.1, "never": 0.0}
    n = 20_000
    seen = Counter(choice(of, float(i)).backends[0] for i in range(n))
    assert "never" not in seen
    chi2 = sum((seen[name] - n * share) ** 2 / (n * share) for name, share in of.weights().items() if share)
    assert chi2 < 13.82  # the 99.9 % quantile of two degrees of freedom; the seed is fixed


def test_the_same_seed_draws_the_same() -> None:
    first, second, other = (ensemble({"a": 1, "b": 2, "c": 3}, seed) for seed in (7, 7, 8))
    drawn = [[choice(of, float(i), 2).backends for i in range(50)] for of in (first, second, other)]
    assert drawn[0] == drawn[1] != drawn[2]


@given(n=st.integers(1, 6), count=st.integers(1, 5), seed=st.integers(0, 99))
def test_several_are_different_ones_and_as_many_as_there_are(n: int, count: int, seed: int) -> None:
    of = ensemble({f"b{i}": i + 1.0 for i in range(count)}, seed)
    backends = choice(of, 0.0, n).backends
    assert len(set(backends)) == len(backends) == min(n, count)


def test_one_that_was_named_is_asked_whatever_its_weight() -> None:
    table = LLMTable(backends=(BackendTable(name="a", weight=0), BackendTable(name="b")))
    of = Ensemble(chosen(table, "a"), table, random.Random(1))
    assert choice(of).backends == ("a",)


def test_who_may_be_asked_is_said_by_the_settings() -> None:
    two = (BackendTable(name="a", weight=0), BackendTable(name="b"))
    assert [each.name for each in chosen(LLMTable(backends=two))] == ["b"]
    assert [each.name for each in chosen(LLMTable(backends=two, default_backend="a"))] == ["a"]
    assert [each.name for each in chosen(LLMTable(backends=two, default_backend="a"), "b")] == ["b"]
    for table, backend in [
        (LLMTable(), "auto"),
        (LLMTable(backends=two[:1]), "auto"),
        (LLMTable(backends=two), "x"),
    ]:
        with pytest.raises(ConfigError):
            chosen(table, backend)


def test_nobody_to_ask_is_an_error() -> None:
    for weights in ({}, {"a": 0.0, "b": 0.0}):
        with pytest.raises(ConfigError, match="weight"):
            ensemble(weights)


def test_failures_in_a_row_open_the_breaker_and_the_others_take_over() -> None:
    of = ensemble({"bad": 1e9, "good": 1.0}, breaker_failures=3)
    for i in range(3):
        picked = choice(of, float(i))
        assert picked.backends == ("bad",)
        of.report("bad", [FAILED], float(i), picked)
    assert {choice(of, 3.0 + i / 10).backends for i in range(100)} == {("good",)}


def test_a_success_between_failures_keeps_it_closed() -> None:
    of = ensemble({"a": 1}, breaker_failures=2)
    for i in range(20):
        picked = choice(of, float(i))
        of.report("a", [FAILED, OK], float(i), picked)
    assert choice(of, 99.0)


def test_one_probe_at_a_time_and_its_failure_doubles_the_pause() -> None:
    of = ensemble({"a": 1}, breaker_failures=1, breaker_pause=timedelta(seconds=10))
    of.report("a", [FAILED], 0.0, choice(of, 0.0))
    waited = wait(of, 9.9)
    assert (waited.until, waited.why, waited.final) == (10.0, "a: 503", False)
    probe = choice(of, 10.0)
    assert wait(of, 10.0).until == 20.0  # the probe is out
    of.report("a", [FAILED], 11.0, probe)
    assert wait(of, 11.0).until == 31.0
    probe = choice(of, 31.0)
    of.report("a", [OK], 32.0, probe)
    assert choice(of, 32.0)
    assert choice(of, 32.0)


def test_a_probe_that_is_never_heard_of_again_is_followed_by_another() -> None:
    of = ensemble({"a": 1}, breaker_failures=1, breaker_pause=timedelta(seconds=10))
    of.report("a", [FAILED], 0.0, choice(of, 0.0))
    choice(of, 10.0)
    assert choice(of, 20.0)


def test_stragglers_from_before_it_opened_do_not_lengthen_the_pause() -> None:
    of = ensemble({"a": 1}, breaker_failures=1, breaker_pause=timedelta(seconds=10))
    out = [choice(of, 0.0) for _ in range(20)]
    for picked in out:
        of.report("a", [FAILED], 1.0, picked)
    assert wait(of, 1.0).until == 11.0


def test_a_refusal_opens_at_once_and_is_said_to_be_final_when_all_refuse() -> None:
    of = ensemble({"a": 1, "b": 1}, breaker_failures=5)
    picked = choice(of, 0.0, 2)
    of.report("a", [Call(Outcome.REFUSED, "401")], 0.0, picked)
    assert {choice(of, 0.1).backends for _ in range(9)} == {("b",)}
    of.report("b", [Call(Outcome.REFUSED, "no such model")], 0.0, picked)
    waited = wait(of, 0.2)
    assert waited.final
    assert sorted(waited.why.split("; ")) == ["a: 401", "b: no such model"]


def test_neutral_calls_change_nothing() -> None:
    of = ensemble({"a": 1}, breaker_failures=1)
    of.report("a", [Call(Outcome.NEUTRAL, "cancelled")] * 9, 0.0, choice(of, 0.0))
    assert choice(of, 0.0)


@pytest.mark.parametrize("outcome", [Outcome.RATE_LIMITED, Outcome.FAILED])
def test_who_asks_us_to_wait_is_left_alone_that_long(outcome: Outcome) -> None:
    of = ensemble({"a": 1}, breaker_failures=9)
    of.report("a", [Call(outcome, "", retry_after=42)], 1.0, choice(of, 0.0))
    waited = wait(of, 1.0)
    assert (waited.until, waited.why, waited.final) == (43.0, "a: it asked for a pause", False)
    assert choice(of, 43.0)


def test_who_asks_us_to_wait_and_does_not_say_how_long_is_left_alone_for_a_pause() -> None:
    of = ensemble({"a": 1}, breaker_pause=timedelta(seconds=7))
    of.report("a", [Call(Outcome.RATE_LIMITED)], 1.0, choice(of, 0.0))
    assert wait(of, 1.0).until == 8.0


def test_calls_per_minute_are_kept_to() -> None:
    of = ensemble({"a": 1}, each={"rate_per_min": 60})
    now, times = 0.0, []
    while now < 600:
        found = of.choose(now)
        if isinstance(found, Wait):
            assert found.why == "a: its rate is used up"
            assert found.until > now
            now = found.until
        else:
            times.append(now)
    assert len(times) == pytest.approx(606, abs=1)


def test_calls_that_were_made_again_count_too() -> None:
    of = ensemble({"a": 1}, each={"rate_per_min": 6})
    of.report("a", [FAILED, OK, OK], 0.0, choice(of, 0.0))
    assert wait(of, 0.0).until == pytest.approx(30.0)


def test_tokens_per_minute_are_those_that_were_used() -> None:
    of = ensemble({"a": 1}, each={"tokens_per_min": 600})
    first = choice(of, 0.0, tokens=500)
    assert wait(of, 0.0, tokens=500).until == pytest.approx(40.0)
    of.report("a", [Call(Outcome.OK, tokens=100)], 0.0, first)
    assert choice(of, 0.0, tokens=500)
    assert choice(ensemble({"a": 1}, each={"tokens_per_min": 600}), tokens=10**6)


def test_a_bucket_that_is_full_goes_to_another() -> None:
    of = ensemble({"a": 1, "b": 1}, each={"rate_per_min": 1})
    assert {choice(of, 0.0).backends[0] for _ in range(2)} == {"a", "b"}
    assert wait(of, 0.0).until == pytest.approx(60.0)


@given(
    per_s=st.floats(0.01, 100),
    burst=st.floats(1, 100),
    steps=st.lists(st.tuples(st.floats(0, 30), st.floats(0.1, 1)), max_size=60),
    start=st.sampled_from([0.0, 1e9]),
)
def test_a_bucket_gives_no_more_than_it_has_in_any_span(
    per_s: float, burst: float, steps: list[tuple[float, float]], start: float
) -> None:
    bucket, now, taken = Bucket(per_s, burst), start, []
    for pause, part in steps:
        now += pause
        amount = part * burst
        at = bucket.ready_at(amount, now)
        assert bucket.ready_at(amount, at) <= at  # whoever waits is served
        now = at
        bucket.take(amount, now)
        taken.append((now, amount))
    for i, (begin, _) in enumerate(taken):
        for j in range(i, len(taken)):
            bound = burst + (taken[j][0] - begin) * per_s
            assert sum(amount for _, amount in taken[i : j + 1]) <= bound * (1 + 1e-5) + 1e-5 * per_s


class BreakerMachine(RuleBasedStateMachine):
    """A breaker against what it promises, with calls that overlap, fail, succeed and get lost."""

    @initialize(allowed=st.integers(1, 4), pause=st.floats(0.5, 60))
    def start(self, allowed: int, pause: float) -> None:
        self.breaker = Breaker(allowed, pause)
        self.allowed, self.pause, self.now = allowed, pause, 0.0
        self.out: list[float] = []
        self.row = 0

    @rule(by=st.floats(0, 100))
    def pass_time(self, by: float) -> None:
        self.now += by

    @precondition(lambda self: self.breaker.until <= self.now)
    @rule()
    def send(self) -> None:
        probe = not self.breaker.closed
        self.breaker.take(self.now)
        self.out.append(self.now)
        assert (self.breaker.until > self.now) == probe

    @precondition(lambda self: self.out)
    @rule(which=st.randoms(use_true_random=False))
    def succeed(self, which: random.Random) -> None:
        self.out.pop(which.randrange(len(self.out)))
        self.breaker.succeed()
        self.row = 0
        assert self.breaker.closed

    @precondition(lambda self: self.out)
    @rule(which=st.randoms(use_true_random=False), final=st.booleans())
    def fail(self, which: random.Random, final: bool) -> None:
        sent, before = self.out.pop(which.randrange(len(self.out))), self.breaker.until
        was_open = not self.breaker.closed
        self.breaker.fail(self.now, sent, "broken", final=final)
        self.row += 1
        if final and not was_open:
            assert self.breaker.until >= self.now + self.pause
        if self.row < self.allowed and not final and not was_open:
            assert self.breaker.closed
        if was_open:
            assert self.breaker.until >= before

    @precondition(lambda self: self.out)
    @rule()
    def lose(self) -> None:
        self.out.pop()

    @invariant()
    def it_is_open_after_so_many_failures_and_for_no_longer_than_the_longest_pause(self) -> None:
        if not hasattr(self, "breaker"):
            return
        if self.row >= self.allowed:
            assert not self.breaker.closed
        if self.breaker.closed:
            assert self.breaker.until <= self.now
            assert not self.breaker.final
        assert self.breaker.until <= self.now + LONGEST_PAUSE_S


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class EnsembleMachine(RuleBasedStateMachine):
    """Three back-ends and anything that may happen to them: there is always a choice, or a time to choose again."""

    @initialize(seed=st.integers(0, 999), bandit=st.booleans())
    def start(self, seed: int, bandit: bool) -> None:
        backends = (
            BackendTable(name="a", weight=5, rate_per_min=30),
            BackendTable(name="b", weight=1, tokens_per_min=1000),
            BackendTable(name="c", weight=0.5),
        )
        table = LLMTable(backends=backends, bandit=bandit, breaker_failures=2)
        self.of = Ensemble(backends, table, random.Random(seed))
        self.now = 1000.0
        self.out: list[tuple[str, Choice]] = []

    @rule(by=st.floats(0, 50))
    def pass_time(self, by: float) -> None:
        self.now += by

    @rule(n=st.integers(1, 4), tokens=st.integers(0, 3000))
    def choose(self, n: int, tokens: int) -> None:
        found = self.of.choose(self.now, n, tokens=tokens)
        if isinstance(found, Wait):
            assert found.until > self.now
            assert found.why
            self.now = found.until
            found = self.of.choose(self.now, n, tokens=tokens)
        assert isinstance(found, Choice)
        assert 1 <= len(set(found.backends)) == len(found.backends) <= n
        self.out += [(name, found) for name in found.backends]

    @precondition(lambda self: self.out)
    @rule(
        which=st.randoms(use_true_random=False),
        calls=st.lists(
            st.builds(
                Call,
                st.sampled_from(list(Outcome)),
                st.just("broken"),
                st.none() | st.floats(0, 100),
                st.none() | st.integers(0, 5000),
            ),
            max_size=4,
        ),
    )
    def report(self, which: random.Random, calls: list[Call]) -> None:
        name, found = self.out.pop(which.randrange(len(self.out)))
        self.of.report(name, calls, self.now, found)

    @rule(name=st.sampled_from("abc"), gain=st.floats(-5, 5), usd=st.floats(0, 1))
    def credit(self, name: str, gain: float, usd: float) -> None:
        self.of.credit(name, gain, usd)

    @invariant()
    def shares_add_up(self) -> None:
        if hasattr(self, "of"):
            shares = self.of.weights()
            assert sum(shares.values()) == pytest.approx(1)
            assert all(share > 0 for share in shares.values())


TestEnsemble = EnsembleMachine.TestCase
TestEnsemble.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_bandit_shifts_weight_to_what_gains_per_dollar() -> None:
    of = ensemble({"dear": 1, "cheap": 1, "useless": 1}, bandit=True)
    for _ in range(50):
        of.credit("dear", 0.1, 0.10)
        of.credit("cheap", 0.1, 0.01)
        of.credit("useless", 0.0, 0.01)
    shares = of.weights()
    assert shares["cheap"] > 0.6
    assert shares["useless"] < shares["cheap"] / 5
    assert min(shares.values()) > 0.005


def test_without_the_bandit_gains_change_nothing() -> None:
    of = ensemble({"a": 1, "b": 1})
    of.credit("a", 5, 0.01)
    assert of.weights() == {"a": 0.5, "b": 0.5}


def test_what_costs_nothing_is_compared_by_gain_per_candidate() -> None:
    gains = Gains("ab")
    for _ in range(40):
        gains.credit("a", 0.2, 0)
        gains.credit("b", 0.02, 0)
    factors = gains.factors()
    assert factors["a"] > 1 > factors["b"]


def test_a_first_gain_does_not_decide_everything_and_a_loss_counts_as_none() -> None:
    gains = Gains("ab")
    assert gains.factors() == {"a": 1, "b": 1}
    gains.credit("a", -3, 1)
    assert 0.5 < gains.factors()["a"] < 1
    gains.credit("b", 0.5, 1)
    assert 1 < gains.factors()["b"] < 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-1e6, 1e6), st.floats(0, 1e6)), max_size=50))
def test_factors_stay_within_their_bounds(given_: list[tuple[str, float, float]]) -> None:
    gains = Gains("abc")
    for credit in given_:
        gains.credit(*credit)
    assert all(0.1 <= factor <= 10 for factor in gains.factors().values())
