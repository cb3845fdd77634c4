"""Whom to ask: weights, breakers and rate limits of all back-ends, as pure decisions.

It lives in one process for the whole run and is used by one thread. It reads no clock: every call says what
time it is, in seconds from anywhere, never going back.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.config.model import LLMTable
from peagen_ray.errors import ConfigError
from peagen_ray.llm.breaker import Breaker, Bucket
from peagen_ray.llm.gains import Gains

_BURST_S: Final = 6.0
"""Seconds of a back-end's rate that may be used at once."""


class Outcome(StrEnum):
    """What became of a call."""

    OK = "ok"
    """it answered"""
    RATE_LIMITED = "rate_limited"
    """it asked us to wait"""
    FAILED = "failed"
    """it may answer later"""
    REFUSED = "refused"
    """it answers no call of ours: its key or its model is wrong"""
    NEUTRAL = "neutral"
    """it says nothing about the back-end: the call was cancelled, or the prompt was at fault"""


@dataclass(frozen=True)
class Call:
    """What is reported of one call.

    Attributes:
        outcome: what became of it.
        why: what happened, where it is no success.
        retry_after: seconds that the back-end asked for.
        tokens: tokens that it took in all; None where nobody knows.
    """

    outcome: Outcome
    why: str = ""
    retry_after: float | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Choice:
    """Ask these.

    Attributes:
        backends: their names, all different, the first one drawn first.
        at: when it was decided.
        tokens: what each was taken to need.
    """

    backends: tuple[str, ...]
    at: float
    tokens: int = 0


@dataclass(frozen=True)
class Wait:
    """Ask nobody for a while.

    Attributes:
        until: when it is worth choosing again.
        why: what keeps each back-end.
        final: every one of them refuses us for a reason that time does not mend.
    """

    until: float
    why: str
    final: bool = False


class Ensemble:
    """Back-ends that share the calls of a run.

    Args:
        backends: those that may be asked; see :func:`peagen_ray.llm.opening.chosen`.
        table: the settings of all of them.
        rng: the only source of chance.

    Raises:
        ConfigError: there is no back-end, or none with a weight.
    """

    def __init__(self, backends: Sequence[BackendTable], table: LLMTable, rng: random.Random) -> None:
        self._rng = rng
        alone = len(backends) == 1
        self._seats = {each.name: _Seat(each, table, 1.0 if alone else each.weight) for each in backends}
        if not any(seat.weight > 0 for seat in self._seats.values()):
            raise ConfigError("no back-end has a weight", subject="llm", hint="add [[llm.backends]]")
        self._gains = Gains(self._seats) if table.bandit else None

    def weights(self) -> dict[str, float]:
        """The share that each back-end has of the calls while all can be asked; they add up to 1."""
        factors = self._gains.factors() if self._gains else {}
        raw = {name: seat.weight * factors.get(name, 1.0) for name, seat in self._seats.items()}
        return {name: weight / sum(raw.values()) for name, weight in raw.items()}

    def choose(self, now: float, n: int = 1, *, tokens: int = 0) -> Choice | Wait:
        """Draw ``n`` different back-ends by weight, or as many as can be asked.

        Args:
            now: the time.
            n: how many.
            tokens: what one call may take, prompt and answer together.
        """
        ready = {name: seat.ready_at(tokens, now) for name, seat in self._seats.items() if seat.weight > 0}
        free = [name for name, at in ready.items() if at <= now]
        if not free:
            return self._wait(ready, now)
        drawn = tuple(self._drawn(free, n))
        for name in drawn:
            self._seats[name].take(tokens, now)
        return Choice(drawn, now, tokens)

    def report(self, backend: str, calls: Sequence[Call], now: float, choice: Choice) -> None:
        """Say what became of a choice at one of its back-ends.

        Args:
            backend: its name.
            calls: every call that was made of it, in order; none where it is not known.
            now: the time.
            choice: the choice that it belongs to.
        """
        seat = self._seats[backend]
        for call in calls:
            seat.hear(call, now, choice.at)
        seat.account(calls, now, choice.tokens)

    def credit(self, backend: str, gain: float, usd: float) -> None:
        """Say what a candidate of a back-end gained over its parent, in fitness, and what it cost."""
        if self._gains:
            self._gains.credit(backend, gain, usd)

    def _drawn(self, free: list[str], n: int) -> list[str]:
        shares = self.weights()
        drawn: list[str] = []
        while free and len(drawn) < n:
            (name,) = self._rng.choices(free, [shares[each] for each in free])
            free.remove(name)
            drawn.append(name)
        return drawn

    def _wait(self, ready: Mapping[str, float], now: float) -> Wait:
        why = "; ".join(f"{name}: {self._seats[name].why(now)}" for name in ready)
        return Wait(min(ready.values()), why, final=all(self._seats[name].breaker.final for name in ready))


class _Seat:
    """One back-end: what it has of the calls, and what keeps it."""

    def __init__(self, backend: BackendTable, table: LLMTable, weight: float) -> None:
        self.weight = weight
        self.breaker = Breaker(table.breaker_failures, table.breaker_pause.total_seconds())
        self._asked_to_wait = float("-inf")
        self._default_wait = self.breaker.pause_s
        self._calls = self._tokens = None
        if backend.rate_per_min is not None:
            rate = backend.rate_per_min / 60.0
            self._calls = Bucket(rate, max(1.0, rate * _BURST_S))
        if backend.tokens_per_min is not None:
            self._tokens = Bucket(backend.tokens_per_min / 60.0, float(backend.tokens_per_min))

    def ready_at(self, tokens: int, now: float) -> float:
        """The time from which it may be asked."""
        times = [self.breaker.until, self._asked_to_wait]
        if self._calls:
            times.append(self._calls.ready_at(1.0, now))
        if self._tokens:
            times.append(self._tokens.ready_at(float(tokens), now))
        return max(times)

    def why(self, now: float) -> str:
        """What keeps it."""
        if self.breaker.until > now:
            return self.breaker.why
        return "it asked for a pause" if self._asked_to_wait > now else "its rate is used up"

    def take(self, tokens: int, now: float) -> None:
        """It is asked."""
        self.breaker.take(now)
        if self._calls:
            self._calls.take(1.0, now)
        if self._tokens:
            self._tokens.take(float(tokens), now)

    def hear(self, call: Call, now: float, sent: float) -> None:
        """Learn from one call."""
        match call.outcome:
            case Outcome.OK:
                self.breaker.succeed()
            case Outcome.FAILED | Outcome.REFUSED:
                self.breaker.fail(now, sent, call.why, final=call.outcome is Outcome.REFUSED)
            case _:
                pass
        if call.outcome in (Outcome.RATE_LIMITED, Outcome.FAILED):
            pause = call.retry_after
            if pause is None and call.outcome is Outcome.RATE_LIMITED:
                pause = self._default_wait
            self._asked_to_wait = max(self._asked_to_wait, now + (pause or 0.0))

    def account(self, calls: Sequence[Call], now: float, tokens: int) -> None:
        """Charge the calls beyond the first, and what was really used in place of what was taken."""
        if self._calls and len(calls) > 1:
            self._calls.take(float(len(calls) - 1), now)
        if self._tokens and calls:
            used = sum(tokens if call.tokens is None else call.tokens for call in calls)
            self._tokens.take(float(used - tokens), now)
