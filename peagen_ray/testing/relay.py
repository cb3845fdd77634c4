"""What stands between a client and a server, and loses replies when a test says so."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_CHUNK: Final = 1 << 16


class Relay:
    """Listens on a Unix socket, and passes on to a server's; forwards everything unless told otherwise.

    Concurrency: :meth:`lose_replies` and :meth:`cut` may be called from any thread.

    Args:
        target: the server's socket.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._dir = Path(tempfile.mkdtemp(prefix="peagen-relay-"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._dir / "socket"))
        self._listener.listen()
        self._lock = threading.Lock()
        self._to, self._left, self.lost = b"", 0, 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The address that clients use."""
        return f"unix://{self._dir / 'socket'}"

    def lose_replies(self, times: int = 1, to: bytes = b"EVALSHA") -> None:
        """Cut the connection as soon as the server has answered a request with those bytes in it.

        Args:
            times: how many such answers are lost.
            to: the bytes.
        """
        with self._lock:
            self._to, self._left, self.lost = to, times, 0

    def cut(self) -> None:
        """Cut every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _hang_up(*pair)

    def close(self) -> None:
        """Stop; whoever is connected is cut off."""
        _hang_up(self._listener)
        self._listener.close()
        self.cut()
        shutil.rmtree(self._dir, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    server.connect(str(self._target))
                except OSError:
                    client.close()
                    server.close()
                    continue
                with self._lock:
                    self._pairs.append((client, server))
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        doomed = threading.Event()
        asking = threading.Thread(target=self._ask, args=(client, server, doomed), daemon=True)
        asking.start()
        self._answer(client, server, doomed)
        asking.join()
        client.close()
        server.close()
        with self._lock, suppress(ValueError):
            self._pairs.remove((client, server))

    def _ask(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                with self._lock:
                    if self._left and self._to in data:
                        self._left -= 1
                        self.lost += 1
                        doomed.set()
                server.sendall(data)
        _hang_up(client, server)

    def _answer(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(_CHUNK):
                if doomed.is_set():
                    break
                client.sendall(data)
        _hang_up(client, server)


def _hang_up(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
