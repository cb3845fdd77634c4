"""A process of the launcher's, as whoever asked for it sees it."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from peagen_ray.errors import LaunchError
from peagen_ray.launcher import framing
from peagen_ray.launcher.answers import receive_answer
from peagen_ray.launcher.capture import Capture
from peagen_ray.launcher.spec import Exit

_PATIENCE: Final = 30.0
"""Seconds for the fork server to kill a process; far beyond what it takes."""


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
        """Have it and all that it started killed; whoever waits for it learns that. For any thread."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def output(self) -> tuple[str, str]:
        """What it has printed so far to stdout and to stderr: of each 64 KiB at most, beginning and end."""
        for capture in self._captures:
            capture.drain()
        stdout, stderr = self._captures
        return stdout.text(), stderr.text()

    @property
    def printed(self) -> int:
        """Bytes that it has printed so far, to both, as far as they were read."""
        return sum(capture.printed for capture in self._captures)

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
        message = receive_answer(self._connection)
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
