"""``runs verify`` of a run that an evaluator scored: original and winner are evaluated again by that evaluator."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from peagen_ray.config.model import Config
from peagen_ray.errors import UsageError
from peagen_ray.runtime.evaluation import kept_evaluation
from peagen_ray.runtime.fabric import Fabric
from peagen_ray.runtime.local import LocalFabric
from peagen_ray.runtime.offering import offering
from peagen_ray.runtime.records import RunRecord, Scored
from peagen_ray.runtime.run import result_data
from peagen_ray.runtime.tasks import TaskMaker
from peagen_ray.runtime.verifying import check, config_of, tasks_of
from peagen_ray.sandbox.statistics import student

NOISY: Final = 5
"""Evaluations of a program whose first one does not give the recorded score, unless somebody says how many."""

_SAME: Final = 1e-9
_NOTHING: Final = 1e-12
"""What scores may differ by, relatively or at all, and be the same: sums may be made in another order elsewhere."""


@dataclass
class Rescored:
    """A program whose recorded score is looked for again.

    Attributes:
        name: ``original`` or ``winner``.
        recorded: its score in the run's record.
        source: the program.
        scores: those of the evaluations so far.
        why: what an evaluation without a score came to; "" if there was none.
    """

    name: str
    recorded: float
    source: str = field(repr=False)
    scores: list[float] = field(default_factory=list)
    why: str = ""

    @property
    def same(self) -> bool:
        """Whether every evaluation gave the recorded score."""
        return bool(self.scores) and all(_same(score, self.recorded) for score in self.scores)

    @property
    def noisy(self) -> bool:
        """Whether its evaluations differ."""
        return any(not _same(score, self.scores[0]) for score in self.scores)

    @property
    def spread(self) -> tuple[float, float] | None:
        """Where one more evaluation lies, with 95 %; None where none differed from another."""
        return expected(self.scores) if self.noisy else None

    @property
    def reproduced(self) -> bool:
        """Whether the recorded score is what the evaluator gives: the very one, or one within the spread."""
        if self.why or not self.scores:
            return False
        spread = self.spread
        return self.same if spread is None else spread[0] <= self.recorded <= spread[1]

    @property
    def mean(self) -> float:
        """Of the scores; there must be one."""
        return statistics.fmean(self.scores)


def expected(scores: Sequence[float]) -> tuple[float, float]:
    """The 95 % prediction interval for one more score, of two or more: mean ± t * s * sqrt(1 + 1/n)."""
    count = len(scores)
    half = student(count - 1) * statistics.stdev(scores) * math.sqrt(1 + 1 / count)
    middle = statistics.fmean(scores)
    return middle - half, middle + half


def hold(original: Rescored, winner: Rescored) -> bool:
    """Whether both recorded scores are reproduced, and the winner still is the better one."""
    return original.reproduced and winner.reproduced and winner.mean > original.mean


def rescore(record: RunRecord, here: Config, times: int | None) -> Iterator[tuple[Rescored, Rescored]]:
    """Evaluate original and winner again, in turn, each as often as in its run; nothing is written into the run.

    The programs, the evaluator with its files, and the sandbox are the recorded ones; what this machine grants at
    most is not.

    Args:
        record: of a run that ended with a winner.
        here: the configuration that holds here.
        times: how often; None is once, and :data:`NOISY` times where that does not give the recorded scores.

    Yields:
        Original and winner, after each turn.

    Raises:
        UsageError: there is no winner, or what judged it is gone.
        SandboxUnavailable: the recorded sandbox is not to be had here.
    """
    check(record)
    gain = record.gain
    assert isinstance(gain, Scored)
    config = config_of(record, here)
    facts = record.meta.get("evaluation")
    if facts is None:
        raise UsageError("does not say how its candidates were judged", subject=record.paths.id)
    evaluation = kept_evaluation(facts, record.paths.bundle, config)
    bundle = record.paths.bundle.resolve()
    tasks = replace(tasks_of(record, config), evaluation=evaluation, bundle=bundle)
    original = Rescored("original", gain.before, record.meta["subject"]["source"])
    winner = Rescored("winner", gain.after, record.winner)
    keep = (Path.cwd(), record.paths.root.resolve())
    with LocalFabric(config, 1, keep, offering(config)) as fabric:
        for turn in range(times or NOISY):
            for program in (original, winner):
                _evaluate(program, turn, tasks, fabric)
            yield original, winner
            if original.why or winner.why or (times is None and original.same and winner.same):
                return


def _evaluate(program: Rescored, turn: int, tasks: TaskMaker, fabric: Fabric) -> None:
    task = tasks.screen((program.name, turn), program.source, rival=None)
    data = result_data(fabric.wait(result_data(fabric.do(task))["evaluate"]))
    if data["score"] is None:
        program.why = f"{data['outcome']}: {data['reason']}"
    else:
        program.scores.append(float(data["score"]["fitness"]))


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_SAME, abs_tol=_NOTHING)
