"""Convention ``pytest``: a test suite is the oracle; what it measures is the score.

Options: ``file``, the tests (a file or directory); ``arguments``, further words for pytest. A candidate of which a
test fails is incorrect. The score is, of these, the first that there is: ``metrics.json``, which the tests write to
the directory that the environment variable ``PEAGEN_RESULTS`` names; what pytest-benchmark measured, as minus the
mean logarithm of the seconds, so that twice as fast is 0.69 more; 1.
"""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from peagen_ray.sandbox.conventions.base import Assignment, Done, Failure, Judgement, fitness_of, python, run
from peagen_ray.sandbox.conventions.script import left_behind

_NO_TESTS: Final = 5
_SHOWN: Final = 10


def judge(assignment: Assignment) -> Judgement:
    """Run the tests."""
    report, timings = assignment.results / "report.xml", assignment.results / "benchmark.json"
    argv = [python(), "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", f"--junitxml={report}"]
    if importlib.util.find_spec("pytest_benchmark") is not None:
        argv.append(f"--benchmark-json={timings}")
    argv += [*map(str, assignment.options.get("arguments") or ()), str(assignment.file())]
    done = run(argv, assignment)
    counts, failures = _report(report, done)
    artifacts = {**(done.artifacts() if failures else {}), **left_behind(assignment.results)}
    if failures:
        names = ", ".join(failures[:_SHOWN]) + (", ..." if len(failures) > _SHOWN else "")
        raise Failure(f"{len(failures)} of {counts['tests']} tests failed: {names}", "incorrect", artifacts)
    if done.code:
        raise Failure(_what_is_wrong(done), artifacts=done.artifacts())
    own, timed = _measured(assignment.results / "metrics.json"), _benchmarked(timings)
    metrics = {**counts, **timed, **own}
    fitness = fitness_of(own or timed)
    return Judgement(1.0 if fitness is None else fitness, metrics, artifacts)


def _report(path: Path, done: Done) -> tuple[dict[str, int], list[str]]:
    """How many tests there were, and the names of those that failed; Failure where pytest wrote no report."""
    try:
        cases = list(ET.parse(path).getroot().iter("testcase"))  # noqa: S314 - in a guest there is nothing to gain
    except (OSError, ET.ParseError):
        raise Failure(_what_is_wrong(done), artifacts=done.artifacts()) from None
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {"tests": len(cases), "skipped": skipped}, [str(case.get("name")) for case in failed]


def _what_is_wrong(done: Done) -> str:
    return "there are no tests" if done.code == _NO_TESTS else f"pytest: {done.last_words}"


def _measured(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Failure(f"metrics.json cannot be read: {error}") from error
    return read if isinstance(read, dict) else {}


def _benchmarked(path: Path) -> dict[str, float]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
        seconds = [float(each["stats"]["median"]) for each in found]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not seconds or min(seconds) <= 0:
        return {}
    return {"benchmark_score": -sum(map(math.log, seconds)) / len(seconds)}
