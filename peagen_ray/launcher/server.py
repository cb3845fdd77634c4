"""The fork server's process: its guard, what it loads beforehand, and its end."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from peagen_ray.errors import LaunchError
from peagen_ray.launcher import child, linux
from peagen_ray.launcher.burial import Sweeper
from peagen_ray.launcher.loop import Loop


def main(base_fd: int, owner: int, preload: Sequence[str]) -> None:
    """Run the launcher's two processes: the fork server, and its guard.

    Args:
        base_fd: descriptor of the base socket.
        owner: process id of whoever started us; everything ends with it.
        preload: modules to import before the first fork.
    """
    linux.adopt_orphans()
    guard = os.getpid()
    server = os.fork()
    if server == 0:
        linux.die_with_parent(signal.SIGTERM, guard)
        _serve(socket.socket(fileno=base_fd), owner, preload)
    else:
        os.close(base_fd)
        _guard(server)


def _guard(server: int) -> None:
    """Outlive the fork server, so that even if it is killed nothing that it started stays."""
    while os.wait()[0] != server:
        continue
    Sweeper().sweep(())


def _serve(base: socket.socket, owner: int, preload: Sequence[str]) -> None:
    linux.adopt_orphans()
    try:
        owner_fd = os.pidfd_open(owner)
        _preload(preload)
        ground = child.Ground(dict(os.environ), _code_paths(), linux.has_private_tmp())
    except (LaunchError, OSError) as error:
        base.send(json.dumps({"error": str(error)}).encode())
        return
    gc.collect()
    gc.freeze()
    loop = Loop(base, ground)
    loop.stop_on(owner_fd)
    loop.stop_on(_termination())
    base.send(json.dumps({"pid": os.getpid()}).encode())
    loop.serve()


def _preload(modules: Sequence[str]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            # Whatever a module raises when imported is the asker's to know.
            raise LaunchError(f"cannot be imported: {type(error).__name__}: {error}", subject=module) from error
    if threading.active_count() > 1 or len(os.listdir("/proc/self/task")) > 1:
        raise LaunchError(
            "a preloaded module has started a thread, and a fork would copy its locks",
            subject=", ".join(modules),
            hint="import that module in the handler instead",
        )


def _code_paths() -> tuple[Path, ...]:
    """Where code comes from: children must go on seeing it."""
    files = (module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None))
    places = {*sys.path, sys.prefix, sys.base_prefix, *(str(Path(file).parent) for file in files if file)}
    return tuple(Path(place) for place in places if place)


def _termination() -> int:
    """A descriptor that becomes readable when we are told to terminate."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.detach())
    signal.signal(signal.SIGTERM, lambda *_: None)
    return reading.detach()
