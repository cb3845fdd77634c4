"""What the fabric's tests share."""

import os
import select
import signal
import threading

import fabric_handlers

from peagen_ray.fabric.inline import Registered
from peagen_ray.fabric.oneshot import OneShotRunner
from peagen_ray.fabric.warm import WarmPool
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


def await_end(pidfd):
    """Wait until a process is gone, whosever child it is; closes the descriptor."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(20_000)
    os.close(pidfd)


def kill(pid):
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    await_end(pidfd)


class FilledPool(WarmPool):
    """A pool that can be waited for.

    Attributes:
        settled: set whenever no more processes can be added.
        tended: notified whenever its thread has done something.
    """

    def __init__(self, *args, **options) -> None:
        self.settled, self.tended = threading.Event(), threading.Condition()
        super().__init__(*args, **options)

    def wait_for(self, predicate) -> None:
        with self.tended:
            assert self.tended.wait_for(predicate, 20)

    def _tend(self) -> None:
        super()._tend()
        with self.tended:
            self.tended.notify_all()

    def fill(self) -> None:
        self.settled.clear()
        self.refill()
        assert self.settled.wait(20)

    def _add(self) -> bool:
        added = super()._add()
        if not added:
            self.settled.set()
        return added


class WarmRunner(OneShotRunner):
    """A runner with a pool that is filled before each task."""

    def __init__(self, launcher, worker, offered, scratch_root=None, keep=(), **options) -> None:
        self.pool = FilledPool(launcher, 2, None, 600, keep=keep, scratch_root=scratch_root)
        super().__init__(launcher, worker, offered, scratch_root, keep, pool=self.pool, **options)

    def run(self, *args, **options):
        self.pool.fill()
        return super().run(*args, **options)
