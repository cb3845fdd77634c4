"""From the fork to the entry: what makes a forked process a fresh one."""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from peagen_ray.launcher import linux
from peagen_ray.launcher.client import Launcher
from peagen_ray.launcher.spec import Limits, SpawnSpec

_CHANNEL: Final = 3
_NESTED: Final = 4
_BASE: Final = 5
"""Where a child's descriptors end up, behind the three standard streams."""


@dataclass(frozen=True)
class Descriptors:
    """The descriptors of a child, as numbers.

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
    nested: int | None = None


@dataclass(frozen=True)
class Ground:
    """What every child of one launcher has in common.

    Attributes:
        environment: the scrubbed base.
        keep: paths of code, which a child must go on seeing.
        private_tmp: whether the kernel allows private temporary directories.
    """

    environment: dict[str, str]
    keep: tuple[Path, ...]
    private_tmp: bool


def run(spec: SpawnSpec, fds: Descriptors, ground: Ground, parent: int) -> NoReturn:
    """Turn this freshly forked process into the child, call its entry, and end it."""
    code = 1
    try:
        started = _prepare(spec, fds, ground, parent)
        if started:
            code = _call(spec)
    except BaseException:
        traceback.print_exc(file=open("/work/main/err.txt","w"))
    finally:
        _flush()
        os._exit(code)


def _prepare(spec: SpawnSpec, fds: Descriptors, ground: Ground, parent: int) -> bool:
    connection = socket.socket(fileno=_arrange(fds))
    try:
        layers = _isolate(spec, ground, parent)
        answer: dict[str, Any] = {"pid": os.getpid(), "layers": layers}
    except (OSError, ValueError) as error:
        answer = {"error": f"cannot set up the process: {error}"}
    connection.send(json.dumps(answer).encode())
    connection.close()
    return "pid" in answer


def _arrange(fds: Descriptors) -> int:
    """Move the child's descriptors to their places and close all others; returns the connection's."""
    null = os.open(os.devnull, os.O_RDONLY)
    wanted = [null, fds.stdout, fds.stderr, fds.channel, fds.nested, fds.connection]
    # Out of each other's way first: a descriptor may lie where another is to go.
    moved = [fd if fd is None else _above(fd, len(wanted)) for fd in wanted]
    for place, fd in enumerate(moved):
        if fd is None:
            os.closerange(place, place + 1)
        else:
            os.dup2(fd, place, inheritable=place < _CHANNEL)
    os.closerange(len(wanted), os.sysconf("SC_OPEN_MAX"))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    return _BASE


def _above(fd: int, floor: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, floor)


def _isolate(spec: SpawnSpec, ground: Ground, parent: int) -> list[str]:
    os.setsid()
    linux.adopt_orphans()
    layers = []
    if ground.private_tmp:
        linux.enter_private_tmp((*ground.keep, *spec.keep, spec.scratch))
        layers.append("private-tmp")
    # Last of the system calls that change who we are: some of those reset it.
    linux.die_with_parent(signal.SIGKILL, parent)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o077)
    os.chdir(spec.scratch)
    scratch = str(spec.scratch)
    os.environ.clear()
    os.environ.update(ground.environment | dict(spec.environment) | {"HOME": scratch, "TMPDIR": scratch})
    sys.argv = [spec.entry]
    _limit(spec.limits)
    return layers


def _limit(limits: Limits) -> None:
    cpu = None if limits.cpu_s is None else math.ceil(limits.cpu_s)
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, cpu, None if cpu is None else cpu + 1),
        (resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
        (resource.RLIMIT_AS, limits.address_space, limits.address_space),
    ):
        if soft is None or hard is None:
            continue
        _, ceiling = resource.getrlimit(kind)
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))


def _call(spec: SpawnSpec) -> int:
    channel = socket.socket(fileno=_CHANNEL)
    module, _, function = spec.entry.partition(":")
    try:
        entry: Callable[..., Any] = getattr(importlib.import_module(module), function)
        if spec.nested:
            entry(channel, Launcher.from_socket(socket.socket(fileno=_NESTED)))
        else:
            entry(channel)
    except SystemExit as leaving:
        return _exit_code(leaving)
    except BaseException:  # noqa: BLE001 - the outermost frame of the process: the reason goes to stderr
        traceback.print_exc()
        return 1
    return 0


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
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # Closed, replaced, or its reader is gone: there is nobody left to tell.
            continue
