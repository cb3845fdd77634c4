"""From the fork to the entry: what makes a forked process a fresh one.

Each page of memory that is written to here is copied first, which costs more than most system calls.
So what can be prepared before the fork is; see :class:`Ground`.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TextIO

from peagen_ray.errors import LackingLayer, LaunchError
from peagen_ray.launcher import linux
from peagen_ray.launcher.client import Launcher
from peagen_ray.launcher.jail.cgroup import Group
from peagen_ray.launcher.jail.enter import Warden, imprison, set_limit
from peagen_ray.launcher.private_tmp import LAYER, PrivateTmp
from peagen_ray.launcher.spec import Limits, SpawnSpec

_CHANNEL: Final = 3
_NESTED: Final = 4
_CONNECTION: Final = 5
"""Where a child's descriptors go, behind the three standard streams."""

_FIRST_FREE: Final = 6


@dataclass(frozen=True)
class Descriptors:
    """The descriptors of a child, as numbers above those where they are to go.

    Attributes:
        connection: where it says that it has started; closed before the entry runs.
        channel: its end of the stream to whoever asked for it.
        stdout: the writing end of a pipe.
        stderr: the writing end of a pipe.
        nested: its end of a launcher's base socket, if it gets one.
    """

    connection: int
    channel: int
    stdout: int
    stderr: int
    nested: int | None


@dataclass(frozen=True)
class Ground:
    """What every child of one launcher has in common, prepared before the first fork.

    Attributes:
        server: process id of the fork server.
        private_tmp: temporary directories of its own, None where the kernel refuses.
        warden: takes processes into jail.
        stdout: what becomes ``sys.stdout``.
        stderr: what becomes ``sys.stderr``.
    """

    server: int
    private_tmp: PrivateTmp | None
    warden: Warden
    stdout: TextIO
    stderr: TextIO

    @classmethod
    def prepare(cls, private_tmp: PrivateTmp | None, warden: Warden) -> Ground:
        """Prepare this process, a fork server."""
        return cls(os.getpid(), private_tmp, warden, _stream_to_pipe(1), _stream_to_pipe(2))


def reserve_places() -> None:
    """Take the places of a child's descriptors, so that none is ever in another's way.

    For the start of a fork server, whose standard input is ``/dev/null``: what lies there is closed.
    """
    for place in range(_CHANNEL, _FIRST_FREE):
        os.dup2(0, place, inheritable=False)


def _stream_to_pipe(fd: int) -> TextIO:
    """A text stream on ``fd`` that expects a pipe there, whatever there is now.

    It writes line by line, so that little is lost when the process is killed.
    """
    saved = os.dup(fd)
    reading, writing = os.pipe()
    os.dup2(writing, fd)
    stream = os.fdopen(fd, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.dup2(saved, fd)
    for other in (saved, reading, writing):
        os.close(other)
    return stream


def run(spec: SpawnSpec, fds: Descriptors, ground: Ground, group: Group | None) -> NoReturn:
    """Turn this freshly forked process into the child, call its entry, and end it."""
    code = 1
    try:
        if _prepare(spec, fds, ground, group):
            if spec.argv:
                _execute(spec)
            _call(spec)
            code = 0
    except SystemExit as leaving:
        code = _exit_code(leaving)
    except BaseException:  # noqa: BLE001 - the outermost frame of the process: the reason goes to stderr
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _prepare(spec: SpawnSpec, fds: Descriptors, ground: Ground, group: Group | None) -> bool:
    """Set everything up, and say on the connection that it is or why it is not."""
    world = ground.warden.world(spec.jail) if spec.jail else None
    _arrange(fds, ground, world.descriptors if world else frozenset())
    try:
        layers = _isolate(spec, ground, group)
        answer: dict[str, Any] = {"pid": os.getpid(), "layers": layers}
    except LaunchError as error:
        lacking = isinstance(error, LackingLayer)
        answer = {"error": error.what, "hint": error.hint, "lacking": lacking}
    except (OSError, ValueError) as error:
        answer = {"error": f"cannot set up the process: {error}"}
    os.write(_CONNECTION, json.dumps(answer).encode())
    os.close(_CONNECTION)
    return "pid" in answer


def _arrange(fds: Descriptors, ground: Ground, kept: Container[int]) -> None:
    """Move the child's descriptors to their places and close all others but those that are kept."""
    os.dup2(fds.stdout, 1)
    os.dup2(fds.stderr, 2)
    os.dup2(fds.channel, _CHANNEL, inheritable=False)
    os.dup2(fds.connection, _CONNECTION, inheritable=False)
    if fds.nested is None:
        os.close(_NESTED)
    else:
        os.dup2(fds.nested, _NESTED, inheritable=False)
    # Not ``closerange``: without the system call of that name it would try every possible number.
    for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - fewer pages are touched
        if fd >= _FIRST_FREE and fd not in kept:
            with suppress(OSError):
                os.close(fd)
    sys.stdout, sys.stderr = ground.stdout, ground.stderr


def _isolate(spec: SpawnSpec, ground: Ground, group: Group | None) -> list[str]:
    os.setsid()
    os.environ.update(spec.environment)
    os.umask(0o077)
    # What a preloaded module found out about the launcher's environment does not hold here.
    tempfile.tempdir = None
    sys.argv = [spec.entry]
    if spec.jail is not None:
        os.chdir(spec.scratch)
        return imprison(spec.jail, ground.warden, group, spec.scratch, ground.server, _CONNECTION)
    linux.adopt_orphans()
    layers = []
    if ground.private_tmp:
        ground.private_tmp.enter(map(str, (*spec.keep, spec.scratch)))
        layers.append(LAYER)
    # After the system calls that change who we are: some of those reset it.
    linux.die_with_parent(signal.SIGKILL, ground.server)
    os.chdir(spec.scratch)
    os.environ["HOME"] = os.environ["TMPDIR"] = str(spec.scratch)
    _limit(spec.limits)
    return layers


def _limit(limits: Limits) -> None:
    if limits.cpu_s is not None:
        seconds = math.ceil(limits.cpu_s)
        set_limit(resource.RLIMIT_CPU, seconds, seconds + 1)
    for kind, amount in (
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_AS, limits.address_space),
    ):
        if amount is not None:
            set_limit(kind, amount)


def _execute(spec: SpawnSpec) -> NoReturn:
    os.set_inheritable(_CHANNEL, True)
    if spec.stdio:
        for fd in (0, 1):
            os.dup2(_CHANNEL, fd)
    os.execvp(spec.argv[0], spec.argv)  # noqa: S606 - no shell is wanted


def _call(spec: SpawnSpec) -> None:
    module, _, function = spec.entry.partition(":")
    entry: Callable[..., Any] = getattr(importlib.import_module(module), function)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=_CHANNEL)
    if spec.nested:
        nested = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=_NESTED)
        entry(channel, Launcher.from_socket(nested))
    else:
        entry(channel)


def _exit_code(leaving: SystemExit) -> int:
    """What Python itself makes of ``sys.exit(...)``."""
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    sys.stderr.write(f"{leaving.code}\n")
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # Closed, replaced, or its reader is gone: there is nobody left to tell.
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
