"""Instructions in place of time: callgrind counts them, the same number on every run and machine.

A program runs under valgrind in an interpreter that is executed for it. What is counted of a candidate is its
whole process, from start to end, less what the original's needs for starting, taking the inputs and giving the
outputs: nothing that a candidate does is ever subtracted. It takes seventy times as long as a clock does.
"""

from __future__ import annotations

import pickle
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Final

import peagen_ray
from peagen_ray.errors import LaunchError, SandboxError, SandboxUnavailable
from peagen_ray.handler import Confinement, current
from peagen_ray.launcher.client import Child, Launcher, SpawnSpec
from peagen_ray.launcher.jail.policy import Jail, Profile
from peagen_ray.sandbox.base import Guest, GuestFailed, GuestLimits, Sandbox, listening
from peagen_ray.sandbox.confinement import confinement_of, layers
from peagen_ray.sandbox.confirmation import of_many_sizes
from peagen_ray.sandbox.conversation import ConversationGuest
from peagen_ray.sandbox.reference import Reference, Subject, observations, run
from peagen_ray.sandbox.screening import check, peak
from peagen_ray.sandbox.statistics import Interval
from peagen_ray.sandbox.verdict import Judge, Verdict
from peagen_ray.workload.base import Workload

_CALLS: Final = 6
"""Fresh calls that a confirmation counts: each takes a hundred times as long as it would."""

_PATIENCE_S: Final = 60.0
"""Seconds that one answer may take, the interpreter's start included."""

_MEMORY_MB: Final = 2048
"""MiB that valgrind takes beside thrice what the program may have."""

_VALGRIND: Final = ("--tool=callgrind", "--callgrind-out-file=/dev/null", "--vgdb=no", "--log-fd=2")
_PYTHON: Final = ("-s", "-P", "-S", "-B", "-X", "utf8")
_BOOT: Final = (
    "import sys; sys.path.append(sys.argv.pop()); from peagen_ray.sandbox.counted import main; main()"
)
_COUNT: Final = re.compile(r"^==\d+== Collected : (\d+)$", re.MULTILINE)


class Counter:
    """Counts the instructions of programs that are called as the subject is.

    Args:
        subject: the original and its workload.
        limits: what a program may use, were it run without being counted.
        launcher: what starts valgrind; by default that of the task that is being handled.
        confinement: how it is kept; by default as the worker of that task keeps untrusted code.

    Raises:
        SandboxError: valgrind is not installed, or there is no launcher.
    """

    def __init__(
        self,
        subject: Subject,
        limits: GuestLimits,
        launcher: Launcher | None = None,
        confinement: Confinement | None = None,
    ) -> None:
        found = shutil.which("valgrind")
        if found is None:
            raise SandboxUnavailable(
                "there is nothing to count instructions with",
                subject="valgrind",
                hint='install Debian\'s package valgrind, or use metric = "speed_ms"',
            )
        launcher = launcher or current().launcher
        if launcher is None:
            raise SandboxError(
                "there is no launcher to start valgrind with", hint="run it in a one-shot task"
            )
        self._valgrind, self._launcher, self._subject = found, launcher, subject
        self._kept = confinement_of(confinement)
        self._limits = limits.within(self._kept.ceiling)

    def original(self, calls: Sequence[bytes]) -> Counted:
        """What the original's process takes, told apart into its calls and everything else."""
        source = self._subject.source
        readied = self.count(source, calls, "ready").whole
        gone = self.count(source, calls, "go").whole
        counted = self.count(source, calls, "collect")
        return replace(counted, aside=counted.whole - (gone - readied))

    def count(self, source: str, calls: Sequence[bytes], last: str = "collect") -> Counted:
        """What a process takes that does everything up to ``last``.

        Raises:
            GuestFailed: it gave no answer, or no count that is beyond doubt.
        """
        limits = replace(self._limits, wall_s=_PATIENCE_S, cpu_s=2 * _PATIENCE_S)
        scratch = Path(tempfile.mkdtemp(prefix="peagen-counted-"))
        try:
            child = self._spawn(scratch)
            with ConversationGuest(child, child.pid, limits, child.layers) as guest:
                self._subject.load(guest, "a", source, wall_s=_PATIENCE_S)
                outputs = _converse(guest, calls, last)
                return Counted(_collected(child), outputs)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _spawn(self, scratch: Path) -> Child:
        package = str(Path(peagen_ray.__file__).parent.parent)
        limits, kept = self._limits, self._kept
        jail = Jail(
            profile=Profile.TREE,
            memory_bytes=(3 * limits.memory_mb + _MEMORY_MB) << 20,
            scratch_bytes=limits.scratch_mb << 20,
            processes=limits.processes,
            readable=kept.readable,
            require=layers(kept.require),
            lax=kept.unsafe,
        )
        try:
            return self._launcher.spawn(
                SpawnSpec(
                    entry="valgrind",
                    scratch=scratch,
                    environment={"PYTHONHASHSEED": "0"},
                    argv=(self._valgrind, *_VALGRIND, sys.executable, *_PYTHON, "-c", _BOOT, package),
                    jail=jail,
                )
            )
        except LaunchError as error:
            raise SandboxError(str(error)) from error


@dataclass(frozen=True)
class Counted:
    """Instructions of one process.

    Attributes:
        whole: all of them.
        outputs: observations of the calls.
        aside: of the original, those that are not of its calls.
    """

    whole: int
    outputs: list[bytes]
    aside: int = 0


