"""The fork server's process: its guard, what it loads beforehand, and its end."""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from peagen_ray.errors import LaunchError
from peagen_ray.launcher import linux
from peagen_ray.launcher.burial import Sweeper
from peagen_ray.launcher.child import Ground, reserve_places
from peagen_ray.launcher.jail.code import prisoners_code
from peagen_ray.launcher.jail.enter import Warden
from peagen_ray.launcher.loop import Loop
from peagen_ray.launcher.private_tmp import PrivateTmp


def main(base_fd: int, owner: int, preload: Sequence[str]) -> None:
    """Run the launcher's two processes, the fork server and its guard.

    Either one ends everything when the other is gone, so that killing one leaves nothing behind.

    Args:
        base_fd: descriptor of the base socket.
        owner: process id of whoever started us; everything ends with it.
        preload: modules to import before the first fork.
    """
    _normalise()
    linux.adopt_orphans()
    guard = os.getpid()
    server = os.fork()
    if server == 0:
        linux.adopt_orphans()
        _serve(base_fd, owner, guard, preload)
    else:
        os.close(base_fd)
        while os.wait()[0] != server:
            continue
        Sweeper().sweep(())


def _normalise() -> None:
    """Undo what the owner did to signals, for us and for all children; no core dumps."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    kept = {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}
    for number in signal.valid_signals() - kept:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _serve(base_fd: int, owner: int, guard: int, preload: Sequence[str]) -> None:
    base = _lift(base_fd)
    reserve_places()
    try:
        owner_fd, guard_fd = os.pidfd_open(owner), os.pidfd_open(guard)
        _preload(preload)
        private_tmp = PrivateTmp(_code_paths())
        ground = Ground.prepare(private_tmp if private_tmp.works() else None, Warden(prisoners_code()))
    except (LaunchError, OSError) as error:
        base.send(json.dumps({"error": str(error)}).encode())
        return
    gc.collect()
    gc.freeze()
    loop = Loop(base, ground)
    loop.stop_on(owner_fd, abandoned=True)
    loop.stop_on(guard_fd)
    base.send(json.dumps({"pid": ground.server}).encode())
    loop.serve()


def _lift(fd: int) -> socket.socket:
    """The base socket, out of the way of the descriptors that children get."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16)
    os.close(fd)
    return socket.socket(fileno=high)


def _preload(modules: Sequence[str]) -> None:
    environment = dict(os.environ)
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            # Whatever a module raises when imported is the asker's to know.
            reason = f"cannot be imported: {type(error).__name__}: {error}"
            raise LaunchError(reason, subject=module) from error
    os.environ.clear()
    os.environ.update(environment)
    if threading.active_count() > 1 or len(list(Path("/proc/self/task").iterdir())) > 1:
        raise LaunchError(
            "a preloaded module has started a thread, and a fork would copy its locks",
            subject=", ".join(modules),
            hint="import that module in the handler instead",
        )


def _code_paths() -> set[str]:
    """Where code comes from: children must go on seeing it."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {*sys.path, sys.prefix, sys.base_prefix, *(str(Path(file).parent) for file in files if file)}
