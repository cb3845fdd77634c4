"""Submitting tasks to Ray, and hearing how they end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import ray
from ray import exceptions as broken

from peagen_ray.errors import EnvelopeError
from peagen_ray.fabric import remote
from peagen_ray.fabric.actions import Failure, Submit
from peagen_ray.fabric.capabilities import Demand, tags_offered
from peagen_ray.fabric.hands import OnEnd, Outcome
from peagen_ray.fabric.remote import Setup, Warmth
from peagen_ray.task import Result

_FAILURES: Final[tuple[tuple[type[Exception], Failure], ...]] = (
    (broken.OutOfMemoryError, Failure.OUT_OF_MEMORY),
    (broken.NodeDiedError, Failure.NODE_DIED),
    (broken.WorkerCrashedError, Failure.WORKER_DIED),
    (broken.LocalRayletDiedError, Failure.NODE_DIED),
    (broken.TaskCancelledError, Failure.CANCELLED),
)


class RayHands:
    """Submits tasks as Ray tasks, whose retries are the queue's. Used by one thread.

    Nothing is kept in Ray's object store longer than until the end of a task was told.

    Args:
        setup: goes with every task.
        references: ``module:Class`` of each handler, by registered name.
        on_end: told of every end, from a thread of Ray's.
        options: further options of every Ray task, such as ``runtime_env``.
    """

    def __init__(
        self,
        setup: Setup,
        references: Mapping[str, str],
        on_end: OnEnd,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._setup = setup.to_wire()
        self._references = references
        self._on_end = on_end
        self._common = {"max_retries": 0, **(options or {})}
        self._max_calls = int(setup.isolation == "worker")
        self._ready: dict[tuple[str, Demand], Any] = {}
        self._running: dict[str, Any] = {}

    def submit(self, submitted: Submit) -> None:
        """Start a task; one that Ray refuses has ended."""
        route, task, token = submitted.route, submitted.task, submitted.token
        function = self._function_for(route.handler, route.demand)
        try:
            made = function.remote(remote.order(token, route.timeout, task.to_wire()))
        except (broken.RayError, ValueError, ConnectionError) as error:
            self._on_end(token, (Failure.RAY, _words(error)), None)
            return
        self._running[token] = made
        made.future().add_done_callback(lambda done: self._ended(token, done))

    def cancel(self, token: str) -> None:
        """End a task; its worker process dies with it."""
        made = self._running.get(token)
        if made is not None:
            ray.cancel(made, force=True)

    def _function_for(self, handler: str, demand: Demand) -> Any:
        if (handler, demand) not in self._ready:
            options = {**demand.options(), **self._common, "name": handler, "max_calls": self._max_calls}
            offered = tags_offered(demand.resources())
            run = remote.runner(self._setup, self._references[handler], offered)
            self._ready[handler, demand] = ray.remote(**options)(run)
        return self._ready[handler, demand]

    def _ended(self, token: str, done: Any) -> None:
        self._running.pop(token, None)
        outcome, warmth = _outcome(done)
        self._on_end(token, outcome, warmth)


def _outcome(done: Any) -> tuple[Outcome, Warmth | None]:
    error = done.exception()
    if error is not None:
        return (_failure(error), _words(error)), None
    wire, warmth = remote.answered(done.result())
    try:
        return Result.from_wire(wire), warmth
    except EnvelopeError as rubbish:
        return (Failure.RAY, str(rubbish)), warmth


def _failure(error: BaseException) -> Failure:
    cause = getattr(error, "cause", None)
    for kind, failure in _FAILURES:
        if isinstance(error, kind) or isinstance(cause, kind):
            return failure
    return Failure.RAY


def _words(error: BaseException) -> str:
    """The first line of what Ray says; of an error that a task raised, the last, which says what it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    line = lines[-1] if isinstance(error, broken.RayTaskError) else lines[0]
    return line[:300].rstrip(".")
