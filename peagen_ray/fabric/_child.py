"""What runs in a one-shot process: one handler, on one task."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from peagen_ray.errors import PluginError
from peagen_ray.fabric.gpus import gpus_of
from peagen_ray.fabric.run import MESSAGE_LIMIT, build, failure_of, handle, wire_form
from peagen_ray.handler import Confinement, HandlerContext
from peagen_ray.launcher import framing
from peagen_ray.launcher.client import Launcher
from peagen_ray.task import Result, Task

BEGUN: Final = b"begun"
"""What a one-shot process says when it has its order, before it does anything about it."""


@dataclass(frozen=True)
class Order:
    """What a one-shot process is to do.

    Attributes:
        handler: ``module:Class``.
        task: the task.
        worker: name of the worker.
        offered: capability tags that are offered here.
        timeout: seconds that the task may take.
        confinement: how the worker keeps untrusted code.
        cache: the worker's directory for what can be made again, if it has one.
        environment: variables to set before the handler is made.
    """

    handler: str
    task: Task
    worker: str
    offered: frozenset[str]
    timeout: float
    confinement: Confinement
    cache: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def context(self, scratch: Path, launcher: Launcher) -> HandlerContext:
        """What the handler may know of where it runs."""
        return HandlerContext(
            scratch,
            self.worker,
            self.offered,
            launcher,
            self.timeout,
            self.confinement,
            self.cache,
            environment=self.environment,
            gpus=gpus_of(self.environment),
        )

    def to_wire(self) -> bytes:
        """The order as JSON."""
        rest: dict[str, Any] = {
            "worker": self.worker,
            "offered": sorted(self.offered),
            "timeout": self.timeout,
            "cache": str(self.cache) if self.cache else None,
            "environment": dict(self.environment),
        }
        rest["confinement"] = asdict(self.confinement)
        return json.dumps({"handler": self.handler, "task": self.task.to_wire().decode(), **rest}).encode()

    @classmethod
    def from_wire(cls, message: bytes) -> Self:
        """Read what :meth:`to_wire` wrote."""
        fields = json.loads(message)
        task, offered = Task.from_wire(fields.pop("task")), frozenset(fields.pop("offered"))
        confinement = Confinement.from_wire(fields.pop("confinement"))
        cache = fields.pop("cache")
        return cls(
            task=task,
            offered=offered,
            confinement=confinement,
            cache=Path(cache) if cache else None,
            **fields,
        )


def main(channel: socket.socket, launcher: Launcher) -> None:
    """Receive an order, say that it has begun, carry it out, and answer with the Result."""
    order = Order.from_wire(framing.receive(channel, MESSAGE_LIMIT))
    framing.send(channel, BEGUN)
    framing.send(channel, wire_form(order.task, _carry_out(order, launcher)))


def _carry_out(order: Order, launcher: Launcher) -> Result:
    try:
        os.environ.update(order.environment)
        handler = build(order.handler)
    except (PluginError, ValueError) as error:  # a name or a value that no variable can have
        return failure_of(order.task, error)
    return handle(handler, order.task, order.context(Path.cwd(), launcher))
