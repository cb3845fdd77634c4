"""The launcher as its users see it: ``Launcher.spawn`` gives a ``Child``, fresh and soon gone."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

from peagen_ray.errors import LackingLayer, LaunchError
from peagen_ray.launcher import start
from peagen_ray.launcher.answers import expect_answer
from peagen_ray.launcher.capture import Capture
from peagen_ray.launcher.process import Child
from peagen_ray.launcher.spec import Exit, Limits, SpawnSpec

__all__ = ["Child", "Exit", "Launcher", "Limits", "SpawnSpec"]

_PATIENCE: Final = 30.0
"""Seconds for the fork server to fork; far beyond what it takes."""


class Launcher:
    """Starts processes, each forked from a clean, preloaded, single-threaded fork server.

    Any thread may use it. All that it started ends with it: on :meth:`close`, and when the process
    that holds it dies, however that dies.
    """

    def __init__(
        self,
        base: socket.socket,
        process: subprocess.Popen[bytes] | None,
        preload: Sequence[str],
        hash_seed: int | None = None,
    ) -> None:
        self._base = base
        self._process = process
        self._preload = tuple(preload)
        self._hash_seed = hash_seed
        self._reviving = threading.Lock()

    @classmethod
    def start(cls, preload: Sequence[str] = (), *, hash_seed: int | None = None) -> Self:
        """Start a fork server of our own.

        It imports the same code as this process, and holds none of its environment but a short list
        of harmless variables.

        Args:
            preload: modules to import once, there; they may not start threads.
            hash_seed: of its strings and of all its children's, in place of a random one or our own.

        Raises:
            LaunchError: this is not Linux, or a module cannot be imported there.
        """
        return cls(*start.start(preload, hash_seed), preload, hash_seed)

    @classmethod
    def from_socket(cls, base: socket.socket) -> Self:
        """A launcher on a base socket that a fork server gave us; takes the socket over."""
        return cls(base, None, ())

    @property
    def alive(self) -> bool:
        """Whether the fork server is there; if not, see :meth:`revive`."""
        try:
            return self._base.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    @property
    def pid(self) -> int | None:
        """Process id of the fork server, None for one that is not ours."""
        return None if self._process is None else self._process.pid

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

    def revive(self) -> None:
        """Start another fork server if ours is gone. The children of the old one are gone too.

        Raises:
            LaunchError: it cannot be started, or it was not ours: a handler's goes with its task.
        """
        with self._reviving:
            if self.alive:
                return
            if self._process is None:
                raise LaunchError("the launcher is gone", hint="only the worker can start another")
            start.end(self._base, self._process)
            self._base, self._process = start.start(self._preload, self._hash_seed)

    def close(self) -> None:
        """End the fork server and everything that it started; returns when they are gone."""
        with self._reviving:
            if self._process is None:
                self._base.close()
            else:
                start.end(self._base, self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: bytes, fds: list[int]) -> None:
        try:
            socket.send_fds(self._base, [request], fds, socket.MSG_NOSIGNAL)
        except OSError as error:
            raise LaunchError("the launcher is gone", hint="start another") from error


def _started(connection: socket.socket, entry: str) -> dict[str, Any]:
    answer = expect_answer(connection, _PATIENCE)
    if "error" in answer:
        kind = LackingLayer if answer.get("lacking") else LaunchError
        raise kind(answer["error"], subject=entry, hint=answer.get("hint", ""))
    if "pid" not in answer:
        reason = Exit.from_wire(answer).reason
        raise LaunchError(f"the process died while it was set up: {reason}", subject=entry)
    return answer
