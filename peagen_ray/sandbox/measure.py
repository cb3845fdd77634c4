"""Honest measurement: screening ranks, confirmation decides.

*Screening* times original and candidate alternately inside one guest. It is quick and only ranks, since the
candidate shares that process. *Confirmation* puts them into two guests that take turns, sends fresh inputs
every round, checks every output, and reads the guests' CPU clocks from outside.
"""

from __future__ import annotations

import math
import pickle
import statistics
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any, Final

from peagen_ray.sandbox.base import Answer, Guest, GuestFailed, GuestLimits, Sandbox, naturals
from peagen_ray.sandbox.reference import Reference, Subject, observations, run
from peagen_ray.workload.base import Workload
from peagen_ray.workload.codec import MalformedValue
from peagen_ray.workload.equality import difference

_PAIRS_AT_ONCE: Final = 4
_MOST_PAIRS: Final = 16
_PRECISE: Final = 0.02
_FAIR: Final = 0.05
_LOSES: Final = 0.85
_PATIENCE: Final = 10.0
"""How many times longer than the original a candidate may take for one call, beside half a second."""

_GRACE_S: Final = 0.5
_LEAST_ROUNDS: Final = 9
_RESOLUTION: Final = 4
"""Calls that cost less than this part of the conversation count as costing that: a lower bound of the gain."""
_ASIDE: Final = 2.0
"""How much more a candidate may spend on taking inputs and giving outputs, as a share of what the original does."""
_LEAST_SLICE_NS: Final = 2_000_000
_MOST_CALLS: Final = 40
"""A slice of a confirmation is long enough that the conversation counts little, and not longer than this."""


@dataclass(frozen=True)
class Interval:
    """A ratio original / candidate (above 1: the candidate is faster), with its 95 % interval."""

    ratio: float
    low: float
    high: float
    samples: int

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the ratio."""
        return (self.high - self.low) / 2 / self.ratio


@dataclass(frozen=True)
class Verdict:
    """What measuring a candidate came to.

    Attributes:
        outcome: ``ok``, or why not: ``incorrect``, or one of :mod:`peagen_ray.sandbox.base`.
        reason: one line of why it is not ``ok``.
        speed: the ratio original / candidate; None unless ``ok``.
        peak_kb: peak memory of one timed call beyond the baseline, kB.
        inputs: calls on which its output was compared.
        confirmed: two guests in lock step, rather than one.
        overhead: share of the candidate's bill that was the conversation itself and was subtracted.
    """

    outcome: str
    reason: str = ""
    speed: Interval | None = None
    peak_kb: int = 0
    inputs: int = 0
    confirmed: bool = False
    overhead: float = 0.0

    def to_data(self) -> dict[str, Any]:
        """The form in which it travels in a Result."""
        return asdict(self)


@dataclass(frozen=True)
class Judge:
    """Decides whether an output is right: by the workload's own ``check``, or against the original's."""

    workload: Workload

    def fault(self, call: bytes, expected: bytes, actual: bytes) -> str | None:
        """One line of what is wrong with ``actual``; None when it is right."""
        if self.workload.has_check:
            return self.workload.check_observation(pickle.loads(call), actual)  # noqa: S301  (our own bytes)
        try:
            return difference(expected, actual)
        except MalformedValue as error:
            return f"result: cannot be read, {error}"


def interval(log_ratios: list[float]) -> Interval:
    """Median and 95 % interval of paired ratios, given their logarithms.

    The half-width is that of a notched box plot, 1.57 * IQR / sqrt(n) (McGill, Tukey & Larsen 1978,
    "Variations of Box Plots").
    """
    middle = statistics.median(log_ratios)
    low, _, high = (
        statistics.quantiles(log_ratios, n=4, method="inclusive") if len(log_ratios) > 1 else [0, 0, 9]
    )
    half = 1.57 * (high - low) / math.sqrt(len(log_ratios))
    return Interval(math.exp(middle), math.exp(middle - half), math.exp(middle + half), len(log_ratios))


def screen(
    sandbox: Sandbox,
    limits: GuestLimits,
    subject: Subject,
    reference: Reference,
    source: str,
    *,
    rival: float | None = None,
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
    """
    judge = Judge(subject.inputs() if subject.workload else Workload.oracle())
    try:
        with sandbox.start(limits) as guest:
            subject.load(guest, "a", subject.source)
            subject.load(guest, "b", source)
            wrong = _check(guest, judge, reference)
            if wrong:
                return wrong
            peak, once_s = _peak(guest, "b", reference)
            speed = _pairs(guest, reference, once_s, rival)
            return Verdict("ok", speed=speed, peak_kb=peak, inputs=len(reference.calls))
    except GuestFailed as error:
        return Verdict(error.outcome, error.reason)


