"""Tasks that go to Ray without a queue, from a program that is connected to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ray

from peagen_ray.errors import Unservable
from peagen_ray.fabric import remote
from peagen_ray.fabric.capabilities import tags_offered
from peagen_ray.fabric.remote import Setup
from peagen_ray.fabric.routing import Refused, Route, Router, Stuck
from peagen_ray.task import Result, Task

if TYPE_CHECKING:
    from ray import ObjectRef


def is_connected() -> bool:
    """Whether this process is connected to a Ray cluster."""
    return bool(ray.is_initialized())


class Direct:
    """Submits tasks as Ray tasks that return Results. Used by one thread at a time.

    Args:
        router: chooses handlers and resources.
        references: ``module:Class`` of each handler, by registered name.
        setup: goes with every task.
        max_retry: runs of a task in all, if its worker or node dies.
    """

    def __init__(self, router: Router, references: Mapping[str, str], setup: Setup, max_retry: int) -> None:
        self._router = router
        self._references = references
        self._setup = setup
        self._max_retry = max_retry

    def submit(self, task: Task, options: Mapping[str, Any]) -> ObjectRef[Result]:
        """A reference to the task's Result; Unservable if nothing that is there or may come can run it."""
        match self._router.route(task):
            case Refused(result):
                return ray.put(result)
            case Stuck() as stuck:
                raise Unservable(f"{task.kind} task {task.id}", stuck.missing, hint=str(stuck))
            case Route() as route:
                return self._submit(task.model_copy(update={"attempts": 1}), route, options)

    def _submit(self, task: Task, route: Route, options: Mapping[str, Any]) -> ObjectRef[Result]:
        ours = {"name": route.handler, "max_retries": self._max_retry - 1, **route.demand.options()}
        function = ray.remote(max_calls=int(self._setup.isolation == "worker"))(remote.run_here)
        offered = ",".join(sorted(tags_offered(route.demand.resources())))
        made: ObjectRef[Result] = function.options(**{**ours, **options}).remote(
            self._setup.to_wire(), self._references[route.handler], task.to_wire(), route.timeout, offered
        )
        return made
