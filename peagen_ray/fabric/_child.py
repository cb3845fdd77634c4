"""What runs in a one-shot process: one handler, on one task."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from peagen_ray.errors import PluginError
from peagen_ray.fabric.run import MESSAGE_LIMIT, build, failure_of, handle, wire_form
from peagen_ray.handler import Confinement, HandlerContext
from peagen_ray.launcher import framing
from peagen_ray.launcher.client import Launcher
from peagen_ray.task import Result, Task


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
    """

    handler: str
    task: Task
    worker: str
    offered: frozenset[str]
    timeout: float
    confinement: Confinement

    def to_wire(self) -> bytes:
        """The order as JSON."""
        rest: dict[str, Any] = {
            "worker": self.worker,
            "offered": sorted(self.offered),
            "timeout": self.timeout,
        }
        rest["confinement"] = asdict(self.confinement)
        return json.dumps({"handler": self.handler, "task": self.task.to_wire().decode(), **rest}).encode()

    @classmethod
    def from_wire(cls, message: bytes) -> Self:
        """Read what :meth:`to_wire` wrote."""
        fields = json.loads(message)
        task, offered = Task.from_wire(fields.pop("task")), frozenset(fields.pop("offered"))
        confinement = Confinement.from_wire(fields.pop("confinement"))
        return cls(task=task, offered=offered, confinement=confinement, **fields)


def main(channel: socket.socket, launcher: Launcher) -> None:
    """Receive an order, carry it out, and answer with the Result."""
    order = Order.from_wire(framing.receive(channel, MESSAGE_LIMIT))
    framing.send(channel, wire_form(order.task, _carry_out(order, launcher)))


def _carry_out(order: Order, launcher: Launcher) -> Result:
    try:
        handler = build(order.handler)
    except PluginError as error:
        return failure_of(order.task, error)
    context = HandlerContext(
        Path.cwd(), order.worker, order.offered, launcher, order.timeout, order.confinement
    )
    return handle(handler, order.task, context)
