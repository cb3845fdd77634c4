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
        speed_ms: reference_ms / ratio to the original; None where it was not timed.
        peak_kb: peak memory of one call beyond the baseline; None where it was not measured.
        metrics: whatever else is worth keeping.
        confirmed: the fitness is final, so that nothing is to be measured again.
    """

    fitness: float
    speed_ms: float | None
    peak_kb: float | None
    metrics: dict[str, Any] = field(default_factory=dict)
    confirmed: bool = False

    def to_data(self) -> dict[str, Any]:
        """The form in which it travels in a Result."""
        return asdict(self)


class Evaluator(ABC):
    """Turns what an Execute handler measured into a score. Stateless.

    Attributes:
        NAME: its name in ``peagen.evaluators``.
        CONVENTION: ``module:function`` that judges a candidate within its sandbox, see
            :mod:`peagen_ray.sandbox.conventions.base`; "" for an evaluator that scores speed, as it is measured
            against the original.
    """

    NAME: ClassVar[str]
    CONVENTION: ClassVar[str] = ""

    @abstractmethod
    def score(self, verdict: Mapping[str, Any], *, reference_ms: float) -> Score:
        """Score an ``ok`` verdict.

        Args:
            verdict: :meth:`peagen_ray.sandbox.measure.Verdict.to_data`, or with a ``CONVENTION``
                :meth:`peagen_ray.sandbox.evaluation.Evaluated.to_data`.
            reference_ms: the original's CPU time on the standard input set; 0 with a ``CONVENTION``.

        Raises:
            ValueError: there is nothing to score in it.
        """
