"""The conversation with a guest: what it does to itself costs that guest and nothing else."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import pytest

from peagen_ray.sandbox.base import Guest, GuestFailed, GuestLimits
from peagen_ray.sandbox.messages import pack, unpack
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import Subject, run
from peagen_ray.workload.equality import Observation
from peagen_ray.workload.target import Call, installed, load_module

LIMITS = GuestLimits(wall_s=3.0, cpu_s=20.0, memory_mb=512, output_kb=256, scratch_mb=4)


def start(sandbox: ProcessSandbox, source: str) -> Guest:
    guest = sandbox.start(LIMITS)
    try:
        Subject(source, "f").load(guest, "a", source)
    except GuestFailed:
        guest.close()
        raise
    return guest


def observed(guest: Guest, argument: object, wall_s: float | None = None) -> Observation:
    return Observation.read(run(guest, "a", pickle.dumps(Call((argument,))), wall_s=wall_s).body)


def test_a_guest_answers_a_call_with_what_it_returned(sandbox: ProcessSandbox) -> None:
    with start(sandbox, "def f(x):\n    return x + 1\n") as guest:
        assert observed(guest, 41).value == 42


def test_a_guest_answers_a_call_with_what_it_raised(sandbox: ProcessSandbox) -> None:
    with start(sandbox, "def f(x):\n    return {}[x]\n") as guest:
        assert observed(guest, 1).outcome == "raised"


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        ("import os; os._exit(3)", "error", "exit 3"),
        ("import sys; sys.exit(0)", "error", "exit 0"),
        ("import ctypes; ctypes.string_at(0)", "killed", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed", "SIGKILL"),
        ("while True: pass", "timeout", "no answer within"),
        ("return 'x' * (64 << 20)", "violation", "exceed"),
        ("print('y' * (8 << 20))", "violation", "printed more than"),
        ("import os; os.close(3)", "error", ""),
        ("import os; os.write(3, b'\\x00\\x00\\x00\\x04rub\\n')", "error", "rubbish"),
        ("import os; os.write(3, b'\\xff\\xff\\xff\\xff')", "violation", "larger than"),
    ],
)
def test_a_guest_that_misbehaves_fails_with_its_reason(
    sandbox: ProcessSandbox, body: str, outcome: str, reason: str
) -> None:
    with start(sandbox, f"def f(x):\n    {body}\n") as guest, pytest.raises(GuestFailed) as failure:
        observed(guest, 1, wall_s=1.0)
    assert failure.value.outcome == outcome
    assert reason in failure.value.reason


def test_a_memory_bomb_is_stopped_by_its_limit(sandbox: ProcessSandbox) -> None:
    with start(sandbox, "def f(x):\n    return len(bytearray(4 << 30))\n") as guest:
        assert "MemoryError" in observed(guest, 1).summary()


def test_a_guest_cannot_fill_the_disk(sandbox: ProcessSandbox) -> None:
    source = "def f(x):\n    with open('big', 'wb') as file:\n        file.write(bytes(32 << 20))\n"
    with start(sandbox, source) as guest:
        try:
            assert observed(guest, 1).outcome == "raised"
        except GuestFailed as failure:
            assert "SIGXFSZ" in failure.reason  # noqa: PT017


def test_nothing_is_left_of_a_guest(
    sandbox: ProcessSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = (
        "import os\n\ndef f(x):\n    open('left', 'w').close()\n    return os.listdir('.'), os.getpid()\n"
    )
    with start(sandbox, source) as guest:
        files, pid = observed(guest, 1).value
        assert files == ["left"]
        assert Path(f"/proc/{pid}").exists()
    assert list(tmp_path.iterdir()) == []
    assert not Path(f"/proc/{pid}").exists()


def test_peak_memory_is_that_of_the_call_alone(sandbox: ProcessSandbox) -> None:
    with start(sandbox, "def f(x):\n    return len(bytearray(b'x') * (32 << 20))\n") as guest:
        observed(guest, 1)
        guest.reset_peak()
        observed(guest, 1)
        assert 30_000 < guest.peak_kb() < 40_000


def test_cpu_time_is_read_from_outside(sandbox: ProcessSandbox) -> None:
    with start(sandbox, "def f(x):\n    return sum(range(3_000_000))\n") as guest:
        before = guest.cpu_ns()
        observed(guest, 1)
        assert guest.cpu_ns() > before


def test_a_program_that_does_not_load_says_why(sandbox: ProcessSandbox) -> None:
    with pytest.raises(GuestFailed, match="does not load: ZeroDivisionError"):
        start(sandbox, "1 / 0\n\ndef f(x):\n    pass\n")


def test_classes_of_the_target_are_those_of_the_loaded_program(sandbox: ProcessSandbox) -> None:
    source = "class P:\n    def __init__(self, x):\n        self.x = x\n\ndef f(p):\n    return type(p) is P, p.x\n"
    module = load_module(source)
    with installed(module):
        call = pickle.dumps(Call((module.P(5),)))
    with start(sandbox, source) as guest:
        assert Observation.read(run(guest, "a", call).body).value == (True, 5)


def test_a_message_survives_packing() -> None:
    assert unpack(pack({"op": "x", "n": 1}, b"a\nb")) == ({"op": "x", "n": 1}, b"a\nb")


@pytest.mark.parametrize("raw", [b"", b"[1]\n", b"{\n", b"\xff\xfe\n", b"[" * 200_000])
def test_a_message_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(raw)


def test_a_closed_guest_stays_closed(sandbox: ProcessSandbox) -> None:
    guest: Guest = start(sandbox, "def f(x):\n    return x\n")
    guest.close()
    with pytest.raises(GuestFailed):
        observed(guest, 1)
    guest.close()
    assert LIMITS.wall_s > 0
