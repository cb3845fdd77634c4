"""Evaluators that people bring: each is a convention of files on disk, judged within the candidate's sandbox."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from peagen_ray.evolution.evaluator import Evaluator, Score
from peagen_ray.sandbox.conventions import command, laying, module, script, test_suite

PRELOADED: Final = laying
"""Imported here so that a launcher has it, and every guest finds it imported; as with the conventions."""


class ConventionEvaluator(Evaluator):
    """Fitness is what the evaluator said. It runs beside the candidate, so that its word is the candidate's."""

    def score(self, verdict: Mapping[str, Any], *, reference_ms: float) -> Score:  # noqa: ARG002
        """The fitness and the metrics as they came, and how often they were taken; nothing is measured again."""
        samples = [float(sample) for sample in verdict["samples"]]
        metrics = {**verdict["metrics"], "measured": "self-reported", "layers": list(verdict["layers"])}
        if len(samples) > 1:
            metrics |= {"repeats": len(samples), "spread": statistics.stdev(samples)}
        return Score(float(verdict["fitness"]), None, None, metrics, confirmed=True)


class ModuleEvaluator(ConventionEvaluator):
    """A Python file that defines ``evaluate(program_path)``, or its stages."""

    NAME: ClassVar[str] = "module"
    CONVENTION: ClassVar[str] = f"{module.__name__}:judge"


class ScriptEvaluator(ConventionEvaluator):
    """A script that takes ``--program_path`` and ``--results_dir``."""

    NAME: ClassVar[str] = "script"
    CONVENTION: ClassVar[str] = f"{script.__name__}:judge"


class CommandEvaluator(ConventionEvaluator):
    """Any executable that prints JSON on its last line."""

    NAME: ClassVar[str] = "command"
    CONVENTION: ClassVar[str] = f"{command.__name__}:judge"


class PytestEvaluator(ConventionEvaluator):
    """A test suite."""

    NAME: ClassVar[str] = "pytest"
    CONVENTION: ClassVar[str] = f"{test_suite.__name__}:judge"


OWN: Final = (ModuleEvaluator, ScriptEvaluator, CommandEvaluator, PytestEvaluator)
