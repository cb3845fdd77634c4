"""Descriptors: what decides into which cell of the archive a program falls.

A descriptor is one of :data:`BUILT_IN`, or the name of a metric that the evaluator reports
(``metrics.NAME`` where a built-in one has that name too). Its edges are fixed for the whole run, so that a
cell means the same from its first program to its last.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Final

from peagen_ray.evolution.diversity import Likeness
from peagen_ray.evolution.program import DESCRIPTORS, Binning, Bucket, Cell, Program

UNKNOWN: Final = -(2**31)
"""The place of a program on a descriptor whose value it lacks, or whose value is no finite number."""

_BUILT_IN: Final[Mapping[str, Callable[[Program], float]]] = {
    "speed": lambda program: program.speed_ms or 0.0,
    "memory": lambda program: program.peak_kb or 0.0,
    "size": lambda program: len(program.src),
    "age": lambda program: program.gen % 6,
    "generation": lambda program: program.gen,
}

BUILT_IN: Final = (*_BUILT_IN, "novelty")
"""speed (``speed_ms``), memory (``peak_kb``), size (characters), age (``gen % 6``), generation, novelty
(0 to 1: how unlike the original's its syntax tree is)."""

RANGES: Final[Mapping[str, tuple[float, float]]] = {"novelty": (0.0, 1.0), "age": (0.0, 5.0)}
"""Of the built-in descriptors that have one by themselves."""

_METRIC: Final = "metrics."


class Places:
    """Finds the cell of each program.

    Args:
        binning: the descriptors and their edges.
        origin: source text of the original, which novelty is measured against.
    """

    def __init__(self, binning: Binning, origin: str = "") -> None:
        self.binning = binning
        self.origin = origin
        self._likeness: Likeness | None = None

    def cell(self, program: Program) -> Cell:
        """One whole number for each descriptor; a :class:`Bucket` where they are the default ones.

        Where cells have centroids it is one number in all, that of the nearest; the first of equals.
        """
        if self.binning.centroids:
            return (self._nearest(program),)
        places = [self._place(name, program) for name in self.binning.descriptors]
        return Bucket(*places) if self.binning.descriptors == DESCRIPTORS else tuple(places)

    def _place(self, name: str, program: Program) -> int:
        value = self._value(name, program)
        if value is None:
            return UNKNOWN
        edges = self.binning.edges.get(name)
        if edges is not None:
            return bisect_right(edges, value)
        place = value // self.binning.width(name)
        return int(place) if math.isfinite(place) else UNKNOWN

    def _nearest(self, program: Program) -> int:
        point = []
        for name in self.binning.descriptors:
            value = self._value(name, program)
            if value is None:
                return UNKNOWN
            low, high = self.binning.ranges.get(name) or RANGES[name]
            point.append(min(1.0, max(0.0, (value - low) / (high - low))))
        distances = [math.dist(point, middle) for middle in self.binning.centroids]
        return distances.index(min(distances))

    def _value(self, name: str, program: Program) -> float | None:
        """The descriptor's value; None if there is none, or none that is a finite number."""
        if name == "novelty":
            if self._likeness is None:
                self._likeness = Likeness(self.origin)
            return self._likeness.novelty(program.src)
        reader = _BUILT_IN.get(name)
        return number(reader(program) if reader else program.metrics.get(name.removeprefix(_METRIC)))


def number(value: object) -> float | None:
    """A metric as a finite number; None if it is none."""
    if not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