def _check(guest: Guest, judge: Judge, reference: Reference) -> Verdict | None:
    wall_s = _GRACE_S + _PATIENCE * reference.slice_s
    for number, (call, expected) in enumerate(zip(reference.calls, reference.expected, strict=True)):
        fault = judge.fault(call, expected, run(guest, "b", call, wall_s=wall_s).body)
        if fault:
            return Verdict("incorrect", fault, inputs=number + 1)
    return None


def _peak(guest: Guest, slot: str, reference: Reference) -> tuple[int, float]:
    """Peak memory of one timed call in kB, and its CPU seconds."""
    call = reference.timed_calls[0]
    guest.reset_peak()
    spent = run(guest, slot, call).ns
    return guest.peak_kb(), spent / 1e9


def _pairs(guest: Guest, reference: Reference, once_s: float, rival: float | None) -> Interval:
    """Time pairs in small groups until the interval decides."""
    calls = reference.timed_calls
    repeat = max(1, min(len(calls), round(reference.slice_s / 4 / max(once_s, 1e-7))))
    header = {
        "op": "pairs",
        "calls": [len(call) for call in calls],
        "repeat_a": reference.repeat,
        "repeat_b": repeat,
        "count": _PAIRS_AT_ONCE,
    }
    scale = repeat / reference.repeat
    logs: list[float] = []
    found = Interval(1.0, 0.0, math.inf, 0)
    while len(logs) < _MOST_PAIRS:
        pairs = _timed(guest.ask({**header, "first": len(logs)}, b"".join(calls)))
        logs += [math.log(max(a, 1) / max(b, 1) * scale) for a, b in pairs]
        found = interval(logs)
        if found.half_width < _PRECISE or (rival is not None and _decided(found, rival)):
            break
    return found


def _timed(answer: Answer) -> Iterator[tuple[int, int]]:
    """The nanoseconds of original and candidate in an answer to ``pairs``."""
    pairs = answer.header.get("pairs")
    rows = pairs if isinstance(pairs, list) else []
    flat = naturals([ns for row in rows if isinstance(row, list) for ns in row], 2 * _PAIRS_AT_ONCE)
    return zip(flat[::2], flat[1::2], strict=True)


def _decided(found: Interval, rival: float) -> bool:
    """Whether more pairs would change nothing: a clear loser, or fairly precise and apart from the rival."""
    if found.samples <= _PAIRS_AT_ONCE:
        return False
    apart = found.high < rival or found.low > rival
    return found.high < _LOSES * rival or (apart and found.half_width < _FAIR)


def confirm(
    sandbox: Sandbox,
    limits: GuestLimits,
    subject: Subject,
    reference: Reference,
    source: str,
    *,
    seed: int,
    precision: float = 0.01,
    most_s: float = 5.0,
    fresh: int = 0,
) -> Verdict:
    """Measure a candidate against the original in two guests that take turns, on inputs used nowhere before.

    Args:
        sandbox: where the guests are started.
        limits: what each of them may use.
        subject: the original and its workload.
        reference: tells how large inputs are to be.
        source: the candidate.
        seed: makes the inputs; one that no candidate has seen.
        precision: half-width of the interval to reach, relative.
        most_s: CPU seconds of the guests to spend on reaching it.
        fresh: further inputs, of many sizes, on which the outputs are compared first.
    """
    judge = Judge(subject.inputs())
    try:
        with ExitStack() as stack:
            trio = _Trio(*(stack.enter_context(sandbox.start(limits)) for _ in range(3)))
            subject.load(trio.original, "a", subject.source)
            subject.load(trio.candidate, "a", source)
            subject.load(trio.null, "a", source)
            compared = _compare(trio, judge, _fresh_calls(judge.workload, seed, reference.size, fresh))
            if isinstance(compared, Verdict):
                return compared
            peak, _ = _peak(trio.candidate, "a", reference)
            verdict = _lock_step(trio, judge, reference, seed, precision, most_s, compared)
            return replace(verdict, peak_kb=peak)
    except GuestFailed as error:
        return Verdict(error.outcome, error.reason, confirmed=True)