def prepare(reference: Reference, counter: Counter) -> Reference:
    """The reference, with the instructions of the original on the calls that are timed."""
    counted = counter.original(reference.timed_calls)
    return replace(reference, counted=counted.whole, aside=counted.aside)


def screen(
    counter: Counter,
    sandbox: Sandbox,
    limits: GuestLimits,
    subject: Subject,
    reference: Reference,
    source: str,
) -> Verdict:
    """Check a candidate on the reference's calls, and count its instructions once; the value is exact.

    Args:
        counter: made for that subject.
        sandbox: where it is checked.
        limits: what the guest may use.
        subject: the original and its workload.
        reference: from :func:`prepare`.
        source: the candidate.
    """
    judge = Judge(subject.inputs() if subject.workload else Workload.oracle())
    try:
        with listening(sandbox.start(limits)) as guest:
            subject.load(guest, "b", source)
            wrong = check(guest, judge, reference)
            if wrong:
                return wrong
            peak_kb, _ = peak(guest, "b", reference)
        counted = counter.count(source, reference.timed_calls)
    except GuestFailed as error:
        return Verdict(error.outcome, error.reason)
    fault = _fault(judge, reference.timed_calls, reference.expected[-reference.timed :], counted.outputs)
    if fault:
        return Verdict("incorrect", fault, inputs=len(reference.calls))
    speed = _ratio(reference.counted, reference.aside, [counted.whole])
    return Verdict("ok", speed=speed, peak_kb=peak_kb, inputs=len(reference.calls))


def confirm(
    counter: Counter,
    sandbox: Sandbox,
    limits: GuestLimits,
    subject: Subject,
    reference: Reference,
    source: str,
    *,
    seed: int,
    fresh: int = 0,
) -> Verdict:
    """Compare outputs on fresh inputs, and count on some of them, twice; the interval is what the counts differ by.

    Args:
        counter: made for that subject.
        sandbox: where outputs are compared.
        limits: what each guest may use.
        subject: the original and its workload.
        reference: tells how large inputs are to be.
        source: the candidate.
        seed: makes the inputs; one that no candidate can know.
        fresh: inputs of many sizes on which outputs are compared.
    """
    judge, seeds = Judge(subject.inputs()), count(seed)
    calls = [pickle.dumps(judge.workload.call(next(seeds), reference.size)) for _ in range(_CALLS)]
    inputs = fresh + len(calls)
    try:
        with sandbox.start(limits) as original, listening(sandbox.start(limits)) as candidate:
            subject.load(original, "a", subject.source)
            subject.load(candidate, "b", source)
            for call in chain.from_iterable(of_many_sizes(judge.workload, seeds, reference.size, fresh)):
                fault = judge.fault(call, run(original, "a", call).body, run(candidate, "b", call).body)
                if fault:
                    return Verdict("incorrect", fault, inputs=inputs, confirmed=True)
            peak_kb, _ = peak(candidate, "b", reference)
        counts = [counter.count(source, calls) for _ in range(2)]
    except GuestFailed as error:
        return Verdict(error.outcome, error.reason, confirmed=True)
    known = counter.original(calls)
    fault = _fault(judge, 2 * calls, 2 * known.outputs, [*counts[0].outputs, *counts[1].outputs])
    if fault:
        return Verdict("incorrect", fault, inputs=inputs, confirmed=True)
    speed = _ratio(known.whole, known.aside, [each.whole for each in counts])
    objection = "" if speed.low > 1 else "no fewer instructions"
    return Verdict(
        "ok", objection, speed=speed, peak_kb=peak_kb, inputs=inputs, confirmed=True, gain=not objection
    )


def _converse(guest: Guest, calls: Sequence[bytes], last: str) -> list[bytes]:
    """Everything up to ``last``; the observations, if that is ``collect``."""
    slot = {"slot": "a"}
    header = {"op": "ready", **slot, "calls": [len(call) for call in calls], "repeat": 1}
    guest.ask(header, b"".join(calls))
    if last == "ready":
        return []
    guest.go()
    if last == "go":
        return []
    return observations(guest.ask({"op": "collect", **slot}, answers=len(calls)), len(calls))


def _collected(child: Child) -> int:
    """What valgrind says at the end, on a descriptor that its program cannot reach; it says so once.

    Raises:
        GuestFailed: something else has spoken in its name, or the process did not end of itself.
    """
    child.channel.shutdown(socket.SHUT_WR)
    ended = child.wait(_PATIENCE_S)
    if ended is None or ended.code != 0:
        raise GuestFailed("error", f"did not end of itself: {ended.reason if ended else 'still there'}")
    found = _COUNT.findall(child.output()[1])
    if len(found) != 1:
        raise GuestFailed("violation", f"{len(found)} counts of its instructions, where one belongs")
    return int(found[0])


def _fault(
    judge: Judge, calls: Sequence[bytes], expected: Sequence[bytes], outputs: Sequence[bytes]
) -> str | None:
    faults = (judge.fault(*each) for each in zip(calls, expected, outputs, strict=True))
    return next(filter(None, faults), None)


def _ratio(whole: int, aside: int, counts: Sequence[int]) -> Interval:
    """Original / candidate, from lowest to highest."""
    ratios = [(whole - aside) / max(counted - aside, 1) for counted in counts]
    return Interval(ratios[0], min(ratios), max(ratios), len(ratios))
