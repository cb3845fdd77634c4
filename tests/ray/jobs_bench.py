"""What tests of the job server share: a head that has one, and a line to it that can be cut. Not a test."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Self

from peagen_ray.testing.autoscaling import AutoscalingCluster

_START_S = 120.0
_CHUNK = 1 << 16


class JobsHead(AutoscalingCluster):
    """A head without CPUs, with the dashboard's process, which is the job server.

    Attributes:
        url: its address.
    """

    url = ""

    def start(self) -> Self:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self._port = taken.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        super().start()
        end = time.monotonic() + _START_S
        while not self._answers():
            if time.monotonic() > end:
                said = self.log[-3000:]
                self.stop()
                raise RuntimeError(f"no job server: {said}")
            time.sleep(0.1)
        return self

    def _answers(self) -> bool:
        with (
            suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{self.url}/api/version") as reply,
        ):
            return reply.status == 200
        return False

    def _launch(self, command: list[str]) -> None:
        kept = [word for word in command if word != "--include-dashboard=false"]
        shown = ["--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={self._port}"]
        super()._launch([*kept, *shown])


class Line:
    """Listens on a port of its own and passes on to a server's, until it is cut.

    Args:
        port: the server's.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._dead = False
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join()

    def cut(self) -> None:
        """Cut what is connected, and hang up on whoever calls, until it is mended."""
        with self._lock:
            self._dead = True
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Pass on again."""
        with self._lock:
            self._dead = False

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    if self._dead:
                        client.close()
                        continue
                    server = socket.create_connection(("127.0.0.1", self._port))
                    self._open |= {client, server}
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()
