"""The reference: what the original does on a fixed set of calls, and how fast; measured once a run."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple, Self

from peagen_ray.errors import WorkloadError
from peagen_ray.sandbox.base import (
    Answer,
    Guest,
    GuestFailed,
    GuestLimits,
    Sandbox,
    naturals,
)
from peagen_ray.sandbox.messages import pack, split, unpack
from peagen_ray.workload.base import Scale, Workload, load_workload
from peagen_ray.workload.equality import difference, raised
from peagen_ray.workload.target import Call

STANDARD_MS: Final = 200.0
"""CPU time that the original takes on the standard input set at least, in milliseconds."""

SLICE_S: Final = 0.0015
"""CPU seconds that one call of the original should take at least, so that it can be timed."""

MOST_PAIRS: Final = 16
"""Slices of the original that one screening times at most."""

_TOO_LARGE: Final = frozenset({"RecursionError", "MemoryError"})
"""What an original raises on inputs that are beyond it, though smaller ones are not."""

_HASH_SEED: Final = 3_141_592_653
"""Of the interpreter that the original is run in again; one that nobody sets."""

_ADVICE: Final = (
    "make it deterministic: seed its randomness, do not read the clock, and sort what comes out of a set, whose order "
    "differs from one interpreter to the next; or write a workload file with check(args, output)"
)

_EDGES: Final = 40
_SMALL: Final = 12
_TIMED: Final = 6
_MOST_EXTRA: Final = 2000
_MOST_EXTRA_BYTES: Final = 2 << 20
_EDGE_WALL_S: Final = 1.0
_PROBE_WALL_S: Final = 10.0
_LOAD_WALL_S: Final = 30.0


@dataclass(frozen=True)
class Subject:
    """The program to improve and how to call it.

    Attributes:
        source: the original's source text.
        entry: the function, ``Class.method`` or "" for the whole module.
        workload: source text of the workload file, or None to derive inputs from type hints.
        path: where the original is, for messages.
        workload_path: where the workload file is, for messages.
    """

    source: str
    entry: str
    workload: str | None = None
    path: str = "<source>"
    workload_path: str = "<workload>"

    def inputs(self) -> Workload:
        """What makes its inputs; raises WorkloadError or TargetError."""
        return load_workload(
            self.workload, self.source, self.entry, path=self.workload_path, target_path=self.path
        )

    def load(self, guest: Guest, slot: str, source: str, *, wall_s: float | None = None) -> None:
        """Load ``source`` into a slot of a guest; raises GuestFailed if it cannot be loaded."""
        header: dict[str, Any] = {"op": "load", "slot": slot, "source": source, "entry": self.entry}
        header |= {"workload": self.workload, "workload_path": self.workload_path}
        answer = guest.ask(header, wall_s=_LOAD_WALL_S if wall_s is None else wall_s)
        if not answer.header.get("ok"):
            reason = str(answer.header.get("error", "no reason given"))[:500]
            raise GuestFailed("error", f"does not load: {reason}")


@dataclass(frozen=True)
class Reference:
    """What the original does on a fixed set of calls.

    Attributes:
        size: the size that inputs were scaled to.
        repeat: calls of the original in one timed slice.
        slice_s: CPU seconds of one such slice.
        reference_ms: CPU time of the original on the standard input set, in milliseconds.
        calls: pickled calls, edge cases first, then small ones, then those that are timed.
        expected: the original's encoded observation of each call.
        timed: how many of the last calls are the ones to time.
        extra: further pickled calls of that size, on which no candidate is checked: for timing only.
        counted: instructions of the original's process on the timed calls, 0 where they are not counted.
        aside: those of them that are not of the calls.
    """

    size: int
    repeat: int
    slice_s: float
    reference_ms: float
    calls: tuple[bytes, ...]
    expected: tuple[bytes, ...]
    timed: int
    extra: tuple[bytes, ...]
    counted: int = 0
    aside: int = 0

    @property
    def timed_calls(self) -> tuple[bytes, ...]:
        """The calls to time."""
        return self.calls[-self.timed :]

    def measured(self) -> Facts:
        """What a run measured, and keeps for good."""
        return Facts(self.size, self.repeat, self.slice_s, self.reference_ms)

    def facts(self) -> dict[str, Any]:
        """Everything but the calls, for a ledger and for people."""
        return {
            "size": self.size,
            "repeat": self.repeat,
            "slice_s": self.slice_s,
            "reference_ms": self.reference_ms,
            "calls": len(self.calls),
            "timed": self.timed,
        }

    def to_bytes(self) -> bytes:
        """The form in which it is kept beside a run."""
        fields = {k: v for k, v in asdict(self).items() if k not in {"calls", "expected", "extra"}}
        parts = [*self.calls, *self.expected, *self.extra]
        fields["checked"] = len(self.calls)
        return pack({**fields, "lengths": [len(part) for part in parts]}, b"".join(parts))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote."""
        header, body = unpack(raw)
        parts, checked = split(body, header.pop("lengths")), header.pop("checked")
        calls, expected, extra = parts[:checked], parts[checked : 2 * checked], parts[2 * checked :]
        return cls(**header, calls=tuple(calls), expected=tuple(expected), extra=tuple(extra))


