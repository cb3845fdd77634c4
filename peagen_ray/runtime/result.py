"""What a run came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.recorded import Run


@dataclass(frozen=True)
class Scores:
    """What an evaluator made of a run.

    Attributes:
        before: the original's score.
        after: the best program's.
        metrics: the best program's.
        held_out: by ``before`` and ``after``, the ``score`` on what was held out, or ``outcome`` and ``reason``; None
            if nothing was.
        front: the Pareto front: the number of each ``program``, and its values by objective.
        best_id: the best program's number.
        best_dir: where it was laid beside the run's directory; None if nowhere.
    """

    before: float
    after: float
    metrics: Mapping[str, Any]
    held_out: Mapping[str, Any] | None = None
    front: tuple[Mapping[str, Any], ...] = ()
    best_id: int = 0
    best_dir: str | None = None

    def to_data(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "score_before": self.before,
            "score": self.after,
            "metrics": dict(self.metrics),
            "held_out": self.held_out,
            "front": [dict(point) for point in self.front],
            "best": self.best_id,
            "best_dir": self.best_dir,
        }


_OF_SPEED = frozenset(
    ["ratio", "ratio_low", "ratio_high", "reference_ms", "speed_ms", "fresh_inputs", "first_10x_s", "hunks"]
)
"""What a summary says of speed alone."""


@dataclass(frozen=True)
class RunResult(Run):
    """A finished run; a :class:`Run` too, with its table, plot and report.

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
        late: answers of earlier lives that came too late, and were dropped.
        scores: what an evaluator made of it; None in a run that measures speed, whose values stand above.
    """

    paths: RunPaths
    stopped: str
    improved: bool
    source: str = field(repr=False)
    diff: str = field(repr=False)
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
    late: int = 0
    scores: Scores | None = None

    def to_data(self) -> dict[str, Any]:
        """The summary, JSON-able; without the sources."""
        data = self._data()
        if self.scores is None:
            return data
        return {name: value for name, value in data.items() if name not in _OF_SPEED} | self.scores.to_data()

    def _data(self) -> dict[str, Any]:
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
            "late": self.late,
            "run_dir": str(self.paths.root),
            "winner": str(self.paths.winner) if self.improved else None,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
