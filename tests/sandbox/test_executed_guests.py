"""Guests that are executed in namespaces or containers: they work as any other, and are shut in."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from programs import EVALUATE, LIMITS, load, observed, value

import peagen_ray
from peagen_ray.errors import SandboxError
from peagen_ray.launcher.jail import landlock
from peagen_ray.launcher.jail.policy import Layer
from peagen_ray.sandbox.base import GuestFailed, Profile, Sandbox
from peagen_ray.sandbox.boot import Order
from peagen_ray.sandbox.conversation import ConversationGuest
from peagen_ray.sandbox.layers import ENCLOSED, demand, observe
from peagen_ray.sandbox.measure import confirm, screen
from peagen_ray.sandbox.reference import Reference, Subject

ENVIRONMENT = {
    "HOME",
    "TMPDIR",
    "PATH",
    "LANG",
    "LC_CTYPE",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
}


def attempt(body: str) -> str:
    """A program that says what comes of something forbidden."""
    return f"""
import ctypes, multiprocessing, os, socket, subprocess, sys, threading

def f(x):
    try:
        return "done", repr({body})
    except (OSError, RuntimeError) as error:
        return "refused", repr(error)
"""


def test_they_answer_with_what_a_call_returned_or_raised(enclosure: Sandbox) -> None:
    with load(enclosure, "def f(x):\n    return {1: 'one'}[x]\n") as guest:
        assert observed(guest, 1).value == "one"
        assert observed(guest, 2).outcome == "raised"
        assert observed(guest, 1).value == "one"


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        ("import os; os._exit(3)", "error", "exit 3"),
        ("import sys; sys.exit(0)", "error", "exit 0"),
        ("raise KeyboardInterrupt", "error", "exit 1: KeyboardInterrupt"),
        ("import ctypes; ctypes.string_at(0)", "killed", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed", "SIGKILL"),
        ("while True: pass", "timeout", "no answer within"),
        ("return 'x' * (64 << 20)", "violation", "exceed"),
        ("print('y' * (8 << 20))", "violation", "printed more than"),
        ("import os; os.close(3)", "error", ""),
        ("import os; os.write(3, b'\\x00\\x00\\x00\\x04rub\\n')", "error", "rubbish"),
        ("import os; os.write(3, b'\\xff\\xff\\xff\\xff')", "violation", "larger than"),
        ("import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "violation", "SIGSYS"),
    ],
)
def test_one_that_misbehaves_fails_with_its_reason(
    enclosure: Sandbox, body: str, outcome: str, reason: str
) -> None:
    with load(enclosure, f"def f(x):\n    {body}\n") as guest, pytest.raises(GuestFailed) as failure:
        observed(guest, 1, wall_s=2.0)
    assert failure.value.outcome == outcome
    assert reason in failure.value.reason


def test_a_memory_bomb_is_stopped_by_its_limit(enclosure: Sandbox) -> None:
    with load(enclosure, "def f(x):\n    return len(bytearray(4 << 30))\n") as guest:
        assert "MemoryError" in observed(guest).summary()


def test_cpu_time_runs_out(enclosure: Sandbox) -> None:
    source = "def f(x):\n    return sum(range(60_000_000))\n"
    with load(enclosure, source, replace(LIMITS, cpu_s=0.5)) as guest, pytest.raises(GuestFailed) as failure:
        observed(guest)
    assert failure.value.outcome == "timeout"


def test_a_full_scratch_directory_is_their_own_trouble(enclosure: Sandbox) -> None:
    source = """
def f(x):
    for number in range(8):
        with open(f'part-{number}', 'wb') as file:
            file.write(bytes(1 << 20))
