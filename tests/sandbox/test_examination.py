"""Probes: the sandbox stops every one, most of them succeed where nothing stops them, and none lies about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peagen_ray.errors import SandboxError
from peagen_ray.handler import Confinement
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import Guest, GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.examination import Facts, State, Unconfined, attempt, bait, examine, examine_all
from peagen_ray.sandbox.probes import CONTROL, PROBES, Probe
from peagen_ray.sandbox.process import GUEST, ProcessSandbox

ANYBODY_CAN = frozenset(
    [
        "read-workspace",
        "write-workspace",
        "read-system",
        "process-environment",
        "process-list",
        "signal-starter",
        "signal-all",
        "signal-parent",
        "thread",
        "fork",
        "execute",
        "tcp",
        "udp",
        "unix-path",
        "unix-abstract",
        "netlink",
        "shared-memory",
        "memory-file",
        "memory",
        "disk",
        "files",
    ]
)
"""What needs no privilege on any kernel."""


@pytest.fixture(scope="session")
def unconfined() -> Iterator[Unconfined]:
    with Launcher.start([GUEST]) as launcher:
        yield Unconfined(launcher)


@pytest.fixture(scope="session")
def facts() -> Iterator[Facts]:
    """Bait in the checkout: what lies under ``/tmp`` is covered anyway."""
    with bait(Path(__file__).parents[2]) as facts:
        yield facts


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_the_process_sandbox_stops(probe: Probe, sandbox: ProcessSandbox, facts: Facts) -> None:
    found = attempt(sandbox, probe, facts)
    assert found.state is State.BLOCKED, found


@pytest.mark.parametrize("name", sorted(ANYBODY_CAN))
def test_a_probe_succeeds_where_nothing_stops_it(name: str, unconfined: Unconfined, facts: Facts) -> None:
    (probe,) = (probe for probe in PROBES if probe.name == name)
    assert attempt(unconfined, probe, facts).state is State.POSSIBLE


def test_probes_have_names_of_their_own_and_are_programs() -> None:
    assert len({probe.name for probe in PROBES}) == len(PROBES) >= 40
    for probe in (CONTROL, *PROBES):
        compile(probe.source, probe.name, "exec")
        assert probe.tries
        assert probe.body.strip()


def test_what_is_wrong_with_a_probe_is_no_merit_of_the_sandbox(unconfined: Unconfined, facts: Facts) -> None:
    for body in ("import nowhere", "os._exit(0)", "this is no Python"):
        assert attempt(unconfined, Probe("broken", "", body), facts).state is State.UNCLEAR


def test_probes_leave_nothing_in_the_workspace(unconfined: Unconfined, tmp_path: Path) -> None:
    with bait(tmp_path) as facts:
        examine(unconfined, facts, [probe for probe in PROBES if "workspace" in probe.name])
    assert list(tmp_path.iterdir()) == []


class Broken(Sandbox):
    """Cannot be used, or starts guests that cannot do anything."""

    NAME = "broken"

    def __init__(self, inner: Sandbox | None = None) -> None:
        self._inner = inner

    def start(self, limits: GuestLimits, profile: Profile = Profile.PURE) -> Guest:
        if self._inner is None:
            raise SandboxError("it is not installed", hint="install it")
        guest = self._inner.start(limits, profile)
        ask = guest.ask
        guest.ask = lambda header, *rest, **more: ask(  # type: ignore[method-assign]
            {**header, "source": "def probe(facts):\n    import nowhere\n"}, *rest, **more
        )
        return guest

    @contextmanager
    def fresh(self, hash_seed: int) -> Iterator[Sandbox]:
        yield self


def test_a_sandbox_that_cannot_be_used_is_said_to_be_with_what_to_do(facts: Facts) -> None:
    found = examine(Broken(), facts)
    assert (found.sandbox, found.problem, found.hint) == ("broken", "it is not installed", "install it")
    assert not found.holds


def test_a_sandbox_in_which_nothing_works_stops_nothing(unconfined: Unconfined, facts: Facts) -> None:
    found = examine(Broken(unconfined), facts)
    assert found.problem.startswith("runs no program: error")
    assert (found.holds, found.findings) == (False, ())


def test_every_registered_sandbox_is_examined_beside_none_at_all(tmp_path: Path) -> None:
    chosen = [probe for probe in PROBES if probe.name in {"fork", "tcp"}]
    free, (process, missing) = examine_all(["process", "no-such-sandbox"], tmp_path, Confinement(), chosen)
    assert [each.state for each in free.findings] == [State.POSSIBLE] * 2
    assert not free.holds
    assert [each.state for each in process.findings] == [State.BLOCKED] * 2
    assert process.holds
    assert process.layers > free.layers - {"private-tmp"}
    assert process.start_ms is not None
    assert "no installed wheel" in missing.problem


def test_bait_is_what_it_is_said_to_be(tmp_path: Path) -> None:
    with bait(tmp_path) as facts:
        assert Path(facts.file).read_text() == facts.secret
        assert facts.pid == os.getpid()
        assert facts.calls["getpid"] in {39, 172}
    assert not Path(facts.file).exists()
