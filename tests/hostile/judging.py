"""Who judges the corpus: a sandbox, references, and what an attacker might know of this process.

Run as a program it judges for another process: a request a line on standard input, an answer a line on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox import reference
from peagen_ray.sandbox.base import Guest, GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.examination import Facts, bait
from peagen_ray.sandbox.measure import Verdict, confirm, screen
from peagen_ray.sandbox.reference import Reference, Subject, prepare

CHECKOUT: Final = Path(__file__).parents[2]

SANDBOXES: Final = {
    "process": "peagen_ray.sandbox.process:ProcessSandbox",
}
"""Name → class, made with a launcher. A line here is all that it takes for a sandbox to be tried by every liar."""

UNCONFINED: Final = {"none": "peagen_ray.sandbox.examination:Unconfined"}
"""No sandbox, to see that what the liars try can be done."""

LIMITS: Final = GuestLimits(wall_s=1.0, cpu_s=20.0, memory_mb=256, output_kb=256, scratch_mb=4, processes=16)

_WORKLOAD: Final = "def inputs(rng, size):\n    return ([rng.randrange(1000) for _ in range(size)],)\n"

SUBJECTS: Final = {
    "total": Subject(
        """
def total(numbers: list[int]) -> int:
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result
""",
        "total",
        _WORKLOAD,
    ),
    "fill": Subject(
        """
def fill(cells: list[int]) -> None:
    for i in range(len(cells)):
        count = 0
        for j in range(i):
            count = count + 1
        cells[i] = count
""",
        "fill",
        _WORKLOAD,
    ),
    "tally": Subject(
        """
def tally(numbers: list[int]) -> int:
    result = 0
    for number in numbers:
        result = result + number
    return result
""",
        "tally",
        _WORKLOAD,
    ),
    "peek": Subject(
        """
def peek(numbers: list[int]) -> int:
    result = 0
    for number in numbers[: len(numbers) // 20]:
        result = result + number
    return result
""",
        "peek",
        _WORKLOAD,
    ),
    "digits": Subject(
        """
def digits(number: int) -> int:
    result = 0
    for digit in str(number):
        result = result + int(digit)
    return result
""",
        "digits",
        "def inputs(rng, size):\n    return (rng.randrange(10**12),)\n",
    ),
}
"""What liars pretend to improve: one that returns its answer, one that leaves it in its argument, one whose inputs cost
as much to send as to work on, one whose inputs cost far more than that, and one that has to be repeated to be timed."""

HONEST: Final = "def total(numbers):\n    return sum(numbers)\n"

_LOAD_WALL_S: Final = 3.0
"""Seconds to load a program, here; by default ten times as many, which a program that never loads would take."""


class Profiled(Sandbox):
    """A sandbox all of whose guests have one profile."""

    def __init__(self, inner: Sandbox, profile: Profile) -> None:
        self._inner, self._profile = inner, profile

    def start(self, limits: GuestLimits, profile: Profile = Profile.PURE) -> Guest:
        return self._inner.start(limits, self._profile)

    @contextmanager
    def fresh(self, hash_seed: int) -> Iterator[Sandbox]:
        with self._inner.fresh(hash_seed) as inner:
            yield Profiled(inner, self._profile)


@dataclass(frozen=True)
class Judge:
    """Judges programs in one sandbox."""

    sandbox: Sandbox
    facts: Facts
    references: dict[str, Reference]

    def verdict(self, mode: str, subject: str, profile: str, source: str) -> Verdict:
        """The verdict on a program in ``screening`` or ``confirmation``."""
        sandbox = Profiled(self.sandbox, Profile(profile))
        what = SUBJECTS[subject], self.references[subject], _filled_in(source, self.facts)
        if mode == "screening":
            return screen(sandbox, LIMITS, *what)
        return confirm(sandbox, LIMITS, *what, seed=11, precision=0.1, most_s=0.1, fresh=4)


@contextmanager
def judging(name: str, workspace: Path) -> Iterator[Judge]:
    """A judge in this process, with bait laid out in ``workspace``."""
    module, _, kind = {**SANDBOXES, **UNCONFINED}[name].partition(":")
    (workspace / "tmp").mkdir()
    tempfile.tempdir = str(workspace / "tmp")
    usual, reference._LOAD_WALL_S = reference._LOAD_WALL_S, _LOAD_WALL_S
    try:
        with bait(workspace) as facts:
            os.environ["PEAGEN_PLANTED_VALUE"] = facts.secret[::-1]
            home = Path(facts.file).parent / "home"
            (home / ".ssh").mkdir(parents=True)
            (home / ".ssh" / "id_ed25519").write_text(facts.secret)
            with Launcher.start(["peagen_ray.sandbox.guest"]) as launcher:
                sandbox: Sandbox = getattr(import_module(module), kind)(launcher)
                made = {name: prepare(each, sandbox, LIMITS, seed=7) for name, each in SUBJECTS.items()}
                yield Judge(sandbox, facts, made)
    finally:
        tempfile.tempdir = None
        reference._LOAD_WALL_S = usual
        os.environ.pop("PEAGEN_PLANTED_VALUE", None)


def _filled_in(source: str, facts: Facts) -> str:
    """The program, with what an attacker might know of this process in place of the names of it."""
    place = Path(facts.file).parent
    known: Mapping[str, object] = {
        "WORKSPACE": place,
        "FILE": facts.file,
        "HOME": place / "home",
        "CHECKOUT": CHECKOUT,
        "SECRET": facts.secret,
        "SOCKET": facts.socket,
        "ABSTRACT": facts.abstract,
        "PORT": facts.port,
        "HOST_PID": facts.pid,
        "ADDRESS": facts.address,
        "SCRATCH_MB": LIMITS.scratch_mb,
        "MEMORY_MB": LIMITS.memory_mb,
        "PROCESSES": LIMITS.processes,
    }
    for name, value in known.items():
        source = source.replace(f"@{name}@", str(value))
    return source


def _serve(name: str, workspace: str) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    with judging(name, Path(workspace)) as judge:
        answers.write(json.dumps({"layers": _layers(judge.sandbox)}) + "\n")
        for line in sys.stdin:
            answers.write(json.dumps(_answer(judge, json.loads(line))) + "\n")


def _answer(judge: Judge, request: dict[str, Any]) -> dict[str, Any]:
    return judge.verdict(**request).to_data()


def _layers(sandbox: Sandbox) -> list[str]:
    with sandbox.start(LIMITS) as guest:
        return sorted(guest.layers)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
