"""The fork server's event loop: forks children on request and buries them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from peagen_ray.errors import LackingLayer, LaunchError
from peagen_ray.launcher import child
from peagen_ray.launcher.burial import Sweeper, bury, execute_will
from peagen_ray.launcher.jail.cgroup import Group
from peagen_ray.launcher.scratch import remove_tree
from peagen_ray.launcher.spec import FAREWELL, REQUEST_LIMIT, SpawnSpec

_FDS: Final = 4
"""Descriptors of a request: connection, channel, stdout, stderr."""


@dataclass(eq=False)
class _Base:
    """A socket on which children are asked for; they die when it closes."""

    socket: socket.socket
    children: set[_Record] = field(default_factory=set)


@dataclass(eq=False)
class _Record:
    """A child that is not buried yet. Closing its connection kills it."""

    pid: int
    pidfd: int
    scratch: Path
    will: tuple[str, ...]
    connection: socket.socket
    base: _Base
    nested: _Base | None
    group: Group | None
    alarm: int | None


class Loop:
    """Forks and buries. One thread, which blocks only while what was killed is dying.

    Everything ends when the owner says farewell, and when it dies. Then nobody else is left to remove
    the scratch directories of its children, so they are removed here.

    Args:
        base: the socket of our owner.
        ground: what all children have in common.
    """

    def __init__(self, base: socket.socket, ground: child.Ground) -> None:
        self._ground = ground
        self._root = _Base(base)
        self._records: dict[int, _Record] = {}
        self._sweeper = Sweeper()
        self._running = True
        self._abandoned = False
        self._epoll = select.epoll()
        self._reactions: dict[int, Callable[[], None]] = {}
        self._watch(base.fileno(), lambda: self._on_base(self._root))

    def stop_on(self, fd: int, *, abandoned: bool = False) -> None:
        """Leave :meth:`serve` when ``fd`` becomes readable; it means that the owner has died or not."""
        self._watch(fd, lambda: self._stop(abandoned=abandoned))

    def serve(self) -> None:
        """Run until the owner or a descriptor of :meth:`stop_on` says so; end every child."""
        try:
            while self._running:
                # One event at a time: what follows from it may end what the next one is about.
                for fd, _ in self._epoll.poll(maxevents=1):
                    self._reactions[fd]()
        finally:
            while self._records:
                self._end(next(iter(self._records.values())))

    def _stop(self, *, abandoned: bool) -> None:
        self._running = False
        self._abandoned = abandoned

    def _watch(self, fd: int, react: Callable[[], None]) -> None:
        self._reactions[fd] = react
        self._epoll.register(fd, select.EPOLLIN)

    def _unwatch(self, fd: int) -> None:
        self._epoll.unregister(fd)
        del self._reactions[fd]

    def _on_base(self, base: _Base) -> None:
        message, fds = _receive(base.socket)
        if fds:
            self._answer(base, message, fds)
        elif base is self._root and message in (FAREWELL, b""):
            self._stop(abandoned=not message)
        elif not message:
            self._close_base(base)

    def _answer(self, base: _Base, message: bytes, fds: list[int]) -> None:
        """Fork what is asked for, or say on its connection why not."""
        try:
            connection = socket.socket(fileno=fds[0])
        except OSError:
            # No socket: there is nobody to tell.
            os.close(fds[0])
        else:
            try:
                if len(fds) != _FDS:
                    raise LaunchError(f"a request comes with {_FDS} descriptors")
                self._fork(SpawnSpec.from_wire(message), connection, fds, base)
            except (LaunchError, OSError) as error:
                _tell(connection, _refusal(error))
                connection.close()
        for fd in fds[1:]:
            os.close(fd)

    def _fork(self, spec: SpawnSpec, connection: socket.socket, fds: list[int], base: _Base) -> None:
        ours, theirs = _socketpair() if spec.nested else (None, None)
        places = child.Descriptors(fds[0], fds[1], fds[2], fds[3], theirs.fileno() if theirs else None)
        group = None
        if spec.jail:
            self._ground.warden.world(spec.jail)  # made once, here, for all that follow
            group = self._ground.warden.group(spec.jail)
        pid = os.fork()
        if pid == 0:
            child.run(spec, places, self._ground, group)
        if theirs:
            theirs.close()
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        nested = _Base(ours) if ours else None
        alarm = group.memory_alarm() if group else None
        record = _Record(pid, pidfd, spec.scratch, spec.will, connection, base, nested, group, alarm)
        self._records[pid] = record
        base.children.add(record)
        self._watch(pidfd, lambda: self._end(record))
        self._watch(connection.fileno(), lambda: self._end(record))
        if alarm is not None:
            self._watch(alarm, lambda: self._end(record))
        if nested:
            self._watch(nested.socket.fileno(), lambda: self._on_base(nested))

    def _end(self, record: _Record) -> None:
        """Bury a child that died or is to die, with everything that it started, and report it."""
        self._unwatch(record.pidfd)
        self._unwatch(record.connection.fileno())
        if record.alarm is not None:
            self._unwatch(record.alarm)
            os.close(record.alarm)
        record.base.children.discard(record)
        gone = record.base.socket.fileno() < 0  # a handler's end of it closed with the handler
        forsaken = self._abandoned or gone or _hung_up(record.connection)
        ended = bury(record.pid, record.pidfd)
        del self._records[record.pid]
        if record.nested:
            self._close_base(record.nested)
        self._sweeper.sweep(self._records)
        os.close(record.pidfd)
        if record.will and (forsaken or not self._running):
            execute_will(record.will)
        if forsaken and record.base is self._root:
            # What cannot be removed there is nobody to tell about.
            with suppress(OSError):
                remove_tree(record.scratch)
        if record.group:
            ended = ended and replace(ended, out_of_memory=record.group.ran_out_of_memory())
            record.group.remove()
        message = ended.to_wire() if ended else {"error": f"process {record.pid} does not die"}
        _tell(record.connection, message)
        record.connection.close()

    def _close_base(self, base: _Base) -> None:
        if base.socket.fileno() >= 0:
            self._unwatch(base.socket.fileno())
            base.socket.close()
        while base.children:
            self._end(next(iter(base.children)))


def _socketpair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _receive(base: socket.socket) -> tuple[bytes, list[int]]:
    """One request and its descriptors; nothing of either when the other side is gone."""
    try:
        message, fds, _, _ = socket.recv_fds(base, REQUEST_LIMIT, _FDS, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return b"", []
    return message, fds


def _refusal(error: LaunchError | OSError) -> dict[str, Any]:
    if isinstance(error, LackingLayer):
        return {"error": error.what, "hint": error.hint, "lacking": True}
    return {"error": str(error)}


def _hung_up(connection: socket.socket) -> bool:
    """Whether the other side has closed it, as against having asked for the end of the child."""
    poll = select.poll()
    poll.register(connection, 0)
    return bool(poll.poll(0))


def _tell(connection: socket.socket, message: dict[str, Any]) -> None:
    # Nobody may be listening any more: whoever kills by closing does not.
    with suppress(OSError):
        connection.send(json.dumps(message).encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
