"""What the parts of the queue suite share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from peagen_ray.queues.base import Claim, TaskQueue
from peagen_ray.task import Result, Status, Task, TaskKind

MakeQueue = Callable[..., TaskQueue]

CPU = frozenset({"cpu"})
LONG = 30.0
"""Seconds after which a test gives up waiting for what must come at once."""


def a_task(*requires: str, kind: TaskKind = TaskKind.EXECUTE, **payload: Any) -> Task:
    """A new task that requires those tags."""
    return Task(kind=kind, requires=frozenset(requires), payload=payload)


def ok(task: Task, **data: Any) -> Result:
    """An ``ok`` Result."""
    return Result.success(task, data)


def error(task: Task, *, retryable: bool, msg: str = "it broke") -> Result:
    """An ``error`` Result."""
    return Result.failure(task, msg, retryable=retryable)


def skip(task: Task) -> Result:
    """A ``skip`` Result."""
    return Result(task_id=task.id, status=Status.SKIP, data={"msg": "not mine"}, attempts=task.attempts)


class QueueKit:
    """What the parts of the suite share; ``make_queue(**options)`` opens a new empty queue.

    Attributes:
        UNIT: seconds that one unit of the suite's time lasts.
    """

    UNIT: ClassVar[float] = 1.0

    def advance(self, units: float) -> None:
        """Let time pass."""
        time.sleep(units * self.UNIT)

    @pytest.fixture
    def queue(self, make_queue: MakeQueue) -> TaskQueue:
        """A queue whose leases, delays and patience are measured in units."""
        return make_queue(
            idle_ms=int(6000 * self.UNIT),
            patience=8 * self.UNIT,
            retry_delay=2 * self.UNIT,
            skip_delay=1 * self.UNIT,
        )

    def take(self, queue: TaskQueue, offered: frozenset[str] = CPU, owner: str = "w") -> Claim:
        """The one task that is there to claim, with a lease of three units."""
        claims = queue.claim(offered, owner, lease=3 * self.UNIT)
        assert len(claims) == 1
        return claims[0]

    def none(self, queue: TaskQueue, offered: frozenset[str] = CPU) -> bool:
        """Whether there is nothing to claim."""
        return queue.claim(offered, "w", limit=9) == []

    def enqueue(self, queue: TaskQueue, *requires: str, kind: TaskKind = TaskKind.EXECUTE) -> Task:
        """Enqueue a new task that requires those tags."""
        task = a_task(*requires, kind=kind)
        queue.enqueue(task)
        return task

    def finish(self, queue: TaskQueue) -> Result:
        """Enqueue a task and complete it."""
        self.enqueue(queue)
        claim = self.take(queue)
        result = ok(claim.task)
        assert queue.complete(claim, result)
        return result

    def bury(self, queue: TaskQueue) -> Task:
        """A task in the dead-letter queue."""
        task = self.enqueue(queue)
        claim = self.take(queue)
        queue.fail(claim, error(claim.task, retryable=False))
        return task
