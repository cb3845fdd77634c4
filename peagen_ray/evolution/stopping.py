"""When a run ends: pure rules over its progress, and how much is left to each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StopReason(StrEnum):
    """Why a run ends."""

    MAX_GENERATIONS = "max_generations"
    MAX_CANDIDATES = "max_candidates"
    TARGET_MS = "target_ms"
    NO_IMPROVE = "no_improve"
    BUDGET_TOKENS = "budget_tokens"
    BUDGET_USD = "budget_usd"
    LLM_REFUSED = "llm_refused"
    """Every language model refuses us for a reason that time does not mend."""
    RUN_TIMEOUT = "run_timeout"
    INTERRUPTED = "interrupted"
    """The person asked for it."""

    @property
    def at_once(self) -> bool:
        """Whether what is in flight is left behind; else it is waited for."""
        return self in {StopReason.TARGET_MS, StopReason.RUN_TIMEOUT, StopReason.INTERRUPTED}

    @property
    def full(self) -> bool:
        """Whether it ends the run because as many candidates were asked for as there were to be."""
        return self in {StopReason.MAX_GENERATIONS, StopReason.MAX_CANDIDATES}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come.

    Attributes:
        asked: candidates asked for.
        told: candidates told back, rejected ones and duplicates included.
        generation_size: candidates that make one generation.
        stale_generations: whole generations told back since the confirmed best last rose.
        confirming: a better program awaits confirmation.
        best_ms: ``speed_ms`` of the confirmed best; None if there is none, or it was not timed.
        tokens: LLM tokens spent.
        usd: money spent on LLMs.
        elapsed_s: seconds since the run's start, over all its lives.
    """

    asked: int = 0
    told: int = 0
    generation_size: int = 1
    stale_generations: int = 0
    confirming: bool = False
    best_ms: float | None = None
    tokens: int = 0
    usd: float = 0.0
    elapsed_s: float = 0.0

    @property
    def generation(self) -> int:
        """Whole generations told back."""
        return self.told // self.generation_size


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left until a rule ends the run.

    Attributes:
        amount: how much.
        unit: of what: ``generations``, ``candidates``, ``ms``, ``tokens``, ``usd`` or ``s``.
        seconds: how long that lasts at the pace so far; None if that cannot be said.
    """

    amount: float
    unit: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class StopRules:
    """When to stop; None means that there is no such rule. The first one that holds ends the run.

    Attributes:
        max_generations: generations to ask for.
        max_candidates: candidates to ask for.
        target_ms: ``speed_ms`` of the confirmed best that is good enough.
        no_improve: generations since the confirmed best last rose. A program that awaits confirmation
            puts this off.
        budget_tokens: LLM tokens.
        budget_usd: money.
        run_timeout: seconds since the run's start.
    """

    max_generations: int | None = None
    max_candidates: int | None = None
    target_ms: float | None = None
    no_improve: int | None = None
    budget_tokens: int | None = None
    budget_usd: float | None = None
    run_timeout: float | None = None

    def check(self, progress: Progress) -> StopReason | None:
        """The rule that ends the run, if one does: those that leave behind what is in flight come first."""
        left = self.remaining(progress)
        held_up = progress.confirming
        for reason in sorted(left, key=lambda reason: not reason.at_once):
            if left[reason].amount <= 0 and not (reason is StopReason.NO_IMPROVE and held_up):
                return reason
        return None

    def remaining(self, progress: Progress) -> dict[StopReason, Remaining]:
        """What is left to each rule that is set; never less than 0."""
        asked, told, size = progress.asked, progress.told, progress.generation_size
        spans = {
            StopReason.RUN_TIMEOUT: _span(self.run_timeout, progress.elapsed_s, "s", 1.0),
            StopReason.TARGET_MS: self._to_target(progress.best_ms),
            StopReason.NO_IMPROVE: _span(
                self.no_improve, progress.stale_generations, "generations", _pace(progress, told / size)
            ),
            StopReason.MAX_GENERATIONS: _span(
                self.max_generations, asked / size, "generations", _pace(progress, told / size)
            ),
            StopReason.MAX_CANDIDATES: _span(self.max_candidates, asked, "candidates", _pace(progress, told)),
            StopReason.BUDGET_TOKENS: _span(
                self.budget_tokens, progress.tokens, "tokens", _pace(progress, progress.tokens)
            ),
            StopReason.BUDGET_USD: _span(self.budget_usd, progress.usd, "usd", _pace(progress, progress.usd)),
        }
        return {reason: span for reason, span in spans.items() if span is not None}

    def _to_target(self, best_ms: float | None) -> Remaining | None:
        if self.target_ms is None or best_ms is None:
            return None
        return Remaining(max(0.0, best_ms - self.target_ms), "ms", None)


def _pace(progress: Progress, done: float) -> float | None:
    """Seconds that one of ``done`` took."""
    return progress.elapsed_s / done if done > 0 else None


def _span(limit: float | None, used: float, unit: str, pace: float | None) -> Remaining | None:
    if limit is None:
        return None
    amount = max(0.0, limit - used)
    return Remaining(amount, unit, None if pace is None else amount * pace)
