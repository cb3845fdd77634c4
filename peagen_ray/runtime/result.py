"""What a run came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peagen_ray.runtime.paths import RunPaths


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        paths: where everything is.
        stopped: the rule that ended it.
        improved: a faster program was found and confirmed.
        source: the best program; the original's source where nothing better was found.
        diff: unified diff from the original.
        ratio: speed as a multiple of the original's, measured at the end.
        low: lower end of its 95 % interval.
        high: upper end.
        reference_ms: ``speed_ms`` of the original.
        speed_ms: ``speed_ms`` of the best program.
        inputs: fresh inputs on which both gave the same output.
        first_10x_s: seconds until a confirmed gain of ten times, None without one.
        best_s: seconds until the best program was told.
        elapsed_s: seconds in all, measuring and minimising included.
        generation: generations finished.
        told: candidates told back.
        outcomes: candidates by outcome.
        hunks: separate changes in the winner before and after minimising.
    """

    paths: RunPaths
    stopped: str
    improved: bool
    source: str
    diff: str
    ratio: float
    low: float
    high: float
    reference_ms: float
    speed_ms: float
    inputs: int
    first_10x_s: float | None
    best_s: float | None
    elapsed_s: float
    generation: int
    told: int
    outcomes: Mapping[str, int]
    hunks: tuple[int, int]

    def to_data(self) -> dict[str, Any]:
        """The summary, JSON-able; without the sources."""
        return {
            "run": self.paths.id,
            "stopped": self.stopped,
            "improved": self.improved,
            "ratio": round(self.ratio, 4),
            "ratio_low": round(self.low, 4),
            "ratio_high": round(self.high, 4),
            "reference_ms": round(self.reference_ms, 3),
            "speed_ms": round(self.speed_ms, 3),
            "fresh_inputs": self.inputs,
            "first_10x_s": _rounded(self.first_10x_s),
            "best_s": _rounded(self.best_s),
            "elapsed_s": round(self.elapsed_s, 2),
            "generations": self.generation,
            "candidates": self.told,
            "outcomes": dict(self.outcomes),
            "hunks": list(self.hunks),
            "run_dir": str(self.paths.root),
            "winner": str(self.paths.winner) if self.improved else None,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
