"""What a queue says about tasks: claims, states, and the names of lanes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from peagen_ray.task import Result, Task

LEASE_S: Final = 15.0
"""Seconds for which a claim keeps its task without a word from the worker."""

RENEW_S: Final = 5.0
"""Seconds between two renewals of a lease."""

FROM_START: Final = "^"
"""Cursor of :meth:`TaskQueue.results_since`: from the oldest Result that is kept."""

FROM_NOW: Final = "$"
"""Cursor of :meth:`TaskQueue.results_since`: only what is published from now on."""


class State(StrEnum):
    """Where a task is.

    ``released`` was acknowledged without a Result, ``done`` has its Result, ``expired`` had one that is
    kept no longer.
    """

    WAITING = "waiting"
    DELAYED = "delayed"
    CLAIMED = "claimed"
    RELEASED = "released"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Claim:
    """A task that a worker holds.

    Attributes:
        task: the task, this run counted in its ``attempts`` once it has begun.
        token: fences every later word about the claim; never given twice for one task, but maybe to several, in
            different lanes.
        lease_until: when the queue may give the task to another worker, by the queue's clock, unless
            the lease is renewed; seconds since the epoch.
    """

    task: Task
    token: str
    lease_until: float

    @property
    def key(self) -> str:
        """What tells this claim from every other."""
        return f"{self.task.id} {self.token}"


@dataclass(frozen=True)
class Attempt:
    """A run of a task that did not finish it.

    Attributes:
        number: the run, from 1.
        owner: the worker that had claimed it.
        started_at: seconds since the epoch.
        ended_at: seconds since the epoch.
        ended: ``error``, ``skip`` or ``vanished``.
        msg: the handler's words, shortened.
    """

    number: int
    owner: str
    started_at: float
    ended_at: float
    ended: str
    msg: str = ""


@dataclass(frozen=True)
class DeadTask:
    """A task in the dead-letter queue.

    Attributes:
        id: the task's id.
        task: the task as it was last run; None if what a producer sent cannot be read.
        reason: why it is here.
        died_at: seconds since the epoch.
        history: its last runs, oldest first.
        raw: what the producer sent, byte for byte, if it cannot be read.
    """

    id: str
    task: Task | None
    reason: str
    died_at: float
    history: tuple[Attempt, ...] = ()
    raw: bytes = b""


class Completion(NamedTuple):
    """A task that is done: what :meth:`TaskQueue.complete` is told, for many at once."""

    claim: Claim
    result: Result
    spawn: Sequence[Task] = ()


@dataclass(frozen=True)
class TaskInfo:
    """All that a queue knows of a task.

    Attributes:
        task: the task; None once it is finished and not in the dead-letter queue.
        state: where it is.
        since: when it came to be there, in seconds since the epoch.
        owner: the worker that has claimed it, or "".
        due: when a delayed task may run, or when a lease lapses; None otherwise.
        result: its terminal Result, if there is one.
        reason: why it is in the dead-letter queue, or "".
        history: its last runs, oldest first.
    """

    task: Task | None
    state: State
    since: float
    owner: str = ""
    due: float | None = None
    result: Result | None = None
    reason: str = ""
    history: tuple[Attempt, ...] = ()


def lane_of(requires: Iterable[str]) -> str:
    """The lane of tasks that require those tags: the tags in order, joined by ``+``; "" for none."""
    return "+".join(sorted(requires))


def tags_of(lane: str) -> frozenset[str]:
    """The tags of a lane's tasks; the inverse of :func:`lane_of`."""
    return frozenset(lane.split("+")) if lane else frozenset()
