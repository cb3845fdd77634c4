"""One process that waits for its order, and the slots that bound how many of a node do."""

from __future__ import annotations

import fcntl
import logging
import os
import select
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from peagen_ray.errors import LaunchError
from peagen_ray.launcher.client import Child, SpawnSpec
from peagen_ray.launcher.scratch import remove_tree

ENTRY: Final = "peagen_ray.fabric._child:main"
"""What a one-shot process runs."""

_log = logging.getLogger(__name__)

_Identity = tuple[int, int] | None


class Parked:
    """A one-shot process before its order, with its scratch directory. A ``with`` block ends both.

    For one thread at a time.

    Args:
        child: the process.
        scratch: its scratch directory.
        seen: the directories that it sees, as they were when it was started.
        on_end: called once it is gone.
    """

    def __init__(
        self, child: Child, scratch: Path, seen: Mapping[Path, _Identity], on_end: Callable[[], None]
    ) -> None:
        self.child = child
        self.scratch = scratch
        self._seen = seen
        self._on_end = on_end

    @property
    def gone(self) -> bool:
        """Whether the process has died. One that waits says nothing on its channel."""
        poll = select.poll()
        poll.register(self.child.channel, select.POLLIN)
        return bool(poll.poll(0))

    @property
    def fit(self) -> bool:
        """Whether it is as good as a fresh one: it lives, and the directories that it sees are still there."""
        return not self.gone and all(_identity(path) == seen for path, seen in self._seen.items())

    def close(self) -> None:
        """Kill it if it lives, with all that it started, and remove its scratch directory.

        Raises:
            LaunchError: it does not die.
            OSError: something in the directory cannot be removed.
        """
        try:
            self.child.close()
        finally:
            self._on_end()
            remove_tree(self.scratch)

    def discard(self) -> None:
        """As :meth:`close`, for one that no task had: what goes wrong is logged."""
        try:
            self.close()
        except (LaunchError, OSError) as error:
            _log.warning("process %d, which stood ready, cannot be removed: %s", self.child.pid, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def park(
    spawn: Callable[[SpawnSpec], Child],
    root: Path | None,
    keep: tuple[Path, ...],
    on_end: Callable[[], None] = lambda: None,
) -> Parked:
    """Start a one-shot process in a scratch directory of its own.

    Args:
        spawn: starts processes.
        root: where the directory is made; by default where temporary files go.
        keep: directories that it must see although they lie under ``/tmp``.
        on_end: called once it is gone.

    Raises:
        LaunchError: it cannot be started.
        OSError: the directory cannot be made.
    """
    scratch = Path(tempfile.mkdtemp(prefix="peagen-task-", dir=root))
    seen = {path: _identity(path) for path in (scratch, *keep)}
    try:
        return Parked(spawn(SpawnSpec(ENTRY, scratch, nested=True, keep=keep)), scratch, seen, on_end)
    except BaseException:
        remove_tree(scratch)
        raise


class Slots:
    """Numbered slots, each held by one process at a time; the kernel frees those of a process that dies.

    A slot is a lock (``flock``) on a file that is never removed, so that all who share the directory
    agree on it. For one thread at a time.

    Args:
        directory: where the files are, made if it is missing; None is one that nobody shares.
        size: how many there are.
    """

    def __init__(self, directory: Path | None, size: int) -> None:
        self._directory = directory
        self._size = size
        self._held: dict[int, int] = {}

    def take(self) -> int | None:
        """The number of a slot that is ours from here on; None if there is none.

        Raises:
            OSError: the directory cannot be used.
        """
        for number in range(self._size):
            if number not in self._held and (fd := self._locked(number)) is not None:
                self._held[number] = fd
                return number
        return None

    def free(self, number: int) -> None:
        """Give a slot of ours back."""
        os.close(self._held.pop(number))

    def _locked(self, number: int) -> int | None:
        fd = self._open(f"slot-{number}")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _open(self, name: str) -> int:
        if self._directory is None:
            return os.memfd_create(name)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _identity(path: Path) -> _Identity:
    """What tells a directory from another of the same name; None if there is none."""
    with suppress(OSError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None
