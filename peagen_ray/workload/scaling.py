"""Scaling: the size of input at which a call can be timed. Pure: the caller measures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

MAX_SIZE = 200_000
"""Largest size tried where a workload names none: a list of so many integers takes 8 MB."""

_MAX_PROBES = 40
_FLAT_SPAN = 8
_FLAT_GROWTH = 1.3
_OVERSHOOT = 4.0
_PRECISION = 0.05
_SMALLEST_S = 1e-7


@dataclass(frozen=True, slots=True)
class Scale:
    """What to time: ``repeat`` calls on an input of ``size``, where one took ``seconds``."""

    size: int
    seconds: float
    repeat: int = 1


@dataclass(slots=True)
class _Search:
    """What is known so far: times below the target by size, and the smallest sizes that are too much."""

    seconds: Callable[[int], float | None]
    target: float
    budget: float
    below: dict[int, float]
    above: tuple[int, float] | None = None
    wall: int | None = None
    probes: int = 0

    @property
    def spent(self) -> bool:
        return self.budget <= 0 or self.probes >= _MAX_PROBES

    @property
    def ceiling(self) -> int | None:
        """The smallest size known to be too much, in time or because the call fails."""
        sizes = [size for size in (self.above[0] if self.above else None, self.wall) if size is not None]
        return min(sizes, default=None)

    def probe(self, size: int) -> None:
        self.probes += 1
        taken = self.seconds(size)
        if taken is None:
            self.wall = size
            return
        self.budget -= taken
        if taken < self.target:
            self.below[size] = taken
        else:
            self.above = (size, taken)


def size_for(
    seconds: Callable[[int], float | None],
    target: float,
    *,
    sizes: tuple[int, int] = (1, MAX_SIZE),
    budget: float | None = None,
) -> Scale | None:
    """Find the smallest size whose call takes ``target`` seconds, by doubling and then halving the interval.

    Steps shrink where time grows exponentially, so that no probe takes much more than the target. A call
    whose time does not grow, or not enough, is repeated instead.

    Args:
        seconds: takes one call of a size; None where that size cannot be used (it fails, or takes too long).
        target: seconds that ``size`` times ``repeat`` should take.
        sizes: smallest and largest size to try.
        budget: seconds that all probes together may take, by default 20 targets; the probe that exceeds it
            is the last.

    Returns:
        The scale; None where not even the smallest size can be used.
    """
    search = _Search(seconds, target, 20 * target if budget is None else budget, {})
    size: int | None = sizes[0]
    while size is not None and search.ceiling is None and not search.spent:
        search.probe(size)
        size = _next_size(search, sizes[1])
    _halve(search, sizes[0])
    if search.above is not None:
        return Scale(*search.above)
    if not search.below:
        return None
    size, taken = max(search.below.items())
    return Scale(size, taken, math.ceil(target / max(taken, _SMALLEST_S)))


def _next_size(search: _Search, largest: int) -> int | None:
    """The next size on the way up; None where there is none, or where growing has no effect."""
    if not search.below:
        return None
    size, taken = max(search.below.items())
    if size >= largest or _is_flat(search.below):
        return None
    step = float(max(size, 1))
    smaller = [(other, time) for other, time in search.below.items() if other < size and time > _SMALLEST_S]
    if smaller:
        other, time = max(smaller)
        rate = math.log(max(taken, _SMALLEST_S) / time) / (size - other)
        room = math.log(_OVERSHOOT * search.target / max(taken, _SMALLEST_S))
        if rate > 0:
            step = min(step, room / rate)
    return min(largest, size + max(1, int(step)))


def _is_flat(below: dict[int, float]) -> bool:
    """Whether time has not grown while size did, eightfold and from 64 on."""
    size, taken = max(below.items())
    earlier = [time for other, time in below.items() if other >= _FLAT_SPAN**2 and other * _FLAT_SPAN <= size]
    return bool(earlier) and taken < _FLAT_GROWTH * max(*earlier, _SMALLEST_S)


def _halve(search: _Search, smallest: int) -> None:
    """Close in on the ceiling from below, to a twentieth of it."""
    while (high := search.ceiling) is not None and not search.spent:
        low = max((size for size in search.below if size < high), default=smallest - 1)
        if high - low <= max(1, int(high * _PRECISION)):
            return
        middle = (low + high) // 2
        if middle < smallest:
            return
        search.probe(middle)
