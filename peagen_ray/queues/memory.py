"""The semantics of every task queue, as a state machine: no lock, no thread, no clock of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, Final, TypeVar

from peagen_ray.errors import QueueError, QueueFull
from peagen_ray.lifecycle import (
    IDLE_MS,
    Action,
    DeadLetter,
    GiveBack,
    Policy,
    Retry,
    buried,
    decide,
    message_of,
)
from peagen_ray.queues._places import Places
from peagen_ray.queues._record import Lease, Record
from peagen_ray.queues.letters import LetterFolder
from peagen_ray.queues.model import LEASE_S, Claim, Completion, DeadTask, State, TaskInfo
from peagen_ray.task import Result, Status, Task, TaskKind

RESULTS_KEPT: Final = 10_000
"""Results that are kept at most."""

RESULTS_AGE_S: Final = 86_400.0
"""Seconds for which a Result is kept."""

_FORMAT: Final = 1

_WEIGHED: Final = 32
"""Entries of a stream that are looked at, to say how much it holds."""

T = TypeVar("T")


class MemoryQueue:
    """Lanes, leases, delayed retries, Results and dead letters; nothing here waits.

    The methods mean what those of the same name mean in :class:`~peagen_ray.queues.base.TaskQueue`,
    but never block: a home for this object (a lock, an actor) adds that. Each costs at most O(log n) in
    the number n of tasks; a claim also costs the number of lanes, and what lists or counts what was
    found costs that.

    Concurrency: one caller at a time.

    Args:
        clock: seconds since the epoch; must not run backwards.
        policy: the numbers that decide retries and patience.
        idle_ms: milliseconds after which a popped task is an orphan.
        results_kept: Results that are kept at most.
        results_age: seconds for which a Result is kept.
        max_waiting: tasks without a worker beyond which ``enqueue`` is refused; None for no bound.
            Retries and follow-up tasks are always accepted.
        letters: keeps dead letters beyond this queue's life.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        policy: Policy | None = None,
        *,
        idle_ms: int = IDLE_MS,
        results_kept: int = RESULTS_KEPT,
        results_age: float = RESULTS_AGE_S,
        max_waiting: int | None = None,
        letters: LetterFolder | None = None,
    ) -> None:
        self._letters = letters
        self._kept = set[str]()
        self._clock = clock
        self._policy = policy or Policy()
        self._idle_ms = idle_ms
        self._max_waiting = max_waiting
        self._at = Places(results_kept, results_age)
        self._counters: Counter[tuple[str, TaskKind]] = Counter()

    def configure(
        self, policy: Policy, *, idle_ms: int, results_kept: int, results_age: float, max_waiting: int | None
    ) -> None:
        """Follow these numbers from now on, in place of those that it was made with."""
        self._policy, self._idle_ms, self._max_waiting = policy, idle_ms, max_waiting
        self._at.bound(results_kept, results_age)

    # ---- producing and claiming ---------------------------------------------------------------

    def enqueue(self, task: Task) -> None:
        """Accept a task unless its id is known; raises QueueFull."""
        waiting = self.pending_count()
        if task.id not in self._at and self._max_waiting is not None and waiting >= self._max_waiting:
            raise QueueFull(
                f"{waiting} tasks wait already",
                subject=f"task {task.id}",
                hint="wait for workers, start more of them, or raise the bound",
            )
        self._at.admit(task, self._clock())

    def claim(
        self,
        offered: frozenset[str],
        owner: str,
        limit: int = 1,
        *,
        lease: float = LEASE_S,
        begin: bool = True,
    ) -> list[Claim]:
        """Take up to ``limit`` tasks for a consumer that renews its leases."""
        return self._claim(offered, owner, limit, lease, begin=begin)

    def pop(self) -> Claim | None:
        """Take a task of any lane for a consumer that states no tags and renews no lease."""
        return next(iter(self._claim(None, "", 1, self._idle_ms / 1000)), None)

    def _claim(
        self, offered: frozenset[str] | None, owner: str, limit: int, length: float, *, begin: bool = True
    ) -> list[Claim]:
        now = self._clock()
        for task_id in self._at.leases.take(now):
            self._vanished(self._at[task_id], now)
        for task_id in self._at.delayed.take(now):
            self._at.ready(self._at[task_id], now)
        self._at.lanes.meet([offered, *self._at.holders], now)
        for record, missing in self._at.lanes.overdue(self._policy.patience, now):
            self._bury(record, None, f"no worker offers {', '.join(missing)}", now)
        claims = []
        for record in self._at.lanes.take(offered, limit):
            record.count(+1 if begin else 0)
            claims.append(self._at.hold(record, Lease("", owner, offered, now, length, now, begin)))
        return claims

    def begin(self, claim: Claim) -> Claim | None:
        """The run begins, and counts; None when the claim is no longer ours."""
        record = self._at.held_by(claim)
        if record is None:
            return None
        now = self._clock()
        if not record.held.begun:
            self._begin(record)
            record.held.started_at = now
        self._at.renew(record, now)
        return Claim(record.open, claim.token, record.held.until)

    def _begin(self, record: Record) -> None:
        if record.lease and not record.lease.begun:
            record.lease.begun = True
            record.count(+1)

    def extend(self, claim: Claim) -> bool:
        """Renew a lease; False when the claim is no longer ours."""
        record = self._at.held_by(claim)
        if record is not None:
            self._at.renew(record, self._clock())
        return record is not None

    def requeue_orphans(self, idle_ms: int, max_batch: int) -> int:
        """Take back the tasks of vanished consumers; returns how many."""
        now, taken = self._clock(), 0
        while taken < max_batch and (record := self._orphan(now, idle_ms)) is not None:
            self._vanished(record, now)
            taken += 1
        return taken

    def _orphan(self, now: float, idle_ms: int) -> Record | None:
        for task_id in self._at.leases.take(now):
            return self._at[task_id]
        silent = self._at.longest_silent()
        return silent if silent and silent.held.heard_at + idle_ms / 1000 <= now else None

    # ---- the end of a run ---------------------------------------------------------------------

    def complete(self, claim: Claim, result: Result, spawn: Sequence[Task] = ()) -> bool:
        """Result, follow-up tasks and acknowledgement in one step; False if it was finished already."""
        checked(claim, result, ok=True)
        now = self._clock()
        self._at.admit(claim.task, now)
        record = self._at.unfinished(claim.task.id)
        if record is None:
            return self._stale(claim.task.kind)
        for task in spawn:
            self._at.admit(task, now)
        self._finish(record, State.DONE, result, "acked", now)
        return True

    def fail(self, claim: Claim, result: Result) -> Action | None:
        """Retry, give back or bury, as ``lifecycle`` decides; None if the claim is no longer ours."""
        checked(claim, result, ok=False)
        record = self._at.held_by(claim)
        if record is None:
            self._stale(claim.task.kind)
            return None
        return self._ended(record, result, self._clock())

    def give_back(self, claim: Claim, delay: float = 0.0) -> bool:
        """Offer the task to another worker; False when the claim is no longer ours."""
        record = self._at.held_by(claim)
        if record is None:
            return self._stale(claim.task.kind)
        self._return(record, delay, self._clock())
        return True

    def release(self, claim: Claim) -> bool:
        """Acknowledge without a Result; False when the claim is no longer ours."""
        record = self._at.held_by(claim)
        if record is None:
            return self._stale(claim.task.kind)
        self._count("acked", record)
        self._at.release(record, self._clock())
        self._discard(record)
        return True

    def publish(self, result: Result, claim: Claim | None = None) -> bool:
        """Complete or fail the task that a Result names; False if nothing changed."""
        now = self._clock()
        if result.task_id not in self._at:
            return self._adopt(result, now)
        record = self._at.unfinished(result.task_id)
        if record is None:
            finished = self._at.get(result.task_id)
            return self._stale(finished.kind if finished else None)
        if result.status is Status.OK:
            self._finish(record, State.DONE, result, "acked", now)
        elif record.state is State.RELEASED:
            self._bury(record, result, message_of(result), now)
        elif _means(record, result, claim):
            self._ended(record, result, now)
        else:
            return self._stale(record.kind)
        return True

    def cancel(self, task_id: str) -> bool:
        """End a task that is not finished; False if it is finished or not known."""
        record = self._at.unfinished(task_id)
        if record is None:
            return False
        now = self._clock()
        result = Result.failure(record.open, "cancelled", retryable=False, cancelled=True)
        self._finish(record, State.CANCELLED, _stamped(result, now), "cancelled", now)
        return True

    def _adopt(self, result: Result, now: float) -> bool:
        final = result.status is not Status.SKIP and not result.retryable
        if final:
            self._at.adopt(result, now)
        return final

    def _vanished(self, record: Record, now: float) -> None:
        self._count("reclaimed", record)
        if record.held.begun:
            self._ended(record, None, now)
        else:
            self._at.ready(record, now)

    def _ended(self, record: Record, result: Result | None, now: float) -> Action:
        self._begin(record)
        first = now if record.skipped_since is None else record.skipped_since
        attempts = record.open.attempts
        action = decide(result, attempts, self._policy, skips=record.skips, skipped_for=now - first)
        record.note(*((str(result.status), message_of(result)) if result else ("vanished", "")), now)
        match action:
            case DeadLetter(reason):
                self._bury(record, result, reason, now)
            case GiveBack(delay):
                record.skips, record.skipped_since = record.skips + 1, first
                self._return(record, delay, now)
            case Retry(delay):
                record.skips, record.skipped_since = 0, None
                self._count("retried", record)
                self._at.later(record, delay, now)
        return action

    def _return(self, record: Record, delay: float, now: float) -> None:
        record.count(-1 if record.held.begun else 0)
        self._count("given back", record)
        self._at.later(record, delay, now)

    def _finish(self, record: Record, state: State, result: Result, event: str, now: float) -> None:
        self._count(event, record)
        self._at.finish(record, state, result, now)
        self._discard(record)

    def _bury(self, record: Record, result: Result | None, reason: str, now: float) -> None:
        self._count("dead", record)
        record.reason = reason
        self._at.bury(record, _stamped(buried(record.open, result, reason), now), now)
        if self._letters is not None:
            self._letters.save(_letter(record))
            self._kept.add(record.id)

    def _count(self, event: str, record: Record) -> None:
        self._counters[event, record.open.kind] += 1

    def _stale(self, kind: TaskKind | None) -> bool:
        if kind is not None:
            self._counters["stale", kind] += 1
        return False

    # ---- reading ------------------------------------------------------------------------------

    @property
    def readied(self) -> int:
        """How often a task was put into a lane; grows when there is something new to claim."""
        return self._at.readied

    @property
    def published(self) -> int:
        """How many Results were published."""
        return self._at.log.last

    @property
    def changes(self) -> int:
        """Grows whenever something changed, but for Results that expired and what was counted only."""
        return self._at.changes

    def expire(self) -> None:
        """Drop what is kept no longer; reading does it too, and so does what publishes."""
        self._at.expire(self._clock())

    def knows(self, task_id: str) -> bool:
        """Whether the id is known, if only as one whose Result expired."""
        return task_id in self._at

    def held(self, task_id: str, token: str) -> Claim | None:
        """The claim of that token as it stands; None when it is no longer valid."""
        record = self._at.get(task_id)
        if record is None or record.lease is None or record.lease.token != token:
            return None
        return Claim(record.open, token, record.lease.until)

    def next_due(self) -> float | None:
        """When a claim may find what it would not find now, if nothing else happens; None for never."""
        dues = self._at.delayed.next(), self._at.leases.next(), self._at.lanes.next_due(self._policy.patience)
        return min((due for due in dues if due is not None), default=None)

    def result(self, task_id: str) -> Result | None:
        """The terminal Result, or None if there is none yet; raises ResultExpired."""
        self._at.expire(self._clock())
        return self._at.result(task_id)

    def results_since(self, cursor: str, limit: int = 100) -> tuple[list[Result], str]:
        """Results after the cursor, and the cursor after them."""
        self._at.expire(self._clock())
        return self._at.log.since(cursor, limit)

    def pending_count(self) -> int:
        """Tasks that no worker has."""
        return len(self._at.lanes) + len(self._at.delayed)

    def claimed_count(self) -> int:
        """Tasks that workers have."""
        return len(self._at.leases)

    def dead_count(self) -> int:
        """Tasks in the dead-letter queue."""
        return len(self._at.dead)

    def list_tasks(self, limit: int = 10, offset: int = 0) -> list[Task]:
        """Tasks that no worker has."""
        found = islice(chain(self._at.lanes, self._at.delays()), offset, offset + limit)
        return [record.open for record in found]

    def depth(self) -> Mapping[tuple[str, TaskKind], int]:
        """Tasks that no worker has, by lane and kind."""
        delayed = Counter((record.lane, record.open.kind) for record in self._at.delays())
        return self._at.lanes.depth() + delayed

    def oldest_idle(self) -> float:
        """Seconds for which the task that has waited longest could have run."""
        now = self._clock()
        since = [at for at in (self._at.lanes.oldest(), self._at.delayed.next()) if at is not None]
        return max(0.0, now - min(since, default=now))

    def unserved(self) -> Mapping[str, tuple[str, ...]]:
        """The tags that were missing, by lane."""
        return self._at.lanes.unserved()

    def counters(self) -> Mapping[tuple[str, TaskKind], int]:
        """What happened so far, by event and kind."""
        return dict(self._counters)

    def held_bytes(self) -> Mapping[str, int]:
        """About how many bytes the wire forms in each stream take, from a sample of each."""
        lanes = {f"tasks.{name}" if name else "tasks": records for name, records in self._at.lanes.contents()}
        tasks = {
            name: weigh(records, lambda each: len(each.open.to_wire())) for name, records in lanes.items()
        }
        dead = weigh(self._at.dead.values(), lambda each: len(each.open.to_wire()))
        results = weigh(self._at.log.kept(), lambda each: len(each[0].to_wire()))
        return {name: n for name, n in {**tasks, "dead": dead, "results": results}.items() if n}

    def inspect(self, task_id: str) -> TaskInfo | None:
        """All that is known of a task."""
        record = self._at.get(task_id)
        if record is None:
            return TaskInfo(None, State.EXPIRED, 0.0) if task_id in self._at else None
        return record.info(None if record.published is None else self._at.log.get(record.published))

    # ---- the dead-letter queue ----------------------------------------------------------------

    def dead_letters(self, limit: int = 100, offset: int = 0) -> list[DeadTask]:
        """The dead-letter queue, oldest first."""
        return [_letter(record) for record in islice(self._at.dead.values(), offset, offset + limit)]

    def retry(self, task_ids: Iterable[str]) -> int:
        """Give dead tasks a new life; returns how many. A letter is kept until that life has ended well."""
        now = self._clock()
        found = [record for task_id in dict.fromkeys(task_ids) if (record := self._at.dead.get(task_id))]
        for record in found:
            self._at.revive(record, now)
        return len(found)

    def purge(self, task_ids: Iterable[str] | None = None, *, older_than: float = 0.0) -> int:
        """Remove dead tasks for good; returns how many."""
        now = self._clock()
        chosen = list(self._at.dead) if task_ids is None else dict.fromkeys(task_ids)
        found = [
            record
            for task_id in chosen
            if (record := self._at.dead.get(task_id)) and record.since + older_than <= now
        ]
        for record in found:
            self._at.remove(record, now)
            self._discard(record)
        return len(found)

    def recall(self) -> int:
        """Take up the dead letters that another queue left in the folder; returns how many are new here."""
        letters = list(self._letters.letters()) if self._letters else []
        new = [dead for dead in letters if dead.task and dead.id not in self._at]
        for dead in new:
            self._at.recall(Record.of_dead(dead))
            self._kept.add(dead.id)
        return len(new)

    def _discard(self, record: Record) -> None:
        if self._letters is not None and record.id in self._kept:
            self._letters.discard(record.id)
            self._kept.remove(record.id)

    # ---- moving house -------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything, as JSON; the inverse of :meth:`restore`."""
        counters = [[event, kind, n] for (event, kind), n in self._counters.items()]
        return {"format": _FORMAT, "counters": counters, "places": self._at.dump()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Become what the snapshot was, to the last token; this queue must be new, its options are its own.

        From then on it does what the other would have done. Call :meth:`refresh` before it serves in the
        place of one that may have given claims after the snapshot.

        Raises:
            QueueError: the queue is not new, or the snapshot is of another format.
        """
        if snapshot.get("format") != _FORMAT:
            raise QueueError("the snapshot is of another format", subject=str(snapshot.get("format")))
        self._at.load(snapshot["places"])
        for event, kind, n in snapshot["counters"]:
            self._counters[event, TaskKind(kind)] = n

    def refresh(self) -> None:
        """Claims stay valid, their leases start afresh, and no token of the life before is given again.

        Take a snapshot right after: what a third queue restores from the same snapshot would give its
        tokens a second time.
        """
        self._at.refresh(self._clock())


def weigh(items: Collection[T], size: Callable[[T], int]) -> int:
    """About what all of them weigh, from a few that lie far apart."""
    if not items:
        return 0
    chosen = [size(each) for each in islice(items, 0, None, 1 + len(items) // _WEIGHED)]
    return round(len(items) * sum(chosen) / len(chosen))


def completed(
    done: Sequence[Completion], batch: int, step: Callable[[Sequence[Completion]], list[bool]]
) -> list[bool]:
    """What a broker says of tasks that are done, of which one call takes so many at most; all are checked first."""
    for claim, result, _ in done:
        checked(claim, result, ok=True)
    return [said for start in range(0, len(done), batch) for said in step(done[start : start + batch])]


def checked(claim: Claim, result: Result, *, ok: bool) -> None:
    """Raise QueueError unless the Result is of the claimed task, and ``ok`` or not as it must be."""
    if result.task_id != claim.task.id:
        raise QueueError(f"the result is of task {result.task_id}", subject=f"claim of task {claim.task.id}")
    if (result.status is Status.OK) is not ok:
        other = "fail" if ok else "complete"
        raise QueueError(
            f"the result is {result.status}", subject=f"task {claim.task.id}", hint=f"use {other}"
        )


def _means(record: Record, result: Result, claim: Claim | None) -> bool:
    if record.lease is None:
        return False
    if claim is not None:
        return record.lease.token == claim.token
    return record.lease.offered is None and record.open.attempts == result.attempts


def _letter(record: Record) -> DeadTask:
    return DeadTask(record.id, record.open, record.reason, record.since, tuple(record.history))


def _stamped(result: Result, now: float) -> Result:
    return result.model_copy(update={"created_at": datetime.fromtimestamp(now, UTC)})