class Observed(NamedTuple):
    """What a guest answered to a call: CPU nanoseconds, and the encoded observation."""

    ns: int
    body: bytes


def run(guest: Guest, slot: str, call: bytes, *, wall_s: float | None = None) -> Observed:
    """Make a call in a guest; raises GuestFailed when there is no observation to be had."""
    answer = guest.ask({"op": "run", "slot": slot, "calls": [len(call)], "repeat": 1}, call, wall_s=wall_s)
    (body,) = observations(answer, 1)
    return Observed(_nanoseconds(answer), body)


def observations(answer: Answer, count: int) -> list[bytes]:
    """The observations in an answer to ``run`` or ``collect`` of so many calls.

    Raises:
        GuestFailed: they are too large, or are none.
    """
    if "too_large" in answer.header:
        raise GuestFailed("violation", str(answer.header["too_large"])[:500])
    lengths = naturals(answer.header.get("lengths"), count)
    try:
        return split(answer.body, lengths)
    except ValueError as error:
        raise GuestFailed("error", f"answered rubbish: {error}") from error


def _nanoseconds(answer: Answer) -> int:
    return naturals([answer.header.get("ns")], 1)[0]


@dataclass(frozen=True)
class Facts:
    """What a run measured of its original, and keeps for good.

    Attributes:
        size: the size that inputs were scaled to.
        repeat: calls of the original in one timed slice.
        slice_s: CPU seconds of one such slice.
        reference_ms: CPU time of the original on the standard input set, in milliseconds.
    """

    size: int
    repeat: int
    slice_s: float
    reference_ms: float


def prepare(
    subject: Subject, sandbox: Sandbox, limits: GuestLimits, seed: int, known: Facts | None = None
) -> Reference:
    """Scale the inputs, run the original on them twice, and time it.

    Args:
        subject: the original and its workload.
        sandbox: where guests are started.
        limits: what a guest may use.
        seed: of the inputs.
        known: what the run measured before; it is kept, and only the calls are made again.

    Raises:
        WorkloadError: no usable inputs, an original that disagrees with itself, or one that is too slow.
        TargetError: the original cannot be loaded or has no such entry.
    """
    workload = subject.inputs()
    scale = Scale(known.size, known.slice_s, known.repeat) if known else None
    scale = scale or _scale(workload, subject, sandbox, limits, seed)
    with _original(subject, sandbox, limits) as guest:
        timed = [pickle.dumps(workload.call(seed + 1 + i, scale.size)) for i in range(_TIMED)]
        observed = [_must_run(guest, call) for call in timed]
        facts = known or _facts(scale, _time_slices(guest, timed, scale.repeat))
    errors = [raised(each) for each in observed]
    if all(errors):
        raise WorkloadError(
            f"the original raises {errors[0]} on every input of size {scale.size}",
            subject=subject.entry or subject.path,
            hint="write a workload file with inputs that it accepts: peagen-ray workload init",
        )
    checks = [*workload.edges(seed, _EDGES), *_small(workload, seed, scale.size)]
    usable = _answered(workload, subject, sandbox, limits, checks)
    calls, expected = (*(call for call, _ in usable), *timed), (*(body for _, body in usable), *observed)
    if not workload.has_check:
        _refuse_disagreement(subject, sandbox, limits, calls, expected)
    extra = _extra(workload, seed + 1 + _TIMED, facts)
    return Reference(**asdict(facts), calls=calls, expected=expected, timed=_TIMED, extra=extra)


def _facts(scale: Scale, slices: Sequence[float]) -> Facts:
    slice_s = sum(slices) / len(slices)
    return Facts(scale.size, scale.repeat, slice_s, _standard_ms(slice_s * 1e3 * _TIMED))


def _standard_ms(once: float) -> float:
    """CPU time of the standard input set: the timed slices, as often as it takes to fill 200 ms."""
    return once * max(1, math.ceil(STANDARD_MS / max(once, 1e-3)))


