"""Any queue against a naive model of what the contract says, in lock step, as a hypothesis state machine.

Prove a provider whose clock can be moved by subclassing::

    class MyMachine(QueueMachine):
        def new_queue(self):
            return MyQueue.from_url(an_empty_one(), clock=lambda: self.now, **OPTIONS)

    TestMyQueue = MyMachine.TestCase
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from peagen_ray.lifecycle import DeadLetter, GiveBack, Policy, decide
from peagen_ray.queues.model import FROM_START, Claim, State, lane_of, tags_of
from peagen_ray.task import Result, Status, Task, TaskKind, missing_tags

POLICY = Policy(max_retry=3, patience=20.0, retry_delay=2.0, skip_delay=1.0)
TAGS = [frozenset(tags) for tags in ((), ("cpu",), ("gpu",), ("cpu", "gpu"), ("cuda11/12",))]
OFFERS = [frozenset(tags) for tags in ((), ("cpu",), ("cpu", "gpu"), ("cuda12", "cpu"))]
IDLE_MS = 30_000
FINISHED = {State.DONE, State.DEAD, State.CANCELLED}
outcomes = st.sampled_from(["ok", "retryable", "final", "skip"])


@dataclass
class Entry:
    """What the model knows of a task."""

    task: Task
    state: State = State.WAITING
    attempts: int = 0
    token: str = ""
    begun: bool = True
    offered: frozenset[str] | None = frozenset()
    length: float = 0.0
    heard: tuple[float, int] = (0.0, 0)
    due: tuple[float, int] = (0.0, 0)
    since: float = 0.0
    skips: int = 0
    skipped_since: float | None = None
    results: list[Status] = field(default_factory=list)

    @property
    def lapses(self) -> tuple[float, int]:
        return self.heard[0] + self.length, self.heard[1]


def result_of(task: Task, outcome: str) -> Result:
    if outcome == "skip":
        return Result(task_id=task.id, status=Status.SKIP, attempts=max(1, task.attempts))
    if outcome == "ok":
        return Result.success(task, {})
    return Result.failure(task, outcome, retryable=outcome == "retryable")


OPTIONS: dict[str, Any] = {
    "max_retry": POLICY.max_retry,
    "patience": POLICY.patience,
    "retry_delay": POLICY.retry_delay,
    "skip_delay": POLICY.skip_delay,
    "idle_ms": IDLE_MS,
}
"""What the queue under test must be opened with."""


class QueueMachine(RuleBasedStateMachine):
    """Drives a queue and the model, and compares them after every step.

    Times are multiples of 1/64 s, so that sums of them are exact.
    """

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.now, self.clicks = 1_000.0, 0
        self.entries: dict[str, Entry] = {}
        self.waiting: list[str] = []
        self.dead: list[str] = []
        self.log: list[tuple[str, Status]] = []
        self.unserved: dict[str, float] = {}
        self.queue = self.new_queue()

    def new_queue(self) -> Any:
        """A new, empty queue, opened with OPTIONS, whose clock is :attr:`now`."""
        raise NotImplementedError

    def pop(self) -> Claim | None:
        """Pop from the queue without waiting."""
        found: Claim | None = self.queue._pop(0.0)  # noqa: SLF001 - the claim, where pop gives the task
        return found

    def result(self, task_id: str) -> Result | None:
        """The Result that the queue has of a task."""
        found: Result | None = self.queue.wait_for_result(task_id, 0)
        return found

    def teardown(self) -> None:
        """Close the queue."""
        self.queue.close()

    # ---- the model's moves ----------------------------------------------------------------------

    def click(self) -> int:
        self.clicks += 1
        return self.clicks

    def leave(self, entry: Entry) -> None:
        if entry.state is State.WAITING and entry.task.id in self.waiting:
            self.waiting.remove(entry.task.id)
        if entry.state is State.DEAD:
            self.dead.remove(entry.task.id)
        self.mourn_lanes()

    def mourn_lanes(self) -> None:
        alive = {self.lane(task_id) for task_id in self.waiting}
        self.unserved = {lane: since for lane, since in self.unserved.items() if lane in alive}

    def lane(self, task_id: str) -> str:
        return lane_of(self.entries[task_id].task.requires)

    def ready(self, entry: Entry) -> None:
        self.leave(entry)
        entry.state, entry.since = State.WAITING, self.now
        self.waiting.append(entry.task.id)

    def later(self, entry: Entry, delay: float) -> None:
        if delay <= 0:
            self.ready(entry)
        else:
            self.leave(entry)
            entry.state, entry.due = State.DELAYED, (self.now + delay, self.click())

    def finish(self, entry: Entry, state: State, status: Status) -> None:
        self.leave(entry)
        entry.state = state
        entry.results.append(status)
        self.log.append((entry.task.id, status))
        if state is State.DEAD:
            self.dead.append(entry.task.id)
            entry.since = self.now

    def vanished(self, entry: Entry) -> None:
        if entry.begun:
            self.ended(entry, None)
        else:
            self.ready(entry)

    def ended(self, entry: Entry, result: Result | None) -> None:
        self.begin_run(entry)
        first = self.now if entry.skipped_since is None else entry.skipped_since
        action = decide(result, entry.attempts, POLICY, skips=entry.skips, skipped_for=self.now - first)
        if isinstance(action, DeadLetter):
            self.finish(entry, State.DEAD, Status.ERROR)
        elif isinstance(action, GiveBack):
            entry.skips, entry.skipped_since = entry.skips + 1, first
            entry.attempts -= 1
            self.later(entry, action.delay)
        else:
            entry.skips, entry.skipped_since = 0, None
            self.later(entry, action.delay)  # type: ignore[union-attr]

    def holder(self, claim: Claim) -> Entry | None:
        entry = self.entries[claim.task.id]
        return entry if entry.state is State.CLAIMED and entry.token == claim.token else None

    def in_state(self, state: State) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.state is state]

    def tick(self, offered: frozenset[str] | None) -> list[Entry]:
        for entry in sorted(self.in_state(State.CLAIMED), key=lambda entry: entry.lapses):
            if entry.lapses[0] <= self.now:
                self.vanished(entry)
        for entry in sorted(self.in_state(State.DELAYED), key=lambda entry: entry.due):
            if entry.due[0] <= self.now:
                self.ready(entry)
        offers = [offered, *(entry.offered for entry in self.in_state(State.CLAIMED))]
        for lane in {self.lane(task_id) for task_id in self.waiting}:
            if any(offer is None or not missing_tags(tags_of(lane), offer) for offer in offers):
                self.unserved.pop(lane, None)
            else:
                self.unserved.setdefault(lane, self.now)
        unserved = [(t, self.unserved[self.lane(t)]) for t in self.waiting if self.lane(t) in self.unserved]
        victims = [self.entries[t] for t, since in unserved if self.patience_ends(t, since) <= self.now]
        for entry in victims:
            self.leave(entry)
        return victims

    def patience_ends(self, task_id: str, unserved_since: float) -> float:
        return max(unserved_since, self.entries[task_id].since) + POLICY.patience

    def perish(self, victims: list[Entry]) -> None:
        """Lanes die in an order that is left open, the tasks of a lane in theirs."""
        order = [dead.id for dead in self.queue.dead_letters(10_000)]
        for entry in sorted(victims, key=lambda entry: order.index(entry.task.id)):
            self.finish(entry, State.DEAD, Status.ERROR)
        mine = [
            [t for t in order if self.entries[t] in victims and self.lane(t) == lane]
            for lane in {lane_of(entry.task.requires) for entry in victims}
        ]
        theirs = [entry.task.id for entry in victims]
        assert all(lane == [t for t in theirs if t in lane] for lane in mine)

    # ---- rules ----------------------------------------------------------------------------------

    @rule(requires=st.sampled_from(TAGS), kind=st.sampled_from(TaskKind), attempts=st.integers(0, 5))
    def enqueue(self, requires: frozenset[str], kind: TaskKind, attempts: int) -> None:
        task = Task(kind=kind, id=f"{len(self.entries):016x}", requires=requires, attempts=attempts)
        self.queue.enqueue(task)
        self.entries[task.id] = entry = Entry(task)
        self.ready(entry)

    @rule(data=st.data())
    def enqueue_again(self, data: st.DataObject) -> None:
        if self.entries:
            self.queue.enqueue(data.draw(st.sampled_from(list(self.entries.values()))).task)

    @rule(
        target=claims,
        offered=st.sampled_from(OFFERS),
        limit=st.integers(1, 5),
        lease=st.sampled_from([1.0, 5.0, 15.0]),
        begin=st.booleans(),
    )
    def claim(self, offered: frozenset[str], limit: int, lease: float, begin: bool):  # type: ignore[no-untyped-def]
        victims = self.tick(offered)
        before = self.servable(offered)
        claims = self.queue.claim(offered, "w", limit, lease=lease, begin=begin)
        self.perish(victims)
        for claim in claims:
            assert claim.task.id == next(t for t in self.waiting if self.lane(t) == self.lane(claim.task.id))
            self.claimed(claim, offered, lease, begin=begin)
        assert len(claims) == min(limit, sum(before.values()))
        taken = Counter(self.lane(claim.task.id) for claim in claims)
        left = self.servable(offered)
        assert all(taken[lane] >= max(taken.values()) - 1 for lane in left)
        return multiple(*claims)

    @rule(target=claims)
    def pop_one(self):  # type: ignore[no-untyped-def]
        victims = self.tick(None)
        claim = self.pop()
        self.perish(victims)
        assert (claim is None) is (not self.waiting)
        if claim is None:
            return multiple()
        self.claimed(claim, None, IDLE_MS / 1000)
        return claim

    def servable(self, offered: frozenset[str]) -> Counter[str]:
        lanes = Counter(self.lane(task_id) for task_id in self.waiting)
        return Counter(
            {n: c for n, c in lanes.items() if not missing_tags(filter(None, n.split("+")), offered)}
        )

    def claimed(
        self, claim: Claim, offered: frozenset[str] | None, lease: float, *, begin: bool = True
    ) -> None:
        entry = self.entries[claim.task.id]
        self.leave(entry)
        entry.state, entry.token, entry.offered = State.CLAIMED, claim.token, offered
        entry.length, entry.heard = lease, (self.now, self.click())
        entry.begun = begin
        entry.attempts += begin
        assert claim.task.attempts == entry.attempts <= POLICY.max_retry
        assert claim.lease_until == self.now + lease

    @rule(claim=claims)
    def begin(self, claim: Claim) -> None:
        entry, said = self.holder(claim), self.queue.begin(claim)
        assert (said is None) is (entry is None)
        if entry:
            self.begin_run(entry)
            entry.heard = self.now, self.click()
            assert said.task == claim.task.model_copy(update={"attempts": entry.attempts})
            assert (said.token, said.lease_until) == (claim.token, self.now + entry.length)

    def begin_run(self, entry: Entry) -> None:
        if entry.state is State.CLAIMED and not entry.begun:
            entry.begun = True
            entry.attempts += 1

    @rule(claim=claims)
    def extend(self, claim: Claim) -> None:
        entry = self.holder(claim)
        assert self.queue.extend(claim) is (entry is not None)
        if entry:
            entry.heard = self.now, self.click()

    @rule(claim=claims, delay=st.sampled_from([0.0, 3.0]))
    def give_back(self, claim: Claim, delay: float) -> None:
        entry = self.holder(claim)
        assert self.queue.give_back(claim, delay) is (entry is not None)
        if entry:
            entry.attempts -= entry.begun
            self.later(entry, delay)

    @rule(claim=claims, spawn=st.integers(0, 2))
    def complete(self, claim: Claim, spawn: int) -> None:
        entry = self.entries[claim.task.id]
        follow = [Task(kind=TaskKind.EVALUATE, id=f"{len(self.entries) + n:016x}") for n in range(spawn)]
        won = entry.state not in FINISHED
        assert self.queue.complete(claim, Result.success(claim.task, {}), [*follow, claim.task]) is won
        if won:
            for task in follow:
                self.entries[task.id] = Entry(task)
                self.ready(self.entries[task.id])
            self.finish(entry, State.DONE, Status.OK)

    @rule(claim=claims, outcome=outcomes.filter(lambda outcome: outcome != "ok"))
    def fail(self, claim: Claim, outcome: str) -> None:
        entry, result = self.holder(claim), result_of(claim.task, outcome)
        action = self.queue.fail(claim, result)
        assert (action is None) is (entry is None)
        if entry:
            self.ended(entry, result)

    @rule(claim=claims)
    def release(self, claim: Claim) -> None:
        entry = self.holder(claim)
        assert self.queue.release(claim) is (entry is not None)
        if entry:
            self.leave(entry)
            entry.state = State.RELEASED

    @rule(claim=claims, outcome=outcomes, fenced=st.booleans())
    def publish(self, claim: Claim, outcome: str, fenced: bool) -> None:
        entry, result = self.entries[claim.task.id], result_of(claim.task, outcome)
        changed = self.queue.publish(result, claim if fenced else None)
        if entry.state in FINISHED:
            assert not changed
        elif outcome == "ok":
            self.finish(entry, State.DONE, Status.OK)
        elif entry.state is State.RELEASED:
            self.finish(entry, State.DEAD, Status.ERROR)
        else:
            meant = entry.state is State.CLAIMED and (
                entry.token == claim.token
                if fenced
                else entry.offered is None and entry.attempts == result.attempts
            )
            assert changed is meant
            if meant:
                self.ended(entry, result)

    @rule(idle_ms=st.sampled_from([0, 5_000, 60_000]), batch=st.integers(0, 3))
    def requeue_orphans(self, idle_ms: int, batch: int) -> None:
        claimed = self.in_state(State.CLAIMED)
        lapsed = sorted((e for e in claimed if e.lapses[0] <= self.now), key=lambda e: e.lapses)
        silent = sorted(
            (e for e in claimed if e not in lapsed and e.offered is None), key=lambda e: e.heard[1]
        )
        silent = [e for e in silent if e.heard[0] + idle_ms / 1000 <= self.now]
        orphans = (lapsed + silent)[:batch]
        assert self.queue.requeue_orphans(idle_ms, batch) == len(orphans)
        for entry in orphans:
            self.vanished(entry)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.entries:
            entry = data.draw(st.sampled_from(list(self.entries.values())))
            live = entry.state not in FINISHED
            assert self.queue.cancel(entry.task.id) is live
            if live:
                self.finish(entry, State.CANCELLED, Status.ERROR)

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from([*self.dead, "f" * 16]), unique=True))
        assert self.queue.retry(chosen) == len([t for t in chosen if t in self.dead])
        for task_id in chosen:
            if task_id in self.dead:
                entry = self.entries[task_id]
                entry.attempts, entry.skips, entry.skipped_since = 0, 0, None
                entry.results.clear()
                self.log = [line for line in self.log if line[0] != task_id]
                self.ready(entry)

    @rule(older_than=st.sampled_from([0.0, 10.0]))
    def purge(self, older_than: float) -> None:
        old = [t for t in self.dead if self.entries[t].since + older_than <= self.now]
        assert self.queue.purge(older_than=older_than) == len(old)
        for task_id in old:
            self.dead.remove(task_id)
            self.entries[task_id].state = State.DONE

    @rule(seconds=st.sampled_from([1 / 64, 0.5, 2.0, 6.0, 25.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    # ---- what holds always ----------------------------------------------------------------------

    @invariant()
    def every_task_is_where_the_model_has_it(self) -> None:
        for task_id, entry in self.entries.items():
            info = self.queue.inspect(task_id)
            assert info is not None, f"{task_id} is lost"
            assert info.state is entry.state
            if info.task:
                assert info.task.attempts == entry.attempts <= POLICY.max_retry
            if entry.state in (State.DELAYED, State.CLAIMED):
                assert info.due == (entry.due if entry.state is State.DELAYED else entry.lapses)[0]
            if entry.state in (State.WAITING, State.DEAD):
                assert info.since == entry.since

    @invariant()
    def results_are_published_once_and_in_order(self) -> None:
        published, _ = self.queue.results_since(FROM_START, limit=10_000)
        assert [(result.task_id, result.status) for result in published] == self.log
        assert len({result.task_id for result in published}) == len(published)
        for task_id, entry in self.entries.items():
            result = self.result(task_id)
            assert ([] if result is None else [result.status]) == entry.results

    @invariant()
    def lanes_keep_their_order(self) -> None:
        listed = [task.id for task in self.queue.list_tasks(10_000)]
        delayed = [e.task.id for e in sorted(self.in_state(State.DELAYED), key=lambda e: e.due)]
        assert sorted(listed) == sorted(self.waiting + delayed)
        for lane in {self.lane(task_id) for task_id in self.waiting}:
            mine = [t for t in self.waiting if self.lane(t) == lane]
            assert [t for t in listed[: len(self.waiting)] if self.lane(t) == lane] == mine
        assert listed[len(self.waiting) :] == delayed

    @invariant()
    def the_numbers_agree(self) -> None:
        pending = self.waiting + [entry.task.id for entry in self.in_state(State.DELAYED)]
        kinds = Counter((self.lane(t), self.entries[t].task.kind) for t in pending)
        assert dict(self.queue.depth()) == kinds
        assert self.queue.pending_count() == len(pending)
        assert self.queue.claimed_count() == len(self.in_state(State.CLAIMED))
        assert self.queue.dead_count() == len(self.dead)
        could_run = [self.entries[t].since for t in self.waiting]
        could_run += [entry.due[0] for entry in self.in_state(State.DELAYED)]
        assert self.queue.oldest_idle() == max(0.0, self.now - min(could_run, default=self.now))
        assert [dead.id for dead in self.queue.dead_letters(10_000)] == self.dead
        assert set(self.queue.unserved()) == set(self.unserved)
