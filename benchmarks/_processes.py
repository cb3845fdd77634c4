"""Processes that a benchmark starts, and the processor time that they use."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from peagen_ray.launcher.linux import descendants, die_with_parent

_LONGEST_S = 150.0


def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: str | None = None,
    talks: bool = False,
) -> subprocess.Popen[str]:
    """A process that ends with this one.

    Args:
        command: what to run.
        environment: variables beside ours.
        folder: where it runs.
        talks: whether lines go both ways; otherwise what it prints goes to stderr.
    """
    return subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        cwd=folder,
        stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
        stdout=subprocess.PIPE if talks else sys.stderr,
        text=True,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, signal.SIGKILL, os.getpid()),
    )


def end(process: subprocess.Popen[str]) -> None:
    """Kill it and all that it started."""
    for pid in [*descendants(process.pid), process.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints; ends this one if there is none within a minute or two."""
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], _LONGEST_S)
    found = process.stdout.readline() if ready else ""
    if not found:
        raise SystemExit(f"{process.args} ended early or took too long; see above")
    return found.strip()


def say(text: str) -> None:
    """Tell a person how far it is."""
    print(text, file=sys.stderr, flush=True)


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of processor time that these processes and those below them have used so far."""
    everyone = {each for pid in pids for each in (pid, *descendants(pid))}
    return sum(map(_clock, everyone))


def _clock(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the kernel's name for another process's CPU clock
    except OSError:
        return 0.0
