"""Length-prefixed messages on a stream socket: four bytes, big-endian, and then the message."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from peagen_ray.errors import LaunchError

_HEADER: Final = struct.Struct(">I")

Ready = Callable[[socket.socket, int, float | None], None]
"""Blocks until a socket is ready for the events of ``select.poll``; raises ChannelTimeout."""


class ChannelClosed(LaunchError):
    """The other side is gone, in between messages or within one."""


class MessageTooLong(LaunchError):
    """A message is longer than the reader takes; the channel is of no use afterwards."""


class ChannelTimeout(LaunchError):
    """The deadline passed first; the channel is of no use afterwards."""


def milliseconds_to(deadline: float | None) -> int | None:
    """What ``select.poll`` takes for a deadline on the clock of ``time.monotonic``, rounded up."""
    return None if deadline is None else max(0, int((deadline - time.monotonic()) * 1000) + 1)


def wait_ready(sock: socket.socket, events: int, deadline: float | None) -> None:
    """Block until the socket is ready; raises ChannelTimeout."""
    poll = select.poll()
    poll.register(sock, events)
    if not poll.poll(milliseconds_to(deadline)):
        raise ChannelTimeout("nothing came in time" if events & select.POLLIN else "the reader is stuck")


def send(
    sock: socket.socket, message: bytes, deadline: float | None = None, ready: Ready = wait_ready
) -> None:
    """Send one message.

    Args:
        sock: a connected stream socket.
        message: fewer than 2**32 bytes.
        deadline: give up at this time of ``time.monotonic``; None waits forever.
        ready: how to wait until the socket takes more.

    Raises:
        ChannelClosed: the reader is gone.
        ChannelTimeout: it did not take the whole message in time.
    """
    rest = memoryview(_HEADER.pack(len(message)) + message)
    while rest:
        try:
            rest = rest[sock.send(rest, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            ready(sock, select.POLLOUT, deadline)
        except OSError as error:
            raise ChannelClosed("the other side is gone", hint=str(error)) from error


def receive(
    sock: socket.socket, limit: int, deadline: float | None = None, ready: Ready = wait_ready
) -> bytes:
    """Receive one message of at most ``limit`` bytes.

    Raises:
        ChannelClosed: the writer is gone, perhaps within a message.
        MessageTooLong: it announced more than ``limit`` bytes; none of them were read.
        ChannelTimeout: the message was not whole at ``deadline``.
    """
    (length,) = _HEADER.unpack(_fill(sock, _HEADER.size, deadline, ready))
    if length > limit:
        raise MessageTooLong(f"a message of {length} bytes, where {limit} is the limit")
    return _fill(sock, length, deadline, ready)


def _fill(sock: socket.socket, size: int, deadline: float | None, ready: Ready) -> bytes:
    message = bytearray(size)
    rest = memoryview(message)
    while rest:
        try:
            count = sock.recv_into(rest, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            ready(sock, select.POLLIN, deadline)
            continue
        except OSError as error:
            raise ChannelClosed("the other side is gone", hint=str(error)) from error
        if count == 0:
            raise ChannelClosed(f"the other side is gone, {len(rest)} bytes short of a whole message")
        rest = rest[count:]
    return bytes(message)
