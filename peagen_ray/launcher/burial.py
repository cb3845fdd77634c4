"""Making sure that processes are gone: killing, reaping, and sweeping up what they left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

from peagen_ray.launcher import linux
from peagen_ray.launcher.spec import Exit

PATIENCE: Final = 5.0
"""Seconds that a killed process may take to be gone."""

WILL_PATIENCE: Final = 20.0
"""Seconds that a will may take."""

_PAUSE: Final = 0.0005
"""Seconds between two looks at orphans that were killed."""


def bury(pid: int, pidfd: int) -> Exit | None:
    """Kill a child of ours if it lives, and reap it; None if it outlasts our patience."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(0):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        poll.poll(PATIENCE * 1000)
    reaped, status, usage = os.wait4(pid, os.WNOHANG)
    if not reaped:
        return None
    code = os.waitstatus_to_exitcode(status)
    cpu_s = usage.ru_utime + usage.ru_stime
    return Exit(code if code >= 0 else None, -code if code < 0 else None, cpu_s, usage.ru_maxrss)


class Sweeper:
    """Kills whatever has been re-parented to us: the orphans of dead children.

    As the nearest subreaper we inherit every process that outlives its parent, one that called
    ``setsid`` or forked twice included. So whoever is our child and not known to be one is an orphan.
    """

    def __init__(self) -> None:
        self._hopeless: set[int] = set()
        self._own_children = linux.own_children()

    def sweep(self, known: Collection[int]) -> None:
        """Return when none but the ``known`` children are left, or at the end of our patience.

        A tree that goes on forking is caught up with: a killed process forks no more, and what it
        forked before is found in the next round, under us. What survives SIGKILL (stuck in the
        kernel) is set aside, so that it delays one sweep and not all that follow.
        """
        self._hopeless = {pid for pid in self._hopeless if not _reap(pid)}
        deadline = time.monotonic() + PATIENCE
        while orphans := set(self._own_children()).difference(known, self._hopeless):
            for orphan in orphans:
                for pid in (orphan, *linux.descendants(orphan)):
                    _kill(pid)
            dying = {orphan for orphan in orphans if not _reap(orphan)}
            if time.monotonic() > deadline:
                self._hopeless |= dying
            elif dying:
                time.sleep(_PAUSE)


def execute_will(argv: Sequence[str]) -> None:
    """Run a program that removes what a dead child left elsewhere; nobody is there to be told how it went."""
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=WILL_PATIENCE,
            check=False,
        )


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True
