"""What runs under callgrind: a guest that does the same instructions whatever the time and the machine.

It answers as :mod:`peagen_ray.sandbox.guest` does, but each read blocks until all is there: how often a
reader has to wait differs from run to run.
"""

from __future__ import annotations

import socket
import struct

from peagen_ray.launcher import framing
from peagen_ray.sandbox.guest import responder

CHANNEL = 3
_LENGTH = struct.Struct(">I")


def main() -> None:
    """Answer the host until it hangs up."""
    channel = socket.socket(fileno=CHANNEL)
    channel.setblocking(True)
    respond = responder()
    while header := channel.recv(_LENGTH.size, socket.MSG_WAITALL):
        (length,) = _LENGTH.unpack(header)
        message = channel.recv(length, socket.MSG_WAITALL) if length else b""
        framing.send(channel, respond(message))
