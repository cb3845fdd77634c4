"""What a process printed: the beginning and the end of it, however much it was."""

from __future__ import annotations

import os
from collections import deque
from typing import Final

HEAD: Final = 48 * 1024
TAIL: Final = 16 * 1024
"""Bytes kept of the beginning and of the end; what lies between is dropped and counted."""

_CHUNK: Final = 64 * 1024
_READS: Final = 64
"""Reads of one drain: a process that prints without end must not hold its reader."""


class Capture:
    """Reads a pipe without blocking and keeps a bounded part. For one thread at a time.

    Args:
        fd: the reading end of a pipe, taken over.

    Attributes:
        printed: bytes read so far.
        dropped: those of them that were not kept.
    """

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd: int | None = fd
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.printed = 0
        self.dropped = 0

    @property
    def fd(self) -> int | None:
        """The pipe, None once it has ended."""
        return self._fd

    @property
    def size(self) -> int:
        """Bytes read so far, those that were dropped included."""
        return len(self._head) + self._tail_size + self.dropped

    def drain(self) -> None:
        """Read what is there, up to 4 MiB; at the end of the pipe close it."""
        for _ in range(_READS):
            if self._fd is None:
                return
            try:
                chunk = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                return
            if chunk:
                self._keep(chunk)
            else:
                self.close()

    def text(self) -> str:
        """What was kept; bytes that are no UTF-8 are replaced."""
        head, tail = (bytes(part).decode(errors="replace") for part in (self._head, b"".join(self._tail)))
        return f"{head}\n[{self.dropped} bytes dropped]\n{tail}" if self.dropped else head + tail

    def close(self) -> None:
        """Close the pipe; what was kept stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _keep(self, chunk: bytes) -> None:
        self.printed += len(chunk)
        room = HEAD - len(self._head)
        self._head += chunk[:room]
        rest = chunk[max(0, room) :]
        if not rest:
            return
        self._tail.append(rest)
        self._tail_size += len(rest)
        while (excess := self._tail_size - TAIL) > 0:
            first = self._tail.popleft()
            cut = min(excess, len(first))
            if cut < len(first):
                self._tail.appendleft(first[cut:])
            self._tail_size -= cut
            self.dropped += cut
