"""The first process of a tree: it reaps, minds the memory of all together, and takes the tree along when it ends."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from peagen_ray.launcher import linux

_LOOK_EVERY_S: Final = 0.02
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PR_SET_DUMPABLE: Final = 4

OVER: Final = "MemoryError: all processes together used more memory than they may"
"""What is said on standard error when the tree is ended for that."""


def fork_tree(report: int, memory_bytes: int | None) -> bool:
    """Fork the tree's second process, which this returns in; the first stays behind, as what it is.

    Args:
        report: descriptor on which the first process says how the second ended, as its wait status.
        memory_bytes: resident memory of all processes together; None leaves that to somebody else.

    Returns:
        whether ``/proc`` shows the tree's own processes.
    """
    from peagen_ray.launcher.jail.world import show_processes

    shown = show_processes()
    pid = os.fork()
    if pid:
        _reign(pid, report, memory_bytes if shown else None)
    os.close(report)
    return shown


def _reign(first: int, report: int, memory_bytes: int | None) -> NoReturn:
    status = 0
    try:
        linux.prctl(_PR_SET_DUMPABLE, 0)
        for fd in (0, 1, *range(3, 16)):
            if fd != report:
                with suppress(OSError):
                    os.close(fd)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        status = wait_for(first, memory_bytes)
        os.write(report, str(status).encode())
    finally:
        os._exit(0)


def wait_for(first: int, memory_bytes: int | None) -> int:
    """Reap whatever ends, until ``first`` has; its wait status, or that of a failure when all took too much memory."""
    while True:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == first:
                    return ended[1]
        signal.sigtimedwait({signal.SIGCHLD}, _LOOK_EVERY_S if memory_bytes else 3600)
        if memory_bytes and _resident() > memory_bytes:
            os.write(2, f"{OVER}\n".encode())
            return 1 << 8


def _resident() -> int:
    """Bytes of resident memory of all processes that are seen here, but for this one; shared ones count once each."""
    pages = 0
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != "1":
            with suppress(OSError):
                pages += int((process / "statm").read_bytes().split()[1])
    return pages * _PAGE
