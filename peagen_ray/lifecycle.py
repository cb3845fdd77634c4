"""What becomes of a task when a run of it ends: pure decisions, which queues carry out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from peagen_ray.errors import EnvelopeError, UnsupportedSchema
from peagen_ray.task import Result, Status, Task

MAX_RETRY: Final = 3
"""Runs of one task in all, the first one included."""

IDLE_MS: Final = 60_000
"""Milliseconds after which a task popped by a consumer that renews no lease is an orphan."""

PATIENCE_S: Final = 60.0
"""Seconds that a task may go unserved, or be skipped by one worker after the other."""

RETRY_DELAY_S: Final = 1.0
"""Seconds before the second run; doubled with each further run."""

SKIP_DELAY_S: Final = 0.1
"""Seconds before a skipped task is offered again; doubled with each further skip."""

LONGEST_DELAY_S: Final = 300.0
"""Seconds beyond which the delay before a run is not doubled."""


@dataclass(frozen=True)
class Ack:
    """The task is done."""


@dataclass(frozen=True)
class Retry:
    """The task runs again after ``delay`` seconds; the run counts."""

    delay: float


@dataclass(frozen=True)
class DeadLetter:
    """The task goes to the dead-letter queue, for that reason."""

    reason: str


@dataclass(frozen=True)
class GiveBack:
    """The task is offered to another worker after ``delay`` seconds; the run does not count."""

    delay: float


Action: TypeAlias = Ack | Retry | DeadLetter | GiveBack


@dataclass(frozen=True)
class Policy:
    """The numbers that decide.

    Attributes:
        max_retry: runs in all, from 1.
        patience: seconds that a task may go unserved or be skipped.
        retry_delay: seconds before the second run.
        skip_delay: seconds before a skipped task is offered again.
    """

    max_retry: int = MAX_RETRY
    patience: float = PATIENCE_S
    retry_delay: float = RETRY_DELAY_S
    skip_delay: float = SKIP_DELAY_S


def decide(
    result: Result | None, attempts: int, policy: Policy, *, skips: int = 0, skipped_for: float = 0.0
) -> Action:
    """What to do with a task whose run has ended.

    Args:
        result: what the run came to; None if the worker vanished.
        attempts: runs started so far, this one included.
        policy: the numbers that decide.
        skips: times that it was skipped before, in a row.
        skipped_for: seconds since the first of these.
    """
    if result is None:
        return _again(attempts, 0.0, "worker vanished", policy)
    if result.status is Status.OK:
        return Ack()
    msg = message_of(result)
    if result.status is Status.SKIP:
        if skips and skipped_for >= policy.patience:
            return DeadLetter(f"every worker skipped it for {skipped_for:.0f} s: {msg}")
        return GiveBack(_doubled(policy.skip_delay, skips, policy.patience / 8))
    if not result.retryable:
        return DeadLetter(msg)
    return _again(attempts, _doubled(policy.retry_delay, attempts - 1, LONGEST_DELAY_S), msg, policy)


def message_of(result: Result) -> str:
    """Why the run ended so, in the handler's words or, failing these, in ours."""
    return str(result.data.get("msg") or f"{result.status} without a message")


def _again(attempts: int, delay: float, why: str, policy: Policy) -> Action:
    if attempts >= policy.max_retry:
        return DeadLetter(f"{why} (run {attempts} of {policy.max_retry})")
    return Retry(delay)


def _doubled(delay: float, times: int, longest: float) -> float:
    return min(delay * 2.0 ** min(times, 64), max(delay, longest))


def buried(task: Task, result: Result | None, reason: str) -> Result:
    """The Result that the dead-letter queue publishes for a task.

    It is an ``error`` that is not retryable, carries what the last run said, and gives the reason
    under ``dead_letter``.
    """
    data = {"msg": reason, **(result.data if result else {}), "retryable": False, "dead_letter": reason}
    return Result(task_id=task.id, status=Status.ERROR, data=data, attempts=max(1, task.attempts))


def refusal(error: EnvelopeError, task_id: str) -> Result:
    """The answer to a task that cannot be read: an error that is not retryable and says why.

    For a newer envelope it names the version that this worker speaks.
    """
    data: dict[str, object] = {"msg": str(error), "retryable": False}
    if isinstance(error, UnsupportedSchema):
        data |= {"schema_v": error.found, "speaks": error.spoken}
    return Result(task_id=task_id, status=Status.ERROR, data=data)
