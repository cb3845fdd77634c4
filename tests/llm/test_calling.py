"""Asking several at once and again, over real HTTP; pauses are recorded in place of slept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.config.model import LLMTable
from peagen_ray.errors import BudgetExceeded, LLMRefused, PromptRefused
from peagen_ray.llm.base import Completion, FinishReason, LLMBackend, Prompt
from peagen_ray.llm.budget import Amount, Budget, Purse, prices_of, round_bound, spent, task_bound
from peagen_ray.llm.calling import Asked, Terms, World, ask
from peagen_ray.llm.ensemble import Ensemble, Outcome, Wait
from peagen_ray.llm.opening import open_backend
from peagen_ray.testing.llm_server import LLMServer, Received, Reply

PROMPT = Prompt("make it fast")
ENDLESS = Purse(None, {})


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def world(self) -> World:
        return World(lambda: self.now, self.sleep, random.Random(1))


def seat(server: LLMServer, name: str = "local", **settings: Any) -> LLMBackend:
    table = {"name": name, "adapter": "local", "model": "m-1", "base_url": server.url, **settings}
    return open_backend(BackendTable.model_validate(table))


def asked(
    backends: Sequence[LLMBackend],
    terms: Terms | None = None,
    *,
    purse: Purse = ENDLESS,
    accepts: Callable[[str], bool] = bool,
    time: Time | None = None,
) -> Asked:
    async def run() -> Asked:
        try:
            return await ask(
                backends,
                PROMPT,
                terms or Terms(),
                purse=purse,
                accepts=accepts,
                world=(time or Time()).world(),
            )
        finally:
            for backend in backends:
                await backend.close()

    return asyncio.run(run())


def test_one_answer_is_kept_and_recorded() -> None:
    with LLMServer([Reply("fast", tokens_in=5, tokens_out=2)]) as server:
        found = asked([seat(server)])
    assert found.kept is not None
    assert found.exchanges == (found.kept,)
    kept = found.kept
    assert (kept.text, kept.backend, kept.model, kept.outcome) == ("fast", "local", "m-1", Outcome.OK)
    assert (kept.tokens_in, kept.tokens_out, kept.finish, kept.error) == (5, 2, FinishReason.STOP, "")
    assert (kept.prompt, kept.bound_in, kept.bound_out) == (PROMPT.digest, 524, 4096)
    assert kept.latency_s > 0


@pytest.mark.parametrize(
    "bad",
    [
        Reply(status=429),
        Reply(status=500),
        Reply(status=503),
        Reply(body=b"<html>"),
        Reply(cut=10),
        Reply(status=408),
    ],
)
def test_what_may_pass_is_asked_again(bad: Reply) -> None:
    time = Time()
    with LLMServer([bad, bad, "fast"]) as server:
        found = asked([seat(server)], time=time)
    assert found.kept is not None
    assert [each.attempt for each in found.exchanges] == [1, 2, 3]
    assert [each.outcome is Outcome.OK for each in found.exchanges] == [False, False, True]
    assert 0.25 <= time.slept[0] <= 0.5 <= time.slept[1] <= 1.0


def test_a_hang_is_asked_again_after_its_time() -> None:
    with LLMServer([Reply(hang=True), "fast"]) as server:
        found = asked([seat(server, timeout_ms=200)])
    assert found.kept is not None
    assert found.exchanges[0].error.endswith("did not answer in 0.2 s")
    assert found.exchanges[0].charged == (524, 4096)


def test_no_more_often_than_the_retries() -> None:
    with LLMServer([Reply(status=500)] * 9) as server:
        found = asked([seat(server)], Terms(retries=3))
        assert len(server.requests) == 4
    assert found.kept is None
    assert len(found.exchanges) == 4


@pytest.mark.parametrize(
    ("status", "outcome"), [(401, Outcome.REFUSED), (404, Outcome.REFUSED), (400, Outcome.NEUTRAL)]
)
def test_what_does_not_pass_is_asked_once_and_costs_nothing(status: int, outcome: Outcome) -> None:
    with LLMServer([Reply("no", status=status)]) as server:
        (exchange,) = asked([seat(server)]).exchanges
        assert len(server.requests) == 1
    assert (exchange.outcome, exchange.charged) == (outcome, (0, 0))
    assert "no" in exchange.error


def test_who_asks_for_time_gets_it_and_a_little_more() -> None:
    time = Time()
    with LLMServer([Reply(status=429, retry_after=20), "fast"]) as server:
        found = asked([seat(server)], time=time)
    assert found.kept is not None
    assert found.exchanges[0].retry_after == 20.0
    (slept,) = time.slept
    assert 20.0 <= slept <= 22.0


def test_who_asks_for_more_time_than_there_is_gets_none() -> None:
    time = Time()
    with LLMServer([Reply(status=429, retry_after=3600)]) as server:
        found = asked([seat(server)], Terms(timeout=60), time=time)
    assert found.kept is None
    assert time.slept == []


def test_the_last_try_is_followed_by_no_pause() -> None:
    time = Time()
    with LLMServer([Reply(status=500)]) as server:
        asked([seat(server)], Terms(retries=0), time=time)
    assert time.slept == []


def test_all_are_asked_at_once_and_the_first_that_is_taken_ends_the_others() -> None:
    with LLMServer(["no use"]) as quick, LLMServer(["def f"]) as good, LLMServer([Reply(hang=True)]) as slow:
        seats = [seat(quick, "quick"), seat(good, "good"), seat(slow, "slow")]

        def accepts(text: str) -> bool:
            slow.wait_for(1)
            return text.startswith("def")

        found = asked(seats, accepts=accepts)
        slow.wait_abandoned(1)
    assert found.kept is not None
    assert found.kept.backend == "good"
    assert [each.kept for each in found.exchanges].count(True) == 1
    lost = next(each for each in found.exchanges if each.backend == "slow")
    assert (lost.error, lost.outcome, lost.charged) == ("cancelled", Outcome.NEUTRAL, (524, 4096))


def test_when_no_answer_is_taken_all_are_there_to_be_mended() -> None:
    with LLMServer(["one"]) as first, LLMServer(["two"]) as second:
        found = asked([seat(first, "a"), seat(second, "b")], accepts=lambda text: False)
    assert found.kept is None
    assert sorted(each.text for each in found.exchanges) == ["one", "two"]


def test_one_that_fails_does_not_keep_the_other_from_answering() -> None:
    with LLMServer([Reply(status=401)]) as bad, LLMServer(["fast"]) as good:
        found = asked([seat(bad, "bad"), seat(good, "good")])
    assert found.kept is not None
    assert found.kept.backend == "good"


def test_no_call_is_under_way_when_the_judge_of_answers_breaks_down() -> None:
    def broken(text: str) -> bool:
        slow.wait_for(1)
        raise ZeroDivisionError

    with LLMServer(["fast"]) as quick, LLMServer([Reply(hang=True)]) as slow:
        with pytest.raises(ZeroDivisionError):
            asked([seat(quick, "quick"), seat(slow, "slow")], accepts=broken)
        slow.wait_abandoned(1)


def test_no_call_is_under_way_when_the_asker_is_cancelled() -> None:
    async def run(server: LLMServer) -> None:
        async with seat(server) as backend:
            asking = asyncio.create_task(ask([backend], PROMPT, Terms(), purse=ENDLESS))
            await asyncio.to_thread(server.wait_for, 1)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await asyncio.to_thread(server.wait_abandoned, 1)

    with LLMServer([Reply(hang=True)]) as server:
        asyncio.run(run(server))


def test_a_prompt_beyond_the_limit_is_not_sent() -> None:
    with LLMServer() as server:
        with pytest.raises(PromptRefused, match="may have 524 tokens, the limit is 523"):
            asked([seat(server)], Terms(max_prompt_tokens=523))
        assert not server.requests


def test_no_call_is_made_that_the_purse_does_not_hold() -> None:
    with LLMServer([Reply(usage=False, status=500)] * 9) as server:
        found = asked([seat(server)], Terms(max_tokens=100, retries=9), purse=Purse(Amount(1500, 0), {}))
        assert len(server.requests) == 2  # of 624 tokens each
        assert not asked([seat(server)], purse=Purse(Amount(100, 0), {})).exchanges
    assert spent(found.exchanges, {}).tokens == 1248


def test_what_a_call_did_not_use_is_there_for_the_next() -> None:
    with LLMServer(
        [Reply(status=429), Reply(status=503), Reply("fast", tokens_in=9, tokens_out=1)]
    ) as server:
        purse = Purse(Amount(624, 0), {})
        found = asked([seat(server)], Terms(max_tokens=100), purse=purse)
    assert found.kept is not None
    assert found.kept.attempt == 3
    assert purse.take("local", 614, 0)
    assert not purse.take("local", 1, 0)


class Foreign(LLMBackend):
    """An adapter of somebody else's."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__(BackendTable(name="foreign", timeout_ms=100))
        self._act = act

    async def generate(self, prompt: Prompt, **options: Any) -> Completion:
        found = self._act()
        return await found if asyncio.iscoroutine(found) else found


