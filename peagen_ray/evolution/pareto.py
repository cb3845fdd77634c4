"""The Pareto front: programs that no other one beats in all that is wanted of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from peagen_ray.evolution.descriptors import number

FITNESS = "fitness"
"""The name of the objective that is a program's fitness; a metric of that name is hidden by it."""


@dataclass(frozen=True, slots=True)
class Point:
    """A program, by its values.

    Attributes:
        id: the program's number.
        values: of each objective, as the evaluator reported them.
    """

    id: int
    values: tuple[float, ...]


@dataclass
class Front:
    """Keeps the programs that are not dominated: none is at least as good in every objective and better in one.

    Of programs with the same values the first is kept.

    Attributes:
        objectives: names of metrics, or ``fitness``; a minus in front means that lower is better.
        points: the front, in the order of coming.
    """

    objectives: Sequence[str]
    points: list[Point] = field(default_factory=list)

    def add(self, program_id: int, fitness: float, metrics: Mapping[str, Any]) -> bool:
        """Whether the program is on the front now; one that lacks a value never is."""
        values = [number(self._value(name, fitness, metrics)) for name in self.objectives]
        if None in values:
            return False
        point = Point(program_id, tuple(value for value in values if value is not None))
        if any(self._covers(other, point) for other in self.points):
            return False
        self.points = [other for other in self.points if not self._covers(point, other)] + [point]
        return True

    @staticmethod
    def _value(name: str, fitness: float, metrics: Mapping[str, Any]) -> Any:
        wanted = name.removeprefix("-")
        return fitness if wanted == FITNESS else metrics.get(wanted)

    def _covers(self, one: Point, other: Point) -> bool:
        """Whether one is at least as good as the other in everything."""
        pairs = zip(self.objectives, one.values, other.values, strict=True)
        return all(a <= b if name.startswith("-") else a >= b for name, a, b in pairs)
