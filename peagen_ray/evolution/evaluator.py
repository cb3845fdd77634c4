"""The evaluator port: from what was measured to a score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Score:
    """What an evaluator makes of a measurement.

    Attributes:
        fitness: higher is better, always; finite.
        speed_ms: reference_ms / ratio to the original.
        peak_kb: peak memory of one call beyond the baseline.
        metrics: whatever else is worth keeping.
    """

    fitness: float
    speed_ms: float
    peak_kb: float
    metrics: dict[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """The form in which it travels in a Result."""
        return asdict(self)


class Evaluator(ABC):
    """Turns what an Execute handler measured into a score. Stateless."""

    NAME: ClassVar[str]

    @abstractmethod
    def score(self, verdict: Mapping[str, Any], *, reference_ms: float) -> Score:
        """Score an ``ok`` verdict.

        Args:
            verdict: :meth:`peagen_ray.sandbox.measure.Verdict.to_data`.
            reference_ms: the original's CPU time on the standard input set.

        Raises:
            ValueError: there is nothing to score in it.
        """
