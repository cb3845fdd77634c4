"""What a run needs of whatever does its tasks."""

from __future__ import annotations

from typing import Protocol

from peagen_ray.queues.base import TaskQueue
from peagen_ray.task import Result, Task


class Fabric(Protocol):
    """Does tasks, in this process or elsewhere."""

    queue: TaskQueue

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong beside the tasks themselves."""

    def do(self, task: Task) -> Result:
        """Enqueue one task and wait for its Result."""

    def wait(self, task_id: str) -> Result:
        """The Result of a task that was enqueued, as soon as there is one."""
