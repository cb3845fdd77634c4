"""Ports for servers that want to be told one, and cannot be asked which they took."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from typing import Final

_RANGE: Final = range(24_000, 32_000)
"""Below the ports that kernels give to connections by themselves, and beside Ray's own, of workers and of clients."""


def free_ports(count: int) -> list[int]:
    """So many different ports that nobody listens on, on any address.

    One that the kernel chooses may be given to a connection of somebody else's before the server has taken it; from
    outside of the kernel's range only another server can come first.

    Raises:
        OSError: there are not so many.
    """
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(_RANGE, len(_RANGE)):
            if len(found) == count:
                break
            try:
                stack.enter_context(socket.create_server(("", port)))
            except OSError:
                continue
            found.append(port)
    if len(found) < count:
        msg = f"no {count} ports are free from {_RANGE.start} to {_RANGE.stop}"
        raise OSError(msg)
    return found
