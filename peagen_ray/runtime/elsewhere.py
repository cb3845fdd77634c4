"""A fabric whose workers are elsewhere: this process enqueues tasks and waits for their Results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Final, Self

from peagen_ray.config.load import mask
from peagen_ray.config.model import Config
from peagen_ray.errors import DispatchError, QueueError
from peagen_ray.handler import choose
from peagen_ray.queues.base import TaskQueue
from peagen_ray.runtime.dispatching import on_cluster, own_dispatcher
from peagen_ray.runtime.local import open_queue
from peagen_ray.runtime.serving import registered
from peagen_ray.runtime.waiting import Lull
from peagen_ray.task import Result, Task, TaskKind

IN_PROCESS: Final = "stub"
"""The provider whose queue no other process sees."""

_WAIT_S: Final = 1.0
"""Seconds of one wait for a Result, after which it is looked whether somebody wants to leave."""


def through_queue(config: Config) -> bool:
    """Whether tasks go to workers of other processes."""
    return config.task_queue.provider != IN_PROCESS


def place_of(config: Config) -> str:
    """The configured queue, for people: no password is in it."""
    table = config.task_queue
    return f"{table.provider} at {mask(table.url)}" if table.url else table.provider


def requirements(payloads: dict[TaskKind, dict[str, str]]) -> dict[TaskKind, frozenset[str]]:
    """The tags that workers elsewhere must offer for such tasks: those of the handler that would be chosen.

    Args:
        payloads: what decides on the handler, by kind.

    Returns:
        The tags by kind; nothing for a kind that no handler installed here serves, since one elsewhere may.
    """
    handlers = [known.handler for known in registered().values()]
    everything = frozenset[str]().union(*(handler.PROVIDES for handler in handlers))
    found = {}
    for kind, payload in payloads.items():
        with suppress(DispatchError):
            found[kind] = choose(handlers, Task(kind=kind, payload=payload), everything).PROVIDES
    return found


class Elsewhere:
    """The configured queue, and patience; it is open as long as the ``with`` block.

    Where a Ray cluster does the tasks, a dispatcher of this process's own serves the queue meanwhile.

    Args:
        config: the effective configuration.
        say: told when nothing comes back for a while.
        ray_options: further options of every Ray task of a dispatcher of our own.

    Attributes:
        leaving: whether the person wants to leave; then a wait ends in KeyboardInterrupt.
        room: tasks that the cluster can run at a time, counting what it may grow to; None where there is
            no cluster of which we know.
    """

    problems: tuple[str, ...] = ()

    def __init__(
        self, config: Config, say: Callable[[str], None], ray_options: Mapping[str, Any] | None = None
    ) -> None:
        self._config = config
        self._say = say
        self._ray_options = ray_options or {}
        self._stack = ExitStack()
        self.room: int | None = None
        self.queue: TaskQueue
        self.lull: Lull
        self.leaving: Callable[[], bool] = lambda: False

    def __enter__(self) -> Self:
        address = on_cluster(self._config)
        with self._stack:
            if address is not None:
                own = own_dispatcher(self._config, address, self._say, self._ray_options)
                status = self._stack.enter_context(own).status()
                self.room = status["room"]
                for _, text in status["said"]:
                    self._say(f"dispatcher: {text}")
            self.queue = self._stack.enter_context(open_queue(self._config))
            self._stack = self._stack.pop_all()
        self.lull = Lull(self.queue, self._say)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def do(self, task: Task) -> Result:
        """Enqueue one task and wait for its Result; whoever leaves before cancels it.

        Raises:
            BrokerUnavailable: the broker does not answer.
            ResultExpired: there was a Result, and it is kept no longer.
        """
        self.queue.enqueue(task)
        return self.wait(task.id)

    def wait(self, task_id: str) -> Result:
        """The Result of a task that was enqueued; see :meth:`do`."""
        self.lull.over()
        try:
            while True:
                result = self.queue.wait_for_result(task_id, _WAIT_S)
                if result is not None:
                    return result
                if self.leaving():
                    raise KeyboardInterrupt
                self.lull.look()
        except KeyboardInterrupt:
            withdraw(self.queue, [task_id])
            raise


def withdraw(queue: TaskQueue, task_ids: list[str]) -> None:
    """Cancel tasks that nobody waits for any more; with a broker that is away they stay."""
    try:
        for task_id in task_ids:
            queue.cancel(task_id)
    except QueueError:
        return
