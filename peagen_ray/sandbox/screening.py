"""Screening: rank a candidate quickly, in one process with the original.

The candidate shares that process, so that a hostile one can be ranked anywhere; the value only ranks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Final

from peagen_ray.sandbox.base import Answer, Guest, GuestFailed, GuestLimits, Sandbox, listening, naturals
from peagen_ray.sandbox.hotlines import TOLD
from peagen_ray.sandbox.reference import MOST_PAIRS, Reference, Subject, run
from peagen_ray.sandbox.statistics import Interval, interval
from peagen_ray.sandbox.verdict import Judge, Verdict
from peagen_ray.workload.base import Workload

_PAIRS_AT_ONCE: Final = 4
_PRECISE: Final = 0.02
_FAIR: Final = 0.05
_LOSES: Final = 0.85
_PATIENCE: Final = 10.0
"""How many times longer than the original a candidate may take for one call, beside half a second."""

_GRACE_S: Final = 0.5

_HOT_WALL_S: Final = 2.0
"""Seconds that finding the hot lines may take."""


def screen(
    sandbox: Sandbox,
    limits: GuestLimits,
    subject: Subject,
    reference: Reference,
    source: str,
    *,
    rival: float | None = None,
    hot: bool = False,
) -> Verdict:
    """Check a candidate on the reference's calls and rank its speed.

    Args:
        sandbox: where the guest is started.
        limits: what it may use.
        subject: the original and its workload.
        reference: what the original does on the standard input set.
        source: the candidate.
        rival: the ratio that the candidate is to be ranked against, its parent's; what is decided about
            that is measured no further.
        hot: find out, when all else is done, on which lines it spends its time.
    """
    judge = Judge(subject.inputs() if subject.workload else Workload.oracle())
    with listening(sandbox.start(limits)) as guest:
        try:
            subject.load(guest, "a", subject.source)
            subject.load(guest, "b", source)
            verdict = check(guest, judge, reference) or _ranked(guest, reference, rival)
            if hot and verdict.outcome == "ok":
                verdict = replace(verdict, hot=_hot(guest, reference))
        except GuestFailed as error:
            verdict = Verdict(error.outcome, error.reason)
        return replace(verdict, layers=tuple(sorted(guest.layers)))


def _ranked(guest: Guest, reference: Reference, rival: float | None) -> Verdict:
    """A right candidate, measured."""
    peak_kb, once_s = peak(guest, "b", reference)
    speed = _pairs(guest, reference, once_s, rival)
    return Verdict("ok", speed=speed, peak_kb=peak_kb, inputs=len(reference.calls))


def _hot(guest: Guest, reference: Reference) -> tuple[tuple[int, float], ...]:
    """The hot lines of one timed call; none where they are not to be had, which is nothing against a candidate."""
    call = reference.timed_calls[0]
    try:
        return told(guest.ask({"op": "hot", "slot": "b", "calls": [len(call)]}, call, wall_s=_HOT_WALL_S))
    except GuestFailed:
        return ()


def told(answer: Answer) -> tuple[tuple[int, float], ...]:
    """Lines and their shares, 0 to 1, in what a guest answered; raises GuestFailed if it is no such thing."""
    rows = answer.header.get("hot")
    if not isinstance(rows, list) or len(rows) > TOLD or not all(isinstance(row, list) for row in rows):
        raise GuestFailed("error", "answered rubbish where hot lines belong")
    pairs = [naturals(row, 2) for row in rows]
    return tuple((line, min(1000, share) / 1000) for line, share in pairs)


def check(guest: Guest, judge: Judge, reference: Reference) -> Verdict | None:
    """The verdict on a candidate in slot ``b`` that is wrong on one of the reference's calls."""
    wall_s = _GRACE_S + _PATIENCE * reference.slice_s
    for number, (call, expected) in enumerate(zip(reference.calls, reference.expected, strict=True)):
        fault = judge.fault(call, expected, run(guest, "b", call, wall_s=wall_s).body)
        if fault:
            return Verdict("incorrect", fault, inputs=number + 1)
    return None


def peak(guest: Guest, slot: str, reference: Reference) -> tuple[int, float]:
    """Peak memory of one timed call in kB, and its CPU seconds."""
    call = reference.timed_calls[0]
    guest.reset_peak()
    spent = run(guest, slot, call).ns
    return guest.peak_kb(), spent / 1e9


def _pairs(guest: Guest, reference: Reference, once_s: float, rival: float | None) -> Interval:
    """Time pairs in small groups until the interval decides, each on calls of its own as far as they go."""
    repeat = max(1, min(reference.timed, round(reference.slice_s / 4 / max(once_s, 1e-7))))
    step = max(repeat, reference.repeat)
    header = {"op": "pairs", "repeat_a": reference.repeat, "repeat_b": repeat, "step": step}
    scale = repeat / reference.repeat
    pool = cycle(reference.extra)
    logs: list[float] = []
    while not _decided(logs, rival):
        calls = list(islice(pool, _PAIRS_AT_ONCE * step))
        sent = {"calls": [len(call) for call in calls], "swapped": len(logs) // _PAIRS_AT_ONCE % 2 == 1}
        pairs = _timed(guest.ask({**header, **sent}, b"".join(calls)))
        logs += [math.log(max(a, 1) / max(b, 1) * scale) for a, b in pairs]
    return interval(logs)


def _timed(answer: Answer) -> Iterator[tuple[int, int]]:
    """The nanoseconds of original and candidate in an answer to ``pairs``."""
    pairs = answer.header.get("pairs")
    rows = pairs if isinstance(pairs, list) else []
    flat = naturals([ns for row in rows if isinstance(row, list) for ns in row], 2 * _PAIRS_AT_ONCE)
    return zip(flat[::2], flat[1::2], strict=True)


def _decided(logs: Sequence[float], rival: float | None) -> bool:
    """Whether more pairs would change nothing that matters.

    A candidate whose pairs all lose clearly is done with at once, one that loses soon. What may win is measured
    on to the same precision however it looks meanwhile: to stop at a lucky moment would flatter it.
    """
    if not logs:
        return False
    if rival is not None and max(logs) < math.log(_LOSES * rival):
        return True
    if len(logs) < 2 * _PAIRS_AT_ONCE:
        return False
    found = interval(logs)
    loses = rival is not None and found.high < rival and found.half_width < _FAIR
    return loses or found.half_width < _PRECISE or len(logs) >= MOST_PAIRS
