"""What runs in a one-shot process: one handler, on one task."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from peagen_ray.errors import PluginError
from peagen_ray.fabric.run import MESSAGE_LIMIT, build, failure_of, handle, wire_form
from peagen_ray.handler import HandlerContext
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
    """

    handler: str
    task: Task
    worker: str
    offered: frozenset[str]
    timeout: float

    def to_wire(self) -> bytes:
        """The order as JSON."""
        rest = {"worker": self.worker, "offered": sorted(self.offered), "timeout": self.timeout}
        return json.dumps({"handler": self.handler, "task": self.task.to_wire().decode(), **rest}).encode()

    @classmethod
    def from_wire(cls, message: bytes) -> Self:
        """Read what :meth:`to_wire` wrote."""
        fields = json.loads(message)
        task, offered = Task.from_wire(fields.pop("task")), frozenset(fields.pop("offered"))
        return cls(task=task, offered=offered, **fields)


def main(channel: socket.socket, launcher: Launcher) -> None:
    """Receive an order, carry it out, and answer with the Result."""
    order = Order.from_wire(framing.receive(channel, MESSAGE_LIMIT))
    framing.send(channel, wire_form(order.task, _carry_out(order, launcher)))


def _carry_out(order: Order, launcher: Launcher) -> Result:
    try:
        handler = build(order.handler)
    except PluginError as error:
        return failure_of(order.task, error)
    context = HandlerContext(Path.cwd(), order.worker, order.offered, launcher, order.timeout)
    return handle(handler, order.task, context)
