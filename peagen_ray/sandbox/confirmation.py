"""Confirmation: a gain is claimed only if every one of several interpreters shows it.

A *family* is an interpreter that is executed for this measurement, with a hash seed of its own; its guests are
forked from it, so that original and candidate share its layout. A *visit* to a family is a new trio of guests
in lock step for a few rounds: a process may be slow for as long as it lives, so many that live
briefly say more than one that lives long. Families are visited in turn until the interval is narrow enough.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Final

from peagen_ray.sandbox.base import GuestFailed, GuestLimits, Sandbox
from peagen_ray.sandbox.billing import RESOLUTION, Account, Claim
from peagen_ray.sandbox.lockstep import Incorrect, Round, Trio, trio
from peagen_ray.sandbox.reference import Reference, Subject
from peagen_ray.sandbox.verdict import Judge, Verdict
from peagen_ray.workload.base import Workload

FAMILIES: Final = 3
"""Interpreters that have to agree."""

_VISITS: Final = 3
"""Visits to each family, and more as long as the interval is too wide."""

_ROUNDS: Final = 4
_WARM_UP: Final = 4
"""Part of a round's calls that a visit begins with, unmeasured."""

_LEAST_SLICE_NS: Final = 3_000_000
"""CPU time that the original's calls of one round should take at least."""

_NULLS: Final = 150
"""The candidate's calls of one round should take so many times what the conversation costs."""

_MOST_CALLS: Final = 400
_MOST_BYTES: Final = 32 << 20
"""What a round may have of inputs, all of them different."""

_AT_ONCE: Final = 10
_GOLDEN: Final = (math.sqrt(5) - 1) / 2


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
    families: int = FAMILIES,
) -> Verdict:
    """Measure a candidate against the original in guests that take turns, on inputs used nowhere before.

    Args:
        sandbox: where the guests are started.
        limits: what each of them may use.
        subject: the original and its workload.
        reference: tells how large inputs are to be.
        source: the candidate.
        seed: makes the inputs and the hash seeds; one that no candidate can know.
        precision: half-width to reach, relative, of the interval and of the noise beside it.
        most_s: CPU seconds of the guests to spend on reaching it; every family is visited once at least.
        fresh: further inputs, of many sizes, on which the outputs are compared first.
        families: interpreters that have to agree, three or more.

    Raises:
        SandboxError: a guest cannot be started.
        WorkloadError: the original disagrees with itself on one of the inputs.
    """
    judge, rounds = Judge(subject.inputs()), families * _VISITS * (_ROUNDS + 1 / _WARM_UP)
    measurement = _Measurement(limits, subject, reference, source, judge, count(seed), most_s, rounds)
    try:
        with ExitStack() as stack:
            hash_seeds = Random(seed).sample(range(1, 1 << 32), families)
            homes = [stack.enter_context(sandbox.fresh(each)) for each in hash_seeds]
            claim = measurement.run(homes, precision, fresh)
    except Incorrect as wrong:
        found = Verdict("incorrect", str(wrong), inputs=measurement.inputs, confirmed=True)
        return replace(found, layers=measurement.layers)
    except GuestFailed as error:
        return Verdict(error.outcome, error.reason, confirmed=True, layers=measurement.layers)
    return Verdict(
        "ok",
        claim.objection,
        speed=claim.speed,
        peak_kb=measurement.peak_kb,
        inputs=measurement.inputs,
        confirmed=True,
        gain=not claim.objection,
        noise=claim.noise,
        families=claim.families,
        overhead=claim.overhead,
        hidden=claim.hidden,
        layers=measurement.layers,
    )


@dataclass
class _Measurement:
    """One confirmation under way.

    Attributes:
        number: calls of one round, once it is known what one costs.
        rounds: how many there are at least, those to warm up included by what they cost.
        inputs: calls on which outputs were compared.
        spent_s: CPU seconds of guests that have ended.
        layers: the layers of isolation that were active around the last ones.
    """

    limits: GuestLimits
    subject: Subject
    reference: Reference
    source: str
    judge: Judge
    seeds: Iterator[int]
    most_s: float
    rounds: float
    number: int = 0
    inputs: int = 0
    spent_s: float = 0.0
    peak_kb: int = 0
    layers: tuple[str, ...] = ()

    def run(self, homes: Sequence[Sandbox], precision: float, fresh: int) -> Claim:
        """Visit the families in turn until gain and noise are both known well enough, or the budget is spent."""
        accounts = [Account() for _ in homes]
        for visit in count(1):
            for home, account in zip(homes, accounts, strict=True):
                account.visits.append(self._visit(home, fresh if self.number == 0 else 0))
            claim = Claim.of(accounts)
            widest = max(claim.speed.half_width, claim.noise.half_width)
            precise = visit >= _VISITS and widest <= precision
            if precise or self.spent_s * (visit + 1) / visit > self.most_s:
                break
        return claim

    def _visit(self, home: Sandbox, fresh: int) -> list[Round]:
        with trio(home, self.limits, self.subject, self.source, self.judge) as guests:
            self.layers = guests.layers
            for calls in of_many_sizes(self.judge.workload, self.seeds, self.reference.size, fresh):
                self._round(guests, calls)
            if self.number == 0:
                self._round(guests, self._calls(1))
                self.number = self._affordable(self._round(guests, self._calls(1)))
            self._round(guests, self._calls(max(1, self.number // _WARM_UP)))
            rounds = [self._round(guests, self._calls(self.number)) for _ in range(_ROUNDS)]
            self.peak_kb = self.peak_kb or guests.peak_kb(self.reference.timed_calls[0])
            self.spent_s += guests.cpu_s()
        return rounds

    def _round(self, guests: Trio, calls: Sequence[bytes]) -> Round:
        self.inputs += len(calls)
        return guests.round(calls)

    def _calls(self, number: int) -> list[bytes]:
        size = self.reference.size
        return [pickle.dumps(self.judge.workload.call(next(self.seeds), size)) for _ in range(number)]

    def _affordable(self, one: Round) -> int:
        """Calls that make slices long enough, as far as budget and memory go.

        Args:
            one: a round of one call.
        """
        bills = (one.original, one.candidate, one.control)
        candidate = max(one.candidate.go - one.null, one.null / RESOLUTION)
        wanted = max(_NULLS * one.null / candidate, _LEAST_SLICE_NS / max(one.original.go, 1))
        round_ns = self.most_s * 1e9 / self.rounds
        paid = round_ns / max(sum(bill.total for bill in bills), 1)
        held = _MOST_BYTES / len(self._calls(1)[0])
        return max(1, math.floor(min(math.ceil(wanted), paid, held, _MOST_CALLS)))


def of_many_sizes(workload: Workload, seeds: Iterator[int], size: int, number: int) -> Iterator[list[bytes]]:
    """Pickled calls of all sizes up to that one, small ones more often (evenly spread logarithms), a few at a time."""
    for first in range(0, number, _AT_ONCE):
        fractions = [index * _GOLDEN % 1.0 for index in range(first, min(number, first + _AT_ONCE))]
        sizes = [max(1, round(size**fraction)) for fraction in fractions]
        yield [pickle.dumps(workload.call(next(seeds), each)) for each in sizes]
