"""Which handler a task gets on a cluster, and with which resources; or what is missing for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from peagen_ray.errors import Unservable
from peagen_ray.fabric.capabilities import Demand, Missing, Placement, Startable
from peagen_ray.fabric.run import failure_of, timeout_of
from peagen_ray.handler import TaskHandler, choose
from peagen_ray.task import Result, Task, TaskKind, is_reserved, missing_tags


@dataclass(frozen=True)
class Route:
    """Where a task goes.

    Attributes:
        handler: the handler's registered name.
        demand: what to ask Ray for.
        timeout: seconds that the task may take once it runs.
        node_type: the kind of node that has to be started first; "" if a live one will do.
    """

    handler: str
    demand: Demand
    timeout: float
    node_type: str = ""


@dataclass(frozen=True)
class Stuck:
    """No node can serve it, and none that could can be started.

    Attributes:
        kind: of the task.
        handler: the handler that asks for what is missing; "" if there is none for that kind.
        missing: the tags that are missing.
        nearest: the node or node type that lacks the fewest of them, or "".
    """

    kind: TaskKind
    handler: str
    missing: tuple[str, ...]
    nearest: str = ""

    def __str__(self) -> str:
        if not self.handler:
            return f"there is not {', '.join(self.missing)}"
        near = f"; {self.nearest} comes nearest" if self.nearest else ""
        tags = ", ".join(self.missing)
        return f"{self.handler} asks for {tags}: no node offers it, and none that does can be started{near}"


@dataclass(frozen=True)
class Refused:
    """No handler can be chosen, wherever it runs; the Result says why."""

    result: Result


Routing: TypeAlias = Route | Stuck | Refused


class Router:
    """Chooses handlers and resources. Used by one thread at a time.

    Args:
        handlers: what may be chosen, by registered name.
        placement: what the cluster has.
        timeout: seconds that a task may take unless its payload says otherwise.

    Attributes:
        placement: what the cluster has; replaced when that changes.
    """

    def __init__(
        self, handlers: Mapping[str, TaskHandler], placement: Placement, timeout: float = 600.0
    ) -> None:
        self.placement = placement
        self._timeout = timeout
        self._handlers: dict[TaskKind, list[TaskHandler]] = {}
        self._names = {id(handler): name for name, handler in handlers.items()}
        for handler in handlers.values():
            self._handlers.setdefault(handler.KIND, []).append(handler)

    def route(self, task: Task) -> Routing:
        """The handler and the resources of a task.

        Of the handlers that the cluster can serve, the rules of :func:`~peagen_ray.handler.choose` pick one.
        """
        kin = self._handlers.get(task.kind, [])
        served = [each for each in kin if self._missing(each, task.kind, task.requires) is None]
        try:
            offered = task.requires.union(*(each.PROVIDES for each in served))
            handler = choose(served, task, offered)
            timeout = timeout_of(task, self._timeout)
        except Unservable:
            return self._stuck(task)
        except Exception as error:  # noqa: BLE001 - a handler's dispatch may raise anything; the task pays
            return Refused(failure_of(task, error))
        place = self.placement.place(task.kind, task.requires | handler.PROVIDES)
        assert not isinstance(place, Missing)
        node_type = place.node_type if isinstance(place, Startable) else ""
        return Route(self._names[id(handler)], place.demand, timeout, node_type)

    def lacks(self, kind: TaskKind, requires: frozenset[str]) -> Stuck | None:
        """What is missing for tasks of that kind and those tags, whatever their payload; None if nothing is."""
        return self._nearest(self._handlers.get(kind, []), kind, requires)

    def _stuck(self, task: Task) -> Routing:
        try:
            kin = [each for each in self._handlers.get(task.kind, []) if each.dispatch(task)]
        except Exception as error:  # noqa: BLE001 - see above
            return Refused(failure_of(task, error))
        return self._nearest(kin, task.kind, task.requires) or _nobody(task.kind)

    def _nearest(self, kin: list[TaskHandler], kind: TaskKind, requires: frozenset[str]) -> Stuck | None:
        """What the handler that lacks least lacks; None if one lacks nothing."""
        reserved = [tag for tag in requires if is_reserved(tag)]
        able = [each for each in kin if not missing_tags(reserved, each.PROVIDES)]
        if not able:
            return _nobody(
                kind, *min((missing_tags(reserved, each.PROVIDES) for each in kin), key=len, default=())
            )
        lacks = [(self._missing(each, kind, requires), each) for each in able]
        found = [(missing, each) for missing, each in lacks if missing is not None]
        if len(found) < len(lacks):
            return None
        missing, handler = min(found, key=lambda pair: len(pair[0].tags))
        return Stuck(kind, self._names[id(handler)], missing.tags, missing.nearest)

    def _missing(self, handler: TaskHandler, kind: TaskKind, requires: frozenset[str]) -> Missing | None:
        return self.placement.serves(kind, requires | handler.PROVIDES)


def _nobody(kind: TaskKind, *tags: str) -> Stuck:
    """No handler that is installed is for such tasks, or none of them provides those tags."""
    provides = f" that provides {', '.join(tags)}" if tags else ""
    return Stuck(kind, "", (f"a handler for {kind}{provides}",))
