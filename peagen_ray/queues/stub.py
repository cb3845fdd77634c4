"""The queue of this process: the state machine behind a lock. No server, no Ray."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from peagen_ray.config.load import mask
from peagen_ray.errors import ConfigError, QueueClosed, QueueFull
from peagen_ray.lifecycle import IDLE_MS, MAX_RETRY, PATIENCE_S, RETRY_DELAY_S, SKIP_DELAY_S, Action, Policy
from peagen_ray.queues.base import LEASE_S, Claim, DeadTask, TaskInfo, TaskQueue
from peagen_ray.queues.letters import LetterFolder
from peagen_ray.queues.memory import RESULTS_AGE_S, RESULTS_KEPT, MemoryQueue
from peagen_ray.task import Result, Task, TaskKind

_T = TypeVar("_T")


def steady_clock() -> Callable[[], float]:
    """A clock in seconds since the epoch that no adjustment of the system's time moves."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


class StubQueue(TaskQueue):
    """Lives and dies with this process; the default, and what ``--sync`` uses.

    Concurrency: as the port says. Whoever waits is woken by what it waits for, or when the next delay
    or lease runs out.

    Args:
        max_retry: runs of a task in all.
        idle_ms: milliseconds after which a popped task is an orphan.
        patience: seconds that a task may go unserved or be skipped.
        retry_delay: seconds before the second run.
        skip_delay: seconds before a skipped task is offered again.
        results_kept: Results that are kept at most.
        results_age: seconds for which a Result is kept.
        max_waiting: tasks without a worker beyond which ``enqueue`` waits; None for no bound.
        room_timeout: seconds that ``enqueue`` waits for room before it raises QueueFull.
        clock: seconds since the epoch.
        letters: keeps dead letters when this queue is gone; :meth:`recall` takes them up again.
    """

    def __init__(
        self,
        *,
        max_retry: int = MAX_RETRY,
        idle_ms: int = IDLE_MS,
        patience: float = PATIENCE_S,
        retry_delay: float = RETRY_DELAY_S,
        skip_delay: float = SKIP_DELAY_S,
        results_kept: int = RESULTS_KEPT,
        results_age: float = RESULTS_AGE_S,
        max_waiting: int | None = None,
        room_timeout: float = 0.0,
        clock: Callable[[], float] | None = None,
        letters: LetterFolder | None = None,
    ) -> None:
        super().__init__()
        self._clock = clock or steady_clock()
        self._core = MemoryQueue(
            self._clock,
            Policy(max_retry, patience, retry_delay, skip_delay),
            idle_ms=idle_ms,
            results_kept=results_kept,
            results_age=results_age,
            max_waiting=max_waiting,
            letters=letters,
        )
        self._room_timeout = room_timeout
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        self._news = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._closed = False

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """A new queue; ``url`` is "", ``stub`` or ``stub://``."""
        if url not in ("", "stub", "stub://"):
            raise ConfigError(
                "the stub queue has no address",
                subject=mask(url),
                hint="leave the url empty, or name the provider that it is for",
            )
        return cls(**options)

    # ---- waiting ------------------------------------------------------------------------------

    @contextmanager
    def _step(self) -> Iterator[MemoryQueue]:
        """One step of the state machine; wakes whoever waits for what it changed."""
        with self._lock:
            if self._closed:
                raise QueueClosed("the queue is closed")
            core = self._core
            readied, due = core.readied, core.next_due()
            published, waiting = core.published, core.pending_count()
            try:
                yield core
            finally:
                if core.readied != readied or _sooner(core.next_due(), due):
                    self._work.notify_all()
                if core.published != published:
                    self._news.notify_all()
                if core.pending_count() < waiting:
                    self._room.notify_all()

    def _await(
        self, changed: threading.Condition, look: Callable[[MemoryQueue], _T], timeout: float | None
    ) -> _T:
        """What ``look`` finds as soon as it is not empty, or what it finds at the end."""
        end = _end(timeout)
        with self._lock:
            while True:
                with self._step() as core:
                    found = look(core)
                left = end - time.monotonic()
                if found or left <= 0:
                    return found
                changed.wait(min(left, self._until_due(changed), threading.TIMEOUT_MAX))
                if self._closed:
                    return found

    def _until_due(self, changed: threading.Condition) -> float:
        due = self._core.next_due() if changed is self._work else None
        return math.inf if due is None else max(0.0, due - self._clock())

    # ---- the port -----------------------------------------------------------------------------

    def enqueue(self, task: Task) -> None:
        """Accept a task; waits for room for ``room_timeout`` seconds."""
        end = _end(self._room_timeout)
        with self._lock:
            while True:
                try:
                    with self._step() as core:
                        return core.enqueue(task)
                except QueueFull:
                    left = end - time.monotonic()
                    if left <= 0:
                        raise
                self._room.wait(min(left, threading.TIMEOUT_MAX))

    def claim(
        self,
        offered: frozenset[str],
        owner: str,
        limit: int = 1,
        timeout: float | None = 0.0,
        *,
        lease: float = LEASE_S,
        begin: bool = True,
    ) -> list[Claim]:
        """Take up to ``limit`` tasks."""

        def look(core: MemoryQueue) -> list[Claim]:
            return core.claim(offered, owner, limit, lease=lease, begin=begin)

        return self._await(self._work, look, timeout)

    def begin(self, claim: Claim) -> Claim | None:
        """The run begins, and counts."""
        with self._step() as core:
            return core.begin(claim)

    def _pop(self, timeout: float | None) -> Claim | None:
        return self._await(self._work, MemoryQueue.pop, timeout)

    def wait_for_result(self, task_id: str, timeout: float | None) -> Result | None:
        """The task's terminal Result."""
        return self._await(self._news, lambda core: core.result(task_id), timeout)

    def results_since(
        self, cursor: str, limit: int = 100, timeout: float | None = 0.0
    ) -> tuple[list[Result], str]:
        """Results in the order of publication."""
        after = cursor

        def look(core: MemoryQueue) -> list[Result]:
            nonlocal after
            found, after = core.results_since(after, limit)
            return found

        return self._await(self._news, look, timeout), after

    def requeue_orphans(self, idle_ms: int, max_batch: int) -> int:
        """Take back the tasks of vanished consumers."""
        with self._step() as core:
            return core.requeue_orphans(idle_ms, max_batch)

    def pending_count(self) -> int:
        """Tasks that no worker has."""
        with self._step() as core:
            return core.pending_count()

    def claimed_count(self) -> int:
        """Tasks that workers have."""
        with self._step() as core:
            return core.claimed_count()

    def dead_count(self) -> int:
        """Tasks in the dead-letter queue."""
        with self._step() as core:
            return core.dead_count()

    def list_tasks(self, limit: int = 10, offset: int = 0) -> list[Task]:
        """Tasks that no worker has."""
        with self._step() as core:
            return core.list_tasks(limit, offset)

    def extend(self, claim: Claim) -> bool:
        """Renew the lease."""
        with self._step() as core:
            return core.extend(claim)

    def give_back(self, claim: Claim, delay: float = 0.0) -> bool:
        """Offer the task to another worker."""
        with self._step() as core:
            return core.give_back(claim, delay)

    def complete(self, claim: Claim, result: Result, spawn: Sequence[Task] = ()) -> bool:
        """Publish, enqueue the follow-up tasks and acknowledge."""
        with self._step() as core:
            return core.complete(claim, result, spawn)

    def fail(self, claim: Claim, result: Result) -> Action | None:
        """Carry out what ``lifecycle`` decides."""
        with self._step() as core:
            return core.fail(claim, result)

    def release(self, claim: Claim) -> bool:
        """Acknowledge without a Result."""
        with self._step() as core:
            return core.release(claim)

    def publish(self, result: Result, claim: Claim | None = None) -> bool:
        """Complete or fail the task that a Result names."""
        with self._step() as core:
            return core.publish(result, claim)

    def depth(self) -> Mapping[tuple[str, TaskKind], int]:
        """Tasks that no worker has, by lane and kind."""
        with self._step() as core:
            return core.depth()

    def oldest_idle(self) -> float:
        """Seconds that the oldest task has waited."""
        with self._step() as core:
            return core.oldest_idle()

    def unserved(self) -> Mapping[str, tuple[str, ...]]:
        """The tags that were missing, by lane."""
        with self._step() as core:
            return core.unserved()

    def counters(self) -> Mapping[tuple[str, TaskKind], int]:
        """What happened so far, by event and kind."""
        with self._step() as core:
            return core.counters()

    def held_bytes(self) -> Mapping[str, int]:
        """About how many bytes each stream holds."""
        with self._step() as core:
            return core.held_bytes()

    def inspect(self, task_id: str) -> TaskInfo | None:
        """All that is known of a task."""
        with self._step() as core:
            return core.inspect(task_id)

    def dead_letters(self, limit: int = 100, offset: int = 0) -> list[DeadTask]:
        """The dead-letter queue."""
        with self._step() as core:
            return core.dead_letters(limit, offset)

    def retry(self, task_ids: Iterable[str]) -> int:
        """Give dead tasks a new life."""
        with self._step() as core:
            return core.retry(task_ids)

    def purge(self, task_ids: Iterable[str] | None = None, *, older_than: float = 0.0) -> int:
        """Remove dead tasks for good."""
        with self._step() as core:
            return core.purge(task_ids, older_than=older_than)

    def recall(self) -> int:
        """Take up the dead letters of the queues before; returns how many."""
        with self._step() as core:
            return core.recall()

    def cancel(self, task_id: str) -> bool:
        """End a task that is not finished."""
        with self._step() as core:
            return core.cancel(task_id)

    def close(self) -> None:
        """Wake whoever waits; what was not done is gone."""
        with self._lock:
            self._closed = True
            for condition in (self._work, self._news, self._room):
                condition.notify_all()


def _end(timeout: float | None) -> float:
    return math.inf if timeout is None else time.monotonic() + timeout


def _sooner(due: float | None, before: float | None) -> bool:
    return due is not None and (before is None or due < before)
