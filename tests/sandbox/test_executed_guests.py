"""Guests that are executed in namespaces or containers: they work as any other, and are shut in."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from programs import EVALUATE, LIMITS, load, observed, value

import peagen_ray
from peagen_ray.errors import SandboxError
from peagen_ray.launcher.jail import landlock
from peagen_ray.launcher.jail.policy import Layer
from peagen_ray.sandbox.base import GuestFailed, Sandbox
from peagen_ray.sandbox.boot import Order
from peagen_ray.sandbox.conversation import ConversationGuest
from peagen_ray.sandbox.layers import ENCLOSED, demand, observe
from peagen_ray.sandbox.measure import confirm, screen
from peagen_ray.sandbox.reference import Reference, Subject


def test_an_interrupt_of_their_own_is_an_error_and_nobody_elses(enclosure: Sandbox) -> None:
    source = "def f(x):\n    raise KeyboardInterrupt\n"
    with load(enclosure, source) as guest, pytest.raises(GuestFailed) as failure:
        observed(guest)
    assert (failure.value.outcome, failure.value.reason) == ("error", "exit 1: KeyboardInterrupt")


PLANTING = """
def f(directories):
    planted = []
    for directory in directories:
        try:
            open(f'{directory}/planted', 'w').close()
            planted.append(directory)
        except OSError:
            pass
    return planted
"""


def test_nothing_can_be_written_but_their_own_tmp(enclosure: Sandbox) -> None:
    places = [
        "/",
        "/usr/lib",
        "/peagen/peagen_ray",
        "/dev",
        "/dev/shm",
        "/var/tmp",
        "/run",
        "/etc",
        "/tmp",
    ]
    with load(enclosure, PLANTING) as guest:
        assert observed(guest, places).value == ["/tmp"]


def test_files_of_the_host_are_not_there(enclosure: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sk-planted")
    secret.chmod(0o644)
    here = Path(peagen_ray.__file__).parents[1]
    places = [
        "/etc/shadow",
        "/etc/machine-id",
        "/root/.bashrc",
        "/home",
        str(secret),
        *map(str, here.glob("*")),
    ]
    with load(enclosure, EVALUATE) as guest:
        assert [place for place in places if value(guest, f"os.path.exists({place!r})")] == []


OPEN = """
import os

def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True

def f(x):
    return [number for number in range(64) if is_open(number)], os.read(0, 1)
"""


def test_they_are_nobody_and_hold_their_channel_alone(enclosure: Sandbox) -> None:
    with load(enclosure, EVALUATE) as guest:
        assert 0 not in value(guest, "(*os.getresuid(), *os.getresgid(), *os.getgroups())")
    with load(enclosure, OPEN) as guest:
        assert observed(guest).value == ([0, 1, 2, 3], b"")


def test_the_layers_are_those_that_the_kernel_tells_of(enclosure: Sandbox) -> None:
    with load(enclosure, EVALUATE) as guest:
        assert guest.layers >= ENCLOSED
        assert (Layer.CGROUP in guest.layers) == (enclosure.NAME == "container")
        assert (Layer.LANDLOCK in guest.layers) == bool(landlock.version())


def test_nothing_is_left_of_them(enclosure: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with load(enclosure, EVALUATE) as guest:
        assert isinstance(guest, ConversationGuest)
        process = guest._proc
        assert process.exists()
    assert not process.exists()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(GuestFailed, match="has been ended"):
        observed(guest)
    guest.close()


def test_candidates_are_measured_in_them_against_the_original(
    enclosure: Sandbox, subject: Subject, reference: Reference
) -> None:
    fast = "def total(numbers):\n    return sum(numbers)\n"
    ranked = screen(enclosure, LIMITS, subject, reference, fast)
    confirmed = confirm(enclosure, LIMITS, subject, reference, fast, seed=5, fresh=3, most_s=0.2)
    for verdict in (ranked, confirmed):
        assert (verdict.outcome, verdict.reason) == ("ok", "")
        assert verdict.speed is not None
        assert verdict.speed.low > 1
    wrong = "def total(numbers):\n    return 0\n"
    assert screen(enclosure, LIMITS, subject, reference, wrong).outcome == "incorrect"


# The parts


def test_a_layer_that_is_demanded_and_missing_is_an_error() -> None:
    here = observe(os.getpid())
    assert not here & {Layer.PID_NAMESPACE, Layer.NAMESPACES, Layer.PRIVATE_ROOT}
    with pytest.raises(SandboxError, match="without namespaces, which") as refused:
        demand(here, {Layer.NAMESPACES}, "bubblewrap", "enable them")
    assert (refused.value.subject, refused.value.hint) == ("sandbox bubblewrap", "enable them")
    assert demand(here | {"namespaces"}, {Layer.NAMESPACES}, "bubblewrap") == here | {"namespaces"}


def test_of_a_process_that_is_gone_no_layer_is_active() -> None:
    assert observe(1 << 30) == frozenset()


def test_an_order_survives_the_wire() -> None:
    order = Order("tree", 7, "size=1", ("/etc",), None, 4096, 64, 9, 1, ("/a", "/b"), (("HOME", "/tmp"),))
    assert Order.from_wire(order.to_wire()) == order