def _original(subject: Subject, sandbox: Sandbox, limits: GuestLimits) -> Guest:
    guest = sandbox.start(limits)
    try:
        subject.load(guest, "a", subject.source)
    except GuestFailed as error:
        guest.close()
        raise WorkloadError(f"the original cannot be run: {error}", subject=subject.path) from error
    return guest


def _scale(workload: Workload, subject: Subject, sandbox: Sandbox, limits: GuestLimits, seed: int) -> Scale:
    """The size whose call takes a slice; a probe that fails counts as too large, and may cost its guest."""
    guests = [_original(subject, sandbox, limits)]

    def seconds(size: int) -> float | None:
        call = pickle.dumps(workload.call(seed, size))
        try:
            probe = run(guests[-1], "a", call, wall_s=_PROBE_WALL_S)
        except GuestFailed:
            guests.append(_original(subject, sandbox, limits))
            return None
        return None if raised(probe.body) in _TOO_LARGE else probe.ns / 1e9

    try:
        return workload.size_for(seconds, SLICE_S)
    finally:
        for guest in guests:
            guest.close()


def _must_run(guest: Guest, call: bytes) -> bytes:
    try:
        return run(guest, "a", call).body
    except GuestFailed as error:
        raise WorkloadError(f"the original fails on its own inputs: {error}") from error


def _time_slices(guest: Guest, calls: Sequence[bytes], repeat: int) -> list[float]:
    """CPU seconds of ``repeat`` calls, for each of the calls."""
    found = []
    for call in calls:
        guest.ask({"op": "ready", "slot": "a", "calls": [len(call)], "repeat": repeat}, call)
        found.append(_nanoseconds(guest.ask({"op": "go", "slot": "a"})) / 1e9)
    return found


def _extra(workload: Workload, seed: int, facts: Facts) -> tuple[bytes, ...]:
    """Calls for every slice of a screening, all different as far as memory allows."""
    found: list[bytes] = []
    room = _MOST_EXTRA_BYTES
    for index in range(min(_MOST_EXTRA, MOST_PAIRS * max(_TIMED, facts.repeat))):
        found.append(pickle.dumps(workload.call(seed + index, facts.size)))
        room -= len(found[-1])
        if room <= 0:
            break
    return tuple(found)


def _small(workload: Workload, seed: int, size: int) -> Iterable[Call]:
    """Calls of sizes between the smallest and the timed one, evenly spread on a logarithmic scale."""
    for index in range(_SMALL):
        yield workload.call(seed + 1000 + index, max(1, round(size ** ((index + 1) / (_SMALL + 1)))))


def _answered(
    workload: Workload, subject: Subject, sandbox: Sandbox, limits: GuestLimits, checks: Sequence[Call]
) -> list[tuple[bytes, bytes]]:
    """The calls that the original answers in time and in a way that says something, and its answers."""
    found = []
    answers = _observe_all(subject, sandbox, limits, [pickle.dumps(call) for call in checks])
    for call, (pickled, body) in zip(checks, answers, strict=True):
        if body is not None and workload.accepts(call, body):
            found.append((pickled, body))
    return found


def _refuse_disagreement(
    subject: Subject, sandbox: Sandbox, limits: GuestLimits, calls: Sequence[bytes], expected: Sequence[bytes]
) -> None:
    """Run the original again in an interpreter of its own; raises WorkloadError if it answers differently.

    Its hash seed is another one, so that what follows the order of a set of strings is found out.
    """
    with sandbox.fresh(_HASH_SEED) as other:
        again = _observe_all(subject, other, limits, calls)
    for (_, second), first in zip(again, expected, strict=True):
        apart = "no answer the second time" if second is None else difference(first, second)
        if apart:
            raise WorkloadError(
                f"the original disagrees with itself: {apart}",
                subject=subject.entry or subject.path,
                hint=_ADVICE,
            )


def _observe_all(
    subject: Subject, sandbox: Sandbox, limits: GuestLimits, calls: Sequence[bytes]
) -> list[tuple[bytes, bytes | None]]:
    """What the original answers to each call; None where it hangs or dies, which ends only that guest."""
    found: list[tuple[bytes, bytes | None]] = []
    guest = _original(subject, sandbox, limits)
    try:
        for call in calls:
            try:
                found.append((call, run(guest, "a", call, wall_s=_EDGE_WALL_S).body))
            except GuestFailed:
                found.append((call, None))
                guest = _original(subject, sandbox, limits)
    finally:
        guest.close()
    return found
