"""Examination: what a sandbox holds on this machine, found out by running the probes in it.

The same probes run unconfined too. One that is stopped there proves nothing about a sandbox, and is shown as such.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

from peagen_ray.errors import PluginError, SandboxError
from peagen_ray.handler import Confinement, HandlerContext, handling
from peagen_ray.launcher.client import Launcher, SpawnSpec
from peagen_ray.launcher.jail import calls
from peagen_ray.plugins import Group, load
from peagen_ray.sandbox.base import Guest, GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.conversation import ConversationGuest
from peagen_ray.sandbox.execution import Program
from peagen_ray.sandbox.probes import CONTROL, PROBES, Probe
from peagen_ray.sandbox.process import GUEST

LIMITS: Final = GuestLimits(wall_s=10.0, cpu_s=20.0, memory_mb=256, output_kb=64, scratch_mb=8)
"""What probes may use."""

_STARTS: Final = 9
"""Guests that are started to see what a start costs."""


class State(StrEnum):
    """What became of an attempt."""

    BLOCKED = "blocked"
    POSSIBLE = "possible"
    UNCLEAR = "unclear"
    """It ended in a way that says nothing about whether it was stopped."""


@dataclass(frozen=True)
class Finding:
    """What became of one probe, and how."""

    probe: str
    state: State
    how: str


@dataclass(frozen=True)
class Examination:
    """What was found out about one sandbox.

    Attributes:
        sandbox: its name.
        problem: why it cannot be used here, "" where it can.
        hint: what to do about that.
        layers: the layers of isolation that were really active.
        start_ms: wall time from asking for a guest to its first answer, median of a few; None if none started.
        findings: one for each probe.
    """

    sandbox: str
    problem: str = ""
    hint: str = ""
    layers: frozenset[str] = frozenset()
    start_ms: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it is to be had here, and every probe was stopped."""
        return not self.problem and all(each.state is State.BLOCKED for each in self.findings)


class Unconfined(Sandbox):
    """No sandbox at all: what a child of the launcher can do by itself. For our own probes only.

    Args:
        launcher: what starts the guests.
    """

    NAME = "none"

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def start(self, limits: GuestLimits, profile: Profile | None = None) -> Guest:  # noqa: ARG002
        """A guest that may do what we may; the limits bind only the conversation."""
        scratch = Path(tempfile.mkdtemp(prefix="peagen-guest-"))
        child = self._launcher.spawn(SpawnSpec(f"{GUEST}:main", scratch))
        bury = partial(shutil.rmtree, scratch, ignore_errors=True)
        return ConversationGuest(child, child.pid, limits, child.layers, bury)

    @contextmanager
    def fresh(self, hash_seed: int) -> Iterator[Sandbox]:
        """The same, from an interpreter of its own."""
        with Launcher.start([GUEST], hash_seed=hash_seed) as launcher:
            yield Unconfined(launcher)


@dataclass(frozen=True)
class Facts:
    """What there is to be reached from a sandbox; see :func:`bait`."""

    file: str
    secret: str
    port: int
    socket: str
    abstract: str
    address: int
    pid: int = field(default_factory=os.getpid)
    memory: int = LIMITS.memory_mb << 20
    disk: int = LIMITS.scratch_mb << 20
    calls: dict[str, int] = field(default_factory=calls.here)


@contextmanager
def bait(workspace: Path) -> Iterator[Facts]:
    """Lay out what probes reach for: a file, sockets that listen, and eight bytes of our memory.

    Args:
        workspace: a directory in which a file and a socket may lie meanwhile.
    """
    secret = uuid.uuid4().hex
    memory = ctypes.create_string_buffer(secret[:8].encode())
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".peagen-probe-", dir=workspace)))
        (place / "secret").write_text(secret)
        tcp, path, abstract = (
            stack.enter_context(socket.socket(family))
            for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX)
        )
        tcp.bind(("127.0.0.1", 0))
        path.bind(str(place / "socket"))
        abstract.bind(f"\0peagen-probe-{secret}")
        for listening in (tcp, path, abstract):
            listening.listen()
        yield Facts(
            file=str(place / "secret"),
            secret=secret,
            port=tcp.getsockname()[1],
            socket=str(place / "socket"),
            abstract=f"peagen-probe-{secret}",
            address=ctypes.addressof(memory),
        )


def attempt(sandbox: Sandbox, probe: Probe, facts: Facts, profile: Profile = Profile.PURE) -> Finding:
    """Run one probe in a guest of its own; raises SandboxError if none can be started."""
    done = sandbox.run(Program(probe.source, "probe", (vars(facts),)), LIMITS, profile)
    if done.outcome == "ok" and done.value is None:
        return Finding(probe.name, State.POSSIBLE, "")
    if done.outcome == "ok":
        return Finding(probe.name, State.BLOCKED, str(done.value))
    stopped = done.outcome in {"violation", "memory"}
    return Finding(probe.name, State.BLOCKED if stopped else State.UNCLEAR, f"{done.outcome}: {done.reason}")


def examine(sandbox: Sandbox, facts: Facts, probes: Sequence[Probe] = PROBES) -> Examination:
    """Run the probes in a sandbox; one that cannot be used here is an answer too."""
    try:
        start_ms, layers = _starting(sandbox)
        control = attempt(sandbox, CONTROL, facts)
        if control.state is not State.POSSIBLE:
            return Examination(sandbox.NAME, f"runs no program: {control.how}", "", layers, start_ms)
        findings = tuple(attempt(sandbox, probe, facts) for probe in probes)
    except SandboxError as error:
        return Examination(sandbox.NAME, error.what, error.hint)
    return Examination(sandbox.NAME, "", "", layers, start_ms, findings)


def examine_all(
    names: Sequence[str], workspace: Path, confinement: Confinement, probes: Sequence[Probe] = PROBES
) -> tuple[Examination, list[Examination]]:
    """Examine the sandboxes that are registered under those names, as a worker with that confinement has them.

    Returns:
        what the probes can do unconfined, and an examination of each.

    Raises:
        LaunchError: no process can be started here at all.
        OSError: nothing can be written to the workspace.
    """
    with Launcher.start([GUEST]) as launcher, bait(workspace) as facts:
        unconfined = examine(Unconfined(launcher), facts, probes)
        with handling(HandlerContext(workspace, launcher=launcher, confinement=confinement)):
            return unconfined, [_examine_named(name, facts, probes) for name in names]


def _examine_named(name: str, facts: Facts, probes: Sequence[Probe]) -> Examination:
    try:
        sandbox: Sandbox = load(Group.SANDBOXES, name)()
    except (PluginError, SandboxError) as error:
        return Examination(name, error.what, error.hint)
    return examine(sandbox, facts, probes)


def _starting(sandbox: Sandbox) -> tuple[float, frozenset[str]]:
    """What starting a guest takes in milliseconds, and the layers around it."""
    taken: list[float] = []
    layers: frozenset[str] = frozenset()
    for _ in range(_STARTS):
        begun = time.perf_counter()
        with sandbox.start(LIMITS) as guest:
            guest.ask({"op": "main", "source": "", "argv": []})
            taken.append((time.perf_counter() - begun) * 1e3)
            layers = guest.layers
    return statistics.median(taken), layers
