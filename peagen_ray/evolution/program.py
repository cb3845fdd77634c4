"""Program: one candidate, its lineage, its measurements and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple, Self


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


class Bucket(NamedTuple):
    """A cell of the MAP-Elites grid."""

    speed: int
    memory: int
    size: int
    age: int


@dataclass(frozen=True, slots=True)
class Binning:
    """Widths of the grid's cells, from ``[evolve.archive]``: ms, kB, characters."""

    speed_bin_ms: float = 5.0
    mem_bin_kb: float = 32.0
    size_bin_ch: int = 40

    def bucket(self, *, speed_ms: float, peak_kb: float, size: int, gen: int) -> Bucket:
        """``(speed_ms // speed_bin_ms, peak_kb // mem_bin_kb, len(src) // size_bin_ch, gen % 6)``."""
        return Bucket(
            int(speed_ms // self.speed_bin_ms),
            int(peak_kb // self.mem_bin_kb),
            size // self.size_bin_ch,
            gen % 6,
        )


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
    bucket: Bucket | None = None
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
            "bucket": None if bucket is None else Bucket(*bucket),
        }
        return cls(**{**data, **changes})
