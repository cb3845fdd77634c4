"""Control groups: the memory and the number of a tree's processes, counted by the kernel for all together.

Version 2 where a group of ours may have children with controllers (a delegated one), else version 1 (root).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
_PATIENCE_S: Final = 1.0
_PAUSE_S: Final = 0.001


@dataclass(frozen=True)
class Group:
    """One tree's group, in each hierarchy that counts something."""

    paths: tuple[Path, ...]

    def join(self) -> None:
        """Put the calling process, which has one thread, in, and all that it will start; raises OSError.

        By version 1's list of threads where there is one: a thread that moves itself does not wait, as a process
        does, until every processor has noticed (``synchronize_rcu``), which takes ten milliseconds and more.
        """
        for path in self.paths:
            threads = path / "tasks"
            (threads if threads.exists() else path / "cgroup.procs").write_text("0")

    def memory_alarm(self) -> int | None:
        """A descriptor that becomes readable when memory has run out; None where the kernel then ends all by itself."""
        for path in self.paths:
            if (path / "cgroup.event_control").exists() and (path / "memory.oom_control").exists():
                alarm = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                control = os.open(path / "memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
                (path / "cgroup.event_control").write_text(f"{alarm} {control}")
                os.close(control)
                return alarm
        return None

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed one of its processes for the memory of all."""
        return any(_kills(path) for path in self.paths)

    def remove(self) -> None:
        """Take it away; its processes must be dead, and may take a moment to leave."""
        deadline = time.monotonic() + _PATIENCE_S
        for path in self.paths:
            while path.exists():
                try:
                    path.rmdir()
                except OSError:
                    if time.monotonic() > deadline:
                        break
                    time.sleep(_PAUSE_S)


class Groups:
    """Makes groups beneath the one that this process is in."""

    def __init__(self) -> None:
        self._parents = tuple(_parents())
        self._numbers = count()
        self._sweep()

    @property
    def there(self) -> bool:
        """Whether groups can be made that count memory."""
        return any((parent / "memory.stat").exists() for parent in self._parents)

    def _sweep(self) -> None:
        """Take away what launchers left that were killed."""
        for path in (path for parent in self._parents for path in parent.glob("peagen-*-*")):
            if not Path("/proc", path.name.split("-")[1]).exists():
                with suppress(OSError):
                    path.rmdir()

    def make(self, memory_bytes: int, processes: int) -> Group | None:
        """A group with those bounds; None where there can be none."""
        if not self.there:
            return None
        name = f"peagen-{os.getpid()}-{next(self._numbers)}"
        group = Group(tuple(parent / name for parent in self._parents))
        try:
            for path in group.paths:
                path.mkdir()
                _bound(path, memory_bytes, processes)
        except OSError:
            group.remove()
            return None
        return group


def _bound(path: Path, memory_bytes: int, processes: int) -> None:
    wanted = {
        "memory.max": memory_bytes,
        "memory.swap.max": 0,
        "memory.oom.group": 1,
        "memory.limit_in_bytes": memory_bytes,
        "memory.swappiness": 0,
        "pids.max": processes,
    }
    for name, value in wanted.items():
        if (path / name).exists():
            (path / name).write_text(str(value))


def _kills(path: Path) -> int:
    for name in ("memory.events", "memory.oom_control"):
        with suppress(OSError):
            for line in (path / name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def _parents() -> Iterator[Path]:
    """The groups to make others in: the one of version 2, or those of version 1 for memory and processes."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _, controllers, own in lines:
        if not controllers:
            path = _ROOT / own.lstrip("/")
            if _delegates(path):
                yield path
                return
    for _, controllers, own in lines:
        for controller in {"memory", "pids"} & set(controllers.split(",")):
            path = _ROOT / controller / own.lstrip("/")
            if os.access(path, os.W_OK):
                yield path


def _delegates(path: Path) -> bool:
    """Whether children of this group of version 2 can have a bound of memory."""
    with suppress(OSError):
        if not {"memory", "pids"} <= set((path / "cgroup.controllers").read_text().split()):
            return False
        control = path / "cgroup.subtree_control"
        if not {"memory", "pids"} <= set(control.read_text().split()):
            control.write_text("+memory +pids")
        return os.access(path, os.W_OK)
    return False
