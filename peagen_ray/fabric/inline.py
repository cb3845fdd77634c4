"""The inline worker: threads of this process that run the handlers of claimed tasks."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Final, NamedTuple, Self

from peagen_ray.errors import EnvelopeError, QueueClosed, Unservable
from peagen_ray.fabric.contact import Contact
from peagen_ray.fabric.interrupt import Interrupt
from peagen_ray.fabric.oneshot import INTERRUPTED, OneShotRunner
from peagen_ray.fabric.run import failure_of, ids_of, instead_of, split, timeout_of
from peagen_ray.handler import TaskHandler, can_serve, choose
from peagen_ray.queues.base import LEASE_S, RENEW_S, Claim, TaskQueue
from peagen_ray.task import Result, Status, Task, missing_tags

ATTENTION_S: Final = 0.2
"""Seconds of one wait for tasks: how long :meth:`InlineWorker.stop` may go unnoticed by an idle worker."""

_BROKER_PAUSE: Final = 1.0
"""Seconds until a broker that did not answer is asked again."""

_FAREWELL: Final = 2.0
"""Seconds that an impatient stop waits, beyond one wait for tasks, for calls that the broker does not answer."""

_log = logging.getLogger(__name__)


class Registered(NamedTuple):
    """A handler that the worker may choose.

    Attributes:
        handler: asked what it serves; it runs here only if it is shared.
        reference: ``module:Class``, from which another is made where it runs.
    """

    handler: TaskHandler
    reference: str


class Slots:
    """What may run at a time, of one sort of tasks; guarded by the worker's lock.

    Args:
        most: how many.
        lock: the worker's.
        waits: they do next to nothing but wait.

    Attributes:
        work: notified of each task that is ready, so that no more threads wake than there is work for.
        held: tasks of that sort that are claimed.
        ready: those of them that no thread has taken up.
    """

    def __init__(self, most: int, lock: threading.RLock, *, waits: bool) -> None:
        self.most = most
        self.work = threading.Condition(lock)
        self.waits = waits
        self.held = 0
        self.ready: deque[Claim] = deque()

    @property
    def free(self) -> int:
        """How many more may run."""
        return max(0, self.most - self.held)


class Held(NamedTuple):
    """A claim that is ours.

    Attributes:
        claim: the claim.
        interrupt: ends its run.
        slots: what it takes one of.
    """

    claim: Claim
    interrupt: Interrupt
    slots: Slots


class Ended(StrEnum):
    """What became of a claim.

    ``stale`` came too late: the task was finished, or another worker's. ``lost`` could not be told to
    the queue: the lease lapses, and the task comes back.
    """

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    GIVEN_BACK = "given back"
    STALE = "stale"
    LOST = "lost"


class InlineWorker:
    """Claims tasks, chooses their handlers, runs them, and completes or fails the tasks.

    One thread claims for all that are free, as many as there is room for; one renews the leases of all
    that is claimed. The outcome of a run is kept until the queue has it: while a broker is away it is
    told again and again, and claims go on once it is back.

    Tasks of handlers that wait (``TaskHandler.WAITS``) have slots of their own, and a thread that claims for them,
    so that they hold up nobody: it claims the lanes of the tag that only they provide.

    Concurrency: one thread for each task that may run at a time, and those. The methods may be called from any
    other thread.

    Args:
        queue: where the tasks are.
        handlers: what may be chosen, by name.
        runner: runs them.
        offered: capability tags that are offered here.
        concurrency: tasks at a time, but for those that wait.
        waiting: tasks at a time of handlers that wait.
        secrets: variables that a task of such a handler is to find in its environment.
        timeout: seconds that a task may take unless its payload has a ``timeout`` of its own.
        on_result: told of every task and its Result that the queue accepted; from the worker's threads.
        on_broker: told once when the broker stops to answer and once when it answers again; by default
            that is logged.
        alone: no other worker takes part, so that a task that cannot be served here is refused at once;
            otherwise it is skipped, for another worker.
        attention: seconds of one wait for tasks, after which a stop is noticed.
        lease: seconds that a claim holds without being renewed.
        renew_every: seconds between two renewals.
    """

    def __init__(
        self,
        queue: TaskQueue,
        handlers: Mapping[str, Registered],
        runner: OneShotRunner,
        offered: frozenset[str],
        concurrency: int = 1,
        *,
        waiting: int = 16,
        secrets: Callable[[Task], Mapping[str, str]] = lambda _: {},
        timeout: float = 600.0,
        on_result: Callable[[Task, Result], None] | None = None,
        on_broker: Callable[[str], None] = _log.warning,
        alone: bool = True,
        attention: float = ATTENTION_S,
        lease: float = LEASE_S,
        renew_every: float = RENEW_S,
    ) -> None:
        self._queue = queue
        self._handlers = tuple(handlers.values())
        self._runner = runner
        self._offered = offered
        self._secrets = secrets
        self._timeout = timeout
        self._on_result = on_result
        self._alone = alone
        self._attention = attention
        self._lease = lease
        self._renew_every = renew_every
        self._contact = Contact(on_broker, _BROKER_PAUSE)
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._held: dict[str, Held] = {}
        self._waiters = tuple(each.handler for each in self._handlers if self._is_waiter(each.handler))
        self._waiting_tags = self._tags_of_waiters()
        self._computing = Slots(concurrency, lock, waits=False)
        self._waiting = Slots(waiting if self._waiting_tags else 0, lock, waits=True)
        self._counts: Counter[Ended] = Counter()
        self._idle_since = time.monotonic()
        self._stopping = threading.Event()
        self._enough = threading.Event()
        self._closed = threading.Event()
        self._stopped = threading.Event()
        self._threads = [*self._staff(self._computing, ""), *self._staff(self._waiting, "w")]
        self._claimers = [
            threading.Thread(
                target=self._claim, args=(slots,), name=f"{runner.worker}-claims{mark}", daemon=True
            )
            for slots, mark in ((self._computing, ""), (self._waiting, "-w"))
            if slots.most
        ]
        self._heart = threading.Thread(target=self._beat, name=f"{runner.worker}-heart", daemon=True)

    def _is_waiter(self, handler: TaskHandler) -> bool:
        return handler.WAITS and not missing_tags(handler.PROVIDES, self._offered)

    def _tags_of_waiters(self) -> frozenset[str]:
        """The tags that every handler that waits provides, and no other handler; none where there is no such tag."""
        if not self._waiters:
            return frozenset()
        others = (each.handler.PROVIDES for each in self._handlers if not each.handler.WAITS)
        common = frozenset.intersection(*(handler.PROVIDES for handler in self._waiters))
        return common.difference(*others)

    def _staff(self, slots: Slots, mark: str) -> list[threading.Thread]:
        names = (f"{self._runner.worker}-{mark}{number}" for number in range(slots.most))
        return [threading.Thread(target=self._work, args=(slots,), name=name, daemon=True) for name in names]

    def start(self) -> None:
        """Begin to claim tasks; once."""
        self._idle_since = time.monotonic()
        for thread in (self._heart, *self._threads, *self._claimers):
            thread.start()

    def stop(self, drain: bool) -> None:
        """Claim no more; returns when nothing runs any more. A second call may be more impatient.

        The outcomes of what ran are told to the queue. A broker that is away is waited for, but not by
        a second call, nor by one that does not drain; what it was not told then comes back when its
        lease lapses.

        Args:
            drain: let the tasks that run finish. Otherwise they are killed and given back, but for
                those of shared handlers that mind no interrupt, which finish in any case.
        """
        with self._changed:
            if self._stopping.is_set() or not drain:
                self._enough.set()
            self._stopping.set()
            held = [] if drain else list(self._held.values())
            self._wake_all()
        for each in held:
            each.interrupt.fire()
        for thread in self._threads:
            thread.join()
        for thread in self._claimers:
            self._leave(thread)
        self._stopped.set()
        self._leave(self._heart)

    def _wake_all(self) -> None:
        """Have every thread look again; the lock is held."""
        for each in (self._changed, self._computing.work, self._waiting.work):
            each.notify_all()

    def _leave(self, thread: threading.Thread) -> None:
        """Wait for a thread, but not for one whose call a broker that is away does not answer."""
        while thread.is_alive() and not self._enough.is_set():
            thread.join(self._attention)
        thread.join(self._attention + _FAREWELL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(drain=error is None)

    @property
    def idle_s(self) -> float:
        """Seconds for which nothing ran; 0 while something does."""
        with self._changed:
            return 0.0 if self._held else time.monotonic() - self._idle_since

    @property
    def counts(self) -> Mapping[Ended, int]:
        """What became of the claims so far."""
        with self._changed:
            return Counter(self._counts)

    # ---- claiming -----------------------------------------------------------------------------

    def _claim(self, slots: Slots) -> None:
        with suppress(QueueClosed):
            while room := self._await_room(slots):
                if not self._hand_out(slots, self._claimed(*room)):
                    self._stopping.wait(self._attention)  # it got what it has no room for
        with self._changed:
            self._closed.set()
            self._wake_all()

    def _await_room(self, slots: Slots) -> tuple[frozenset[str], int] | None:
        """What to claim and how many, as soon as there is room for one; None once the worker stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or slots.free)
            if self._stopping.is_set():
                return None
            if slots.waits:
                return self._waiting_tags, slots.free
            if self._waiting.free:
                return self._offered, min(slots.free, self._waiting.free)
            return self._offered - self._waiting_tags, slots.free

    def _claimed(self, tags: frozenset[str], limit: int) -> list[Claim]:
        owner = self._runner.worker
        try:
            claims = self._queue.claim(tags, owner, limit, self._attention, lease=self._lease)
        except QueueClosed:
            raise
        except Exception as error:  # noqa: BLE001 - a worker outlives whatever its queue raises
            self._contact.lost(error)
            self._stopping.wait(self._contact.pause)
            return []
        self._contact.found()
        return claims

    def _hand_out(self, slots: Slots, claims: list[Claim]) -> bool:
        """Have the claimed tasks run; False if some of them had to be given back for want of room."""
        sorts = [self._slots_of(claim.task) for claim in claims]
        refused = []
        with self._changed:
            late = self._stopping.is_set()
            for claim, sort in zip(claims, sorts, strict=True):
                stray = slots.waits and sort is not slots and not sort.free
                self._hold(claim, sort)
                if stray or late:
                    refused.append(claim)
                else:
                    sort.ready.append(claim)
                    sort.work.notify()
        for claim in refused:
            self._do(claim, given_back=True)
        return late or not refused

    def _hold(self, claim: Claim, slots: Slots) -> Held:
        """Take note of a claim; the lock is held."""
        if (key := claim.key) not in self._held:
            slots.held += 1
            self._held[key] = Held(claim, Interrupt(), slots)
        return self._held[key]

    def _slots_of(self, task: Task) -> Slots:
        """What a task takes one of."""
        try:
            waits = any(can_serve(handler, task, self._offered) for handler in self._waiters)
        except Exception:  # noqa: BLE001 - a handler's dispatch may raise anything; the run will say so
            waits = False
        return self._waiting if waits and self._waiting.most else self._computing

    # ---- running ------------------------------------------------------------------------------

    def _work(self, slots: Slots) -> None:
        while (claim := self._next(slots)) is not None:
            self._do(claim)

    def _next(self, slots: Slots) -> Claim | None:
        """The next task to run; None once there will be none."""
        with self._changed:
            slots.work.wait_for(lambda: slots.ready or self._stopping.is_set() or self._closed.is_set())
            return slots.ready.popleft() if slots.ready else None

    def _do(self, claim: Claim, *, given_back: bool = False) -> None:
        """Run a claimed task, or give it back, and tell the queue; no failure of a task leaves this method."""
        with self._changed:
            held = self._held.get(claim.key) or self._hold(claim, self._computing)
        ended = Ended.LOST
        try:
            if given_back or self._stopping.is_set():
                ended = self._give_back(claim)
            else:
                ended = self._settle(held, self._result_of(claim.task, held))
        except Exception as error:  # noqa: BLE001 - a worker outlives whatever its queue raises
            # The lease lapses, and the task comes back.
            _log.warning("its outcome could not be recorded: %s", error, extra=ids_of(claim.task))
        finally:
            with self._changed:
                self._counts[ended] += 1
                self._held.pop(claim.key, None)
                held.slots.held -= 1
                self._idle_since = time.monotonic()
                self._changed.notify_all()

    def _result_of(self, task: Task, held: Held) -> Result:
        try:
            handler = choose([known.handler for known in self._handlers], task, self._offered)
            reference = next(known.reference for known in self._handlers if known.handler is handler)
            _log.debug("%s task begins", task.kind, extra={**ids_of(task), "worker": self._runner.worker})
            return self._runner.run(
                reference,
                task,
                timeout=timeout_of(task, self._timeout),
                interrupt=held.interrupt,
                environment=self._secrets(task) if held.slots.waits else {},
            )
        except Unservable as error:
            missing = list(error.missing)
            if self._alone:
                return Result.failure(task, str(error), retryable=False, reason="unservable", missing=missing)
            data = {"msg": str(error), "reason": "unservable", "missing": missing}
            return Result(task_id=task.id, status=Status.SKIP, data=data, attempts=max(1, task.attempts))
        except Exception as error:  # noqa: BLE001 - a handler's dispatch may raise anything; the task pays
            return failure_of(task, error)

    # ---- telling the queue --------------------------------------------------------------------

    def _give_back(self, claim: Claim) -> Ended:
        given = self._contact.insist(lambda: self._queue.give_back(claim), self._enough)
        return Ended.GIVEN_BACK if given else Ended.STALE

    def _settle(self, held: Held, result: Result) -> Ended:
        claim = held.claim
        if result.data.get("reason") == INTERRUPTED and not held.slots.waits:
            return self._give_back(
                claim
            )  # the run of one that waits counts: it may have cost something elsewhere
        try:
            result, spawn = split(result, claim.task)
        except EnvelopeError as error:
            result, spawn = instead_of(result, failure_of(claim.task, error)), []
        if not self._contact.insist(lambda: self._record(claim, result, spawn), self._enough):
            return Ended.STALE
        self._tell(claim.task, result)
        return _ENDED[result.status]

    def _record(self, claim: Claim, result: Result, spawn: list[Task]) -> bool:
        """Complete or fail the task; False if that came too late."""
        if result.status is Status.OK:
            return self._queue.complete(claim, result, spawn)
        return self._queue.fail(claim, result) is not None

    def _tell(self, task: Task, result: Result) -> None:
        if self._on_result is None:
            return
        try:
            self._on_result(task, result)
        except Exception:  # noqa: BLE001 - the listener's trouble must not end the worker
            _log.exception("the listener failed", extra=ids_of(task))

    def _beat(self) -> None:
        while not self._stopped.wait(self._renew_every):
            with self._changed:
                held = list(self._held.values())
            try:
                # What cannot be renewed now may be at the next beat; the lease outlasts two of them.
                ours = self._queue.extend_all([each.claim for each in held]) if held else []
            except QueueClosed:
                return
            except Exception as error:  # noqa: BLE001 - a worker outlives whatever its queue raises
                self._contact.lost(error)
            else:
                for each, kept in zip(held, ours, strict=True):
                    if not kept:
                        each.interrupt.fire()


_ENDED: Final = {Status.OK: Ended.DONE, Status.ERROR: Ended.FAILED, Status.SKIP: Ended.SKIPPED}
