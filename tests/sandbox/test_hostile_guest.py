"""Candidates that lie: what they answer is checked, and work that they hide is billed."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.errors import LaunchError, SandboxError, WorkloadError
from peagen_ray.sandbox.base import Answer, Guest, GuestFailed, GuestLimits, naturals
from peagen_ray.sandbox.conversation import ConversationGuest
from peagen_ray.sandbox.measure import Judge, confirm, screen
from peagen_ray.sandbox.messages import split
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import Reference, Subject, _must_run, observations, prepare, run
from peagen_ray.workload.base import Workload
from peagen_ray.workload.target import Call

LIMITS = GuestLimits(wall_s=3.0, cpu_s=20.0, memory_mb=512, output_kb=256, scratch_mb=4)

SPEAKING = """
import json, os, struct, sys

def say(header, body=b""):
    message = json.dumps(header).encode() + b"\\n" + body
    os.write(3, struct.pack(">I", len(message)) + message)

calls = 0

def total(numbers):
    global calls
    calls += 1
    if {when}:
        {what}
    return sum(numbers)
"""


def speaking(what: str, when: str = "True") -> str:
    return SPEAKING.format(what=what, when=when)


@pytest.mark.parametrize(
    "header",
    [
        "{}",
        "{'ns': 1}",
        "{'ns': 1, 'lengths': []}",
        "{'ns': 1, 'lengths': [-1]}",
        "{'ns': 1, 'lengths': [99]}",
        "{'ns': 1, 'lengths': 'abc'}",
        "{'ns': 1, 'lengths': [True]}",
        "{'ns': 1, 'lengths': [float('inf')]}",
        "{'lengths': [0]}",
        "{'ns': 'x', 'lengths': [0]}",
        "{'ns': float('nan'), 'lengths': [0]}",
        "{'ns': 10 ** 30, 'lengths': [0]}",
    ],
)
def test_a_forged_answer_is_the_candidates_own_crash(
    header: str, sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    source = speaking(f"say({header})")
    verdicts = [
        screen(sandbox, LIMITS, subject, reference, source),
        confirm(sandbox, LIMITS, subject, reference, source, seed=5, fresh=2),
    ]
    assert {verdict.outcome for verdict in verdicts} == {"error"}
    assert all(verdict.reason.startswith("answered rubbish") for verdict in verdicts)


def test_a_forged_observation_cannot_be_read(
    sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    source = speaking("say({'ns': 1, 'lengths': [3]}, b'abc')")
    verdict = screen(sandbox, LIMITS, subject, reference, source)
    assert verdict.outcome == "incorrect"
    assert verdict.reason.startswith("result: cannot be read")


@pytest.mark.parametrize(
    "pairs",
    ["[]", "None", "'abcd'", "[['a', 'b']] * 4", "[[1]] * 4", "[[1e300, 1]] * 4", "[[10 ** 40, 1]] * 4"],
)
def test_forged_times_are_no_times(
    pairs: str, sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    source = speaking(f"say({{'pairs': {pairs}}})", when=f"calls > {len(reference.calls) + 1}")
    verdict = screen(sandbox, LIMITS, subject, reference, source)
    assert (verdict.outcome, verdict.speed) == ("error", None)
    assert verdict.reason.startswith("answered rubbish")


def test_what_a_guest_says_about_itself_is_kept_short(
    sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    for what in ("say({'too_large': 'x' * 100_000})", "say({'lengths': ['x' * 100_000]})"):
        verdict = screen(sandbox, LIMITS, subject, reference, speaking(what))
        assert verdict.outcome in {"violation", "error"}
        assert len(verdict.reason) <= 500
    loading = speaking("pass").replace(
        "calls = 0\n", "calls = 0\nsay({'ok': False, 'error': 'x' * 100_000})\n"
    )
    assert len(screen(sandbox, LIMITS, subject, reference, loading).reason) < 600


@pytest.mark.parametrize("calls", [1, 3, 20, 59])
def test_a_candidate_that_ends_itself_between_two_answers_has_crashed(
    calls: int, sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    kill = "__import__('signal').setitimer(0, 1e-5)"
    verdict = screen(sandbox, LIMITS, subject, reference, speaking(kill, when=f"calls == {calls}"))
    assert (verdict.outcome, verdict.reason) == ("killed", "killed by SIGALRM")


@pytest.mark.parametrize("ask", ["reset_peak", "peak_kb", "cpu_ns"])
def test_a_dead_guest_cannot_be_measured(ask: str, sandbox: ProcessSandbox) -> None:
    with sandbox.start(LIMITS) as guest:
        assert isinstance(guest, ConversationGuest)
        os.kill(guest._child.pid, signal.SIGKILL)
        assert guest._child.wait(10)
        with pytest.raises(GuestFailed) as failure:
            methodcaller(ask)(guest)
    assert (failure.value.outcome, failure.value.reason) == ("killed", "killed by SIGKILL")


def test_a_candidate_that_turns_wrong_while_it_is_timed_is_found_out(
    sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    source = speaking("return -1", when="calls > 8")
    verdict = confirm(sandbox, LIMITS, subject, reference, source, seed=5, fresh=2, most_s=0.2)
    assert (verdict.outcome, verdict.confirmed, verdict.speed) == ("incorrect", True, None)
    assert verdict.inputs > 2


# Work that is moved out of the timed part

SLOW = "def f(xs):\n    t = 0\n    for x in xs:\n        for y in xs:\n            t = t + 1\n    return t\n"
ANY_SIZE = "def inputs(rng, size):\n    return ([rng.randrange(9) for _ in range(size)],)\n"

HIDING = SLOW.replace("def f", "def slow") + "\nimport sys\nguest = sys.modules['peagen_ray.sandbox.guest']\n"
LATE = """
seen, LATER = guest.observe, object()