"""
    with load(enclosure, source) as guest:
        assert "No space left" in observed(guest).summary()


@pytest.mark.parametrize(
    "directory", ["/", "/usr/lib", "/opt/peagen/peagen_ray", "/dev", "/dev/shm", "/var/tmp", "/run", "/etc"]
)
def test_nothing_can_be_written_but_their_own_tmp(enclosure: Sandbox, directory: str) -> None:
    with load(enclosure, attempt(f"open('{directory}/planted', 'w').close()")) as guest:
        assert observed(guest).value[0] == "refused"
    with load(enclosure, attempt("[open('/tmp/mine', 'w').close(), *os.listdir('.')]")) as guest:
        assert observed(guest).value == ("done", "[None, 'mine']")


@pytest.mark.parametrize(
    "what",
    [
        "socket.socket()",
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.socket(40)",
        "os.fork()",
        "threading.Thread(target=print).start()",
        "subprocess.run([sys.executable, '-c', ''])",
        "os.execv(sys.executable, [sys.executable, '-c', ''])",
        "os.kill(1, 9)",
        "os.kill(-1, 9)",
        "os.setuid(0)",
    ],
)
def test_what_is_forbidden_is_refused(enclosure: Sandbox, what: str) -> None:
    with load(enclosure, attempt(what)) as guest:
        assert observed(guest).value[0] == "refused"


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


def test_secrets_are_not_in_their_environment(enclosure: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEAGEN_PLANTED_KEY", "sk-planted")
    with load(enclosure, EVALUATE) as guest:
        assert set(value(guest, "list(os.environ)")) <= ENVIRONMENT
        assert value(guest, "os.environ['HOME'], os.environ['TMPDIR'], os.getcwd()") == ("/tmp",) * 3


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


def test_threads_are_there_for_who_may_have_them(enclosure: Sandbox) -> None:
    threads = attempt("threading.Thread(target=print).start()")
    with load(enclosure, threads, profile=Profile.THREADS) as guest:
        assert observed(guest).value == ("done", "None")
    with load(enclosure, attempt("os.fork()"), profile=Profile.THREADS) as guest:
        assert observed(guest).value[0] == "refused"


def test_a_tree_has_processes_but_not_without_end(enclosure: Sandbox) -> None:
    source = """
import os, signal, subprocess, sys, time

def f(x):
    said = subprocess.run([sys.executable, '-S', '-c', 'print(6 * 7)'], capture_output=True, text=True).stdout
    made = 0
    while made < 200:
        try:
            pid = os.fork()
        except OSError:
            break
        if pid == 0:
            os.setsid()
            time.sleep(600)
            os._exit(0)
        made += 1
    return said, made
"""
    with load(enclosure, source, profile=Profile.TREE) as guest:
        said, made = observed(guest).value
        assert isinstance(guest, ConversationGuest)
        orphans = Path(f"/proc/{guest._proc.name}/ns/pid").readlink()
        assert said == "42\n"
        assert 0 < made < 200
    assert orphans not in {_namespace(process) for process in Path("/proc").glob("[0-9]*")}


def _namespace(process: Path) -> Path | None:
    try:
        return (process / "ns" / "pid").readlink()
    except OSError:
        return None


def test_pausing_stops_them_until_they_are_resumed(enclosure: Sandbox) -> None:
    with load(enclosure, EVALUATE) as guest:
        assert isinstance(guest, ConversationGuest)
        guest.pause()
        while _state(guest) not in "Tt":
            os.sched_yield()
        guest.resume()
        assert value(guest, "6 * 7") == 42
        assert _state(guest) not in "Tt"


def _state(guest: ConversationGuest) -> str:
    return (guest._proc / "stat").read_text().rpartition(")")[2].split()[0]


def test_time_and_memory_are_read_from_outside(enclosure: Sandbox) -> None:
    with load(enclosure, "def f(n):\n    return len(bytearray(b'x') * (n << 20))\n") as guest:
        observed(guest, 32)
        before = guest.cpu_ns()
        guest.reset_peak()
        observed(guest, 32)
        assert guest.cpu_ns() > before
        assert 30_000 < guest.peak_kb() < 40_000


def test_fresh_guests_have_the_hash_seed_that_was_asked_for(enclosure: Sandbox) -> None:
    hashing = [sys.executable, "-S", "-c", "print(hash('abc'))"]
    wanted = subprocess.run(
        hashing, env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    ).stdout
    with enclosure.fresh(7) as seeded:
        for _ in range(2):
            with load(seeded, EVALUATE) as guest:
                assert value(guest, "hash('abc')") == int(wanted)


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
    order = Order("tree", 7, None, 4096, 64, 9, ("/a", "/b"), (("HOME", "/tmp"),))
    assert Order.from_wire(order.to_wire()) == order