def answer(tokens: Any, text: Any = "") -> Completion:
    return Completion(text, tokens, 1, 0.1, "foreign", FinishReason.STOP, "m")


def crash() -> None:
    raise RuntimeError("Authorization: Bearer sk-planted-0123456789abcdef")


@pytest.mark.parametrize(
    "act",
    [crash, lambda: None, lambda: "text", lambda: answer(-1), lambda: answer("7"), lambda: answer(1, None)],
)
def test_a_foreign_adapter_may_fail_in_any_way_and_is_not_quoted(act: Callable[[], Any]) -> None:
    (exchange,) = asked([Foreign(act)]).exchanges
    assert exchange.outcome is Outcome.FAILED
    assert "the adapter failed" in exchange.error
    assert "sk-planted" not in exchange.error
    assert exchange.charged == (524, 4096)


def test_our_own_mistakes_are_no_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with LLMServer() as server:
        backend = seat(server)
        monkeypatch.setattr(type(backend), "_call", lambda self, prompt, **options: 1 / 0)

        async def run() -> None:
            async with backend:
                await backend.generate(PROMPT)

        with pytest.raises(LLMRefused, match="the adapter failed: ZeroDivisionError"):
            asyncio.run(run())


def test_an_ensemble_a_budget_and_servers_that_misbehave_go_together() -> None:
    """A run of two hundred tasks: shares, failover, usage and caps, all over real HTTP."""

    def moody(request: Received) -> Reply:
        kinds = [
            Reply("def f"),
            Reply("no use"),
            Reply("def f", usage=False),
            Reply(status=500),
            Reply(status=429),
        ]
        return kinds[request.number % len(kinds)]

    with LLMServer(moody) as server, LLMServer([Reply(status=401)] * 9) as locked:
        tables = tuple(
            BackendTable.model_validate(
                {
                    "name": name, "adapter": "local", "model": "m", "price_in": 1, "price_out": 2,
                    "base_url": base, "weight": weight,
                }
            )
            for name, base, weight in [("a", server.url, 5), ("b", server.url, 1), ("locked", locked.url, 3)]
        )  # fmt: skip
        table = LLMTable(backends=tables, repair_rounds=0, retries=1, breaker_failures=50)
        of, budget = Ensemble(tables, table, random.Random(1)), Budget(tokens=30_000, usd=1.0)
        done, usage = asyncio.run(play(of, budget, table))
        real = server.tokens_in + server.tokens_out
    assert done > 10
    assert 0 < real <= budget.spent.tokens <= 30_000
    assert usage["a"] > usage["b"] > 5
    assert 1 <= usage["locked"] <= 9  # its key is refused: it is probed, ever more rarely


