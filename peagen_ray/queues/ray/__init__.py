"""The queue on a Ray cluster: the state machine in a named actor, which any number of drivers share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Self

from peagen_ray.errors import QueueClosed, QueueFull
from peagen_ray.lifecycle import IDLE_MS, MAX_RETRY, PATIENCE_S, RETRY_DELAY_S, SKIP_DELAY_S, Action
from peagen_ray.queues.base import LEASE_S, Claim, Completion, DeadTask, TaskInfo, TaskQueue
from peagen_ray.queues.memory import RESULTS_AGE_S, RESULTS_KEPT, checked, completed
from peagen_ray.queues.ray.link import SLICE_S, Link
from peagen_ray.queues.ray.wire import action_of, claim_of, completion_words, dead_of, info_of, named, wire
from peagen_ray.task import Result, Task, TaskKind

PREFIX: Final = "peagen."
BATCH: Final = 500
"""Tasks that one call enqueues or completes at most, so that no call holds the others up for long."""


class RayQueue(TaskQueue):
    """Tasks in a detached actor, ``<prefix>queue`` in the namespace ``peagen``, made when it is first needed.

    The actor survives the death of any driver, holds no resource, lives on the head, and is restarted with
    its state, from a snapshot and a journal; what survives what is in docs/queues.md. A call that meets a
    restart is repeated and changes nothing twice.

    Concurrency: as the port says.

    Args:
        url: ``ray://host:port``, ``host:port``, or one of "", ``auto`` and ``ray://`` for the cluster of this
            machine; a process that is connected to Ray uses that connection.
        prefix: what the actor's name begins with.
        broker_timeout: seconds that the cluster or the actor may stay away before a call raises
            BrokerUnavailable.
        root: where snapshot and journal are kept: a directory on the head, or an address such as
            ``s3://bucket/prefix``; "" is the cluster's session directory. One queue of one cluster has it for
            itself. Only the handle that makes the actor decides it.
        durable: keep snapshot and journal. Without them an actor that restarts is empty.
        max_retry, idle_ms, patience, retry_delay, skip_delay, results_kept, results_age, max_waiting,
            room_timeout: as of :class:`~peagen_ray.queues.stub.StubQueue`; the queue follows the handle that
            was opened last.
        clock: seconds since the epoch, in place of the actor's clock.
    """

    def __init__(
        self,
        url: str = "",
        *,
        prefix: str = PREFIX,
        broker_timeout: float = 30.0,
        root: str = "",
        durable: bool = True,
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
    ) -> None:
        super().__init__()
        options = {
            "max_retry": max_retry,
            "idle_ms": idle_ms,
            "patience": patience,
            "retry_delay": retry_delay,
            "skip_delay": skip_delay,
            "results_kept": results_kept,
            "results_age": results_age,
            "max_waiting": max_waiting,
        }
        arguments = {"options": options, "root": root if durable else None}
        self._link = Link(url, f"{prefix}queue", arguments, broker_timeout=broker_timeout)
        self._room_timeout = room_timeout
        self._clock = clock

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """The queue of that cluster; the connection is made when it is first used."""
        return cls(url, **options)

    def _call(self, step: str, *args: Any, wait: float = 0.0) -> Any:
        return self._link.call(step, *args, wait=wait, now=self._clock and self._clock())

    def _await(
        self,
        step: str,
        args: Callable[[], Sequence[Any]],
        found: Callable[[Any], bool],
        timeout: float | None,
    ) -> Any:
        """What the step answers as soon as something is found, or what it answers at the end; None once closed."""
        end = _end(timeout)
        while True:
            open_ = not self._link.closed
            try:
                answer = self._call(step, *args(), wait=max(0.0, min(SLICE_S, end - time.monotonic())))
            except QueueClosed:
                if open_:
                    return None
                raise
            if found(answer) or time.monotonic() >= end or self._link.closed:
                return answer

    # ---- producing ----------------------------------------------------------------------------

    def enqueue(self, task: Task) -> None:
        """Accept a task; waits for room for ``room_timeout`` seconds."""
        self.enqueue_all([task])

    def enqueue_all(self, tasks: Sequence[Task]) -> None:
        """Accept tasks, in order."""
        end = _end(self._room_timeout)
        left = list(tasks)
        while left:
            words = [wire(task) for task in left[:BATCH]]
            wait = max(0.0, min(SLICE_S, end - time.monotonic()))
            accepted, given, waiting = self._call("enqueue", *words, wait=wait)
            left = left[accepted:]
            if accepted < given and time.monotonic() >= end:
                raise QueueFull(
                    f"{waiting} tasks wait already",
                    subject=f"task {left[0].id}",
                    hint="wait for workers, start more of them, or raise the bound",
                )

    # ---- consuming ----------------------------------------------------------------------------

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
        return self._claim(timeout, sorted(offered), owner, limit, lease, begin)

    def _pop(self, timeout: float | None) -> Claim | None:
        return next(iter(self._claim(timeout, None, "", 1, 0.0, True)), None)

    def _claim(self, timeout: float | None, *args: Any) -> list[Claim]:
        return [claim_of(words) for words in self._await("claim", lambda: args, bool, timeout) or ()]

    def begin(self, claim: Claim) -> Claim | None:
        """The run begins, and counts."""
        return self.begin_all([claim])[0]

    def begin_all(self, claims: Sequence[Claim]) -> list[Claim | None]:
        """The runs begin, and count."""
        said = self._call("begin", *map(named, claims)) if claims else []
        return [
            words and Claim(claim.task.model_copy(update={"attempts": words[0]}), claim.token, words[1])
            for claim, words in zip(claims, said, strict=True)
        ]

    def extend(self, claim: Claim) -> bool:
        """Renew the lease."""
        return self.extend_all([claim])[0]

    def extend_all(self, claims: Sequence[Claim]) -> list[bool]:
        """Renew the leases."""
        return list(self._call("extend", *map(named, claims))) if claims else []

    def give_back(self, claim: Claim, delay: float = 0.0) -> bool:
        """Offer the task to another worker."""
        return bool(self._call("give_back", named(claim), delay))

    def complete(self, claim: Claim, result: Result, spawn: Sequence[Task] = ()) -> bool:
        """Publish, enqueue the follow-up tasks and acknowledge."""
        return self.complete_all([Completion(claim, result, spawn)])[0]

    def complete_all(self, done: Sequence[Completion]) -> list[bool]:
        """Complete each, in one atomic step of its own."""
        return completed(done, BATCH, self._complete)

    def _complete(self, done: Sequence[Completion]) -> list[bool]:
        answers = self._call("complete", False, *(completion_words(each, whole=False) for each in done))
        unknown = [each for each, answer in zip(done, answers, strict=True) if answer is None]
        if unknown:
            # The queue lost the record, but the work was done.
            again = iter(
                self._call("complete", True, *(completion_words(each, whole=True) for each in unknown))
            )
            answers = [next(again) if answer is None else answer for answer in answers]
        return list(answers)

    def fail(self, claim: Claim, result: Result) -> Action | None:
        """Carry out what ``lifecycle`` decides."""
        checked(claim, result, ok=False)
        return action_of(self._call("fail", named(claim), wire(result)))

    def release(self, claim: Claim) -> bool:
        """Acknowledge without a Result."""
        return bool(self._call("release", named(claim)))

    def publish(self, result: Result, claim: Claim | None = None) -> bool:
        """Complete or fail the task that a Result names."""
        return bool(self._call("publish", wire(result), claim and named(claim)))

    def requeue_orphans(self, idle_ms: int, max_batch: int) -> int:
        """Take back the tasks of vanished consumers."""
        return int(self._call("orphans", idle_ms, max_batch))

    # ---- reading ------------------------------------------------------------------------------

    def wait_for_result(self, task_id: str, timeout: float | None) -> Result | None:
        """The task's terminal Result."""
        found = self._await("result", lambda: (task_id,), bool, timeout)
        return None if found is None else Result.from_wire(found)

    def results_since(
        self, cursor: str, limit: int = 100, timeout: float | None = 0.0
    ) -> tuple[list[Result], str]:
        """Results in the order of publication."""
        after = cursor

        def reached(answer: Any) -> bool:
            nonlocal after
            found, after = answer
            return bool(found)

        answer = self._await("results", lambda: (after, limit), reached, timeout)
        return [Result.from_wire(each) for each in answer[0]] if answer else [], after

    def pending_count(self) -> int:
        """Tasks that no worker has."""
        return int(self._call("stats")["waiting"])

    def claimed_count(self) -> int:
        """Tasks that workers have."""
        return int(self._call("stats")["claimed"])

    def dead_count(self) -> int:
        """Tasks in the dead-letter queue."""
        return int(self._call("stats")["dead"])

    def list_tasks(self, limit: int = 10, offset: int = 0) -> list[Task]:
        """Tasks that no worker has."""
        return [Task.from_wire(each) for each in self._call("list", limit, offset)]

    def depth(self) -> Mapping[tuple[str, TaskKind], int]:
        """Tasks that no worker has, by lane and kind."""
        return {(lane, TaskKind(kind)): n for lane, kind, n in self._call("stats")["depth"]}

    def oldest_idle(self) -> float:
        """Seconds for which the task that has waited longest could have run."""
        return float(self._call("stats")["oldest_idle"])

    def unserved(self) -> Mapping[str, tuple[str, ...]]:
        """The tags that were missing, by lane."""
        return {lane: tuple(tags) for lane, tags in self._call("stats")["unserved"].items()}

    def counters(self) -> Mapping[tuple[str, TaskKind], int]:
        """What happened so far, by event and kind."""
        return {(event, TaskKind(kind)): n for event, kind, n in self._call("stats")["counters"]}

    def held_bytes(self) -> Mapping[str, int]:
        """About how many bytes each stream holds."""
        return dict(self._call("held"))

    def inspect(self, task_id: str) -> TaskInfo | None:
        """All that is known of a task."""
        return info_of(self._call("inspect", task_id))

    # ---- people's tools -----------------------------------------------------------------------

    def dead_letters(self, limit: int = 100, offset: int = 0) -> list[DeadTask]:
        """The dead-letter queue, oldest first."""
        return [dead_of(words) for words in self._call("dead", limit, offset)]

    def retry(self, task_ids: Iterable[str]) -> int:
        """Give dead tasks a new life."""
        return int(self._call("retry", *task_ids))

    def purge(self, task_ids: Iterable[str] | None = None, *, older_than: float = 0.0) -> int:
        """Remove dead tasks for good."""
        return int(self._call("purge", None if task_ids is None else list(task_ids), older_than))

    def cancel(self, task_id: str) -> bool:
        """End a task that is not finished."""
        return bool(self._call("cancel", task_id))

    def close(self) -> None:
        """Wake whoever waits; the queue itself, and the connection to Ray, stay."""
        self._link.close()


def _end(timeout: float | None) -> float:
    return math.inf if timeout is None else time.monotonic() + timeout
