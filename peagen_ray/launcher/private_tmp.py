"""Private temporary directories: what one process leaves in ``/tmp``, no other finds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from peagen_ray.launcher import linux

LAYER: Final = "private-tmp"
"""What this isolation is called in ``Child.layers``."""

PUBLIC: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - these are what is covered
"""The directories where everybody may leave something."""

_OPTIONS: Final = "mode=1777,size=256m"
"""Bounded, since what lies there takes memory that no limit of the process counts."""


class PrivateTmp:
    """Covers the public temporary directories with empty ones that end with the process's tree.

    Args:
        keep: paths that every process goes on seeing although they lie under one of them.
    """

    def __init__(self, keep: Iterable[str]) -> None:
        self._covers = sorted({os.path.realpath(cover) for cover in PUBLIC if Path(cover).is_dir()})
        self._below = tuple(f"{cover}/" for cover in self._covers)
        self._keep = self._outermost(map(os.path.realpath, keep))

    def works(self) -> bool:
        """Whether the kernel allows :meth:`enter`; tried in a process of its own."""
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self.enter(())
                code = 0
            finally:
                os._exit(code)
        return os.waitpid(pid, 0)[1] == 0

    def enter(self, keep: Iterable[str]) -> None:
        """Cover them for this process, which must have one thread.

        Args:
            keep: resolved paths that it goes on seeing, beside those that every process does. One that
                does not exist is passed over, and so is a whole public directory.

        Raises:
            OSError: the kernel refuses, or a mount failed; the process is of no more use then.
        """
        linux.unshare_mounts()
        kept: list[tuple[str, int]] = []
        for path in self._outermost((*self._keep, *keep)):
            with suppress(FileNotFoundError, NotADirectoryError):
                kept.append((path, os.open(path, os.O_PATH)))
        for cover in self._covers:
            linux.mount("tmpfs", cover, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, _OPTIONS)
        for path, fd in kept:
            _make_mount_point(Path(path), directory=stat.S_ISDIR(os.fstat(fd).st_mode))
            linux.mount(f"/proc/self/fd/{fd}", path, flags=linux.MS_BIND | linux.MS_REC)
            os.close(fd)

    def _outermost(self, paths: Iterable[str]) -> list[str]:
        """Those that a cover would hide, but for those that lie in another of them."""
        chosen: list[str] = []
        for path in sorted(path for path in set(paths) if path.startswith(self._below)):
            if not any(path.startswith(f"{outer}/") for outer in chosen):
                chosen.append(path)
        return chosen


def _make_mount_point(path: Path, *, directory: bool) -> None:
    (path if directory else path.parent).mkdir(parents=True, exist_ok=True)
    if not directory:
        path.touch()
