"""Evaluate: turn what was measured into a score, by the evaluator that the payload names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from peagen_handlers.evaluators import OWN
from peagen_ray.evolution.evaluator import Evaluator, Score
from peagen_ray.handler import TaskHandler
from peagen_ray.plugins import Group, load
from peagen_ray.task import Result, Task, TaskKind


class SpeedEvaluator(Evaluator):
    """Fitness is ``ln(original / candidate)``, from paired measurement; a gain that is not claimed is none."""

    NAME = "speed"

    def score(self, verdict: Mapping[str, Any], *, reference_ms: float) -> Score:
        """``speed_ms`` is reference_ms / ratio; what was measured goes into the metrics as it was."""
        speed = verdict["speed"]
        if not speed:
            raise ValueError("the verdict has no speed")
        ratio = counted = float(speed["ratio"])
        if verdict["confirmed"] and not verdict["gain"]:
            counted = min(ratio, 1.0)
        metrics = {
            "ratio": ratio,
            "ratio_low": speed["low"],
            "ratio_high": speed["high"],
            "samples": speed["samples"],
            "inputs": verdict["inputs"],
            "overhead": verdict["overhead"],
            "measured": "confirmed" if verdict["confirmed"] else "screened",
        }
        if verdict.get("hot"):
            metrics["hot"] = verdict["hot"]
        if verdict["confirmed"]:
            metrics |= _confirmed(verdict)
        return Score(math.log(counted), reference_ms / counted, float(verdict["peak_kb"]), metrics)


def _confirmed(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """What only a confirmation knows."""
    noise = verdict["noise"]
    return {
        "claimed": verdict["gain"],
        "objection": verdict["reason"],
        "families": [round(ratio, 5) for ratio in verdict["families"]],
        "noise": noise and [noise["low"], noise["high"]],
        "hidden": verdict["hidden"],
        "layers": verdict["layers"],
    }


class EvaluateHandler(TaskHandler):
    """Scores what an Execute task measured, by an evaluator of any wheel."""

    KIND: ClassVar[TaskKind] = TaskKind.EVALUATE
    PROVIDES: ClassVar[frozenset[str]] = frozenset({"cpu"})

    def dispatch(self, task: Task) -> bool:
        """Tasks that name an evaluator, but for our own."""
        return _named(task) not in _OWN

    def handle(self, task: Task) -> Result:
        """Payload: ``verdict``, ``reference_ms``, ``evaluator``; a verdict that is not ``ok`` gets no score."""
        try:
            verdict, reference_ms = task.payload["verdict"], float(task.payload["reference_ms"])
            outcome = {"outcome": verdict["outcome"], "reason": verdict["reason"], "score": None}
            seen = {name: verdict[name] for name in ("metrics", "artifacts") if name in verdict}
            if verdict["outcome"] == "ok":
                outcome["score"] = self.evaluator(task).score(verdict, reference_ms=reference_ms).to_data()
        except KeyError as error:
            return Result.failure(task, f"payload: {error.args[0]} is missing", retryable=False)
        except (TypeError, ValueError) as error:
            return Result.failure(task, f"payload: {error}", retryable=False)
        return Result.success(task, outcome | seen)

    def evaluator(self, task: Task) -> Evaluator:
        """The evaluator that the payload names."""
        made: Evaluator = load(Group.EVALUATORS, task.payload["evaluator"])()
        return made


class SpeedEvaluateHandler(EvaluateHandler):
    """Scores by our own evaluators: a little arithmetic on plain numbers, so it needs no process of its own."""

    SHARED: ClassVar[bool] = True

    def dispatch(self, task: Task) -> bool:
        """Tasks that name one of our own evaluators, or none."""
        return not super().dispatch(task)

    def evaluator(self, task: Task) -> Evaluator:
        """Our own of that name."""
        return _OWN[_named(task)]()


_OWN: Final[Mapping[str, type[Evaluator]]] = {each.NAME: each for each in (SpeedEvaluator, *OWN)}


def _named(task: Task) -> str:
    return str(task.payload.get("evaluator", SpeedEvaluator.NAME))
