"""Billing: from the CPU time of every round to a ratio, and to what may be claimed of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Self

from peagen_ray.sandbox.lockstep import Round
from peagen_ray.sandbox.statistics import Interval, interval, pooled

RESOLUTION: Final = 4
"""Calls that cost less than this part of the conversation count as costing that: a lower bound of the gain."""

_ASIDE: Final = 0.1
"""What a candidate may spend on inputs and outputs beyond what the original does: its memory lies elsewhere."""

_SPARED: Final = 0.25
"""And what that may be of the time that its calls have saved."""


@dataclass
class Account:
    """The rounds of one family, visit by visit."""

    visits: list[list[Round]] = field(default_factory=list)

    @property
    def rounds(self) -> list[Round]:
        """All of them."""
        return [each for visit in self.visits for each in visit]

    def speeds(self, *, hides: bool) -> list[float]:
        """Logarithm of original / candidate in each visit, without the conversation, what lies aside billed or not."""
        return self._of_visits(partial(_speed, hides=hides))

    def noises(self) -> list[float]:
        """Logarithm of original / control in each visit."""
        return self._of_visits(_noise)

    def totals(self) -> list[float]:
        """Logarithm of original / candidate in each visit, of all that they used."""
        return self._of_visits(_total)

    def _of_visits(self, value: Callable[[Round, float], float]) -> list[float]:
        found = []
        for visit in self.visits:
            null = statistics.median(each.null for each in visit)
            found.append(statistics.median(value(each, null) for each in visit))
        return found


@dataclass(frozen=True)
class Claim:
    """What the families say together.

    Attributes:
        speed: original / candidate.
        noise: original / original.
        families: original / candidate in each family.
        objection: why no gain is claimed; empty if one is.
        overhead: share of the candidate's bill that was the conversation.
        hidden: share of it that was work done aside.
    """

    speed: Interval
    noise: Interval
    families: tuple[float, ...]
    objection: str
    overhead: float
    hidden: float

    @classmethod
    def of(cls, accounts: Sequence[Account]) -> Self:
        """Pool the families."""
        rounds = [each for account in accounts for each in account.rounds]
        hides = _hides(rounds)
        logs = [account.speeds(hides=hides) for account in accounts]
        speed, noise = pooled(logs), pooled([account.noises() for account in accounts])
        families = tuple(math.exp(statistics.median(each)) for each in logs)
        total = pooled([account.totals() for account in accounts])
        shares = [each.null / max(each.candidate.go, 1) for each in rounds]
        hidden = [_excess(each) / (each.candidate.go + _excess(each)) if hides else 0.0 for each in rounds]
        return cls(
            speed,
            noise,
            families,
            _objection(speed, noise, families, total),
            min(1.0, statistics.median(shares)),
            statistics.median(hidden),
        )


def _objection(speed: Interval, noise: Interval, families: Sequence[float], total: Interval) -> str:
    if min(families) <= 1:
        return f"no gain in {sum(each <= 1 for each in families)} of {len(families)} interpreters"
    if speed.low <= 1:
        return "the interval holds no gain too"
    if speed.ratio <= max(noise.high, 1 / noise.low):
        return "the original differs from itself by as much"
    if total.low <= 1:
        return "no gain in all that was billed, inputs and outputs included"
    return ""


def _hides(rounds: Sequence[Round]) -> bool:
    """Whether the candidate works aside: more than memory's place explains, or than its gain can spare.

    That original and control differ too is allowed for.
    """
    excess = statistics.median(map(_excess, rounds))
    usual = statistics.median(map(_usual, rounds))
    saved = statistics.median(each.original.go - each.candidate.go for each in rounds)
    apart = interval([math.log(max(each.control.aside, 1) / max(each.original.aside, 1)) for each in rounds])
    noise = usual * math.log(apart.high / apart.ratio)
    return excess > noise + max(0.0, min(_ASIDE * usual, _SPARED * saved))


def _usual(each: Round) -> float:
    """What the conversation costs aside where nothing is hidden."""
    return (each.original.aside + each.control.aside) / 2


def _excess(each: Round) -> float:
    return max(0.0, each.candidate.aside - _usual(each))


def _speed(each: Round, null: float, *, hides: bool) -> float:
    billed = each.candidate.go + (_excess(each) if hides else 0.0)
    candidate = max(billed - null, null / RESOLUTION, 1.0)
    return _original(each.original.go, each.control.go, null) - math.log(candidate)


def _noise(each: Round, null: float) -> float:
    return math.log(max(each.original.go - null, 1.0) / max(each.control.go - null, 1.0))


def _total(each: Round, _null: float) -> float:
    return _original(each.original.total, each.control.total, 0.0) - math.log(max(each.candidate.total, 1))


def _original(one: int, other: int, null: float) -> float:
    """Logarithm of what the original takes: it runs twice, so the mean of both."""
    return (math.log(max(one - null, 1.0)) + math.log(max(other - null, 1.0))) / 2
