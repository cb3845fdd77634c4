"""The launcher as its users see it: ``Launcher.spawn`` gives a ``Child``, fresh and soon gone."""

from __future__ import annotations

import json
import os
import select
import signal
import site
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from peagen_ray.errors import LaunchError
from peagen_ray.launcher import framing
from peagen_ray.launcher.capture import Capture
from peagen_ray.launcher.spec import Exit, Limits, SpawnSpec

__all__ = ["Child", "Exit", "Launcher", "Limits", "SpawnSpec"]

_PASSED: Final = frozenset({"PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "PYTHONHASHSEED"})
_PASSED_PREFIXES: Final = ("LC_", "COV_CORE_", "COVERAGE_")
"""What of our environment the launcher gets; the last two let coverage follow into its children."""

_BOOT: Final = (
    "import json, sys; config = json.loads(sys.argv[1]); sys.path[:] = config.pop('path'); "
    "from peagen_ray.launcher.server import main; main(**config)"
)

_START_PATIENCE: Final = 60.0
"""Seconds for the launcher to import what it preloads."""

_PATIENCE: Final = 30.0
"""Seconds for it to fork, or to kill; far beyond what either takes."""

_ANSWER_LIMIT: Final = 64 * 1024


class Launcher:
    """Starts processes, each forked from a clean, preloaded, single-threaded fork server.

    Any thread may use it. All that it started ends with it: on :meth:`close`, and when the process
    that holds it dies, however that dies.
    """

    def __init__(self, base: socket.socket, process: subprocess.Popen[bytes] | None) -> None:
        self._base = base
        self._process = process

    @classmethod
    def start(cls, preload: Sequence[str] = ()) -> Self:
        """Start a fork server of our own.

        It imports the same code as this process, and holds none of its environment but a short list
        of harmless variables.

        Args:
            preload: modules to import once, there; they may not start threads.

        Raises:
            LaunchError: this is not Linux, or a module cannot be imported there.
        """
        if sys.platform != "linux":
            raise LaunchError("processes are started with system calls of Linux", hint="run it in a container")
        base, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            launcher = cls(base, _popen(theirs.fileno(), preload))
        try:
            launcher._await_ready()
        except BaseException:
            launcher.close()
            raise
        return launcher

    @classmethod
    def from_socket(cls, base: socket.socket) -> Self:
        """A launcher on a base socket that a fork server gave us; takes the socket over."""
        return cls(base, None)

    @property
    def alive(self) -> bool:
        """Whether the fork server is there. If not, start another: this one does not come back."""
        try:
            return self._base.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def spawn(self, spec: SpawnSpec) -> Child:
        """Start a process; returns when it is set up and about to call its entry.

        Raises:
            LaunchError: the fork server is gone, or the process could not be set up.
        """
        request = spec.to_wire()
        with ExitStack() as theirs, ExitStack() as undo:
            connection, remote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            theirs.callback(remote.close)
            undo.callback(connection.close)
            channel, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            theirs.callback(far.close)
            undo.callback(channel.close)
            captures, ends = [], []
            for _ in range(2):
                reading, writing = os.pipe()
                theirs.callback(os.close, writing)
                captures.append(Capture(reading))
                undo.callback(captures[-1].close)
                ends.append(writing)
            self._ask(request, [remote.fileno(), far.fileno(), *ends])
            theirs.close()
            started = _started(connection, spec.entry)
            undo.pop_all()
            return Child(started["pid"], frozenset(started["layers"]), channel, connection, captures)

    def close(self) -> None:
        """End the fork server and everything that it started; returns when they are gone."""
        self._base.close()
        if self._process is not None:
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await_ready(self) -> None:
        self._base.settimeout(_START_PATIENCE)
        answer = _answer(self._base)
        self._base.settimeout(None)
        if "error" in answer:
            raise LaunchError(f"the launcher cannot start: {answer['error']}")

    def _ask(self, request: bytes, fds: list[int]) -> None:
        try:
            socket.send_fds(self._base, [request], fds, socket.MSG_NOSIGNAL)
        except OSError as error:
            raise LaunchError("the launcher is gone", hint="start another") from error


class Child:
    """A process of the launcher's. For one thread at a time, but for :meth:`interrupt`.

    Attributes:
        pid: its process id.
        layers: isolation that is really active: ``private-tmp`` where the kernel allows it.
        channel: stream socket to it; the protocol on it is ours to choose.
    """

    def __init__(
        self,
        pid: int,
        layers: frozenset[str],
        channel: socket.socket,
        connection: socket.socket,
        captures: Sequence[Capture],
    ) -> None:
        self.pid = pid
        self.layers = layers
        self.channel = channel
        self._connection = connection
        self._captures = captures
        self._exit: Exit | None = None

    def send(self, message: bytes, deadline: float | None = None) -> None:
        """Send a framed message on the channel; see :func:`framing.send`.

        Unlike that, it goes on reading what the process prints, so that neither waits for the other.
        """
        framing.send(self.channel, message, deadline, self._ready)

    def receive(self, limit: int, deadline: float | None = None) -> bytes:
        """Receive a framed message from the channel; see :func:`framing.receive`, and :meth:`send`."""
        return framing.receive(self.channel, limit, deadline, self._ready)

    def wait(self, timeout: float | None = None) -> Exit | None:
        """Wait until it and all that it started are gone; None if they are not within ``timeout`` seconds.

        Raises:
            LaunchError: it does not die.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._exit is None:
            try:
                self._ready(self._connection, select.POLLIN, deadline)
            except framing.ChannelTimeout:
                return None
            self._exit = self._bury()
        return self._exit

    def kill(self) -> Exit:
        """Kill it and all that it started; returns when they are gone."""
        self.interrupt()
        ended = self.wait(_PATIENCE)
        if ended is None:
            raise LaunchError("the launcher does not answer", subject=f"process {self.pid}")
        return ended

    def interrupt(self) -> None:
        """Have it and all that it started killed; whoever waits for it learns how it ended. For any thread."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def output(self) -> tuple[str, str]:
        """What it has printed so far to stdout and to stderr: of each 64 KiB at most, beginning and end."""
        for capture in self._captures:
            capture.drain()
        stdout, stderr = self._captures
        return stdout.text(), stderr.text()

    def cpu_ns(self) -> int:
        """Nanoseconds of CPU that it has used, read from outside; LaunchError if it has ended.

        The clock id is that of ``clock_getcpuclockid(3)``.
        """
        try:
            return time.clock_gettime_ns(((~self.pid) << 3) | 2)
        except OSError as error:
            raise LaunchError("has ended", subject=f"process {self.pid}") from error

    def close(self) -> None:
        """Kill it if it lives, and let go of its channel and pipes."""
        try:
            self.kill()
        finally:
            self._connection.close()
            self.channel.close()
            for capture in self._captures:
                capture.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ready(self, sock: socket.socket, events: int, deadline: float | None) -> None:
        """As :func:`framing.wait_ready`, reading what the process prints meanwhile."""
        while True:
            poll = select.poll()
            poll.register(sock, events)
            for capture in self._captures:
                if capture.fd is not None:
                    poll.register(capture.fd, select.POLLIN)
            ready = {fd for fd, _ in poll.poll(framing.milliseconds_to(deadline))}
            for capture in self._captures:
                if capture.fd in ready:
                    capture.drain()
            if sock.fileno() in ready:
                return
            if deadline is not None and time.monotonic() >= deadline:
                raise framing.ChannelTimeout("nothing came in time")

    def _bury(self) -> Exit:
        message = _receive_answer(self._connection)
        if message is None:
            return self._lost()
        if "error" in message:
            raise LaunchError(message["error"], subject=f"process {self.pid}")
        for capture in self._captures:
            capture.drain()
        return Exit.from_wire(message)

    def _lost(self) -> Exit:
        """The fork server died, and this process with it: the kernel sends SIGKILL. Wait for that."""
        with suppress(ProcessLookupError):
            pidfd = os.pidfd_open(self.pid)
            try:
                poll = select.poll()
                poll.register(pidfd, select.POLLIN)
                poll.poll(_PATIENCE * 1000)
            finally:
                os.close(pidfd)
        return Exit(None, signal.SIGKILL)


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ``environment`` that the launcher and its children may see: an allow-list."""
    return {
        name: value
        for name, value in environment.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }


def _popen(base: int, preload: Sequence[str]) -> subprocess.Popen[bytes]:
    # The user's own site directory only if this process has it too; never the working directory.
    flags = ["-P", "-X", "utf8", *([] if site.ENABLE_USER_SITE else ["-s"])]
    flags += ["-O"] * sys.flags.optimize + ["-B"] * sys.dont_write_bytecode
    config = {
        "path": [os.path.abspath(entry) for entry in sys.path],
        "base_fd": base,
        "owner": os.getpid(),
        "preload": list(preload),
    }
    try:
        return subprocess.Popen(
            [sys.executable, *flags, "-c", _BOOT, json.dumps(config)],
            env=scrubbed(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
            pass_fds=[base],
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchError(f"cannot start the launcher: {error}", subject=sys.executable) from error


def _started(connection: socket.socket, entry: str) -> dict[str, Any]:
    connection.settimeout(_PATIENCE)
    answer = _answer(connection)
    connection.settimeout(None)
    if "error" in answer:
        raise LaunchError(answer["error"], subject=entry)
    if "pid" not in answer:
        raise LaunchError(f"the process died while it was set up: {Exit.from_wire(answer).reason}", subject=entry)
    return answer


def _answer(sock: socket.socket) -> dict[str, Any]:
    try:
        answer = _receive_answer(sock)
    except TimeoutError as error:
        raise LaunchError("the launcher does not answer") from error
    if answer is None:
        raise LaunchError("the launcher is gone", hint="start another")
    return answer


def _receive_answer(sock: socket.socket) -> dict[str, Any] | None:
    """One answer of the fork server's, None if it is gone."""
    try:
        message = sock.recv(_ANSWER_LIMIT)
    except ConnectionError:
        return None
    if not message:
        return None
    answer: dict[str, Any] = json.loads(message)
    return answer