async def play(of: Ensemble, budget: Budget, table: LLMTable) -> tuple[int, dict[str, int]]:
    """Tasks one after the other until the budget is used up; how many were answered, and whom they asked."""
    prices, terms = prices_of(table.backends), Terms(max_tokens=100, retries=table.retries)
    seats = {each.name: open_backend(each) for each in table.backends}
    time, done, usage = Time(), 0, dict.fromkeys(seats, 0)
    for number in range(300):
        time.now += 1.0
        choice = of.choose(time.now, 1 + number % 2, tokens=624)
        if isinstance(choice, Wait):
            time.now = choice.until
            continue
        named = [seats[name] for name in choice.backends]
        least = round_bound([each.table for each in named], len(named), 524, 100)
        wanted = task_bound([each.table for each in named], table, 524, 100, len(named))
        try:
            lease = budget.reserve(str(number), least, wanted)
        except BudgetExceeded:
            break
        assert lease is not None
        found = await ask(
            named, PROMPT, terms, purse=Purse(lease.amount, prices), world=time.world(),
            accepts=lambda text: text.startswith("def"),
        )  # fmt: skip
        budget.settle(lease.id, spent(found.exchanges, prices))
        for name in choice.backends:
            calls = [each.report() for each in found.exchanges if each.backend == name]
            of.report(name, calls, time.now, choice)
            usage[name] += 1
        done += found.kept is not None
    for seat_ in seats.values():
        await seat_.close()
    return done, usage
