"""Has a candidate judged by somebody's own evaluator, in a guest of its own, as often as its noise asks for.

The guest holds evaluator and candidate alike, so what comes back is the candidate's own word: it is read as data,
bounded and checked for its shape, and marked as self-reported by whoever scores it.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Final

from peagen_ray.sandbox.base import Guest, GuestFailed, GuestLimits, Sandbox, listening

ARTIFACTS_LIMIT: Final = 1 << 20
"""Characters that the artifacts of one candidate may have in its Result, pictures in base 64."""

_ANSWERS: Final = 8
_FEWEST: Final = 3
"""Evaluations before one may be given up for its noise."""
_SURE: Final = 2.0
"""Standard errors within which the true mean is taken to lie."""
_SAID: Final = 4_000
_FAILURES: Final = ("error", "incorrect", "memory")


@dataclass(frozen=True)
class Assignment:
    """What is to be judged, and how.

    Attributes:
        convention: ``module:function`` in the guest.
        options: the convention's own.
        bundle: a zip of the evaluator's files.
        files: the candidate's, by their paths.
        main: the path of one of them.
        timeout_s: wall time of one evaluation.
    """

    convention: str
    options: Mapping[str, Any]
    bundle: bytes
    files: Mapping[str, str]
    main: str
    timeout_s: float


@dataclass(frozen=True)
class Evaluated:
    """What an evaluator said of a candidate.

    Attributes:
        outcome: ``ok``, ``incorrect``, or one of :mod:`peagen_ray.sandbox.base`.
        reason: one line of why it is not ``ok``.
        fitness: higher is better, the mean of the samples; None unless ``ok``.
        metrics: numbers (means), flags and texts by name.
        artifacts: by name, each with one of ``text``, ``base64``, ``left_out``.
        samples: the fitness of each evaluation.
        layers: the layers of isolation that were active.
        cpu_s: seconds of CPU that all of it used.
        wall_s: seconds from the first beginning to the last end.
    """

    outcome: str
    reason: str = ""
    fitness: float | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    samples: tuple[float, ...] = ()
    layers: tuple[str, ...] = ()
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def to_data(self) -> dict[str, Any]:
        """The form in which it travels in a Result."""
        lists = {"samples": list(self.samples), "layers": list(self.layers)}
        maps = {"metrics": dict(self.metrics), "artifacts": {k: dict(v) for k, v in self.artifacts.items()}}
        return {**vars(self), **maps, **lists}


Covering = Callable[[Callable[[], object]], AbstractContextManager[None]]
"""Within the block of what it returns, the function that it was given is called when nobody wants the outcome."""


def _uncovered(_: Callable[[], object]) -> AbstractContextManager[None]:
    return nullcontext()


def evaluate(
    sandbox: Sandbox,
    limits: GuestLimits,
    assignment: Assignment,
    repeats: int = 1,
    rival: float | None = None,
    covering: Covering = _uncovered,
) -> Evaluated:
    """Evaluate up to ``repeats`` times, each time in a fresh guest.

    It ends early where two evaluations agree exactly, so that there is no noise, and where the mean is surely below
    ``rival``. One evaluation that fails is the candidate's failure.

    Args:
        sandbox: where.
        limits: what a guest may use.
        assignment: what is to be judged.
        repeats: evaluations at most.
        rival: the fitness to beat.
        covering: see :data:`Covering`.

    Raises:
        SandboxError: no guest can be started.
    """
    done: list[Evaluated] = []
    for _ in range(repeats):
        latest = _once(sandbox, limits, assignment, covering)
        done.append(latest)
        if latest.outcome != "ok" or settled([each.fitness or 0.0 for each in done], rival):
            break
    return _together(done)


def settled(samples: Sequence[float], rival: float | None) -> bool:
    """Whether further evaluations would tell nothing that matters."""
    if len(samples) > 1 and len(set(samples)) == 1:
        return True
    if rival is None or len(samples) < _FEWEST:
        return False
    error = statistics.stdev(samples) / math.sqrt(len(samples))
    return statistics.fmean(samples) + _SURE * error < rival


def _together(done: Sequence[Evaluated]) -> Evaluated:
    last = done[-1]
    all_of_it = replace(
        last, cpu_s=sum(each.cpu_s for each in done), wall_s=sum(each.wall_s for each in done)
    )
    if last.outcome != "ok" or len(done) == 1:
        return all_of_it
    samples = tuple(sample for each in done for sample in each.samples)
    metrics = {
        name: _mean([each.metrics.get(name) for each in done], value) for name, value in last.metrics.items()
    }
    return replace(all_of_it, fitness=statistics.fmean(samples), metrics=metrics, samples=samples)


def _mean(values: Sequence[Any], last: Any) -> Any:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return statistics.fmean(values)
    return last


def _once(sandbox: Sandbox, limits: GuestLimits, assignment: Assignment, covering: Covering) -> Evaluated:
    begun = time.monotonic()
    with listening(sandbox.start(limits)) as guest, covering(guest.kill):
        try:
            evaluated = _asked(guest, assignment)
        except GuestFailed as failure:
            evaluated = Evaluated(failure.outcome, failure.reason)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            evaluated = Evaluated("error", f"answered rubbish: {error}"[:500])
    wall_s = time.monotonic() - begun
    layers, cpu_s = tuple(sorted(guest.layers)), round(guest.cpu_s, 6)
    said = {} if evaluated.outcome == "ok" else _printed(guest)
    artifacts = _bounded({**evaluated.artifacts, **said})
    return replace(evaluated, artifacts=artifacts, layers=layers, cpu_s=cpu_s, wall_s=round(wall_s, 6))


def _asked(guest: Guest, assignment: Assignment) -> Evaluated:
    header = {
        "op": "evaluate",
        "convention": assignment.convention,
        "options": dict(assignment.options),
        "files": dict(assignment.files),
        "main": assignment.main,
    }
    answer = guest.ask(header, assignment.bundle, wall_s=assignment.timeout_s, answers=_ANSWERS)
    said = answer.header["judgement"]
    metrics = {str(name): _metric(value) for name, value in said["metrics"].items()}
    artifacts = {str(name): _artifact(value) for name, value in said["artifacts"].items()}
    failure = str(said["failure"]).strip()
    if failure:
        outcome = said["outcome"] if said["outcome"] in _FAILURES else "error"
        return Evaluated(outcome, failure.splitlines()[0][:500], metrics=metrics, artifacts=artifacts)
    fitness = said["fitness"]
    if isinstance(fitness, bool) or not isinstance(fitness, int | float) or not math.isfinite(fitness):
        reason = f"its score is {fitness}, not a finite number"
        return Evaluated("incorrect", reason[:500], metrics=metrics, artifacts=artifacts)
    return Evaluated("ok", "", float(fitness), metrics, artifacts, (float(fitness),))


def _metric(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    return str(value)[:500]


def _artifact(value: Mapping[str, Any]) -> dict[str, str]:
    (kind, content), *_ = value.items()
    if kind not in {"text", "base64", "left_out"}:
        raise ValueError(f"artifact of kind {kind!r:.40}")
    return {kind: str(content)}


def _bounded(artifacts: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    room, kept = ARTIFACTS_LIMIT, {}
    for name, value in artifacts.items():
        size = sum(map(len, value.values()))
        room -= size
        kept[name] = (
            dict(value) if room >= 0 else {"left_out": f"{size} characters, too many with the others"}
        )
    return kept


def _printed(guest: Guest) -> dict[str, dict[str, str]]:
    """The end of what a guest printed, once it has ended."""
    texts = zip(("printed", "complained"), guest.printed, strict=True)
    return {name: {"text": text[-_SAID:]} for name, text in texts if text.strip()}
