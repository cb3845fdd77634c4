"""The end of a run: the winner is minimised, measured on inputs that nobody has seen, and written down."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from peagen_ray.errors import PeagenError
from peagen_ray.evolution.diff import unified
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.minimise import hunks, minimise
from peagen_ray.evolution.program import Program
from peagen_ray.runtime.fabric import Fabric
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.tasks import SEED_BITS, TaskMaker
from peagen_ray.runtime.watch import Watch
from peagen_ray.task import Status, Task

PRECISION: Final = 0.005
"""Relative half-width of the interval that the winner is measured to."""

FAMILIES: Final = 5
"""Interpreters in which the winner has to win."""

_KEEPS: Final = 0.95
"""Share of the winner's speed that a smaller change must keep."""

_WORTH: Final = 1.02
"""A winner whose interval does not lie above this is no gain worth claiming."""


@dataclass(frozen=True)
class Judged:
    """A program as it was measured at the end."""

    source: str
    metrics: Mapping[str, Any]


class Finish:
    """Brings a run to its end.

    Args:
        engine: as the run left it.
        tasks: makes the tasks.
        fabric: runs them.
        watch: tells the observer, and knows whether the person is in a hurry.
        clock: seconds since the run's start.
        most_s: CPU seconds to spend at most on measuring the winner.
    """

    def __init__(
        self,
        engine: Engine,
        tasks: TaskMaker,
        fabric: Fabric,
        watch: Watch,
        clock: Callable[[], float],
        most_s: float,
    ) -> None:
        self._most_s = most_s
        self._engine = engine
        self._tasks = tasks
        self._fabric = fabric
        self._watch = watch
        self._clock = clock
        self._asked = 0

    def judge(self, original: str, best: Program | None, fresh: int) -> tuple[Judged | None, tuple[int, int]]:
        """The winner, minimised and measured, or None; and the number of its changes before and after."""
        if best is None or best.src == original or (best.fitness or 0.0) <= 0.0:
            return None, (0, 0)
        small = best.src if self._watch.stopping else self._minimised(original, best)
        self._watch.observer.phase("measuring the winner", f"against the original on {fresh} fresh inputs")
        before = len(hunks(original, best.src))
        for source in dict.fromkeys((small, best.src)):
            judged = self._measured(source, fresh)
            if judged is not None:
                return judged, (before, len(hunks(original, source)))
        return None, (before, 0)

    def _minimised(self, original: str, best: Program) -> str:
        whole = self._score(self._tasks.screen(self._key("minimise"), best.src, rival=None))
        if whole is None:
            return best.src
        self._watch.observer.phase("minimising the winner", "taking back what does not contribute")
        bar = _KEEPS * float(whole["metrics"]["ratio"])
        steps = minimise(original, best.src)
        try:
            source = next(steps)
            while True:
                source = steps.send(self._keeps(source, bar))
        except StopIteration as done:
            smallest: str = done.value
            return smallest

    def _keeps(self, source: str, bar: float) -> bool:
        """Whether a program is at least that fast; a person in a hurry waits for no more measurements."""
        if self._watch.stopping:
            return False
        score = self._score(self._tasks.screen(self._key("minimise"), source, rival=bar))
        return score is not None and float(score["metrics"]["ratio"]) >= bar

    def _measured(self, source: str, fresh: int) -> Judged | None:
        """The program on fresh inputs; None if it is wrong or no faster."""
        task = self._tasks.confirm(
            self._key("final"),
            source,
            seed=secrets.randbits(SEED_BITS),
            fresh=fresh,
            precision=PRECISION,
            most_s=self._most_s,
            families=FAMILIES,
        )
        score = self._score(task)
        if score is None:
            return None
        metrics = score["metrics"]
        if not metrics["claimed"]:
            self._watch.observer.note(f"no gain that can be claimed: {metrics['objection']}")
            return None
        return Judged(source, metrics) if metrics["ratio_low"] >= _WORTH else None

    def _key(self, what: str) -> tuple[object, ...]:
        self._asked += 1
        return (what, self._engine.epoch, self._asked)

    def _score(self, task: Task) -> dict[str, Any] | None:
        """The score of an Execute task's candidate; None if it has none."""
        executed = self._fabric.do(task)
        if executed.status is not Status.OK:
            self._watch.observer.note(f"could not be measured: {executed.data.get('msg')}")
            return None
        evaluated = self._fabric.wait(executed.data["evaluate"])
        if evaluated.status is not Status.OK:
            return None
        score: dict[str, Any] | None = evaluated.data["score"]
        if score is None and task.payload["mode"] == "confirm":  # a smaller change that is wrong is no news
            self._watch.observer.note(f"turned down: {evaluated.data['outcome']}: {evaluated.data['reason']}")
        return score

    def result(
        self, paths: RunPaths, reference_ms: float, judged: Judged | None, changes: tuple[int, int]
    ) -> RunResult:
        """All of it, for the person and for the ledger."""
        subject, engine = self._tasks.subject, self._engine
        source = subject.source if judged is None else judged.source
        metrics = (
            {"ratio": 1.0, "ratio_low": 1.0, "ratio_high": 1.0, "inputs": 0}
            if judged is None
            else judged.metrics
        )
        return RunResult(
            paths=paths,
            stopped=str(engine.stop_reason),
            improved=judged is not None,
            source=source,
            diff=unified(subject.source, source, Path(subject.path).name),
            ratio=metrics["ratio"],
            low=metrics["ratio_low"],
            high=metrics["ratio_high"],
            reference_ms=reference_ms,
            speed_ms=reference_ms / metrics["ratio"],
            inputs=int(metrics["inputs"]),
            first_10x_s=self._watch.first_10x_s,
            best_s=self._watch.best_s,
            elapsed_s=self._clock(),
            generation=engine.generation,
            told=sum(engine.counts.values()),
            outcomes={str(outcome): number for outcome, number in sorted(engine.counts.items())},
            hunks=changes,
            late=engine.dropped,
        )


def write(result: RunResult, output: Path | None) -> None:
    """Write the summary, the winner and the diff; each is there whole or not at all.

    Raises:
        PeagenError: one cannot be written; the ledger has all of them.
    """
    replace_file(result.paths.summary, json.dumps(result.to_data(), indent=2) + "\n")
    if result.improved:
        replace_file(result.paths.winner, result.source)
        replace_file(result.paths.diff, result.diff)
        if output is not None:
            replace_file(output, result.source, hint=f"the best program is in {result.paths.winner}")


def final_event(result: RunResult, judged: Judged | None, now: float, epoch: int) -> Event:
    """The ledger's last word on a run."""
    return Event(
        Kind.FINAL,
        epoch=epoch,
        time_s=now,
        reason=result.stopped,
        fitness=math.log(result.ratio),
        speed_ms=result.speed_ms,
        confirmed=judged is not None,
        source=result.source if result.improved else "",
        metrics=dict(judged.metrics) if judged else {},
        detail=result.to_data(),
    )


def replace_file(path: Path, text: str, hint: str = "the run's ledger has it") -> None:
    """Write a file whole or not at all; raises PeagenError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(text.encode("utf-8"))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise PeagenError(f"cannot be written: {error.strerror}", subject=str(path), hint=hint) from error
