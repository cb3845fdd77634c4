"""What the fabric's tests share."""

import fabric_handlers

from peagen_ray.fabric.inline import Registered
from peagen_ray.launcher import linux
from peagen_ray.launcher.client import Launcher
from peagen_ray.task import Task, TaskKind

CPU = frozenset({"cpu"})


def task(do: str = "", kind: TaskKind = TaskKind.MUTATE, **payload) -> Task:
    return Task(kind=kind, payload={"do": do, **payload}, attempts=1)


def leftovers(launcher: Launcher) -> list[int]:
    """Processes that the launcher is responsible for."""
    (server,) = linux.children(launcher._process.pid)
    return list(linux.descendants(server))


def registered(*names: str) -> dict[str, Registered]:
    return {name: Registered(getattr(fabric_handlers, name)(), f"fabric_handlers:{name}") for name in names}
