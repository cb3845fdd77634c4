"""What calls may cost is reserved first, and no cap is ever passed."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from peagen_ray.config.model import Config, LLMTable
from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.errors import BudgetExceeded, ConfigError
from peagen_ray.llm.budget import (
    NOTHING,
    Amount,
    Budget,
    Lease,
    Purse,
    check_prices,
    cost,
    prices_of,
    round_bound,
    spent,
    task_bound,
    worst_case,
)
from peagen_ray.llm.ensemble import Outcome
from peagen_ray.llm.exchange import Exchange

CHEAP = BackendTable(name="cheap", adapter="openai", price_in=1.0, price_out=2.0)
DEAR = BackendTable(name="dear", adapter="openai", price_in=3.0, price_out=15.0)
FREE = BackendTable(name="local")
UNKNOWN = BackendTable(name="groq")


def exchange(backend: str = "cheap", *, bound: tuple[int, int] = (100, 10), **fields: Any) -> Exchange:
    return Exchange("digest", backend, "m", Outcome.OK, *bound, **fields)


def test_prices_are_per_million_and_rounded_up() -> None:
    assert cost(1_000_000, 0, (1.0, 2.0)) == Amount.of(1_000_000, 1.0)
    assert cost(0, 500_000, (1.0, 2.0)).usd == 1.0
    assert cost(1, 0, (0.0000001, 0.0)) == Amount(1, 1)
    assert cost(3, 4, None) == Amount(7, 0)


def test_usage_that_is_not_known_is_billed_as_its_bound() -> None:
    prices = prices_of([CHEAP])
    assert spent([exchange(tokens_in=7, tokens_out=1)], prices) == cost(7, 1, (1.0, 2.0))
    assert spent([exchange(tokens_in=7)], prices) == cost(7, 10, (1.0, 2.0))
    assert spent([exchange()], prices) == cost(100, 10, (1.0, 2.0))
    assert spent([exchange(billed=False)], prices) == NOTHING
    assert spent([exchange(), exchange()], prices) == cost(200, 20, (1.0, 2.0))


def test_a_lease_is_what_was_wanted_or_what_is_left() -> None:
    budget = Budget(tokens=100)
    first = budget.reserve("t1", Amount(10), Amount(60))
    second = budget.reserve("t2", Amount(10), Amount(60))
    assert first is not None
    assert second is not None
    assert (first.amount.tokens, second.amount.tokens) == (60, 40)
    assert budget.reserve("t3", Amount(10), Amount(60)) is None
    assert budget.settle("t1", Amount(5))
    third = budget.reserve("t3", Amount(10), Amount(60))
    assert third is not None
    assert third.amount.tokens == 55
    assert budget.leases == (second, third)


def test_when_nobody_holds_anything_and_too_little_is_left_it_is_over() -> None:
    budget = Budget(tokens=100, usd=1.0, spent=Amount.of(95, 0.25))
    with pytest.raises(BudgetExceeded, match=r"5 tokens and 0\.750000 USD is left"):
        budget.reserve("t1", Amount(10), Amount(60))


def test_the_same_task_has_the_same_lease_and_settles_once() -> None:
    budget = Budget(tokens=100)
    lease = budget.reserve("t1", Amount(10), Amount(60))
    assert budget.reserve("t1", Amount(99), Amount(99)) is lease
    assert budget.settle("t1", Amount(30))
    assert not budget.settle("t1", Amount(30))
    assert not budget.forfeit("t1")
    assert not budget.settle("never", Amount(30))
    assert budget.spent == Amount(30)
    with pytest.raises(BudgetExceeded, match="settled already"):
        budget.reserve("t1", Amount(1), Amount(1))


def test_runs_of_a_task_that_were_lost_have_spent_their_leases() -> None:
    budget = Budget(tokens=100)
    lease = budget.reserve("t1", Amount(10), Amount(60), runs=3)
    assert lease is not None
    assert lease.amount.tokens == 33
    assert budget.held.tokens == 99
    budget.settle("t1", Amount(4), lost_runs=1)
    assert budget.spent.tokens == 37
    budget.reserve("t2", Amount(10), Amount(60), runs=3)
    budget.forfeit("t2")
    assert budget.spent.tokens == 100


def test_without_a_cap_everything_is_there() -> None:
    lease = Budget().reserve("t1", Amount(10), Amount(10**9, 10**15), runs=3)
    assert lease is not None
    assert lease.amount == Amount(10**9, 10**15)
    assert Lease.from_wire(lease.to_wire()) == lease


def test_who_charges_more_than_was_reserved_is_booked_and_nothing_follows() -> None:
    budget = Budget(tokens=100)
    budget.reserve("t1", Amount(10), Amount(60))
    budget.settle("t1", Amount(500))
    assert budget.spent.tokens == 500
    with pytest.raises(BudgetExceeded, match="0 tokens"):
        budget.reserve("t2", Amount(1), Amount(1))


def test_a_purse_lets_a_call_be_made_only_if_all_of_it_is_there() -> None:
    purse = Purse(Amount(250, 10**12), prices_of([CHEAP]))
    assert purse.take("cheap", 100, 10)
    assert purse.take("cheap", 100, 10)
    assert not purse.take("cheap", 100, 10)
    purse.settle(exchange(tokens_in=20, tokens_out=10))
    assert purse.take("cheap", 100, 10)
    assert not purse.take("cheap", 1, 0)
    assert not Purse(Amount(10**6, 10**6), prices_of([CHEAP])).take("cheap", 1, 1)
    assert Purse(None, {}).take("cheap", 10**9, 10**9)


class BudgetMachine(RuleBasedStateMachine):
    """Tasks that overlap, run again, report twice, late or never: what was really spent stays under the caps."""

    @initialize(
        tokens=st.none() | st.integers(0, 5000),
        usd=st.none() | st.floats(0, 0.05),
        before=st.integers(0, 500),
    )
    def start(self, tokens: int | None, usd: float | None, before: int) -> None:
        self.caps = (tokens, usd)
        self.real = cost(min(before, tokens if tokens is not None else before), 0, (0.0, 0.0))
        self.budget = Budget(tokens, usd, self.real)
        self.prices = prices_of([CHEAP, DEAR])
        self.leases: dict[str, tuple[Lease, int]] = {}
        self.runs: dict[str, list[Amount]] = {}
        self.settled: list[tuple[str, Amount, int]] = []
        self.names = 0

    @rule(most_runs=st.integers(1, 3), bound_in=st.integers(1, 300), bound_out=st.integers(1, 300))
    def reserve(self, most_runs: int, bound_in: int, bound_out: int) -> None:
        one = cost(bound_in, bound_out, self.prices["dear"])
        self.names += 1
        name = f"t{self.names}"
        try:
            lease = self.budget.reserve(name, one, one * 4, runs=most_runs)
        except BudgetExceeded:
            assert not self.leases
            return
        if lease is not None:
            self.leases[name], self.runs[name] = (lease, most_runs), []

    @precondition(lambda self: self.leases)
    @rule(rng=st.randoms(use_true_random=False))
    def run_task(self, rng: random.Random) -> None:
        """It makes the calls that its purse allows; some say what they used, some do not."""
        name = rng.choice(sorted(self.leases))
        lease, most = self.leases[name]
        if len(self.runs[name]) == most:
            return
        purse, really, booked = Purse(lease.amount, self.prices), NOTHING, []
        for _ in range(rng.randrange(6)):
            backend, bound = rng.choice(["cheap", "dear"]), (rng.randrange(1, 200), rng.randrange(1, 200))
            if not purse.take(backend, *bound):
                continue
            used = rng.randint(0, bound[0]), rng.randint(0, bound[1])
            known = rng.choice([used, (None, None), (used[0], None)])
            done = exchange(backend, bound=bound, tokens_in=known[0], tokens_out=known[1])
            purse.settle(done)
            booked.append(done)
            really += cost(*used, self.prices[backend])
        self.real += really
        self.runs[name].append(spent(booked, self.prices))

    @precondition(lambda self: self.leases)
    @rule(rng=st.randoms(use_true_random=False))
    def settle(self, rng: random.Random) -> None:
        name = rng.choice(sorted(self.leases))
        runs = self.runs.pop(name)
        del self.leases[name]
        if not runs or rng.random() < 0.3:
            assert self.budget.forfeit(name)
            return
        last = (name, runs[-1], len(runs) - 1)
        assert self.budget.settle(name, last[1], lost_runs=last[2])
        self.settled.append(last)

    @precondition(lambda self: self.settled)
    @rule(rng=st.randoms(use_true_random=False))
    def settle_again(self, rng: random.Random) -> None:
        name, amount, lost = rng.choice(self.settled)
        assert not self.budget.settle(name, amount, lost_runs=lost)

    @rule()
    def die_and_resume(self) -> None:
        lost = sum((lease.amount * runs for lease, runs in self.leases.values()), NOTHING)
        self.budget = Budget(*self.caps, spent=self.budget.spent + lost)
        self.leases, self.runs, self.settled = {}, {}, []

    @invariant()
    def the_caps_hold(self) -> None:
        if not hasattr(self, "budget"):
            return
        booked = self.budget.spent + self.budget.held
        tokens, usd = self.caps
        for each in (self.real, booked):
            assert tokens is None or each.tokens <= tokens
            assert usd is None or each.usd <= usd
        assert self.real.within(booked)


TestBudget = BudgetMachine.TestCase
TestBudget.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@given(st.permutations([Amount(3, 1), Amount(5, 10**15), Amount(0, 7), Amount(11, 0)]))
def test_the_order_of_settlements_changes_nothing(amounts: list[Amount]) -> None:
    budget = Budget(tokens=100)
    for i, amount in enumerate(amounts):
        budget.reserve(f"t{i}", NOTHING, Amount(11, 10**15))
        budget.settle(f"t{i}", amount)
    assert budget.spent == Amount(19, 10**15 + 8)


def test_a_round_costs_at_most_what_its_dearest_back_ends_do() -> None:
    three = [CHEAP, DEAR, FREE]
    assert round_bound(three, 1, 1000, 100) == cost(1000, 100, (3.0, 15.0))
    assert round_bound(three, 2, 1000, 100) == cost(1000, 100, (3.0, 15.0)) + cost(1000, 100, (1.0, 2.0))
    assert round_bound(three, 9, 1000, 100).tokens == 3300


def test_a_task_costs_at_most_all_its_retries_and_repairs() -> None:
    table = LLMTable(retries=2, repair_rounds=1, max_prompt_tokens=500)
    assert task_bound([CHEAP], table, 100, 10).tokens == 3 * (110 + 510)


def config(*backends: BackendTable, **stop: Any) -> Config:
    return Config.model_validate(
        {
            "evolve": {"generation_size": 10, "stop": {"max_generations": 2, **stop}},
            "mutate": {"max_tokens": 100},
            "llm": {
                "backends": [each.model_dump() for each in backends],
                "retries": 0,
                "repair_rounds": 0,
                "max_prompt_tokens": 900,
            },
        }
    )


def test_the_worst_case_of_a_run_is_known_before_it_starts() -> None:
    assert worst_case(config(CHEAP)) == (20_000, pytest.approx(20 * (900 * 1e-6 + 100 * 2e-6)))
    assert worst_case(config(CHEAP), candidates=1)[0] == 1000
    assert worst_case(config(CHEAP, budget_tokens=5000, budget_usd=0.001)) == (5000, 0.001)
    assert worst_case(config(CHEAP, budget_tokens=5000)) == (5000, pytest.approx(5000 * 2e-6)), (
        "no token is dearer"
    )
    assert worst_case(config(FREE)) == (20_000, 0.0)
    assert worst_case(config(UNKNOWN)) == (20_000, None)
    with pytest.raises(ConfigError):
        worst_case(config())


def test_a_cap_on_money_wants_prices() -> None:
    check_prices([CHEAP, FREE], 1.0)
    check_prices([UNKNOWN], None)
    with pytest.raises(ConfigError, match="add them to groq"):
        check_prices([CHEAP, UNKNOWN], 1.0)
