"""Handlers whose own work costs nothing, as a wheel that is installed where this folder is on the path."""

from __future__ import annotations

import os
import time

from peagen_ray.handler import TaskHandler, current
from peagen_ray.task import Result, Task, TaskKind


class Fresh(TaskHandler):
    """Says when it was called, by the machine's monotonic clock; runs in a process of its own."""

    KIND = TaskKind.RENDER

    def dispatch(self, task: Task) -> bool:
        """Whether the task asks for this one by name, as all tasks of benchmarks do."""
        return task.payload.get("work") == type(self).__name__

    def handle(self, task: Task) -> Result:
        """Do nothing."""
        return Result.success(task, {"at": time.monotonic()})


class Here(Fresh):
    """The same, in the Ray worker."""

    SHARED = True


class Linger(Fresh):
    """Tells its process id and stays, in the first run; is done at once in the next.

    The file that the payload names under ``told`` appears whole in the worker's cache, which outsiders see too.
    """

    def handle(self, task: Task) -> Result:
        """Stay, unless somebody was here before."""
        if task.attempts == 1:
            cache = current().cache
            assert cache
            cache.mkdir(parents=True, exist_ok=True)
            told = cache / task.payload["told"]
            told.with_suffix(".new").write_text(str(os.getpid()))
            told.with_suffix(".new").rename(told)
            time.sleep(600)
        return Result.success(task, {})


class NeedsGpu(Fresh):
    """Does nothing where there is a GPU, or where a node says so."""

    PROVIDES = frozenset({"cpu", "gpu"})


class OnGpu(Fresh):
    """Says when it was called, which GPUs it sees, and when PyTorch had the first number from one."""

    PROVIDES = frozenset({"cpu", "gpu"})

    def handle(self, task: Task) -> Result:
        """Multiply two matrices on the first GPU."""
        at = time.monotonic()
        import torch

        imported = time.monotonic()
        numbers = torch.ones(64, 64, device="cuda")
        total = float((numbers @ numbers).sum())
        data = {
            "at": at,
            "imported": imported,
            "counted": time.monotonic(),
            "total": total,
            "devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "seen": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
            "gpus": list(current().gpus or ()),
        }
        return Result.success(task, data)


class Blind(Fresh):
    """Says which GPUs PyTorch finds in a task that asked for none."""

    def handle(self, task: Task) -> Result:
        """Count them."""
        import torch

        return Result.success(
            task, {"count": torch.cuda.device_count(), "available": torch.cuda.is_available()}
        )
