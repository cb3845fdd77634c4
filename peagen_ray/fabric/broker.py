"""A dispatcher's dealings with its queue: threads that claim, that tell, and that keep records."""

from __future__ import annotations

import queue as inboxes
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import Final, TypeAlias

from peagen_ray.errors import QueueClosed
from peagen_ray.fabric.actions import Begin, ClaimTasks, Complete, Extend, Fail, GiveBack
from peagen_ray.fabric.contact import Contact
from peagen_ray.fabric.planning import Planner, in_batches
from peagen_ray.queues.base import TaskQueue
from peagen_ray.queues.model import Claim, Completion, tags_of
from peagen_ray.task import Result, Task, TaskKind

PAUSE_S: Final = 1.0
"""Seconds until a broker that did not answer is asked again."""

_FAREWELL_S: Final = 5.0

_TOGETHER: Final = 200
"""Records that are kept in one go at most."""

OnResults: TypeAlias = Callable[[Sequence[tuple[Task, Result]]], None]
"""Told of tasks and their Results."""

Telling: TypeAlias = Begin | Extend | Complete | Fail | GiveBack
_Post: TypeAlias = Callable[[Callable[[], None]], None]


class _Wake(Enum):
    """Wakes the thread that tells, when it sleeps and the broker has gone away."""

    UP = auto()


