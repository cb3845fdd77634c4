"""The dispatcher's decisions, as a state machine: no Ray, no queue, no thread, no clock of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Any, Final, TypeVar

from peagen_ray.fabric._leases import Leases, Outbox, Settlement
from peagen_ray.fabric._waiting import Group, Waiting
from peagen_ray.fabric.actions import (
    Action,
    Begin,
    Cancel,
    ClaimTasks,
    Complete,
    Extend,
    Fail,
    Failure,
    GiveBack,
    Report,
    Submit,
)
from peagen_ray.fabric.capabilities import Placement
from peagen_ray.fabric.inline import Ended
from peagen_ray.fabric.oneshot import INTERRUPTED
from peagen_ray.fabric.routing import Refused, Route, Router, Stuck
from peagen_ray.queues._due import DueHeap
from peagen_ray.queues.model import RENEW_S, Claim, Completion
from peagen_ray.task import Result, Status, Task, TaskKind

BATCH: Final = 500
"""Claims of one batch at most."""

_CLAIM_PAUSE: Final = 0.2
"""Seconds until tasks are asked for again that were asked for without waiting."""

_GATHER_S: Final = 0.02
"""Seconds between two orders to claim where there is room for few and some wait for nodes anyway: one call has more."""

_FEW: Final = 8
"""Which share of all is few."""

_REPORT_EVERY: Final = 60.0
"""Seconds until the same trouble is reported again."""

_REPORTS: Final = 1000
"""Sorts of trouble that are remembered."""

_CANCELLED_PAUSE: Final = 1.0
"""Seconds until a task is offered again that somebody else has cancelled in Ray."""

_WORDS: Final = {
    Failure.WORKER_DIED: "the Ray worker died",
    Failure.NODE_DIED: "the node died",
    Failure.OUT_OF_MEMORY: "the node ran out of memory",
    Failure.CANCELLED: "cancelled",
    Failure.RAY: "Ray could not run it",
}

_T = TypeVar("_T")


class _State(Enum):
    WAITING = auto()
    RUNNING = auto()
    SETTLING = auto()


@dataclass(slots=True)
class _Held:
    """A claim that is ours, and whether Ray has a task for it that has not ended."""

    claim: Claim
    task: Task
    route: Route | None = None
    state: _State = _State.WAITING
    submitted: bool = False


class Planner:
    """Decides what a dispatcher does: what to claim, submit, renew, complete, give back and cancel.

    It is told what happened and then asked by :meth:`decide` what to do. Each thing told of a claim, and
    each action decided, costs O(log n) at most in the number n of claims that are held; an order to claim
    also costs the number of lanes that wait.

    * At most ``max_parallel`` claims are held or tasks of Ray's not ended. Tasks are claimed ahead of
      the cluster's capacity, so that Ray's autoscaler sees what is wanted.
    * Every claim ends in exactly one way: completed, failed, given back, or no longer ours.
    * Whoever acts answers each action as it says, or says :meth:`broker_lost`: then what the queue was
      not heard to have done is repeated after :meth:`broker_found`, which changes nothing twice.
    * A run counts from :meth:`started` on. Retries are the queue's: what failed is told to it, no more.
    * A task that no node can serve is skipped, for another dispatcher, and goes to the dead-letter queue
      after the queue's patience; it is reported at once.
    * Of a lane of which as many tasks wait for nodes as there is room left, no more are claimed, so that
      tasks for other nodes find some room. A lane of tasks without tags cannot be kept out.

    Several planners may serve one queue; they need not know of each other.

    Args:
        router: chooses handlers and resources.
        clock: seconds; must not run backwards.
        max_parallel: claims to hold at most.
        node_patience: seconds that tasks wait for the first node of a kind that is to be started.
        kill_after: seconds beyond its own timeout after which a task is ended from here.
        renew_every: seconds between two renewals of a lease.
    """

    def __init__(
        self,
        router: Router,
        clock: Callable[[], float],
        *,
        max_parallel: int,
        node_patience: float,
        kill_after: float,
        renew_every: float = RENEW_S,
    ) -> None:
        self._router = router
        self._clock = clock
        self._max_parallel = max_parallel
        self._node_patience = node_patience
        self._kill_after = kill_after
        self._held: dict[str, _Held] = {}
        self._ghosts: set[str] = set()
        self._waiting = Waiting(node_patience)
        self._deadlines = DueHeap()
        self._leases = Leases(renew_every)
        self._outbox = Outbox()
        self._acts: list[Action] = []
        self._reported: dict[tuple[str, tuple[str, ...], str], float] = {}
        self._claiming: ClaimTasks | None = None
        self._claim_at = 0.0
        self._claimed_at = 0.0
        self._away = False
        self._stopping = False
        self._counts: Counter[Ended] = Counter()

    # ---- what it knows ------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Claims that are held, and tasks of Ray's that have lost theirs and not ended."""
        return len(self._held) + len(self._ghosts)

    @property
    def waiting(self) -> int:
        """Submitted tasks that do not run yet."""
        return len(self._waiting)

    @property
    def counts(self) -> Mapping[Ended, int]:
        """What became of the claims so far."""
        return Counter(self._counts)

    @property
    def done(self) -> bool:
        """Whether it was told to stop, and nothing is left to wait for."""
        return self._stopping and not self.in_flight and self._claiming is None

    # ---- told by the queue --------------------------------------------------------------------

    def claimed(self, claims: Iterable[Claim]) -> None:
        """What the last :class:`ClaimTasks` came to: nothing, if the queue did not answer either."""
        asked, self._claiming = self._claiming, None
        empty = True
        for claim in claims:
            empty = False
            if claim.key not in self._held:
                self._take(claim)
        if empty and asked and not asked.wait:
            self._claim_at = self._clock() + _CLAIM_PAUSE

    def renewed(self, tokens: Iterable[str], kept: Iterable[bool]) -> None:
        """Whether the claims of a :class:`Begin` or :class:`Extend` are still ours."""
        now = self._clock()
        for token, ours in zip(tokens, kept, strict=True):
            held = self._held.get(token)
            if held is None or held.state is _State.SETTLING:
                continue
            if ours:
                self._leases.hold(token, now)
            else:
                self._let_go(token, held, Ended.LOST)

    def settled(self, tokens: Iterable[str], accepted: Iterable[bool]) -> None:
        """Whether what the queue was told of the claims of a settling action changed anything."""
        for token, changed in zip(tokens, accepted, strict=True):
            settlement = self._outbox.answered(token)
            if settlement is not None:
                self._let_go(token, self._held[token], _ending(settlement) if changed else Ended.STALE)

    def unserved(self, lanes: Iterable[tuple[TaskKind, frozenset[str]]]) -> None:
        """Kinds and tags of tasks that wait in the queue and that nobody can claim; they are reported."""
        for kind, requires in lanes:
            stuck = self._router.lacks(kind, requires)
            if stuck is not None:
                self._report(stuck)

    def broker_lost(self) -> None:
        """The queue did not answer an action, so that nobody knows what came of it."""
        self._away = True

    def broker_found(self) -> None:
        """The queue answers again."""
        if not self._away:
            return
        self._away, self._claim_at = False, 0.0
        self._outbox.restart()
        ours = [token for token, held in self._held.items() if held.state is not _State.SETTLING]
        running = [token for token in ours if self._held[token].state is _State.RUNNING]
        self._leases.restart(ours, running, self._clock())

    # ---- told by Ray --------------------------------------------------------------------------

    def started(self, token: str) -> None:
        """The task runs."""
        held = self._held.get(token)
        if held is None or held.state is not _State.WAITING or held.route is None:
            return
        self._wait_no_more(token, held)
        held.state = _State.RUNNING
        self._leases.begin(token)
        self._deadlines.set(token, self._clock() + held.route.timeout + self._kill_after)

    def finished(self, token: str, result: Result, spawn: Sequence[Task] = ()) -> None:
        """The handler's Result is there, without its follow-up tasks, and these."""
        held = self._ended(token)
        if held is None:
            return
        if result.status is Status.OK:
            self._settle(token, held, Completion(held.claim, result, spawn))
        elif result.data.get("reason") == INTERRUPTED:
            self._settle(token, held, GiveBack(held.claim))
        else:
            self._settle(token, held, Fail(held.claim, result))

    def failed(self, token: str, failure: Failure, words: str = "") -> None:
        """The task ended without a Result, or could not be submitted."""
        held = self._ended(token)
        if held is None:
            return
        if failure is Failure.CANCELLED:
            self._settle(token, held, GiveBack(held.claim, _CANCELLED_PAUSE))
            return
        msg = f"{_WORDS[failure]}: {words}" if words else _WORDS[failure]
        result = Result.failure(held.task, msg, retryable=True, reason=failure.value)
        self._settle(token, held, Fail(held.claim, result))

    def capacity(self, placement: Placement) -> None:
        """What the cluster has, whenever that has changed.

        Tasks that wait for what is no longer to be had are given back, and routed anew when they return.
        """
        self._router.placement = placement
        self._claim_at = 0.0
        for token in self._waiting.moved(placement, self._clock()):
            self._withdraw(token, GiveBack(self._held[token].claim))

    # ---- told by people -----------------------------------------------------------------------

    def stop(self, drain: bool) -> None:
        """Claim no more, and give back what does not run; without ``drain`` what runs too."""
        self._stopping = True
        for token, held in list(self._held.items()):
            if held.state is _State.WAITING or (held.state is _State.RUNNING and not drain):
                self._withdraw(token, GiveBack(held.claim))

    # ---- what it decides ----------------------------------------------------------------------

    def decide(self) -> list[Action]:
        """What is to be done now, and was not asked for before; nothing of the queue while it is away."""
        now = self._clock()
        self._expire(now)
        acts, self._acts = self._acts, []
        if not self._away:
            acts += self._settlements()
            acts += self._begins()
            acts += self._extensions(now)
            acts += self._claims(now)
        return acts

    def next_due(self) -> float | None:
        """When to ask again if nothing is told before; None if there is no need to."""
        dues = [self._deadlines.next(), self._waiting.next_due()]
        if not self._away:
            dues.append(self._leases.next_due())
            if self._claiming is None and self._room() and not self._stopping:
                dues.append(self._next_claim())
        return min((due for due in dues if due is not None), default=None)

    # ---- claims -------------------------------------------------------------------------------

    def _room(self) -> int:
        return self._max_parallel - self.in_flight

    def _next_claim(self) -> float:
        """When tasks are claimed next, if there is room."""
        gathers = len(self._waiting) and self._room() <= self._max_parallel // _FEW
        return max(self._claim_at, self._claimed_at + _GATHER_S) if gathers else self._claim_at

    def _claims(self, now: float) -> list[Action]:
        room = self._room()
        if self._stopping or self._claiming is not None or room <= 0 or now < self._next_claim():
            return []
        every = self._router.placement.tags
        offered = self._waiting.uncrowded(every, room)
        self._claimed_at = now
        self._claiming = ClaimTasks(offered, (room + 1) // 2, wait=offered == every)
        return [self._claiming]

    def _take(self, claim: Claim) -> None:
        task = claim.task.model_copy(update={"attempts": claim.task.attempts + 1})
        held = self._held[claim.key] = _Held(claim, task)
        if self._stopping:
            self._settle(claim.key, held, GiveBack(claim))
            return
        match self._router.route(claim.task):
            case Route() as route:
                self._submit(claim.key, held, route)
            case Stuck() as stuck:
                self._report(stuck)
                self._settle(claim.key, held, Fail(claim, _skip(task, stuck)))
            case Refused(result):
                self._settle(claim.key, held, Fail(claim, result))

    def _submit(self, token: str, held: _Held, route: Route) -> None:
        now = self._clock()
        held.route, held.submitted = route, True
        self._leases.hold(token, now)
        self._waiting.add(token, held.task.requires, route, now)
        self._acts.append(Submit(token, held.task, route))

    def _wait_no_more(self, token: str, held: _Held) -> None:
        if held.state is _State.WAITING and held.route is not None:
            self._waiting.remove(token, held.task.requires, held.route.demand)
            self._claim_at = 0.0

    # ---- ends ---------------------------------------------------------------------------------

    def _ended(self, token: str) -> _Held | None:
        """Ray's task has ended; the claim, unless its end was decided already."""
        self._ghosts.discard(token)
        held = self._held.get(token)
        if held is None:
            return None
        held.submitted = False
        return None if held.state is _State.SETTLING else held

    def _withdraw(self, token: str, settlement: Settlement) -> None:
        """End what Ray has of it, and the claim."""
        self._acts.append(Cancel(token))
        self._settle(token, self._held[token], settlement)

    def _settle(self, token: str, held: _Held, settlement: Settlement) -> None:
        self._forget(token, held)
        held.state = _State.SETTLING
        self._outbox.put(token, settlement)

    def _let_go(self, token: str, held: _Held, ended: Ended) -> None:
        """The claim has ended; what Ray still has of it is cancelled, and counts until it has ended too."""
        if held.state is not _State.SETTLING:
            self._forget(token, held)
            if held.submitted:
                self._acts.append(Cancel(token))
        if held.submitted:
            self._ghosts.add(token)
        del self._held[token]
        self._counts[ended] += 1

    def _forget(self, token: str, held: _Held) -> None:
        self._wait_no_more(token, held)
        self._leases.drop(token)
        self._deadlines.discard(token)

    def _expire(self, now: float) -> None:
        for token in self._deadlines.take(now):
            held = self._held[token]
            assert held.route is not None
            msg = f"timed out after {held.route.timeout:g} s, and did not end by itself"
            result = Result.failure(held.task, msg, retryable=False, reason="timeout")
            self._withdraw(token, Fail(held.claim, result))
        for group in self._waiting.overdue(now):
            self._give_up(group)

    def _give_up(self, group: Group) -> None:
        """No node has come that the tasks wait for."""
        route, waited = group.route, f"{self._node_patience:g} s"
        text = f"{route.handler} waits for a node like {route.node_type or 'one that is gone'}: none came in {waited}"
        self._acts.append(Report(text, route.handler, ()))
        for token in list(group.tokens):
            held = self._held[token]
            data = {"msg": text, "reason": "no-node", "handler": route.handler}
            self._withdraw(token, Fail(held.claim, _skipped(held.task, data)))

    def _report(self, stuck: Stuck) -> None:
        key, now = (stuck.handler, stuck.missing, stuck.nearest), self._clock()
        if now >= self._reported.get(key, now):
            if len(self._reported) >= _REPORTS:
                self._reported.clear()
            self._reported[key] = now + _REPORT_EVERY
            self._acts.append(Report(str(stuck), stuck.handler, stuck.missing))

    # ---- what the queue is told ---------------------------------------------------------------

    def _settlements(self) -> list[Action]:
        told = self._outbox.take()
        done = [each for each in told if isinstance(each, Completion)]
        batches: list[Action] = [Complete(batch) for batch in in_batches(done)]
        return batches + [each for each in told if not isinstance(each, Completion)]

    def _begins(self) -> list[Action]:
        return [Begin(batch) for batch in in_batches(self._claims_of(self._leases.take_begun()))]

    def _extensions(self, now: float) -> list[Action]:
        return [Extend(batch) for batch in in_batches(self._claims_of(self._leases.take_due(now)))]

    def _claims_of(self, tokens: Iterable[str]) -> list[Claim]:
        return [self._held[token].claim for token in tokens]


def in_batches(items: Iterable[_T]) -> Iterator[tuple[_T, ...]]:
    """The items in tuples of :data:`BATCH` at most, none of which is empty."""
    rest = iter(items)
    while batch := tuple(islice(rest, BATCH)):
        yield batch


def _ending(settlement: Settlement) -> Ended:
    match settlement:
        case GiveBack():
            return Ended.GIVEN_BACK
        case Fail(_, result):
            return Ended.SKIPPED if result.status is Status.SKIP else Ended.FAILED
        case _:
            return Ended.DONE


def _skip(task: Task, stuck: Stuck) -> Result:
    data = {
        "msg": str(stuck),
        "reason": "unservable",
        "missing": list(stuck.missing),
        "handler": stuck.handler,
    }
    return _skipped(task, data)


def _skipped(task: Task, data: dict[str, Any]) -> Result:
    return Result(task_id=task.id, status=Status.SKIP, data=data, attempts=max(1, task.attempts))
