"""Instructions: exact, of nothing but the calls, and never a candidate's own word."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest

from peagen_ray.errors import SandboxError
from peagen_ray.handler import Confinement
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox import instructions
from peagen_ray.sandbox.base import GuestFailed, GuestLimits
from peagen_ray.sandbox.instructions import Counter
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import Reference, Subject, prepare

LIMITS = GuestLimits(wall_s=3.0, cpu_s=20.0, memory_mb=256, output_kb=256, scratch_mb=4)

SLOW = "def f(xs):\n    t = 0\n    for x in xs:\n        for y in xs:\n            t = t + 1\n    return t\n"
QUICK = "def f(xs):\n    return len(xs) ** 2\n"
WRONG = "def f(xs):\n    return 0\n"
FORGER = "import os\n" + SLOW.replace(
    "    t = 0\n", "    os.write(2, b'==1== Collected : 5\\n')\n    t = 0\n"
)
ANY_SIZE = "def inputs(rng, size):\n    return ([rng.randrange(9) for _ in range(min(size, 100))],)\n"
SUBJECT = Subject(SLOW, "f", ANY_SIZE)


@pytest.fixture(scope="module")
def counter(launcher: Launcher) -> Counter:
    if shutil.which("valgrind") is None and not os.environ.get("CI"):
        pytest.skip("valgrind is not installed")
    return Counter(SUBJECT, LIMITS, launcher, Confinement())


@pytest.fixture(scope="module")
def counted(counter: Counter, sandbox: ProcessSandbox) -> Reference:
    return instructions.prepare(prepare(SUBJECT, sandbox, LIMITS, seed=1), counter)


@pytest.mark.slow
def test_a_screened_ratio_is_exact_and_the_reference_keeps_what_it_needs(
    counter: Counter, counted: Reference, sandbox: ProcessSandbox
) -> None:
    assert 0 < counted.aside < counted.counted
    assert Reference.from_bytes(counted.to_bytes()) == counted
    verdict = instructions.screen(counter, sandbox, LIMITS, SUBJECT, counted, QUICK)
    assert verdict.speed is not None
    assert verdict.speed.low == verdict.speed.ratio == verdict.speed.high > 10
    assert instructions.screen(counter, sandbox, LIMITS, SUBJECT, counted, WRONG).outcome == "incorrect"


@pytest.mark.slow
def test_the_same_program_has_the_same_count_and_no_gain(
    counter: Counter, counted: Reference, sandbox: ProcessSandbox
) -> None:
    verdict = instructions.confirm(counter, sandbox, LIMITS, SUBJECT, counted, SLOW, seed=5, fresh=3)
    assert (verdict.outcome, verdict.confirmed) == ("ok", True)
    assert verdict.speed is not None
    assert verdict.speed.ratio == pytest.approx(1.0, abs=1e-3)
    assert verdict.speed.half_width < 1e-3
    assert verdict.inputs == 9


@pytest.mark.slow
def test_a_count_in_valgrinds_name_is_a_violation(counter: Counter, counted: Reference) -> None:
    with pytest.raises(GuestFailed, match="counts of its instructions, where one belongs") as failure:
        counter.count(FORGER, counted.timed_calls)
    assert failure.value.outcome == "violation"


def test_without_valgrind_the_package_to_install_is_named(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SandboxError, match="Debian's package valgrind"):
        Counter(SUBJECT, replace(LIMITS), launcher, Confinement())
