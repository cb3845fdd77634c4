"""Screening ranks, confirmation decides: each kind of bad candidate gets its verdict and its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from peagen_ray.errors import TargetError, WorkloadError
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.measure import confirm, screen
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import STANDARD_MS, Reference, Subject, prepare

LIMITS = GuestLimits(wall_s=3.0, cpu_s=20.0, memory_mb=512, output_kb=256, scratch_mb=4)

FAST = "def total(numbers: list[int]) -> int:\n    return sum(numbers)\n"

BAD = {
    "wrong value": ("return sum(numbers) + 1", "incorrect", "result: expected"),
    "wrong type": ("return float(sum(numbers))", "incorrect", "result"),
    "changes its argument": ("numbers.sort()\n    return sum(numbers)", "incorrect", "after the call"),
    "raises": ("raise KeyError('x')", "incorrect", "KeyError"),
    "exits": ("import os; os._exit(0)", "error", "exit 0"),
    "hangs": ("while True: pass", "timeout", "no answer"),
    "floods": ("print('x' * (3 << 20)); return sum(numbers)", "violation", "printed more than"),
    "returns too much": ("return 'x' * (8 << 20)", "violation", "exceed"),
    "eats memory": ("return len([0] * (1 << 28))", "incorrect", "MemoryError"),
    "answers always equal": (
        "class E(int):\n        __eq__ = lambda s, o: True\n        __hash__ = None\n    return E(0)",
        "incorrect",
        "result",
    ),
}


def candidate(body: str) -> str:
    return f"def total(numbers: list[int]) -> int:\n    {body}\n"


def test_a_correct_program_is_ranked_by_a_ratio_with_its_interval(
    sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    verdict = screen(sandbox, LIMITS, subject, reference, FAST)
    assert verdict.outcome == "ok"
    assert verdict.speed is not None
    assert 0 < verdict.speed.low <= verdict.speed.ratio <= verdict.speed.high
    assert verdict.inputs == len(reference.calls)
    assert not verdict.confirmed
    assert {"seccomp", "landlock"} <= set(verdict.layers)


@pytest.mark.parametrize("name", BAD)
def test_screening_turns_down_a_candidate_that(
    name: str, sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    body, outcome, reason = BAD[name]
    verdict = screen(sandbox, LIMITS, subject, reference, candidate(body))
    assert (verdict.outcome, reason in verdict.reason) == (outcome, True), verdict
    assert verdict.speed is None


@pytest.mark.parametrize("name", ["wrong value", "exits", "hangs", "changes its argument"])
def test_confirmation_turns_down_a_candidate_that(
    name: str, sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    body, outcome, _ = BAD[name]
    limits = replace(LIMITS, wall_s=1.0)
    verdict = confirm(sandbox, limits, subject, reference, candidate(body), seed=5, fresh=3, most_s=0.5)
    assert (verdict.outcome, verdict.confirmed) == (outcome, True)


def test_a_candidate_that_learnt_the_screening_inputs_by_heart_is_found_out_by_confirmation(
    sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    import pickle

    known = {tuple(call.args[0]): sum(call.args[0]) for call in map(pickle.loads, reference.calls)}
    source = f"KNOWN = {known!r}\n" + candidate("return KNOWN.get(tuple(numbers), 0)")
    assert screen(sandbox, LIMITS, subject, reference, source).outcome == "ok"
    verdict = confirm(sandbox, LIMITS, subject, reference, source, seed=5, fresh=20)
    assert verdict.outcome == "incorrect"


def test_confirmation_measures_on_fresh_inputs_and_says_on_how_many(
    sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    verdict = confirm(sandbox, LIMITS, subject, reference, FAST, seed=5, fresh=25, most_s=0.5)
    assert verdict.outcome == "ok"
    assert verdict.confirmed
    assert verdict.inputs > 25
    assert verdict.speed is not None
    assert 0 < verdict.speed.low <= verdict.speed.ratio <= verdict.speed.high


def test_a_clear_loser_is_measured_no_longer_than_it_takes_to_see_it(
    sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    verdict = screen(sandbox, LIMITS, subject, reference, subject.source, rival=50.0)
    assert verdict.speed is not None
    assert verdict.speed.samples <= 8


def test_a_program_that_does_not_load_crashes(
    sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    for source in ("import nowhere_to_be_found\n" + FAST, "def other():\n    pass\n"):
        verdict = screen(sandbox, LIMITS, subject, reference, source)
        assert (verdict.outcome, "does not load" in verdict.reason) == ("error", True)


def test_the_reference_is_the_same_after_a_round_trip(reference: Reference) -> None:
    assert Reference.from_bytes(reference.to_bytes()) == reference
    assert reference.reference_ms >= STANDARD_MS
    assert len(reference.timed_calls) == reference.timed


def test_a_workload_with_a_check_needs_no_deterministic_original(sandbox: ProcessSandbox) -> None:
    source = "import random\n\ndef pick(xs):\n    for _ in range(len(xs)):\n        x = random.choice(xs)\n    return x\n"
    workload = "def inputs(rng, size):\n    return (list(range(size + 1)),)\n\ndef check(args, output):\n    return output in args[0]\n"
    subject = Subject(source, "pick", workload)
    reference = prepare(subject, sandbox, LIMITS, seed=1)
    right = "def pick(xs):\n    return xs[0]\n"
    assert screen(sandbox, LIMITS, subject, reference, right).outcome == "ok"
    wrong = "def pick(xs):\n    return -1\n"
    assert screen(sandbox, LIMITS, subject, reference, wrong).outcome == "incorrect"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("import random\n\ndef f(x):\n    return random.random()\n", WorkloadError, "disagrees with itself"),
        (
            "def f(x):\n    return list({'a', 'b', 'c', 'd', 'e', 'f'})\n",
            WorkloadError,
            "sort what comes out of a set",
        ),
        ("def f(x):\n    raise ValueError(x)\n", WorkloadError, "raises ValueError"),
        ("def f(x):\n    import os; os._exit(1)\n", WorkloadError, ""),
        ("1 / 0\ndef f(x):\n    pass\n", TargetError, "ZeroDivisionError"),
        ("def g(x):\n    pass\n", TargetError, "'f'"),
    ],
)
def test_an_original_that_cannot_be_measured_is_refused_with_advice(
    sandbox: ProcessSandbox, source: str, error: type[Exception], message: str
) -> None:
    workload = "def inputs(rng, size):\n    return (size,)\n"
    with pytest.raises((WorkloadError, TargetError)) as refused:
        prepare(Subject(source, "f", workload), sandbox, LIMITS, seed=1)
    assert isinstance(refused.value, error | WorkloadError)
    assert message in str(refused.value)


def test_methods_are_measured_on_objects_made_outside_the_timed_part(sandbox: ProcessSandbox) -> None:
    source = (
        "class Bag:\n    def __init__(self, items):\n        self.items = list(items)\n\n"
        "    def total(self, factor):\n        result = 0\n        for x in self.items:\n"
        "            result = result + x * factor\n        return result\n"
    )
    workload = "def inputs(rng, size):\n    return {'init': (range(size),), 'args': (rng.randrange(9),)}\n"
    subject = Subject(source, "Bag.total", workload)
    reference = prepare(subject, sandbox, LIMITS, seed=1)
    faster = source.replace("result = result + x * factor\n", "result += x * factor\n").replace(
        "        result = 0\n", "        return sum(self.items) * factor\n"
    )
    verdict = screen(sandbox, LIMITS, subject, reference, faster)
    assert verdict.speed is not None
    assert 0 < verdict.speed.low <= verdict.speed.ratio <= verdict.speed.high
