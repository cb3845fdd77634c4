"""The dispatcher: carries out what the planner decides, on a queue and on a cluster. No Ray is imported here."""

from __future__ import annotations

import logging
import queue as inboxes
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from peagen_ray.errors import EnvelopeError, QueueClosed
from peagen_ray.fabric.actions import (
    Action,
    Begin,
    Cancel,
    ClaimTasks,
    Complete,
    Extend,
    Fail,
    GiveBack,
    Report,
    Submit,
)
from peagen_ray.fabric.broker import Broker, OnResults
from peagen_ray.fabric.capabilities import Cluster, Placement
from peagen_ray.fabric.hands import Hands, OnEnd, Outcome
from peagen_ray.fabric.inline import Ended
from peagen_ray.fabric.planning import Planner
from peagen_ray.fabric.remote import Warmth
from peagen_ray.fabric.run import failure_of, ids_of, instead_of, split
from peagen_ray.fabric.warmth import Pools
from peagen_ray.queues.base import TaskQueue
from peagen_ray.task import Result, Task

LOOK_S: Final = 1.0
"""Seconds between two looks at the cluster."""

_LONGEST_S: Final = 5.0
"""Seconds of one wait for something to happen."""

_Event: TypeAlias = Callable[[], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DispatcherStatus:
    """What a dispatcher is at.

    Attributes:
        in_flight: tasks that it holds.
        waiting: those of them that were submitted and do not run yet.
        counts: what became of its claims.
        idle_s: seconds for which it has held none.
        nodes: live nodes.
        room: CPUs of live nodes and of those that may be started.
        live: one-shot processes on all of them.
        idle: those of them that stand ready.
        launched: all that were ever started.
        stopping: whether it claims no more.
        done: whether it has ended.
        error: what ended it, if that was no wish of anybody's.
    """

    in_flight: int
    waiting: int
    counts: Mapping[str, int]
    idle_s: float
    nodes: int
    room: int
    live: int
    idle: int
    launched: int
    stopping: bool
    done: bool
    error: str = ""


class Dispatcher:
    """Serves a queue with a cluster's workers until it is told to stop.

    One thread asks the planner and submits; others claim, tell the queue, look at the cluster and keep
    records, so that none of these holds the others up. Whatever happens becomes an event of that one thread.

    Concurrency: the methods may be called from any thread.

    Args:
        queue: where the tasks are; this closes it in the end.
        planner: decides.
        hands: made with the function to call at a task's end; submits tasks.
        owner: what the queue calls this.
        look: the cluster as it is.
        placed: a picture of the cluster, from what :attr:`look` gives.
        on_results: told of tasks and their Results that the queue accepted, as they gather, from one thread.
        at_end: called once nothing more will be told there.
        on_idle: told of each one-shot process that left because nobody took it.
        say: told once of each trouble beside the tasks themselves, and when it has passed.
        attention: seconds of one wait for tasks.
        look_every: seconds between two looks at the cluster.
    """

    def __init__(
        self,
        queue: TaskQueue,
        planner: Planner,
        hands: Callable[[OnEnd], Hands],
        owner: str,
        look: Callable[[], Cluster],
        placed: Callable[[Cluster], Placement],
        *,
        on_results: OnResults | None = None,
        at_end: Callable[[], None] = lambda: None,
        on_idle: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = _log.warning,
        attention: float = 1.0,
        look_every: float = LOOK_S,
    ) -> None:
        self._planner = planner
        self._queue = queue
        self._at_end = at_end
        self._hands = hands(self._on_end)
        self._look = look
        self._placed = placed
        self._say = say
        self._look_every = look_every
        self._inbox: inboxes.SimpleQueue[_Event] = inboxes.SimpleQueue()
        self._broker = Broker(queue, owner, planner, self._inbox.put, on_results, say, attention)
        self._cluster = look()
        self._cpus = _cpus(self._cluster)
        self._pools = Pools(on_idle)
        self._tasks: dict[str, Task] = {}
        self._shown: tuple[int, int, Mapping[Ended, int]] = (0, 0, {})
        self._idle_since = time.monotonic()
        self._stopping = self._enough = False
        self._error = ""
        self._blind = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="dispatcher-cluster", daemon=True)

    def start(self) -> None:
        """Begin to serve; once."""
        self._broker.start()
        self._thread.start()
        self._watcher.start()

    def stop(self, drain: bool) -> None:
        """Claim no more; :meth:`wait` says when nothing is left. A second call may be more impatient.

        Args:
            drain: let the tasks that run finish; otherwise they are ended and given back.
        """
        self._stopping = True
        self._inbox.put(partial(self._stop, drain))

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it has ended, after so many seconds at most."""
        return self._over.wait(timeout)

    def started(self, token: str) -> None:
        """A task runs; told by the worker that runs it."""
        self._inbox.put(partial(self._planner.started, token))

    def heard(self, warmth: Warmth) -> None:
        """A node's worker has said how its one-shot processes stand."""
        self._inbox.put(lambda: self._pools.heard(warmth, time.monotonic()))

    def status(self) -> DispatcherStatus:
        """What it is at, as of its last turn."""
        live, idle, launched = self._pools.sums()
        in_flight, waiting, counts = self._shown
        return DispatcherStatus(
            in_flight=in_flight,
            waiting=waiting,
            counts={ended.value: number for ended, number in counts.items()},
            idle_s=0.0 if in_flight else time.monotonic() - self._idle_since,
            nodes=len(self._cluster.nodes),
            room=self._cluster.room("CPU"),
            live=live,
            idle=idle,
            launched=launched,
            stopping=self._stopping,
            done=self._over.is_set(),
            error=self._error,
        )

    def pool(self) -> tuple[int, int, int]:
        """One-shot processes of all nodes: that live, that stand ready, and that were ever made ready."""
        return self._pools.sums()

    # ---- the one thread -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn():
                self._take()
        except Exception as error:  # noqa: BLE001 - it is told, and whoever hosts this makes another
            self._error = f"{type(error).__name__}: {error}"
            _log.exception("the dispatcher fails")
        finally:
            self._show()
            self._broker.stop()
            self._at_end()
            self._queue.close()
            self._over.set()

    def _turn(self) -> bool:
        """Do what is to be done; returns whether there is anything left to wait for."""
        for action in self._planner.decide():
            self._do(action)
        self._hands.flush(self._cpus)
        self._show()
        return not self._planner.done and not (self._enough and self._broker.away)

    def _stop(self, drain: bool) -> None:
        self._enough = self._enough or not drain
        self._planner.stop(drain)

    def _show(self) -> None:
        if self._planner.in_flight:
            self._idle_since = time.monotonic()
        self._shown = self._planner.in_flight, self._planner.waiting, self._planner.counts

    def _take(self) -> None:
        """Wait for something to happen, and take all that has."""
        due = self._planner.next_due()
        patience = _LONGEST_S if due is None else min(_LONGEST_S, max(0.0, due - time.monotonic()))
        try:
            event = self._inbox.get(timeout=patience)
            while True:
                event()
                event = self._inbox.get_nowait()
        except inboxes.Empty:
            return

    def _do(self, action: Action) -> None:
        match action:
            case Submit(token, task, _):
                self._tasks[token] = task
                _log.debug("%s task is submitted", task.kind, extra=ids_of(task))
                self._hands.submit(action)
            case Cancel(token):
                self._hands.cancel(token)
            case ClaimTasks():
                self._broker.claim(action)
            case Begin() | Extend() | Complete() | Fail() | GiveBack():
                self._broker.tell(action)
            case Report(text):
                self._say(text)

    # ---- told from other threads --------------------------------------------------------------

    def _on_end(self, token: str, outcome: Outcome, warmth: Warmth | None) -> None:
        self._inbox.put(partial(self._ended, token, outcome, warmth))

    def _ended(self, token: str, outcome: Outcome, warmth: Warmth | None) -> None:
        if outcome is None:
            self._hands.again(token)
            return
        task = self._tasks.pop(token, None)
        if warmth is not None:
            self._pools.heard(warmth, time.monotonic())
        if not isinstance(outcome, Result):
            self._planner.failed(token, *outcome)
            return
        try:
            result, spawn = split(outcome, task)
        except EnvelopeError as error:
            result, spawn = outcome, []
            if task is not None:
                result = instead_of(outcome, failure_of(task, error))
        self._planner.finished(token, result, spawn)

    def _watch(self) -> None:
        """Look at the cluster, and at what nobody serves, as long as this works."""
        while True:
            self._look_once()
            if self._over.wait(self._look_every):
                return

    def _look_once(self) -> None:
        try:
            cluster = self._look()
        except Exception as error:  # noqa: BLE001 - Ray raises anything; it is told once, and looked again
            if not self._blind:
                self._say(f"the cluster cannot be looked at, and is taken for what it was: {error}")
            self._blind = True
            return
        self._blind = False
        self._inbox.put(partial(self._seen, cluster))
        try:
            unserved = self._broker.unserved()
        except QueueClosed:
            return
        except Exception as error:  # noqa: BLE001 - whoever claims tells of a broker that is away
            _log.debug("what nobody serves is not known: %s", error)
            return
        if unserved:
            self._inbox.put(partial(self._planner.unserved, unserved))

    def _seen(self, cluster: Cluster) -> None:
        self._pools.keep({node.id for node in cluster.nodes}, time.monotonic())
        if cluster != self._cluster:
            self._cluster, self._cpus = cluster, _cpus(cluster)
            self._planner.capacity(self._placed(cluster))


def _cpus(cluster: Cluster) -> float:
    """The CPUs of all live nodes."""
    return sum(node.resources.get("CPU", 0.0) for node in cluster.nodes)
