"""Guests whose interpreter is executed inside a sandbox of another program's, and greeted on its channel."""

from __future__ import annotations

import json
import select
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from peagen_ray.errors import LaunchError, SandboxError
from peagen_ray.handler import current
from peagen_ray.launcher import framing
from peagen_ray.launcher.client import Child, Launcher, SpawnSpec
from peagen_ray.launcher.jail.policy import Profile
from peagen_ray.launcher.spec import Exit
from peagen_ray.sandbox import keeper
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.boot import SCRATCH, Order
from peagen_ray.sandbox.conversation import ConversationGuest

_ENVIRONMENT: Final = (
    ("HOME", SCRATCH),
    ("TMPDIR", SCRATCH),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("MKL_NUM_THREADS", "1"),
    ("NUMEXPR_NUM_THREADS", "1"),
)
"""A home, and one thread for linear algebra."""

_CREDENTIALS: Final = struct.Struct("3i")
_HELLO_LIMIT: Final = 4096
_SIGNALLED: Final = 128
_OPEN_FILES: Final = 64
_OPEN_FILES_OF_TREES: Final = 1024
_PROMPTLY: Final = 5.0
"""Seconds for a program to end that has hung up."""

_REASON: Final = 500
"""Characters that are kept of what a program said when it failed."""


class ExecutedGuest(ConversationGuest):
    """A guest in a sandbox whose own process relays how it ended: 128 and the number, if by a signal."""

    def _spent_s(self) -> float:
        with suppress(OSError):
            return time.clock_gettime_ns(self._clock) / 1e9
        return 0.0

    def _ended(self) -> Exit:
        gone = super()._ended()
        if gone.code is None or gone.code <= _SIGNALLED:
            return gone
        return replace(gone, code=None, signal=gone.code - _SIGNALLED)


class Hello(NamedTuple):
    """What is known of a guest when it has said hello.

    Attributes:
        pid: the process that said it, as seen from here; of the engine's client, if it came by one.
        place: its ``boot.whereabouts``; told, like the layers, before it has met anything untrusted.
        layers: those of its layers that cannot be seen from here.
    """

    pid: int
    place: dict[str, str]
    layers: frozenset[str]


class Booting:
    """A program of the launcher's that is to make a sandbox and execute a guest there.

    Args:
        launcher: what starts it; by default the one of the task that is being handled.
        argv: the program.
        stdio: it passes its standard input and output on to the guest as the channel.
        keep: directories that it must see although they lie under ``/tmp``.
        will: see ``SpawnSpec``.
        remove: removes what it leaves elsewhere, once it is gone.

    Raises:
        SandboxError: it cannot be started.
    """

    def __init__(
        self,
        launcher: Launcher | None,
        argv: tuple[str, ...],
        *,
        stdio: bool,
        keep: tuple[Path, ...] = (),
        will: tuple[str, ...] = (),
        remove: Callable[[], None] = lambda: None,
    ) -> None:
        launcher = launcher or current().launcher
        if launcher is None:
            raise SandboxError("there is no launcher to start a guest with", hint="run it in a one-shot task")
        self._remove = remove
        self._scratch = Path(tempfile.mkdtemp(prefix="peagen-guest-"))
        spec = SpawnSpec("", self._scratch, argv=argv, stdio=stdio, keep=keep, will=will)
        try:
            self.child: Child = launcher.spawn(spec)
        except LaunchError as error:
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise SandboxError(str(error), hint=error.hint) from error

    def greet(self, order: Order, patience: float) -> Hello:
        """Give the order and hear the hello.

        Raises:
            SandboxError: none came within ``patience`` seconds; says what the program printed last.
        """
        deadline, channel = time.monotonic() + patience, self.child.channel
        try:
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self.child.send(order.to_wire(), deadline)
            framing.wait_ready(channel, select.POLLIN, deadline)
            pid = _sender(channel)
            hello = json.loads(self.child.receive(_HELLO_LIMIT, deadline))
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
            return Hello(pid, hello["place"], frozenset(hello["layers"]))
        except (LaunchError, ValueError, TypeError, KeyError, OSError) as error:
            raise SandboxError(f"no guest was started: {self._last_words(error)}") from error

    def bury(self) -> None:
        """Remove what the program left, once it is gone."""
        try:
            self._remove()
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def abandon(self) -> None:
        """End it, and remove what it left."""
        self.child.close()
        self.bury()

    def _last_words(self, error: Exception) -> str:
        """What the program said or how it ended, or else what was wrong with its answer."""
        gone = self.child.wait(_PROMPTLY) if isinstance(error, framing.ChannelClosed | OSError) else None
        said = "".join(keeper.apart(self.child.output()[1])).strip().splitlines()[-2:]
        return " / ".join(said)[-_REASON:] or (gone.reason if gone else str(error))


def order_for(limits: GuestLimits, profile: Profile, **more: Any) -> Order:
    """What a guest under those limits is told; ``more`` are further fields of the order."""
    return Order(
        profile=profile.value,
        address_space=None if profile is Profile.GPU else int(limits.memory_mb) << 20,
        file_bytes=int(limits.scratch_mb) << 20,
        open_files=open_files(profile),
        environment=_ENVIRONMENT,
        **more,
    )


def open_files(profile: Profile) -> int:
    """Descriptors that such a guest may have open at a time."""
    return _OPEN_FILES_OF_TREES if profile.forks else _OPEN_FILES


def _sender(channel: socket.socket) -> int:
    """Process id of whoever sends what is to be read next, translated by the kernel; 0 if there is nobody."""
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_PEEK)
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            return int(_CREDENTIALS.unpack(data)[0])
    return 0
