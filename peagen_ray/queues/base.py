"""The port of every task queue: the documented six methods, and what an efficient consumer needs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from peagen_ray.lifecycle import Action
from peagen_ray.queues.model import (
    FROM_NOW,
    FROM_START,
    LEASE_S,
    RENEW_S,
    Attempt,
    Claim,
    Completion,
    DeadTask,
    State,
    TaskInfo,
    lane_of,
    tags_of,
)
from peagen_ray.task import Result, Task, TaskKind

__all__ = [
    "FROM_NOW",
    "FROM_START",
    "LEASE_S",
    "RENEW_S",
    "Attempt",
    "Claim",
    "Completion",
    "DeadTask",
    "State",
    "TaskInfo",
    "TaskQueue",
    "lane_of",
    "tags_of",
]

_USED_CLAIMS = 1024


class TaskQueue(ABC):
    """Holds tasks until each has exactly one terminal Result.

    Guarantees, of every provider:

    * Delivery is at least once; a handler may run more than once.
    * A task id has exactly one terminal Result, whichever worker finishes first. A later one changes
      nothing and is counted.
    * Tasks that require the same tags form a lane. A lane is first in, first out; a claim takes turns
      between the lanes that it can serve.
    * A run is counted when it starts. A task whose worker vanishes comes back; after ``max_retry``
      runs in all it goes to the dead-letter queue, which publishes its Result (``error``, not
      retryable) and keeps it until a person retries or purges it.
    * Retryable errors and ``skip`` publish no Result. ``skip``, and a task that no consumer can serve
      while others are served, are bounded by ``patience``.
    * Enqueueing an id that is known changes nothing.
    * Acknowledgements and failures are fenced by the claim that they belong to.

    Concurrency: every method may be called from any thread, and each one is a single atomic step, so
    that producers, consumers and readers need no lock of their own. The methods that take a
    ``timeout`` block, without polling, until there is something to return; the others do not block,
    except that :meth:`enqueue` may wait for room. A handle may be shared by threads. The documented
    six know a task by its id, so the handle remembers which claim is meant: acknowledge through the
    handle, and best on the thread, that popped.

    Errors: ``BrokerUnavailable`` from every method of a provider that has a broker; ``QueueClosed``
    once the queue is closed.
    """

    def __init__(self) -> None:
        self._popped = _Popped()

    @classmethod
    @abstractmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Open the queue that a configuration or ``PEAGEN_QUEUE`` names.

        Args:
            url: where it is; "" where the provider needs no address.
            options: every provider takes those of
                :class:`~peagen_ray.queues.stub.StubQueue`, except ``clock`` and ``letters``, with these
                names. Of ``broker_timeout``, ``prefix``, ``replicas``, ``username``, ``password`` and
                ``letters`` a configuration gives it those that its ``__init__`` names.

        Raises:
            ConfigError: the address is not one of this provider's.
        """

    # ---- the documented interface -------------------------------------------------------------

    @abstractmethod
    def enqueue(self, task: Task) -> None:
        """Accept a task; once this returns the queue answers for it. A known id changes nothing.

        The queue counts runs itself, from zero, whatever the task says.

        Raises:
            QueueFull: there is no room.
        """

    def pop(self, block: bool = True, timeout: float | None = 1) -> Task | None:
        """Claim the next task of any lane; None if there is none within ``timeout`` seconds.

        For consumers that state no tags and renew no lease: the task is an orphan after ``idle_ms``.

        Args:
            block: wait for a task.
            timeout: seconds; None waits as long as it takes.
        """
        claim = self._pop(timeout if block else 0.0)
        if claim is None:
            return None
        self._popped.remember(claim)
        return claim.task

    def ack(self, task_id: str) -> None:
        """Release a task that this handle popped, and leave it open to one Result.

        Changes nothing if its claim is no longer valid or the task is finished.
        """
        claim = self._popped.take(task_id)
        if claim is not None:
            self.release(claim)

    def push_result(self, result: Result) -> None:
        """Complete or fail a task in one step, as ``lifecycle`` decides; a later ``ack`` is a no-op.

        ``ok`` is accepted from everybody while the task is unfinished. ``error`` and ``skip`` count only
        from the handle that popped it, as long as that claim is valid; from a handle that did not pop it,
        they count while the task is claimed by a consumer of this interface and in the run that
        ``result.attempts`` names.
        """
        self.publish(result, self._popped.take(result.task_id))

    @abstractmethod
    def wait_for_result(self, task_id: str, timeout: float | None) -> Result | None:
        """The task's terminal Result, or None if there is none within ``timeout`` seconds.

        Args:
            task_id: the task; it need not be known yet.
            timeout: seconds; 0 only looks, None waits as long as it takes.

        Raises:
            ResultExpired: it was published and is kept no longer.
        """

    @abstractmethod
    def requeue_orphans(self, idle_ms: int, max_batch: int) -> int:
        """Take back the tasks of vanished consumers.

        These are the claims whose lease lapsed, and the popped tasks of which nothing was heard for
        ``idle_ms``. Each waits again, or goes to the dead-letter queue after its last run.

        Args:
            idle_ms: milliseconds.
            max_batch: how many at most.

        Returns:
            How many were taken back.
        """

    @abstractmethod
    def pending_count(self) -> int:
        """Tasks that no worker has: waiting or delayed."""

    @abstractmethod
    def list_tasks(self, limit: int = 10, offset: int = 0) -> list[Task]:
        """Tasks that no worker has, lane by lane, in the order in which they would run, delayed ones last.

        Nothing is claimed.
        """

    # ---- consuming ----------------------------------------------------------------------------

    @abstractmethod
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
        """Take up to ``limit`` tasks whose tags are all offered.

        Lapsed leases are taken back first. A lane that other consumers meet for ``patience`` seconds,
        while none that covers it claims or holds a task, goes to the dead-letter queue, which names
        what is missing.

        Args:
            offered: the consumer's capability tags.
            owner: the consumer's name, for people.
            limit: how many at most, from 1.
            timeout: seconds to wait for the first; None waits as long as it takes.
            lease: seconds for which the claim holds; renew it with :meth:`extend`.
            begin: their runs begin, and count, now. Otherwise :meth:`begin` says when: a consumer that
                vanishes before has cost its tasks no run.

        Returns:
            The claims; empty if there was nothing in time, or the queue was closed.
        """

    @abstractmethod
    def begin(self, claim: Claim) -> Claim | None:
        """The run of a claimed task begins, and counts; the lease is renewed. Twice is harmless.

        A task that is completed or fails without it has begun too.

        Returns:
            The claim, with the run counted in its task's ``attempts``; None when it is no longer ours.
        """

    @abstractmethod
    def extend(self, claim: Claim) -> bool:
        """Renew the lease, for as long as it was given first; False when the claim is no longer ours."""

    @abstractmethod
    def give_back(self, claim: Claim, delay: float = 0.0) -> bool:
        """Offer the task to another worker after ``delay`` seconds; the run does not count.

        For a worker that must leave. A task that it cannot serve is a ``skip`` for :meth:`fail`, which
        is bounded. Returns False, and changes nothing, when the claim is no longer ours.
        """

    @abstractmethod
    def complete(self, claim: Claim, result: Result, spawn: Sequence[Task] = ()) -> bool:
        """Publish an ``ok`` Result, enqueue the follow-up tasks and acknowledge, in one step.

        The first one to finish a task wins, even if its lease has lapsed meanwhile. False when the task
        is already finished: then nothing changes, no follow-up is enqueued, and it is counted.

        Raises:
            QueueError: the Result is not ``ok``, or of another task.
        """

    @abstractmethod
    def fail(self, claim: Claim, result: Result) -> Action | None:
        """Carry out what ``lifecycle`` decides for a run that ended in ``error`` or ``skip``.

        Returns:
            What was done; None when the claim is no longer ours: nothing changed, and it is counted.

        Raises:
            QueueError: the Result is ``ok``, or of another task.
        """

    @abstractmethod
    def release(self, claim: Claim) -> bool:
        """Acknowledge without a Result: the task runs no more, and is open to one Result.

        Returns False, and changes nothing, when the claim is no longer ours.
        """

    @abstractmethod
    def publish(self, result: Result, claim: Claim | None = None) -> bool:
        """What :meth:`push_result` does, with the claim that is meant if there is one.

        Returns:
            Whether anything changed; if not, it is counted.
        """

    @abstractmethod
    def _pop(self, timeout: float | None) -> Claim | None:
        """Claim a task of any lane, with a lease of ``idle_ms`` that binds no owner."""

    # ---- many at once -------------------------------------------------------------------------

    def enqueue_all(self, tasks: Sequence[Task]) -> None:
        """What :meth:`enqueue` does with each, in order, in fewer steps where the provider can.

        If it raises, those before some task are accepted and the others are not; doing it again is
        harmless.
        """
        for task in tasks:
            self.enqueue(task)

    def begin_all(self, claims: Sequence[Claim]) -> list[Claim | None]:
        """What :meth:`begin` says of each, in fewer steps where the provider can."""
        return [self.begin(claim) for claim in claims]

    def extend_all(self, claims: Sequence[Claim]) -> list[bool]:
        """What :meth:`extend` says of each, in fewer steps where the provider can."""
        return [self.extend(claim) for claim in claims]

    def complete_all(self, done: Sequence[Completion]) -> list[bool]:
        """What :meth:`complete` says of each, in order, in fewer steps where the provider can.

        Each task is completed in one atomic step of its own.
        """
        return [self.complete(*each) for each in done]

    # ---- reading ------------------------------------------------------------------------------

    @abstractmethod
    def claimed_count(self) -> int:
        """Tasks that workers have, those of lapsed leases included until somebody takes them back."""

    @abstractmethod
    def dead_count(self) -> int:
        """Tasks in the dead-letter queue."""

    @abstractmethod
    def results_since(
        self, cursor: str, limit: int = 100, timeout: float | None = 0.0
    ) -> tuple[list[Result], str]:
        """Terminal Results in the order in which they were published.

        Args:
            cursor: ``FROM_START``, ``FROM_NOW``, or what the last call returned.
            limit: how many at most.
            timeout: seconds to wait for the first; None waits as long as it takes.

        Returns:
            The Results, and the cursor for the next call.

        Raises:
            ResultExpired: some after the cursor are kept no longer, so that they would be missed.
            QueueError: it is no cursor of this queue.
        """

    @abstractmethod
    def depth(self) -> Mapping[tuple[str, TaskKind], int]:
        """Tasks that no worker has, by lane and kind; zeros left out."""

    @abstractmethod
    def oldest_idle(self) -> float:
        """Seconds for which the task that has waited longest could have run; 0.0 if none waits."""

    @abstractmethod
    def unserved(self) -> Mapping[str, tuple[str, ...]]:
        """The lanes that consumers met and could not serve: the tags that were missing, by lane."""

    @abstractmethod
    def counters(self) -> Mapping[tuple[str, TaskKind], int]:
        """What happened so far, by event and kind.

        Events: ``acked``, ``dead``, ``retried``, ``given back``, ``reclaimed``, ``cancelled``, ``stale``.
        """

    def held_bytes(self) -> Mapping[str, int]:
        """About how many bytes each stream holds; streams that hold nothing are left out.

        Streams: ``tasks``, ``tasks.<lane>``, ``results``, ``dead``. Empty where a provider or its broker does not say.
        """
        return {}

    @abstractmethod
    def inspect(self, task_id: str) -> TaskInfo | None:
        """All that is known of a task; None if it is not known."""

    # ---- people's tools -----------------------------------------------------------------------

    @abstractmethod
    def dead_letters(self, limit: int = 100, offset: int = 0) -> list[DeadTask]:
        """The dead-letter queue, oldest first."""

    @abstractmethod
    def retry(self, task_ids: Iterable[str]) -> int:
        """Give dead tasks a new life, with all its runs; its Result supersedes the published one.

        Returns:
            How many of the ids were in the dead-letter queue.
        """

    @abstractmethod
    def purge(self, task_ids: Iterable[str] | None = None, *, older_than: float = 0.0) -> int:
        """Remove tasks from the dead-letter queue for good; their Results stay as long as any.

        Args:
            task_ids: only these; None for all.
            older_than: only those that died at least so many seconds ago.

        Returns:
            How many were removed.
        """

    @abstractmethod
    def cancel(self, task_id: str) -> bool:
        """End a task that is not finished; its Result is an ``error`` that says so.

        A worker that has it learns from :meth:`extend`. Returns False if it is finished or not known.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what the handle holds and wake whoever waits on it; twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Popped:
    """The claims behind the documented methods, which know a task only by its id.

    A task that was popped, orphaned and popped again through one handle has two claims here; then the
    calling thread says which is meant, and a thread that has neither means none. A claim stays for a
    while after it was used, so that the second word of a consumer (``ack`` after ``push_result``, or
    the other way round) is not taken for another consumer's.
    """

    def __init__(self) -> None:
        self._claims: dict[str, dict[int, Claim]] = {}
        self._used: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, claim: Claim) -> None:
        with self._lock:
            self._claims.setdefault(claim.task.id, {})[threading.get_ident()] = claim

    def take(self, task_id: str) -> Claim | None:
        with self._lock:
            claims = self._claims.get(task_id, {})
            meant = threading.get_ident()
            if meant not in claims and len(claims) == 1:
                meant = next(iter(claims))
            claim = claims.get(meant)
            if claim is not None:
                self._used[claim.key] = task_id, meant
            if len(self._used) > _USED_CLAIMS:
                self._forget(*self._used.popitem(last=False))
            return claim

    def _forget(self, key: str, where: tuple[str, int]) -> None:
        task_id, thread = where
        claims = self._claims.get(task_id, {})
        if thread in claims and claims[thread].key == key:
            del claims[thread]
        if not claims:
            self._claims.pop(task_id, None)
