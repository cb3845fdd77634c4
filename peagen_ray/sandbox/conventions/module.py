"""Convention ``module``: ``evaluate(program_path)`` in a Python file, or its stages, each behind a threshold.

Options: ``file``; ``cascade`` and ``thresholds``; ``arguments``, further keyword arguments of ``evaluate``;
``ignored``, metrics that are no part of the mean. What is counted, merged and compared is what the engine counts,
merges and compares whose users wrote such files, so that a program has the score here that it has there.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from peagen_ray.sandbox.conventions.base import Assignment, Failure, Judgement, fitness_of
from peagen_ray.sandbox.stand_ins import offer

_NAME: Final = "evaluation_module"
_STAGES: Final = ("evaluate_stage1", "evaluate_stage2", "evaluate_stage3")


def judge(assignment: Assignment) -> Judgement:
    """Load the evaluator and have it judge the candidate."""
    module = _loaded(assignment)
    options = assignment.options
    if options.get("cascade", True) and hasattr(module, _STAGES[0]):
        metrics, artifacts = _cascade(module, assignment)
    else:
        evaluate = getattr(module, "evaluate", None)
        if evaluate is None:
            raise Failure(f"{options['file']} defines no function evaluate")
        metrics, artifacts = _called(evaluate, str(assignment.program), **options.get("arguments") or {})
    fitness = fitness_of(metrics, options.get("ignored", ()))
    if fitness is None:
        raise Failure(f"no number among its metrics: {sorted(metrics)}", artifacts=artifacts)
    return Judgement(fitness, metrics, artifacts)


def _loaded(assignment: Assignment) -> ModuleType:
    path = assignment.file()
    offer()
    # A program of one file is imported by its path alone, as under the engine whose convention this is.
    sys.path[:0] = [*([str(assignment.root)] if assignment.options.get("several") else []), str(path.parent)]
    sys.argv = [str(path)]
    spec = importlib.util.spec_from_file_location(_NAME, path)
    if spec is None or spec.loader is None:
        raise Failure(f"{assignment.options['file']} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
    return module


def _cascade(module: ModuleType, assignment: Assignment) -> tuple[dict[str, Any], dict[str, Any]]:
    """The stages, one after the other, for as long as each passes its threshold."""
    thresholds = list(assignment.options.get("thresholds", (0.5, 0.75, 0.9)))
    metrics: dict[str, Any] = {}
    artifacts: dict[str, Any] = {}
    for at, name in enumerate(_STAGES):
        stage = getattr(module, name, None)
        if stage is None or (
            at and (len(thresholds) < at or not _passes(metrics, float(thresholds[at - 1])))
        ):
            break
        found, seen = _called(stage, str(assignment.program))
        metrics = found if not at else {**_merged(metrics), **_merged(found)}
        artifacts |= seen
    return metrics, artifacts


def _merged(metrics: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a stage once there is a later one: numbers, and flags as such, but for ``error``."""
    return {name: float(value) for name, value in metrics.items() if _counts(name, value)}


def _passes(metrics: dict[str, Any], threshold: float) -> bool:
    """Whether the next stage is reached. A flag counts here, other than in a score, and NaN passes nothing."""
    combined = metrics.get("combined_score")
    if isinstance(combined, int | float):
        return float(combined) >= threshold
    counted = [float(value) for name, value in metrics.items() if _counts(name, value)]
    return bool(counted) and sum(counted) / len(counted) >= threshold


def _counts(name: str, value: object) -> bool:
    return name != "error" and isinstance(value, int | float)


def _called(
    function: Callable[..., Any], path: str, **arguments: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics and artifacts of one call, whichever form they have."""
    said = function(path, **arguments)
    if inspect.isawaitable(said):
        import asyncio  # costs more than all of an evaluation that has no use for it

        said = asyncio.run(_awaited(said))
    metrics = said if isinstance(said, dict) else getattr(said, "metrics", None)
    if not isinstance(metrics, dict):
        raise Failure(
            f"{function.__name__} returned {type(said).__name__}, not a dict or an object with .metrics"
        )
    artifacts = {} if isinstance(said, dict) else getattr(said, "artifacts", None) or {}
    return dict(metrics), dict(artifacts)


async def _awaited(said: Any) -> Any:
    return await said
