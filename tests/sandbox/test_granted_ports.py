"""An evaluator reaches the ports that its worker grants, and nothing else of the network; who is measured reaches none."""

from __future__ import annotations

import io
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from peagen_ray.handler import Confinement
from peagen_ray.launcher.jail import landlock
from peagen_ray.sandbox.base import GuestLimits, Profile
from peagen_ray.sandbox.evaluation import Assignment, Evaluated, evaluate
from peagen_ray.sandbox.execution import Program
from peagen_ray.sandbox.process import ProcessSandbox

pytestmark = pytest.mark.skipif(
    landlock.version() < landlock.NETWORK_SINCE and "CI" not in os.environ,
    reason="the kernel cannot keep TCP to some ports",
)

LIMITS = GuestLimits(cpu_s=60.0, memory_mb=2048)
CALL = """
import socket

def evaluate(path):
    found = {}
    for name, port in PORTS.items():
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as line:
                found[name] = float(line.makefile().readline())
        except OSError as error:
            found[name] = error.strerror
    try:
        socket.create_server(("127.0.0.1", 0))
    except OSError as error:
        found["served"] = error.strerror
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(ABSTRACT)
            found["abstract"] = "reached"
    except OSError as error:
        found["abstract"] = error.strerror
    with open("/etc/hosts") as file:
        found["hosts"] = "127.0.0.1" in file.read()
    try:
        found["named"] = bool(socket.getaddrinfo("localhost", 80))
    except OSError as error:
        found["named"] = str(error)
    return {"combined_score": 1.0, **found}
"""


@pytest.fixture
def servers() -> Iterator[list[int]]:
    """Ports of this machine at which somebody says a number."""
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        for line in lines:
            threading.Thread(target=_say, args=(line,), daemon=True).start()
        yield [line.getsockname()[1] for line in lines]
        for line in lines:
            line.shutdown(socket.SHUT_RDWR)


def _say(line: socket.socket) -> None:
    while True:
        try:
            caller, _ = line.accept()
        except OSError:
            return
        with caller:
            caller.sendall(b"7.5\n")


@pytest.fixture
def abstract() -> Iterator[str]:
    """The name of a socket of this machine's that lies in no directory."""
    with socket.socket(socket.AF_UNIX) as line:
        line.bind("")
        line.listen()
        yield line.getsockname().decode()


def judged(sandbox: ProcessSandbox, granted: tuple[int, ...], ports: list[int], abstract: str) -> Evaluated:
    tree = ProcessSandbox(sandbox._launcher, confinement=Confinement(ports=granted), profile=Profile.TREE)
    tree.connects = True
    named = dict(zip(("granted", "other"), ports, strict=True))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evaluator.py", f"PORTS = {named!r}\nABSTRACT = {abstract!r}\n{CALL}")
    entry = "peagen_ray.sandbox.conventions.module:judge"
    options = {"file": "evaluator.py"}
    return evaluate(tree, LIMITS, Assignment(entry, options, buffer.getvalue(), {"p.py": ""}, "p.py", 20.0))


def test_the_granted_port_is_reached_and_no_other_and_nobody_is_served(
    sandbox: ProcessSandbox, servers: list[int], abstract: str
) -> None:
    seen = judged(sandbox, (servers[0],), servers, abstract)
    assert (seen.outcome, seen.reason) == ("ok", "")
    assert seen.metrics["granted"] == 7.5
    for name in ("other", "served"):
        assert seen.metrics[name].startswith("Permission denied")
    assert seen.metrics["named"] is True
    assert seen.metrics["abstract"] != "reached"
    assert seen.metrics["hosts"] is True
    assert {"landlock", "seccomp", "namespaces", "pid-namespace", "private-root"} <= set(seen.layers)


def test_without_a_grant_there_is_no_network(
    sandbox: ProcessSandbox, servers: list[int], abstract: str
) -> None:
    seen = judged(sandbox, (), servers, abstract)
    assert seen.outcome in ("ok", "error")
    assert seen.metrics.get("granted") != 7.5
    assert seen.metrics.get("abstract") != "reached"


@pytest.mark.parametrize("profile", [Profile.PURE, Profile.THREADS, Profile.TREE])
def test_whose_speed_is_measured_has_no_network_whatever_is_granted(
    sandbox: ProcessSandbox, servers: list[int], profile: Profile
) -> None:
    grants = Confinement(ports=tuple(servers))
    alone = ProcessSandbox(sandbox._launcher, confinement=grants, profile=profile)
    source = "import socket\ndef call(port):\n    return socket.create_connection(('127.0.0.1', port), 5) is not None\n"
    done: Any = alone.run(Program(source, "call", (servers[0],)), LIMITS, profile)
    assert done.outcome == "error"
    assert "OSError" in done.reason or "PermissionError" in done.reason