def observe(value, call, *rest, **more):
    return seen(slow(*call.args) if value is LATER else value, call, *rest, **more)

def f(xs):
    return LATER

guest.observe = observe
"""
EARLY = """
ready, KNOWN = guest._Slot.ready, {}

def early(self, body):
    made = ready(self, body)
    KNOWN[id(made.call.args[0])] = slow(*made.call.args)
    return made

def f(xs):
    return KNOWN[id(xs)]

guest._Slot.ready = early
"""


@pytest.mark.parametrize("trick", [EARLY, LATE], ids=["early", "late"])
def test_work_that_is_done_out_of_the_clock_is_billed_when_a_gain_is_confirmed(
    trick: str, sandbox: ProcessSandbox
) -> None:
    subject = Subject(SLOW, "f", ANY_SIZE)
    reference = prepare(subject, sandbox, LIMITS, seed=1)
    ranked = screen(sandbox, LIMITS, subject, reference, HIDING + trick)
    assert ranked.speed is not None
    assert ranked.speed.low > 10, "screening only ranks, and can be fooled"
    verdict = confirm(sandbox, LIMITS, subject, reference, HIDING + trick, seed=5, fresh=3, most_s=0.2)
    assert verdict.speed is not None
    assert verdict.speed.ratio < 2


def test_a_table_that_is_made_once_is_no_work_out_of_the_clock(sandbox: ProcessSandbox) -> None:
    subject = Subject(SLOW, "f", ANY_SIZE)
    reference = prepare(subject, sandbox, LIMITS, seed=1)
    table = "TABLE = [[n * n] for n in range(200_000)]\n\ndef f(xs):\n    return TABLE[len(xs)][0]\n"
    verdict = confirm(sandbox, LIMITS, subject, reference, table, seed=5, fresh=3, most_s=0.2)
    assert verdict.speed is not None
    assert verdict.speed.ratio > 10


# Originals


def test_inputs_that_end_the_original_are_left_out(sandbox: ProcessSandbox) -> None:
    source = "import os\n\ndef f(xs):\n    if not xs:\n        os._exit(3)\n    return sorted(xs)\n"
    reference = prepare(Subject(source, "f", ANY_SIZE), sandbox, LIMITS, seed=1)
    assert len(reference.calls) == len(reference.expected) > 20


def test_a_size_that_is_beyond_the_original_is_too_large(sandbox: ProcessSandbox) -> None:
    deep = "def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\n"
    large = "def f(n):\n    return len(bytearray(n << 20))\n"
    size = "def inputs(rng, size):\n    return (size,)\n"
    assert 500 < prepare(Subject(deep, "f", size), sandbox, LIMITS, seed=1).size < 3000
    assert prepare(Subject(large, "f", size), sandbox, LIMITS, seed=1).size < 512


class Dead(Guest):
    """Answers nothing any more."""

    def ask(self, header: dict[str, Any], body: bytes = b"", **_: Any) -> Answer:
        raise GuestFailed("timeout", "no answer within 1 s")

    def go(self, *, wall_s: float | None = None) -> None: ...

    def cpu_ns(self) -> int:
        return 0

    def core(self) -> int:
        return 0

    def pin(self, core: int) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def reset_peak(self) -> None: ...

    def peak_kb(self) -> int:
        return 0

    def kill(self) -> None:
        raise AssertionError

    def close(self) -> None: ...


def test_an_original_that_fails_on_its_own_inputs_is_refused() -> None:
    with pytest.raises(WorkloadError, match="fails on its own inputs: timeout: no answer"):
        _must_run(Dead(), b"call")


# Sandboxes


def test_without_a_launcher_nothing_starts_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def spawn(self, _: Any) -> Any:
            raise LaunchError("the fork server is gone")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    launcher: Any = Gone()
    with pytest.raises(SandboxError, match="the fork server is gone"):
        ProcessSandbox(launcher).start(LIMITS)
    assert list(tmp_path.iterdir()) == []


def test_a_guest_that_uses_up_its_cpu_time_is_ended(sandbox: ProcessSandbox) -> None:
    source = "def f(x):\n    return sum(range(20_000_000))\n"
    with sandbox.start(replace(LIMITS, cpu_s=0.05)) as guest:
        Subject(source, "f").load(guest, "a", source)
        with pytest.raises(GuestFailed, match=r"more than 0\.05 s of CPU") as failure:
            run(guest, "a", pickle.dumps(Call((1,))))
    assert failure.value.outcome == "timeout"


# The parts


@pytest.mark.parametrize("value", [[1, 2], [0, (1 << 62) - 1]])
def test_natural_numbers_are_taken(value: list[int]) -> None:
    assert naturals(value, 2) == value


@pytest.mark.parametrize(
    "value", [None, [], [1], [1, 2, 3], [1, -1], [1, True], [1, 2.0], [1, 1 << 62], (1, 2), {}]
)
def test_anything_else_is_none(value: object) -> None:
    with pytest.raises(GuestFailed, match="2 numbers belong"):
        naturals(value, 2)


def test_parts_are_never_more_than_the_whole() -> None:
    assert split(b"abcdef", [1, 0, 2]) == [b"a", b"", b"bc"]
    for lengths in ([4], [1, -1]):
        with pytest.raises(ValueError):
            split(b"abc", lengths)


def test_the_observations_of_an_answer_are_as_many_as_were_asked_for() -> None:
    assert observations(Answer({"lengths": [1, 2]}, b"abc"), 2) == [b"a", b"bc"]
    with pytest.raises(GuestFailed, match="numbers belong"):
        observations(Answer({"lengths": [1, 2]}, b"abc"), 1)
    with pytest.raises(GuestFailed, match="longer than the whole"):
        observations(Answer({"lengths": [4]}, b"abc"), 1)
    with pytest.raises(GuestFailed, match="too big"):
        observations(Answer({"too_large": "too big"}, b""), 1)


def test_bytes_that_are_no_observation_are_a_fault() -> None:
    fault = Judge(Workload.oracle()).fault(b"", b"rubbish", b"garbage")
    assert fault is not None
    assert fault.startswith("result: cannot be read")
