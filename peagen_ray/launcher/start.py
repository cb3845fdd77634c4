"""Starting a fork server: the same code as here, and nothing else of this process."""

from __future__ import annotations

import json
import os
import site
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from peagen_ray.errors import LaunchError
from peagen_ray.launcher.answers import expect_answer
from peagen_ray.launcher.spec import FAREWELL

_PASSED: Final = frozenset({"PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "PYTHONHASHSEED"})
_PASSED_PREFIXES: Final = ("LC_", "COV_CORE_", "COVERAGE_")
"""What of our environment it gets; the last two let coverage follow into its children."""

_BOOT: Final = (
    "import json, socket, sys; fd = int(sys.argv[1]); base = socket.socket(fileno=fd); "
    "config = json.loads(base.recv(1 << 20)); base.detach(); sys.path[:] = config.pop('path'); "
    "from peagen_ray.launcher.server import main; main(fd, **config)"
)
"""Its settings come over the socket: a command line would be there for every child to read."""

_START_PATIENCE: Final = 60.0
"""Seconds for it to import what it preloads."""

_END_PATIENCE: Final = 30.0
"""Seconds for it to end everything that it started; far beyond what that takes."""


def start(
    preload: Sequence[str], hash_seed: int | None = None
) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start a fork server; returns its base socket and its process when it is ready.

    Raises:
        LaunchError: this is not Linux, or a module to preload cannot be imported there.
    """
    if sys.platform != "linux":
        raise LaunchError("processes are started with system calls of Linux", hint="use a container")
    base, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = _popen(theirs.fileno(), hash_seed)
    try:
        with suppress(OSError):  # it died: nobody will answer
            base.send(json.dumps(_config(preload)).encode(), socket.MSG_NOSIGNAL)
        answer = expect_answer(base, _START_PATIENCE)
        if "error" in answer:
            raise LaunchError(f"the launcher cannot start: {answer['error']}")
    except BaseException:
        end(base, process)
        raise
    return base, process


def end(base: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """End a fork server and all that it started; returns when they are gone."""
    with suppress(OSError):
        base.send(FAREWELL, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    base.close()
    try:
        process.wait(_END_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``environment`` that the launcher and its children may see: an allow-list."""
    return {
        name: value
        for name, value in environment.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }


def _config(preload: Sequence[str]) -> dict[str, Any]:
    path = [str(Path(entry).absolute()) for entry in sys.path]
    return {"path": path, "owner": os.getpid(), "preload": list(preload)}


def _popen(base: int, hash_seed: int | None) -> subprocess.Popen[bytes]:
    # The user's own site directory only if this process has it too; never the working directory.
    flags = ["-P", "-X", "utf8", *([] if site.ENABLE_USER_SITE else ["-s"])]
    flags += ["-O"] * sys.flags.optimize + ["-B"] * sys.dont_write_bytecode
    environment = scrubbed(os.environ)
    if hash_seed is not None:  # for guests alone, which could write nothing of what coverage finds
        environment = {name: value for name, value in environment.items() if not name.startswith("COV")}
        environment["PYTHONHASHSEED"] = str(hash_seed)
    try:
        return subprocess.Popen(
            [sys.executable, *flags, "-c", _BOOT, str(base)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
            pass_fds=[base],
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchError(f"cannot start the launcher: {error}", subject=sys.executable) from error
