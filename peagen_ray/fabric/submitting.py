"""Submitting tasks to Ray, and hearing how they end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import ray
from ray import exceptions as broken

from peagen_ray.errors import EnvelopeError
from peagen_ray.fabric import remote
from peagen_ray.fabric.actions import Failure, Submit
from peagen_ray.fabric.bundling import Lengths
from peagen_ray.fabric.capabilities import Demand, tags_offered
from peagen_ray.fabric.hands import OnEnd, Outcome
from peagen_ray.fabric.remote import Setup, Warmth
from peagen_ray.task import Result

_Sort: TypeAlias = tuple[str, Demand]
"""Runs that may go together: the handler's registered name, and what each asks a node for."""

_FAILURES: Final[tuple[tuple[type[Exception], Failure], ...]] = (
    (broken.OutOfMemoryError, Failure.OUT_OF_MEMORY),
    (broken.NodeDiedError, Failure.NODE_DIED),
    (broken.WorkerCrashedError, Failure.WORKER_DIED),
    (broken.LocalRayletDiedError, Failure.NODE_DIED),
    (broken.TaskCancelledError, Failure.CANCELLED),
)


@dataclass(eq=False)
class _Bundle:
    """Runs that went to Ray as one of its tasks.

    Attributes:
        sort: what they have in common.
        runs: in the order in which they run.
        unwanted: tokens of those that were cancelled.
        made: what Ray calls the task.
    """

    sort: _Sort
    runs: Sequence[Submit]
    unwanted: set[str] = field(default_factory=set)
    made: Any = None


class RayHands:
    """Submits tasks as Ray tasks, whose retries are the queue's. Used by one thread.

    Nothing is kept in Ray's object store longer than until the end of a task was told.

    First runs of handlers that are shared, and that need CPUs alone, go together where they are brief and many; see
    :mod:`peagen_ray.fabric.bundling`. What dies with others, or does not come to its turn, is run again by itself.

    Args:
        setup: goes with every task.
        references: ``module:Class`` of each handler, by registered name.
        on_end: told of every end, from a thread of Ray's.
        options: further options of every Ray task, such as ``runtime_env``.
        shared: registered names of the handlers that run in the Ray worker itself, more than one in its life.
    """

    def __init__(
        self,
        setup: Setup,
        references: Mapping[str, str],
        on_end: OnEnd,
        options: Mapping[str, Any] | None = None,
        shared: Collection[str] = (),
    ) -> None:
        self._setup = setup.to_wire()
        self._references = references
        self._on_end = on_end
        self._common = {"max_retries": 0, **(options or {})}
        self._max_calls = int(setup.isolation == "worker")
        self._shared = shared
        self._lengths = Lengths()
        self._ready: dict[_Sort, Any] = {}
        self._to_go: dict[_Sort, list[Submit]] = {}
        self._running: dict[str, _Bundle] = {}
        self._parted: dict[str, tuple[_Bundle, Submit]] = {}

    def submit(self, submitted: Submit) -> None:
        """Start a task, by the next :meth:`flush` at the latest; one that Ray refuses has ended."""
        sort = submitted.route.handler, submitted.route.demand
        if self._may_share(submitted):
            self._to_go.setdefault(sort, []).append(submitted)
        else:
            self._send(_Bundle(sort, [submitted]))

    def flush(self, cpus: float) -> None:
        """Start what was submitted; the live nodes have so many CPUs."""
        while self._to_go:
            sort, runs = self._to_go.popitem()
            size = self._lengths.together(sort, len(runs), int(cpus / sort[1].cpus))
            for start in range(0, len(runs), size):
                self._send(_Bundle(sort, runs[start : start + size]))

    def again(self, token: str) -> None:
        """Start a task by itself whose outcome was None, unless it was cancelled meanwhile."""
        bundle, submitted = self._parted.pop(token)
        if token in bundle.unwanted:
            self._on_end(token, (Failure.CANCELLED, ""), None)
        else:
            self._send(_Bundle(bundle.sort, [submitted]))

    def cancel(self, token: str) -> None:
        """End a task; its worker process dies with it."""
        bundle = self._running.get(token)
        if bundle is not None:
            bundle.unwanted.add(token)
            ray.cancel(bundle.made, force=True)
        elif parted := self._parted.get(token):
            parted[0].unwanted.add(token)
        elif self._taken_back(token):
            self._on_end(token, (Failure.CANCELLED, ""), None)

    def _may_share(self, submitted: Submit) -> bool:
        demand = submitted.route.demand
        alone = submitted.task.attempts > 1 or demand.gpus or demand.memory or demand.custom
        return submitted.route.handler in self._shared and not alone and demand.cpus > 0

    def _taken_back(self, token: str) -> bool:
        """Whether it had not gone yet, and does not now."""
        for runs in self._to_go.values():
            for submitted in runs:
                if submitted.token == token:
                    runs.remove(submitted)
                    return True
        return False

    def _send(self, bundle: _Bundle) -> None:
        function = self._function_for(bundle.sort)
        orders = [remote.Order(each.token, each.route.timeout, each.task.to_wire()) for each in bundle.runs]
        try:
            bundle.made = function.remote(remote.bundle(orders))
        except (broken.RayError, ValueError, ConnectionError) as error:
            for each in bundle.runs:
                self._on_end(each.token, (Failure.RAY, _words(error)), None)
            return
        self._running.update({each.token: bundle for each in bundle.runs})
        bundle.made.future().add_done_callback(lambda done: self._ended(bundle, done))

    def _function_for(self, sort: _Sort) -> Any:
        if sort not in self._ready:
            handler, demand = sort
            options = {**demand.options(), **self._common, "name": handler, "max_calls": self._max_calls}
            offered = tags_offered(demand.resources())
            run = remote.runner(self._setup, self._references[handler], offered)
            self._ready[sort] = ray.remote(**options)(run)
        return self._ready[sort]

    def _ended(self, bundle: _Bundle, done: Any) -> None:
        error = done.exception()
        if error is not None:
            self._died(bundle, (_failure(error), _words(error)))
            return
        wires, warmth = remote.answered(done.result())
        for submitted, wire in zip(bundle.runs, wires, strict=False):
            self._end(submitted, self._heard(bundle.sort, wire), warmth)
        for submitted in bundle.runs[len(wires) :]:
            self._part(bundle, submitted)

    def _died(self, bundle: _Bundle, failed: tuple[Failure, str]) -> None:
        if len(bundle.runs) == 1:
            self._end(bundle.runs[0], failed, None)
            return
        self._lengths.forget(bundle.sort)
        for submitted in bundle.runs:
            if submitted.token in bundle.unwanted:
                self._end(submitted, failed, None)
            else:
                self._part(bundle, submitted)

    def _end(self, submitted: Submit, outcome: Outcome, warmth: Warmth | None) -> None:
        self._running.pop(submitted.token, None)
        self._on_end(submitted.token, outcome, warmth)

    def _part(self, bundle: _Bundle, submitted: Submit) -> None:
        """It has not run, or died with others."""
        self._parted[submitted.token] = bundle, submitted
        self._end(submitted, None, None)

    def _heard(self, sort: _Sort, wire: bytes) -> Outcome:
        try:
            result = Result.from_wire(wire)
        except EnvelopeError as rubbish:
            return Failure.RAY, str(rubbish)
        wall_s = result.data.get("usage", {}).get("wall_s")
        if isinstance(wall_s, int | float):
            self._lengths.ran(sort, wall_s)
        return result


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
