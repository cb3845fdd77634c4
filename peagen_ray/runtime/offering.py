"""What the worker of this process offers to a run: its configured tags, and the engine that the run asks for."""

from __future__ import annotations

import sys
from typing import Final

from peagen_ray.config.model import Config
from peagen_ray.errors import SandboxError, SandboxUnavailable, Unservable, UsageError
from peagen_ray.handler import choose
from peagen_ray.runtime.serving import registered
from peagen_ray.runtime.tasks import LLM_TAGS
from peagen_ray.sandbox.engine import Engine
from peagen_ray.task import Task, TaskKind

ENGINE: Final = "docker"
"""The tag of a worker that can start containers."""

CONTAINERS: Final = frozenset({ENGINE, "container"})
"""Backends that ask for containers, and for nothing else that a worker has to have."""

_HINT: Final = (
    "there are cpu, bubblewrap, docker and gpu; tags that this machine has are told with WORKER_CAPS or "
    "[worker.defaults] caps"
)


def offering(config: Config, *, llm: bool = False) -> frozenset[str]:
    """The tags that a run's own worker offers; ``docker`` too, where the run asks for it and an engine answers.

    Args:
        config: the effective configuration.
        llm: the run asks language models, so that its worker offers ``llm``.

    Raises:
        SandboxUnavailable: this is not Linux.
        UsageError: nothing here can run candidates the way that is asked for; says what is missing.
    """
    if sys.platform != "linux":
        raise SandboxUnavailable(
            f"untrusted code is kept by system calls of Linux, and this is {sys.platform}",
            hint="run peagen-ray itself in a Linux container or virtual machine, with the sandbox `container` or "
            "`process`; `--unsafe` goes without layers of isolation, not without Linux",
        )
    backend, offered = config.evolve.backend, config.worker.defaults.caps
    offered |= LLM_TAGS if llm else frozenset()
    if backend in CONTAINERS and ENGINE not in offered:
        _find_engine(config)
        offered |= {ENGINE}
    handlers = [known.handler for known in registered(config.worker.defaults.plugins).values()]
    try:
        choose(handlers, Task(kind=TaskKind.EXECUTE, payload={"sandbox": backend}), offered)
    except Unservable as error:
        raise UsageError(error.what, subject=f"backend {backend}", hint=_HINT) from error
    return offered


def _find_engine(config: Config) -> None:
    try:
        Engine.find(config.execute.container.engine)
    except SandboxError as error:
        hint = f"{error.hint}; or use backend cpu, which needs no engine"
        raise UsageError(error.what, subject=f"backend {config.evolve.backend}", hint=hint) from error
