"""The inline worker: threads of this process that claim tasks and have their handlers run."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from peagen_ray.errors import BrokerUnavailable, EnvelopeError, QueueError, Unservable
from peagen_ray.fabric.interrupt import Interrupt
from peagen_ray.fabric.oneshot import INTERRUPTED, OneShotRunner
from peagen_ray.fabric.run import failure_of
from peagen_ray.handler import TaskHandler, choose
from peagen_ray.queues.base import LEASE_S, RENEW_S, Claim, TaskQueue
from peagen_ray.task import Result, Status, Task

_ATTENTION: Final = 0.2
"""Seconds of one wait for tasks: how long :meth:`InlineWorker.stop` may go unnoticed by idle threads."""

_BROKER_PAUSE: Final = 1.0
"""Seconds until a broker that did not answer is asked again."""

_log = logging.getLogger(__name__)


class Registered(NamedTuple):
    """A handler that the worker may choose.

    Attributes:
        handler: asked what it serves; it runs here only if it is shared.
        reference: ``module:Class``, from which another is made where it runs.
    """

    handler: TaskHandler
    reference: str


class InlineWorker:
    """Claims tasks, chooses their handlers, runs them, and completes or fails the tasks.

    Concurrency: one thread for each task that may run at a time, and one that renews their leases.
    The methods may be called from any other thread.

    Args:
        queue: where the tasks are.
        handlers: what may be chosen, by name.
        runner: runs them.
        offered: capability tags that are offered here.
        concurrency: tasks at a time.
        timeout: seconds that a task may take unless its payload has a ``timeout`` of its own.
        on_result: told of every task and its Result, once the queue knows; from the worker's threads.
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
        timeout: float = 600.0,
        on_result: Callable[[Task, Result], None] | None = None,
        lease: float = LEASE_S,
        renew_every: float = RENEW_S,
    ) -> None:
        self._queue = queue
        self._handlers = tuple(handlers.values())
        self._runner = runner
        self._offered = offered
        self._timeout = timeout
        self._on_result = on_result
        self._lease = lease
        self._renew_every = renew_every
        self._running: dict[str, tuple[Claim, Interrupt]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        names = [f"{runner.worker}-{number}" for number in range(concurrency)]
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
        self._heart = threading.Thread(target=self._beat, name=f"{runner.worker}-heart", daemon=True)

    def start(self) -> None:
        """Begin to claim tasks; once."""
        self._heart.start()
        for thread in self._threads:
            thread.start()

    def stop(self, drain: bool) -> None:
        """Claim no more; returns when nothing runs any more. A second call may be more impatient.

        Args:
            drain: let the tasks that run finish. Otherwise they are killed and given back, but for
                those of shared handlers, which finish in any case.
        """
        with self._lock:
            self._stopping.set()
            running = [] if drain else list(self._running.values())
        for _, interrupt in running:
            interrupt.fire()
        for thread in self._threads:
            thread.join()
        self._stopped.set()
        self._heart.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(drain=error is None)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                claims = self._queue.claim(
                    self._offered, self._runner.worker, 1, _ATTENTION, lease=self._lease
                )
            except BrokerUnavailable as error:
                _log.warning("%s; asking again", error)
                self._stopping.wait(_BROKER_PAUSE)
            except QueueError:
                return  # It was closed.
            else:
                for claim in claims:
                    self._do(claim)

    def _do(self, claim: Claim) -> None:
        """Run a claimed task and tell the queue; no failure of a task leaves this method."""
        interrupt = Interrupt()
        try:
            if self._begin(claim, interrupt):
                self._settle(claim, self._result_of(claim.task, interrupt))
            else:
                self._queue.give_back(claim)
        except QueueError as error:
            # The lease lapses, and the task comes back.
            _log.warning("task %s: its outcome could not be recorded: %s", claim.task.id, error)
        finally:
            with self._lock:
                self._running.pop(claim.token, None)

    def _begin(self, claim: Claim, interrupt: Interrupt) -> bool:
        with self._lock:
            if not self._stopping.is_set():
                self._running[claim.token] = claim, interrupt
                return True
            return False

    def _result_of(self, task: Task, interrupt: Interrupt) -> Result:
        try:
            handler = choose([known.handler for known in self._handlers], task, self._offered)
            reference = next(known.reference for known in self._handlers if known.handler is handler)
            return self._runner.run(reference, task, timeout=self._timeout_of(task), interrupt=interrupt)
        except Unservable as error:
            missing = list(error.missing)
            return Result.failure(task, str(error), retryable=False, reason="unservable", missing=missing)
        except Exception as error:  # noqa: BLE001 - a handler's dispatch may raise anything; the task pays
            return failure_of(task, error)

    def _timeout_of(self, task: Task) -> float:
        timeout = task.payload.get("timeout", self._timeout)
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
            raise EnvelopeError(f"its timeout is {timeout!r}, not seconds", subject=f"task {task.id}")
        return float(timeout)

    def _settle(self, claim: Claim, result: Result) -> None:
        if result.data.get("reason") == INTERRUPTED:
            self._queue.give_back(claim)
            return
        try:
            result, spawn = _split(result)
        except EnvelopeError as error:
            result, spawn = _instead_of(result, failure_of(claim.task, error)), []
        if result.status is Status.OK:
            self._queue.complete(claim, result, spawn)
        else:
            self._queue.fail(claim, result)
        self._tell(claim.task, result)

    def _tell(self, task: Task, result: Result) -> None:
        if self._on_result is None:
            return
        try:
            self._on_result(task, result)
        except Exception:  # noqa: BLE001 - the listener's trouble must not end the worker
            _log.exception("task %s: the listener failed", task.id)

    def _beat(self) -> None:
        while not self._stopped.wait(self._renew_every):
            with self._lock:
                running = list(self._running.values())
            for claim, interrupt in running:
                # What cannot be renewed now may be at the next beat; the lease outlasts two of them.
                with suppress(BrokerUnavailable):
                    if not self._queue.extend(claim):
                        interrupt.fire()


def _split(result: Result) -> tuple[Result, list[Task]]:
    """The Result without its follow-up tasks, and these; raises EnvelopeError if they are none."""
    data: dict[str, Any] = dict(result.data)
    spawn = data.pop("spawn", [])
    if not isinstance(spawn, list):
        raise EnvelopeError("the follow-up tasks are no list", subject=f"result of {result.task_id}")
    tasks = [Task.from_wire(json.dumps(fields)) for fields in spawn]
    return result.model_copy(update={"data": data}), tasks


def _instead_of(result: Result, failure: Result) -> Result:
    kept = {key: result.data[key] for key in ("provenance", "usage", "output") if key in result.data}
    return failure.model_copy(update={"data": {**failure.data, **kept}})
