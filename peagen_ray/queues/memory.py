"""The semantics of every task queue, as a state machine: no lock, no thread, no clock of its own."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self

from peagen_ray.errors import QueueError, QueueFull, ResultExpired
from peagen_ray.lifecycle import IDLE_MS, Ack, Action, DeadLetter, GiveBack, Policy, buried, decide, message_of
from peagen_ray.queues._due import DueHeap
from peagen_ray.queues._lanes import Lanes
from peagen_ray.queues._log import ResultLog
from peagen_ray.queues._record import LIVE, Lease, Record
from peagen_ray.queues.base import LEASE_S, Claim, DeadTask, State, TaskInfo
from peagen_ray.task import Result, Status, Task, TaskKind

RESULTS_KEPT: Final = 10_000
"""Results that are kept at most."""

RESULTS_AGE_S: Final = 86_400.0
"""Seconds for which a Result is kept."""

_IDS_PER_RESULT: Final = 10
_FORMAT: Final = 1


class MemoryQueue:
    """Lanes, leases, delayed retries, Results and dead letters; nothing here waits.

    The methods mean what those of the same name mean in :class:`~peagen_ray.queues.base.TaskQueue`,
    without blocking: a ``StubQueue`` adds a lock, and other homes may keep the same object elsewhere.
    Each costs O(log n) in the number n of tasks; a claim also costs the number of lanes.

    Concurrency: one caller at a time.

    Args:
        clock: seconds since the epoch; must not run backwards.
        policy: the numbers that decide retries and patience.
        idle_ms: milliseconds after which a popped task is an orphan.
        results_kept: Results that are kept at most.
        results_age: seconds for which a Result is kept.
        max_waiting: tasks without a worker beyond which ``enqueue`` is refused; None for no bound.
            Retries and follow-up tasks are always accepted.
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
    ) -> None:
        self._clock = clock
        self._policy = policy or Policy()
        self._idle_ms = idle_ms
        self._results_age = results_age
        self._kept = results_kept
        self._max_waiting = max_waiting
        self._records: dict[str, Record] = {}
        self._lanes = Lanes()
        self._delayed = DueHeap()
        self._leases = DueHeap()
        self._popped: OrderedDict[str, Record] = OrderedDict()
        self._holders: Counter[frozenset[str] | None] = Counter()
        self._released: OrderedDict[str, Record] = OrderedDict()
        self._dead: OrderedDict[str, Record] = OrderedDict()
        self._log = ResultLog(results_kept, results_age)
        self._expired: OrderedDict[str, None] = OrderedDict()
        self._counters: Counter[tuple[str, TaskKind]] = Counter()
        self._era = 1
        self._tokens = 0
        self.readied = 0

    # ---- producing ----------------------------------------------------------------------------

    def enqueue(self, task: Task) -> None:
        """Accept a task unless its id is known; raises QueueFull."""
        if self._known(task.id):
            return
        if self._max_waiting is not None and self.pending_count() >= self._max_waiting:
            raise QueueFull(
                f"{self.pending_count()} tasks wait already",
                subject=f"task {task.id}",
                hint="wait for workers, start more of them, or raise the bound",
            )
        self._admit(task, self._clock())

    def _admit(self, task: Task, now: float) -> None:
        if not self._known(task.id):
            record = self._records[task.id] = Record.of(task, now)
            self._ready(record, now)

    def _known(self, task_id: str) -> bool:
        return task_id in self._records or task_id in self._expired

    # ---- claiming -----------------------------------------------------------------------------

    def claim(
        self, offered: frozenset[str], owner: str, limit: int = 1, *, lease: float = LEASE_S
    ) -> list[Claim]:
        """Take up to ``limit`` tasks for a consumer that renews its leases."""
        return self._claim(offered, owner, limit, lease)

    def pop(self) -> Claim | None:
        """Take a task of any lane for a consumer that states no tags and renews no lease."""
        return next(iter(self._claim(None, "", 1, self._idle_ms / 1000)), None)

    def _claim(
        self, offered: frozenset[str] | None, owner: str, limit: int, length: float
    ) -> list[Claim]:
        now = self._clock()
        for task_id in self._leases.take(now):
            self._vanished(self._records[task_id], now)
        for task_id in self._delayed.take(now):
            self._ready(self._records[task_id], now)
        self._lanes.meet([offered, *self._holders], now)
        for record, missing in self._lanes.overdue(self._policy.patience, now):
            self._bury(record, None, f"no worker offers {', '.join(missing)}", now)
        return [
            self._start(record, Lease("", owner, offered, now, length, now))
            for record in self._lanes.take(offered, limit)
        ]

    def _start(self, record: Record, lease: Lease) -> Claim:
        self._tokens += 1
        lease.token = f"{self._era}-{self._tokens}"
        record.lease = lease
        record.count(+1)
        self._move(record, State.CLAIMED, lease.started_at)
        self._hold(record)
        return record.claim()

    def _hold(self, record: Record) -> None:
        self._holders[record.held.offered] += 1
        self._leases.set(record.id, record.held.until)
        if record.held.offered is None:
            self._popped[record.id] = record

    def _let_go(self, record: Record) -> None:
        offered = record.held.offered
        self._holders[offered] -= 1
        if not self._holders[offered]:
            del self._holders[offered]
        self._leases.discard(record.id)
        self._popped.pop(record.id, None)
        record.lease = None

    def extend(self, claim: Claim) -> bool:
        """Renew a lease; False when the claim is no longer ours."""
        record = self._held_by(claim)
        if record is None:
            return False
        record.held.heard_at = self._clock()
        self._leases.set(record.id, record.held.until)
        if record.id in self._popped:
            self._popped.move_to_end(record.id)
        return True

    def _held_by(self, claim: Claim) -> Record | None:
        record = self._records.get(claim.task.id)
        return record if record and record.lease and record.lease.token == claim.token else None

    def requeue_orphans(self, idle_ms: int, max_batch: int) -> int:
        """Take back the tasks of vanished consumers; returns how many."""
        now, taken = self._clock(), 0
        while taken < max_batch and (record := self._orphan(now, idle_ms)) is not None:
            self._vanished(record, now)
            taken += 1
        return taken

    def _orphan(self, now: float, idle_ms: int) -> Record | None:
        for task_id in self._leases.take(now):
            return self._records[task_id]
        silent = next(iter(self._popped.values()), None)
        return silent if silent and silent.held.heard_at + idle_ms / 1000 <= now else None

    # ---- the end of a run ---------------------------------------------------------------------

    def complete(self, claim: Claim, result: Result, spawn: Sequence[Task] = ()) -> bool:
        """Result, follow-up tasks and acknowledgement in one step; False if it was finished already."""
        _check(claim, result, ok=True)
        now = self._clock()
        if not self._known(claim.task.id):
            self._admit(claim.task, now)
        record = self._unfinished(claim.task.id)
        if record is None:
            return self._stale(claim.task.kind)
        for task in spawn:
            self._admit(task, now)
        self._finish(record, result, State.DONE, "acked", now)
        return True

    def fail(self, claim: Claim, result: Result) -> Action | None:
        """Retry, give back or bury, as ``lifecycle`` decides; None if the claim is no longer ours."""
        _check(claim, result, ok=False)
        record = self._held_by(claim)
        if record is None:
            self._stale(claim.task.kind)
            return None
        return self._ended(record, result, self._clock())

    def give_back(self, claim: Claim, delay: float = 0.0) -> bool:
        """Offer the task to another worker; False when the claim is no longer ours."""
        record = self._held_by(claim)
        if record is None:
            return self._stale(claim.task.kind)
        record.count(-1)
        self._counters["given back", record.open.kind] += 1
        self._later(record, delay, self._clock())
        return True

    def release(self, claim: Claim) -> bool:
        """Acknowledge without a Result; False when the claim is no longer ours."""
        record = self._held_by(claim)
        if record is None:
            return self._stale(claim.task.kind)
        self._counters["acked", record.open.kind] += 1
        self._move(record, State.RELEASED, self._clock())
        self._released[record.id] = record
        return True

    def publish(self, result: Result, claim: Claim | None = None) -> bool:
        """Complete or fail the task that a Result names; False if nothing changed."""
        now = self._clock()
        if not self._known(result.task_id):
            return self._orphaned(result, now)
        record = self._unfinished(result.task_id)
        if record is None:
            return self._stale(self._kind_of(result.task_id))
        if result.status is Status.OK:
            self._finish(record, result, State.DONE, "acked", now)
        elif record.state is State.RELEASED:
            self._bury(record, result, message_of(result), now)
        elif _means(record, result, claim):
            self._ended(record, result, now)
        else:
            return self._stale(record.kind)
        return True

    def _orphaned(self, result: Result, now: float) -> bool:
        if result.status is Status.SKIP or result.retryable:
            return False
        record = Record(result.task_id, None, None, State.DONE, now)
        self._records[result.task_id] = record
        self._announce(record, result, now)
        return True

    def _ended(self, record: Record, result: Result | None, now: float) -> Action:
        skipped_for = now - (now if record.skipped_since is None else record.skipped_since)
        action = decide(
            result, record.open.attempts, self._policy, skips=record.skips, skipped_for=skipped_for
        )
        ended, msg = (str(result.status), message_of(result)) if result else ("vanished", "")
        record.note(ended, msg, now)
        match action:
            case DeadLetter(reason):
                self._bury(record, result, reason, now)
            case GiveBack(delay):
                record.count(-1)
                record.skips += 1
                record.skipped_since = now - skipped_for
                self._counters["given back", record.open.kind] += 1
                self._later(record, delay, now)
            case Ack():
                raise AssertionError("an ok result completes")
            case _:
                record.skips, record.skipped_since = 0, None
                self._counters["retried", record.open.kind] += 1
                self._later(record, action.delay, now)
        return action

    def _vanished(self, record: Record, now: float) -> None:
        self._counters["reclaimed", record.open.kind] += 1
        self._ended(record, None, now)

    def _unfinished(self, task_id: str) -> Record | None:
        record = self._records.get(task_id)
        return record if record and record.state in LIVE else None

    def _stale(self, kind: TaskKind | None) -> bool:
        if kind is not None:
            self._counters["stale", kind] += 1
        return False

    def _kind_of(self, task_id: str) -> TaskKind | None:
        record = self._records.get(task_id)
        return record.kind if record else None

    # ---- from state to state ------------------------------------------------------------------

    def _move(self, record: Record, state: State, now: float) -> None:
        """Take a record from the place that its old state implies; the caller puts it into the new one."""
        match record.state:
            case State.DELAYED:
                self._delayed.discard(record.id)
                record.due = None
            case State.RELEASED:
                del self._released[record.id]
            case State.DEAD:
                del self._dead[record.id]
            case State.CLAIMED:
                self._let_go(record)
        record.state, record.since = state, now

    def _ready(self, record: Record, now: float) -> None:
        self._move(record, State.WAITING, now)
        self._lanes.add(record)
        self.readied += 1

    def _later(self, record: Record, delay: float, now: float) -> None:
        if delay <= 0:
            self._ready(record, now)
            return
        self._move(record, State.DELAYED, now)
        record.due = now + delay
        self._delayed.set(record.id, record.due)

    def _finish(self, record: Record, result: Result, state: State, event: str, now: float) -> None:
        if record.state is State.WAITING:
            self._lanes.discard(record)
        self._move(record, state, now)
        self._counters[event, record.open.kind] += 1
        record.task = None
        self._announce(record, result, now)

    def _bury(self, record: Record, result: Result | None, reason: str, now: float) -> None:
        self._move(record, State.DEAD, now)
        record.reason = reason
        self._dead[record.id] = record
        self._counters["dead", record.open.kind] += 1
        self._announce(record, _stamped(buried(record.open, result, reason), now), now)

    def _announce(self, record: Record, result: Result, now: float) -> None:
        record.published = self._log.append(result, now)
        self._expire(now)

    def _expire(self, now: float) -> None:
        for result in self._log.expire(now):
            record = self._records[result.task_id]
            record.published = None
            if record.state is not State.DEAD:
                self._forget(record)
        for record in list(_overdue(self._released, self._kept, now - self._results_age)):
            del self._released[record.id]
            del self._records[record.id]

    def _forget(self, record: Record) -> None:
        del self._records[record.id]
        self._expired[record.id] = None
        if len(self._expired) > _IDS_PER_RESULT * self._kept:
            self._expired.popitem(last=False)
