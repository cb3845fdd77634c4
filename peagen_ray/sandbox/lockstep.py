"""Lock step: guests that take turns on the same calls, one running at a time, billed from send to send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

from peagen_ray.errors import WorkloadError
from peagen_ray.sandbox.base import Guest, GuestLimits, Sandbox, listening
from peagen_ray.sandbox.reference import Subject, observations, run
from peagen_ray.sandbox.verdict import Judge

_SLOT: Final = {"slot": "a"}

_ORDERS: Final = ((0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1))
"""Who takes the first, second and third turn: each pair is in either order equally often."""


@dataclass(frozen=True)
class Bill:
    """CPU nanoseconds of one turn.

    Attributes:
        go: from the message that says go to its answer.
        null: the same, with no calls made ready.
        aside: everything but ``go`` since the turn before: taking the inputs, giving the outputs, letting go of
            them, and whatever ran when nothing was asked.
    """

    go: int
    null: int
    aside: int

    @property
    def total(self) -> int:
        """All that it used."""
        return self.go + self.aside


@dataclass(frozen=True)
class Round:
    """The bills of one round, all on the same calls."""

    original: Bill
    candidate: Bill
    control: Bill

    @property
    def null(self) -> int:
        """What the conversation costs, as measured where no candidate can have a hand in it."""
        return self.control.null


class Incorrect(Exception):
    """An output of the candidate is wrong; says how, in one line."""


@dataclass
class Player:
    """A guest that is stopped but for its turns, and billed for all of its CPU time."""

    guest: Guest
    _until: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._until = self.guest.cpu_ns()
        self.guest.pause()

    def turn(self, calls: Sequence[bytes]) -> tuple[Bill, list[bytes]]:
        """Make the calls, then none, so that nothing of them is left; the bill, and the observations."""
        self.guest.resume()
        spent = self._go(calls)
        collected = self.guest.ask({"op": "collect", **_SLOT}, answers=max(1, len(calls)))
        outputs = observations(collected, len(calls))
        null = self._go(())
        before, self._until = self._until, self.guest.cpu_ns()
        self.guest.pause()
        return Bill(spent, null, self._until - before - spent), outputs

    def _go(self, calls: Sequence[bytes]) -> int:
        header: dict[str, Any] = {"op": "ready", **_SLOT, "calls": [len(call) for call in calls], "repeat": 1}
        self.guest.ask(header, b"".join(calls))
        before = self.guest.cpu_ns()
        self.guest.go()
        return self.guest.cpu_ns() - before


class Trio:
    """Three guests in lock step: the original, the candidate, and the original again as control.

    The control shows how far apart two that are the same seem to be, and what the conversation costs where no
    candidate can have a hand in it.

    Attributes:
        layers: the layers of isolation that were active around each of them.
    """

    def __init__(self, guests: Sequence[Guest], judge: Judge) -> None:
        self.layers = tuple(sorted(frozenset.intersection(*(guest.layers for guest in guests))))
        self._players = [Player(guest) for guest in guests]
        self._judge = judge
        self._orders = cycle(_ORDERS)

    def round(self, calls: Sequence[bytes]) -> Round:
        """Have all three make the calls.

        Raises:
            Incorrect: an output of the candidate is wrong.
            WorkloadError: the original and the control differ.
            GuestFailed: a guest gave no answer.
        """
        turns = {index: self._players[index].turn(calls) for index in next(self._orders)}
        bills, outputs = zip(*(turns[index] for index in range(3)), strict=True)
        for call, expected, actual, again in zip(calls, *outputs, strict=True):
            self._check(call, expected, actual, again)
        return Round(*bills)

    def _check(self, call: bytes, expected: bytes, actual: bytes, again: bytes) -> None:
        fault = self._judge.fault(call, expected, actual)
        if not fault:
            return
        apart = None if self._judge.workload.has_check else self._judge.fault(call, expected, again)
        if apart:
            raise WorkloadError(f"the original disagrees with itself: {apart}")
        raise Incorrect(fault)

    def peak_kb(self, call: bytes) -> int:
        """Peak memory of the candidate's call beyond what it held before, kB."""
        guest = self._players[1].guest
        guest.resume()
        guest.reset_peak()
        run(guest, "a", call)
        return guest.peak_kb()

    def cpu_s(self) -> float:
        """CPU seconds that the guests have used in all."""
        return sum(player.guest.cpu_ns() for player in self._players) / 1e9


@contextmanager
def trio(
    sandbox: Sandbox, limits: GuestLimits, subject: Subject, source: str, judge: Judge
) -> Iterator[Trio]:
    """Start three guests on one core and load them; they are dead when the block ends.

    They share the core that the kernel chose for the first of them, since cores differ in speed, and by more
    than the gains to be measured.

    Raises:
        GuestFailed: the candidate does not load.
        SandboxError: a guest cannot be started.
    """
    with ExitStack() as stack:
        original = stack.enter_context(sandbox.start(limits))
        candidate = stack.enter_context(listening(sandbox.start(limits)))
        guests = original, candidate, stack.enter_context(sandbox.start(limits))
        core = original.core()
        for guest, text in zip(guests, (subject.source, source, subject.source), strict=True):
            guest.pin(core)
            subject.load(guest, "a", text)
        yield Trio(guests, judge)