@dataclass(frozen=True)
class _Trio:
    """The guests of a confirmation; the null guest measures what the conversation itself costs."""

    original: Guest
    candidate: Guest
    null: Guest


def _fresh_calls(workload: Workload, seed: int, size: int, number: int) -> Iterator[bytes]:
    """Calls of all sizes up to the timed one, small ones more often (evenly spread logarithms)."""
    for index in range(number):
        fraction = (index * 0.6180339887498949) % 1.0
        yield pickle.dumps(workload.call(seed + index, max(1, round(size**fraction))))


def _compare(trio: _Trio, judge: Judge, calls: Iterable[bytes]) -> Verdict | int:
    number = 0
    for number, call in enumerate(calls, 1):
        expected, actual = (run(guest, "a", call).body for guest in (trio.original, trio.candidate))
        fault = judge.fault(call, expected, actual)
        if fault:
            return Verdict("incorrect", fault, inputs=number, confirmed=True)
    return number


def _lock_step(
    trio: _Trio, judge: Judge, reference: Reference, seed: int, precision: float, most_s: float, compared: int
) -> Verdict:
    logs: list[float] = []
    shares: list[float] = []
    fresh = count(seed + 1_000_000)
    spent, number, repeat = 0, 1, reference.repeat
    while True:
        calls = [pickle.dumps(judge.workload.call(next(fresh), reference.size)) for _ in range(number)]
        bill = _round(trio, judge, calls, repeat, swapped=len(logs) % 2 == 1)
        compared += number
        if isinstance(bill, str):
            return Verdict("incorrect", bill, inputs=compared, confirmed=True)
        net = max(bill.candidate - bill.null, bill.null // _RESOLUTION, 1)
        spent += bill.original + bill.candidate
        if spent == bill.original + bill.candidate:  # the first round warms up, and tells how long slices are
            affordable = int(most_s * 1e9 / (bill.original + bill.candidate) / (_LEAST_ROUNDS + 1))
            number = max(1, min(_MOST_CALLS, math.ceil(_LEAST_SLICE_NS / net), affordable))
            continue
        logs.append(math.log(max(bill.original - bill.null, 1) / net))
        shares.append(bill.null / max(bill.candidate, 1))
        if len(logs) >= _LEAST_ROUNDS and (interval(logs).half_width <= precision or spent > most_s * 1e9):
            break
    return Verdict(
        "ok", speed=interval(logs), inputs=compared, confirmed=True, overhead=statistics.median(shares)
    )


@dataclass(frozen=True)
class _Bill:
    """CPU nanoseconds, each from send to send."""

    original: int
    candidate: int
    null: int


def _round(trio: _Trio, judge: Judge, calls: list[bytes], repeat: int, *, swapped: bool) -> _Bill | str:
    """The bill of the calls in both guests and of none in the null guest; or what is wrong with an output."""
    guests = (trio.original, trio.candidate)
    begun = {guest: guest.cpu_ns() for guest in guests}
    ready = {"op": "ready", "slot": "a", "calls": [len(call) for call in calls], "repeat": repeat}
    for guest in guests:
        guest.ask(ready, b"".join(calls))
    trio.null.ask({**ready, "calls": []})
    first, second = (trio.candidate, trio.original) if swapped else (trio.original, trio.candidate)
    bills = {guest: _billed(guest) for guest in (first, second, trio.null)}
    collect = {"op": "collect", "slot": "a"}
    outputs = [observations(guest.ask(collect, answers=len(calls)), len(calls)) for guest in guests]
    aside = {guest: guest.cpu_ns() - begun[guest] - bills[guest] for guest in guests}
    for call, expected, actual in zip(calls, *outputs, strict=True):
        fault = judge.fault(call, expected, actual)
        if fault:
            return fault
    hidden = _hidden(aside[trio.original], aside[trio.candidate])
    return _Bill(bills[trio.original], bills[trio.candidate] + hidden, bills[trio.null])


def _hidden(original: int, candidate: int) -> int:
    """Nanoseconds of work that a candidate did while it took its inputs or gave its outputs, out of the clock."""
    more = candidate - original
    return more if more > _ASIDE * original else 0


def _billed(guest: Guest) -> int:
    """CPU nanoseconds that the guest takes to make its calls, its part of the conversation included."""
    before = guest.cpu_ns()
    guest.ask({"op": "go", "slot": "a"})
    return guest.cpu_ns() - before