class Broker:
    """Carries out what a planner wants of the queue, and posts the answers as events.

    While the queue does not answer nothing is tried but whether it answers again; what it was not told the
    planner decides anew. Calls that a broker holds up are not waited for once there is hurry.

    Args:
        queue: the queue.
        owner: what it calls us.
        planner: is told, in events.
        post: takes events for the thread that the planner belongs to.
        on_results: told of tasks and their Results that the queue accepted, as they gather, from one thread.
        say: told once when the broker stops to answer, once when it answers again, and once if records
            cannot be kept.
        attention: seconds of one wait for tasks.
    """

    def __init__(
        self,
        queue: TaskQueue,
        owner: str,
        planner: Planner,
        post: _Post,
        on_results: OnResults | None,
        say: Callable[[str], None],
        attention: float,
    ) -> None:
        self._queue = queue
        self._owner = owner
        self._planner = planner
        self._post = post
        self._on_results = on_results
        self._attention = attention
        self._say = say
        self._contact = Contact(say, PAUSE_S)
        self._claims: inboxes.SimpleQueue[ClaimTasks | None] = inboxes.SimpleQueue()
        self._told: inboxes.SimpleQueue[Telling | _Wake | None] = inboxes.SimpleQueue()
        self._records: inboxes.SimpleQueue[tuple[Task, Result] | None] = inboxes.SimpleQueue()
        self._stopped = threading.Event()
        self._away = threading.Event()
        jobs = (self._claim, self._tell, self._record)
        self._threads = [
            threading.Thread(target=job, name=f"dispatcher{job.__name__}", daemon=True) for job in jobs
        ]

    def start(self) -> None:
        """Begin; once."""
        for thread in self._threads:
            thread.start()

    @property
    def away(self) -> bool:
        """Whether the queue did not answer when it was asked last."""
        return self._away.is_set()

    def claim(self, wanted: ClaimTasks) -> None:
        """Claim tasks."""
        self._claims.put(wanted)

    def tell(self, action: Telling) -> None:
        """Tell the queue."""
        self._told.put(action)

    def stop(self) -> None:
        """End; what was recorded is kept, and no broker that is away is waited for."""
        self._stopped.set()
        for inbox in (self._claims, self._told, self._records):
            inbox.put(None)
        for thread in self._threads:
            thread.join(_FAREWELL_S)

    def unserved(self) -> list[tuple[TaskKind, frozenset[str]]]:
        """Kinds and tags of tasks that wait and that no consumer can claim."""
        if self._away.is_set():
            return []
        lanes = self._queue.unserved()
        return [(kind, tags_of(lane)) for lane, kind in self._queue.depth() if lane in lanes] if lanes else []

    # ---- claiming -----------------------------------------------------------------------------

    def _claim(self) -> None:
        while (wanted := self._claims.get()) is not None:
            claims = self._claimed(wanted)
            self._post(partial(self._planner.claimed, claims))

    def _claimed(self, wanted: ClaimTasks) -> list[Claim]:
        wait = self._attention if wanted.wait else 0.0
        try:
            return self._queue.claim(wanted.offered, self._owner, wanted.limit, wait, begin=False)
        except QueueClosed:
            return []
        except Exception as error:  # noqa: BLE001 - a dispatcher outlives whatever its queue raises
            self._lost(error)
            return []

    # ---- telling ------------------------------------------------------------------------------

    def _tell(self) -> None:
        while True:
            try:
                action = self._told.get(timeout=PAUSE_S if self._away.is_set() else None)
            except inboxes.Empty:
                self._try()
                continue
            told, over = self._all_from(action)
            for each in gathered(told):
                if not self._away.is_set():
                    self._carry_out(each)
            if over:
                return

    def _all_from(self, first: Telling | _Wake | None) -> tuple[list[Telling], bool]:
        """What is to be told now, that first, and whether nothing more will be."""
        told: list[Telling] = []
        action = first
        with suppress(inboxes.Empty):
            while action is not None:
                if not isinstance(action, _Wake):
                    told.append(action)
                action = self._told.get_nowait()
            return told, True
        return told, False

    def _carry_out(self, action: Telling) -> None:
        try:
            self._post(self._answer(action))
        except QueueClosed:
            return
        except Exception as error:  # noqa: BLE001 - see above
            self._lost(error)

    def _answer(self, action: Telling) -> Callable[[], None]:
        """Tell the queue, and return what is to be told to the planner."""
        planner, queue = self._planner, self._queue
        match action:
            case Begin(claims):
                begun = queue.begin_all(claims)
                return partial(planner.renewed, _tokens(claims), [each is not None for each in begun])
            case Extend(claims):
                return partial(planner.renewed, _tokens(claims), queue.extend_all(claims))
            case Complete(done):
                said = queue.complete_all(done)
                for (claim, result, _), accepted in zip(done, said, strict=True):
                    self._keep(claim, result, accepted=accepted)
                return partial(planner.settled, _tokens(claim for claim, _, _ in done), said)
            case Fail(claim, result):
                accepted = queue.fail(claim, result) is not None
                self._keep(claim, result, accepted=accepted)
                return partial(planner.settled, [claim.key], [accepted])
            case GiveBack(claim, delay):
                return partial(planner.settled, [claim.key], [queue.give_back(claim, delay)])

    def _lost(self, error: Exception) -> None:
        if not self._stopped.is_set():
            self._contact.lost(error)
        self._away.set()
        self._told.put(_Wake.UP)
        self._post(self._planner.broker_lost)

    def _try(self) -> None:
        """Ask a broker that was away whether it answers."""
        try:
            self._queue.pending_count()
        except Exception as error:  # noqa: BLE001 - see above
            self._contact.lost(error)
            return
        self._away.clear()
        self._contact.found()
        self._post(self._planner.broker_found)

    # ---- keeping ------------------------------------------------------------------------------

    def _keep(self, claim: Claim, result: Result, *, accepted: bool) -> None:
        if accepted and self._on_results is not None:
            self._records.put((claim.task, result))

    def _record(self) -> None:
        failed = False
        while (kept := self._records.get()) is not None:
            assert self._on_results is not None
            try:
                self._on_results([kept, *self._gathered_records()])
            except Exception as error:  # noqa: BLE001 - see above
                if not failed:
                    self._say(f"records are not kept: {type(error).__name__}: {error}")
                failed = True

    def _gathered_records(self) -> list[tuple[Task, Result]]:
        """What waits to be kept, some of it at a time; the end is left for the next turn."""
        found: list[tuple[Task, Result]] = []
        with suppress(inboxes.Empty):
            while len(found) < _TOGETHER:
                kept = self._records.get_nowait()
                if kept is None:
                    self._records.put(None)
                    break
                found.append(kept)
        return found


def gathered(told: Iterable[Telling]) -> list[Telling]:
    """The same in fewer actions, since each is a call to the queue.

    What is said of the begin or the lease of a claim comes before what is said of its end.
    """
    begun: list[Claim] = []
    renewed: list[Claim] = []
    done: list[Completion] = []
    rest: list[Telling] = []
    for action in told:
        match action:
            case Begin(claims):
                begun += claims
            case Extend(claims):
                renewed += claims
            case Complete(completions):
                done += completions
            case _:
                rest.append(action)
    return [
        *map(Begin, in_batches(begun)),
        *map(Extend, in_batches(renewed)),
        *map(Complete, in_batches(done)),
        *rest,
    ]


def _tokens(claims: Iterable[Claim]) -> list[str]:
    return [claim.key for claim in claims]
