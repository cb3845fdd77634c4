"""What the state machine keeps of one task, and its JSON form."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from peagen_ray.queues.model import Attempt, DeadTask, State, TaskInfo, lane_of
from peagen_ray.task import Result, Task, TaskKind

HISTORY: Final = 10
"""Runs that a task's history goes back."""

MSG_CHARS: Final = 2_000
"""Characters of a run's message that its history keeps."""

LIVE: Final = frozenset({State.WAITING, State.DELAYED, State.CLAIMED, State.RELEASED})
"""Where a task may be that has no Result yet."""


@dataclass(slots=True)
class Lease:
    """Who has a task, and for how long.

    Attributes:
        token: names the claim.
        owner: the worker.
        offered: its tags; None for a consumer that states none.
        started_at: when the run started.
        length: seconds that each renewal adds.
        heard_at: when the worker was last heard of.
        begun: whether the run has begun, and is counted.
    """

    token: str
    owner: str
    offered: frozenset[str] | None
    started_at: float
    length: float
    heard_at: float
    begun: bool = True

    @property
    def until(self) -> float:
        """When the lease lapses."""
        return self.heard_at + self.length


@dataclass(slots=True)
class Record:
    """One task: everything but its place among the others.

    Attributes:
        task: as it is to be run next, or was run last; None once it is finished and not dead.
        kind: the task's kind; None if only a Result was ever seen.
        state: where it is.
        since: when it came to be there.
        due: when a delayed task is to run.
        lease: of a claimed task.
        skips: times that it was skipped in a row.
        skipped_since: when the first of these was.
        published: number of its Result, while that is kept.
        reason: why it died.
        history: its last runs.
    """

    id: str
    task: Task | None
    kind: TaskKind | None
    state: State
    since: float
    due: float | None = None
    lease: Lease | None = None
    skips: int = 0
    skipped_since: float | None = None
    published: int | None = None
    reason: str = ""
    history: deque[Attempt] = field(default_factory=lambda: deque(maxlen=HISTORY))

    @classmethod
    def of(cls, task: Task, now: float) -> Record:
        """The record of a task that is new here; runs are counted from zero."""
        fresh = task.model_copy(update={"attempts": 0}) if task.attempts else task
        return cls(task.id, fresh, task.kind, State.WAITING, now)

    @classmethod
    def of_dead(cls, dead: DeadTask) -> Record:
        """The record of a dead letter whose Result is not kept."""
        assert dead.task is not None
        record = cls(dead.id, dead.task, dead.task.kind, State.DEAD, dead.died_at, reason=dead.reason)
        record.history.extend(dead.history)
        return record

    @property
    def open(self) -> Task:
        """The task, where the state implies that it is kept."""
        assert self.task is not None
        return self.task

    @property
    def held(self) -> Lease:
        """The lease, where the state implies one."""
        assert self.lease is not None
        return self.lease

    @property
    def lane(self) -> str:
        """The name of its lane."""
        return lane_of(self.open.requires)

    def count(self, runs: int) -> None:
        """Add to the runs that are counted."""
        attempts = max(0, self.open.attempts + runs)
        self.task = self.open.model_copy(update={"attempts": attempts})

    def note(self, ended: str, msg: str, now: float) -> None:
        """Write the run that ends into the history."""
        lease = self.held
        run = Attempt(self.open.attempts, lease.owner, lease.started_at, now, ended, msg[:MSG_CHARS])
        self.history.append(run)

    def info(self, result: Result | None) -> TaskInfo:
        """All of it, for a reader."""
        owner, due = (self.lease.owner, self.lease.until) if self.lease else ("", self.due)
        return TaskInfo(
            self.task, self.state, self.since, owner, due, result, self.reason, tuple(self.history)
        )

    def dump(self) -> dict[str, Any]:
        """Its JSON form; the inverse of :meth:`load`."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        lease = None if self.lease is None else asdict(self.lease)
        if lease and lease["offered"] is not None:
            lease["offered"] = sorted(lease["offered"])
        task = None if self.task is None else self.task.to_wire().decode()
        return fields | {"task": task, "lease": lease, "history": [asdict(run) for run in self.history]}

    @classmethod
    def load(cls, dumped: dict[str, Any]) -> Record:
        """The record of a JSON form."""
        task, kind, lease = dumped["task"], dumped["kind"], dumped["lease"]
        if lease and lease["offered"] is not None:
            lease = lease | {"offered": frozenset(lease["offered"])}
        return cls(
            **dumped
            | {
                "task": None if task is None else Task.from_wire(task),
                "kind": None if kind is None else TaskKind(kind),
                "state": State(dumped["state"]),
                "lease": None if lease is None else Lease(**lease),
                "history": deque((Attempt(**run) for run in dumped["history"]), maxlen=HISTORY),
            }
        )
