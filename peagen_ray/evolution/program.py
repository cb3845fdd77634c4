"""Program: one candidate, its lineage, its measurements and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self


class Outcome(StrEnum):
    """What became of a candidate."""

    OK = "ok"
    """Ran, was correct, and was measured."""
    INCORRECT = "incorrect"
    """Its output differs from the oracle's."""
    ERROR = "error"
    """It does not load, ended itself, or answered rubbish."""
    KILLED = "killed"
    """A signal ended its process."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    VIOLATION = "violation"
    """It did what its sandbox forbids, or printed or returned more than it may."""
    REJECTED = "rejected"
    """The mutator had no usable change; nothing was run."""
    DUPLICATE = "duplicate"
    """The same syntax tree was judged before; its verdict is reused."""
    REFUTED = "refuted"
    """Screening ranked it high, confirmation did not agree."""
    LOST = "lost"
    """Our own machinery failed on it, as often as it may be tried."""


Cell = tuple[int, ...]
"""A cell of the MAP-Elites grid: one whole number for each descriptor."""

DESCRIPTORS: Final = ("speed", "memory", "size", "age")
"""The default descriptors of the grid."""


class Bucket(NamedTuple):
    """A cell of the grid that has the default descriptors."""

    speed: int
    memory: int
    size: int
    age: int


@dataclass(frozen=True, slots=True)
class Binning:
    """The grid's descriptors and their edges, from ``[evolve.archive]``.

    Attributes:
        speed_bin_ms: width of ``speed``, ms.
        mem_bin_kb: width of ``memory``, kB.
        size_bin_ch: width of ``size``, characters.
        descriptors: names, in the order of a cell's numbers.
        edges: by descriptor, rising numbers; a value's place is how many of them it reaches.
        widths: by descriptor, the width of its cells, for one that has no edges.
        ranges: by descriptor, its lowest and its highest value, where there are centroids.
        centroids: in place of a grid, the middle of each cell, a number from 0 to 1 for each descriptor: a program
            is in the cell whose middle is the nearest.
    """

    speed_bin_ms: float = 5.0
    mem_bin_kb: float = 32.0
    size_bin_ch: int = 40
    descriptors: tuple[str, ...] = DESCRIPTORS
    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    widths: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    centroids: tuple[tuple[float, ...], ...] = ()

    def width(self, descriptor: str) -> float:
        """The width of a descriptor's cells: 1 if nothing else was said."""
        own = {"speed": self.speed_bin_ms, "memory": self.mem_bin_kb, "size": self.size_bin_ch}
        return self.widths.get(descriptor, own.get(descriptor, 1.0))

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read its JSON form."""
        tuples = {
            "descriptors": tuple(data["descriptors"]),
            "edges": {name: tuple(edges) for name, edges in data["edges"].items()},
            "ranges": {name: tuple(ends) for name, ends in data.get("ranges", {}).items()},
            "centroids": tuple(map(tuple, data.get("centroids", ()))),
        }
        return cls(**{**data, **tuples})


@dataclass(frozen=True, slots=True)
class Program:
    """One candidate.

    Attributes:
        id: number of the question that produced it; seeds come first, from 0.
        src: the whole source text.
        gen: 1 + the largest of its parents', 0 for a seed.
        parents: ids of its parents.
        mutator: name of the mutator and, after a slash, of its operator.
        seed: what the mutator's randomness was seeded with.
        outcome: what became of it.
        reason: for anything but ``ok``, one line of why.
        fitness: higher is better; None unless the outcome is ``ok``.
        speed_ms: reference_ms / ratio to the original; None unless ``ok``.
        peak_kb: peak memory of one call beyond the baseline, kB; None unless ``ok``.
        bucket: its cell; None unless ``ok``.
        confirmed: fitness came from confirmation, not from screening.
        metrics: whatever else the evaluator reported, JSON-able.
        fingerprint: of its source, see :func:`~peagen_ray.workload.fingerprint.fingerprint`; "" if unknown.
    """

    id: int
    src: str
    gen: int = 0
    parents: tuple[int, ...] = ()
    mutator: str = "seed"
    seed: int = 0
    outcome: Outcome = Outcome.OK
    reason: str = ""
    fitness: float | None = None
    speed_ms: float | None = None
    peak_kb: float | None = None
    bucket: Cell | None = None
    confirmed: bool = False
    metrics: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    def with_(self, **changes: Any) -> Program:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return {name.name: getattr(self, name.name) for name in fields(self)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` wrote."""
        bucket = data["bucket"]
        changes = {
            "parents": tuple(data["parents"]),
            "outcome": Outcome(data["outcome"]),
            "bucket": bucket if bucket is None else _cell(bucket),
        }
        return cls(**{**data, **changes})


def _cell(places: Iterable[int]) -> Cell:
    cell = tuple(places)
    return Bucket(*cell) if len(cell) == len(DESCRIPTORS) else cell
