"""Where each task is, how it moves from one place to another, and the JSON form of all of it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any, Final

from peagen_ray.errors import QueueError, ResultExpired
from peagen_ray.queues._due import DueHeap
from peagen_ray.queues._lanes import Lanes
from peagen_ray.queues._log import ResultLog
from peagen_ray.queues._record import LIVE, Lease, Record
from peagen_ray.queues.model import Claim, State
from peagen_ray.task import Result, Task

IDS_PER_RESULT: Final = 10
"""Ids that are remembered, so that they are not enqueued again, for each Result that is kept."""


class Places:
    """Every record, in exactly one place: a lane, the delays, the leases, or with the finished.

    Args:
        results_kept: Results, and records released without one, that are kept at most.
        results_age: seconds for which each is kept.
    """

    def __init__(self, results_kept: int, results_age: float) -> None:
        self._kept = results_kept
        self._age = results_age
        self._records: dict[str, Record] = {}
        self._popped: OrderedDict[str, Record] = OrderedDict()
        self._released: OrderedDict[str, Record] = OrderedDict()
        self._expired: OrderedDict[str, None] = OrderedDict()
        self._era = 1
        self._tokens = 0
        self.lanes = Lanes()
        self.delayed = DueHeap()
        self.leases = DueHeap()
        self.holders: Counter[frozenset[str] | None] = Counter()
        self.dead: OrderedDict[str, Record] = OrderedDict()
        self.log = ResultLog(results_kept, results_age)
        self.readied = 0
        self._moves = 0

    def __getitem__(self, task_id: str) -> Record:
        return self._records[task_id]

    @property
    def changes(self) -> int:
        """Grows whenever something changed, but for Results that expired."""
        return self._moves + self.lanes.noted + self.log.last

    def bound(self, results_kept: int, results_age: float) -> None:
        """Keep so many Results, for so long, from now on."""
        self._kept, self._age = results_kept, results_age
        self.log.bound(results_kept, results_age)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._records or task_id in self._expired

    def get(self, task_id: str) -> Record | None:
        """The record, unless nothing but the id is kept, if that."""
        return self._records.get(task_id)

    def unfinished(self, task_id: str) -> Record | None:
        """The record of a task that has no Result yet."""
        record = self._records.get(task_id)
        return record if record and record.state in LIVE else None

    def held_by(self, claim: Claim) -> Record | None:
        """The record of a task that is still in the claim's hands."""
        record = self._records.get(claim.task.id)
        return record if record and record.lease and record.lease.token == claim.token else None

    def longest_silent(self) -> Record | None:
        """The popped task of which nothing was heard for longest."""
        return next(iter(self._popped.values()), None)

    def delays(self) -> Iterator[Record]:
        """The delayed tasks, the earliest first."""
        return (self._records[task_id] for task_id in self.delayed)

    def result(self, task_id: str) -> Result | None:
        """The Result, None if there is none yet; raises ResultExpired."""
        record = self._records.get(task_id)
        if record and record.published is not None:
            return self.log.get(record.published)
        if task_id in self._expired or (record and record.state is State.DEAD):
            raise ResultExpired(
                "its result is kept no longer",
                subject=f"task {task_id}",
                hint="read results sooner, or keep more of them",
            )
        return None

    # ---- moves --------------------------------------------------------------------------------

    def admit(self, task: Task, now: float) -> bool:
        """Put a task into its lane; False if its id is known."""
        if task.id in self:
            return False
        record = self._records[task.id] = Record.of(task, now)
        self.ready(record, now)
        return True

    def ready(self, record: Record, now: float) -> None:
        """To the end of its lane."""
        self._leave(record, State.WAITING, now)
        self.lanes.add(record)
        self.readied += 1

    def later(self, record: Record, delay: float, now: float) -> None:
        """To its lane after ``delay`` seconds."""
        if delay <= 0:
            self.ready(record, now)
            return
        self._leave(record, State.DELAYED, now)
        record.due = now + delay
        self.delayed.set(record.id, record.due)

    def hold(self, record: Record, lease: Lease) -> Claim:
        """Into a worker's hands, under a token that was never given before."""
        self._tokens += 1
        lease.token = f"{self._era}-{self._tokens}"
        self._leave(record, State.CLAIMED, lease.started_at)
        record.lease = lease
        self._held(record)
        return Claim(record.open, lease.token, lease.until)

    def renew(self, record: Record, now: float) -> None:
        """The worker was heard of."""
        self._moves += 1
        record.held.heard_at = now
        self.leases.set(record.id, record.held.until)
        if record.id in self._popped:
            self._popped.move_to_end(record.id)

    def release(self, record: Record, now: float) -> None:
        """To those that run no more and have no Result."""
        self._leave(record, State.RELEASED, now)
        self._released[record.id] = record
        self.expire(now)

    def finish(self, record: Record, state: State, result: Result, now: float) -> None:
        """To those that have their Result; it is published."""
        self._leave(record, state, now)
        record.task = None
        self._publish(record, result, now)

    def bury(self, record: Record, result: Result, now: float) -> None:
        """To the dead-letter queue; the Result is published."""
        self._leave(record, State.DEAD, now)
        self.dead[record.id] = record
        self._publish(record, result, now)

    def recall(self, record: Record) -> None:
        """Into the dead-letter queue, from the letter of another queue."""
        self._records[record.id] = self.dead[record.id] = record

    def revive(self, record: Record, now: float) -> None:
        """From the dead-letter queue to its lane; the Result is taken back."""
        if record.published is not None:
            self.log.supersede(record.published)
        record.published, record.reason = None, ""
        record.skips, record.skipped_since = 0, None
        record.count(-record.open.attempts)
        self.ready(record, now)

    def remove(self, record: Record, now: float) -> None:
        """From the dead-letter queue, for good."""
        self._leave(record, State.DONE, now)
        record.task = None
        if record.published is None:
            self._forget(record)

    def adopt(self, result: Result, now: float) -> None:
        """Publish a Result for an id that is not known."""
        record = self._records[result.task_id] = Record(result.task_id, None, None, State.DONE, now)
        self._publish(record, result, now)

    def _leave(self, record: Record, state: State, now: float) -> None:
        self._moves += 1
        match record.state:
            case State.WAITING:
                self.lanes.discard(record)
            case State.DELAYED:
                self.delayed.discard(record.id)
                record.due = None
            case State.CLAIMED:
                self._let_go(record)
            case State.RELEASED:
                del self._released[record.id]
            case State.DEAD:
                del self.dead[record.id]
        record.state, record.since = state, now

    def _held(self, record: Record) -> None:
        self.holders[record.held.offered] += 1
        self.leases.set(record.id, record.held.until)
        if record.held.offered is None:
            self._popped[record.id] = record

    def _let_go(self, record: Record) -> None:
        offered = record.held.offered
        self.holders[offered] -= 1
        if not self.holders[offered]:
            del self.holders[offered]
        self.leases.discard(record.id)
        self._popped.pop(record.id, None)
        record.lease = None

    def _publish(self, record: Record, result: Result, now: float) -> None:
        record.published = self.log.append(result, now)
        self.expire(now)

    def expire(self, now: float) -> None:
        """Drop the Results, and the released records, that are too old or too many."""
        for result in self.log.expire(now):
            record = self._records[result.task_id]
            record.published = None
            if record.state is not State.DEAD:
                self._forget(record)
        for record in list(self._abandoned(now)):
            del self._released[record.id], self._records[record.id]

    def _abandoned(self, now: float) -> Iterator[Record]:
        surplus = len(self._released) - self._kept
        for position, record in enumerate(self._released.values()):
            if position >= surplus and record.since + self._age > now:
                return
            yield record

    def _forget(self, record: Record) -> None:
        del self._records[record.id]
        self._expired[record.id] = None
        if len(self._expired) > IDS_PER_RESULT * self._kept:
            self._expired.popitem(last=False)

    # ---- the JSON form ------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """The JSON form; the inverse of :meth:`load`."""
        return {
            "era": self._era,
            "tokens": self._tokens,
            "records": [record.dump() for record in self._records.values()],
            "lanes": self.lanes.dump(),
            "delayed": list(self.delayed),
            "leases": list(self.leases),
            "popped": list(self._popped),
            "dead": list(self.dead),
            "released": list(self._released),
            "expired": list(self._expired),
            "log": self.log.dump(),
        }

    def load(self, dumped: dict[str, Any]) -> None:
        """Fill these places, which are empty."""
        if self._records or self._expired:
            raise QueueError("only a new queue can be restored")
        self._era, self._tokens = dumped["era"], dumped["tokens"]
        self._records = {entry["id"]: Record.load(entry) for entry in dumped["records"]}
        self.lanes.load(dumped["lanes"], self._records)
        self.dead.update((task_id, self._records[task_id]) for task_id in dumped["dead"])
        self._released.update((task_id, self._records[task_id]) for task_id in dumped["released"])
        self._expired.update(dict.fromkeys(dumped["expired"]))
        self.log.load(dumped["log"])
        for task_id in dumped["delayed"]:
            self.delayed.set(task_id, self._records[task_id].due or 0.0)
        for task_id in dumped["leases"]:
            self._held(self._records[task_id])
        for task_id in dumped["popped"]:
            self._popped.move_to_end(task_id)

    def refresh(self, now: float) -> None:
        """The leases start afresh, in the order in which they would have lapsed; the tokens in a new era."""
        self._era, self._tokens = self._era + 1, 0
        for task_id in list(self.leases):
            self.renew(self._records[task_id], now)
