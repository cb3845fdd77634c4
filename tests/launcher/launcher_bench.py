"""What the launcher's tests share."""

import os
import select
import time
from pathlib import Path

from peagen_ray.launcher import linux
from peagen_ray.launcher.client import Child, Launcher, SpawnSpec


def wait_gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether the process ends within so many seconds; a zombie has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(pidfd)


class Bench:
    """A launcher and what tests ask of it."""

    def __init__(self, launcher: Launcher, root: Path) -> None:
        self.launcher = launcher
        self.root = root
        self._made = 0

    @property
    def guard(self) -> int:
        return self.launcher._process.pid

    @property
    def server(self) -> int:
        return linux.children(self.guard)[0]

    def below(self) -> list[int]:
        """Processes that the launcher is responsible for."""
        return list(linux.descendants(self.server))

    def settled(self) -> bool:
        """Whether all is gone, once the launcher has had its turns."""
        for _ in range(100):
            if not self.below():
                return True
            self.ask("'another turn'")
        return False

    def scratch(self) -> Path:
        self._made += 1
        path = self.root / f"scratch-{self._made}"
        path.mkdir()
        return path

    def spec(self, entry: str, **fields) -> SpawnSpec:
        return SpawnSpec(f"launcher_entries:{entry}", fields.pop("scratch", None) or self.scratch(), **fields)

    def spawn(self, entry: str, **fields) -> Child:
        return self.launcher.spawn(self.spec(entry, **fields))

    def ask(self, expression: str, **fields) -> str:
        """What a fresh child makes of an expression; see ``launcher_entries.evaluate``."""
        with self.spawn("evaluate", **fields) as child:
            child.send(expression.encode())
            answer = child.receive(1 << 20, time.monotonic() + 20).decode()
            assert child.wait(20).code == 0, child.output()
        return answer

    def started(self, entry: str, **fields) -> tuple[Child, list[int]]:
        """A child, and the processes that it says it has started."""
        child = self.spawn(entry, **fields)
        pids = child.receive(1 << 16, time.monotonic() + 20).decode().split()
        return child, [int(pid) for pid in pids]
