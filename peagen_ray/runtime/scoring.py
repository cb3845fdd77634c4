"""The end of a run whose candidates an evaluator judged: the best is judged on what was held out, and written down."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peagen_ray.errors import PeagenError
from peagen_ray.evolution.briefing import ARTIFACTS
from peagen_ray.evolution.diff import unified
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import Ledger, read
from peagen_ray.evolution.pareto import Front
from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.runtime.fabric import Fabric
from peagen_ray.runtime.finish import replace_file
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.result import RunResult, Scores
from peagen_ray.runtime.settings import RunRequest
from peagen_ray.runtime.tasks import TaskMaker
from peagen_ray.runtime.watch import Watch
from peagen_ray.task import Status
from peagen_ray.workload.files import split


def finish_scored(
    request: RunRequest,
    engine: Engine,
    tasks: TaskMaker,
    ledger: Ledger,
    fabric: Fabric,
    watch: Watch,
    clock: Callable[[], float],
    paths: RunPaths,
) -> RunResult:
    """Judge the winner where something was held out, find the Pareto front, and write all of it down.

    Raises:
        PeagenError: a file cannot be written; the ledger has all of it.
    """
    told = _Told.of(paths.ledger, request.config.evaluate.objectives)
    best = engine.best
    assert best is not None  # the original at least
    scores = Scores(
        before=told.original.fitness or 0.0,
        after=best.fitness or 0.0,
        metrics=_public(best),
        held_out=_held_out(request, tasks, fabric, watch, told.original, best),
        front=tuple(
            {"program": point.id, **dict(zip(told.front.objectives, point.values, strict=True))}
            for point in told.front.points
        ),
        best_id=best.id,
        best_dir=None if request.best is None else str(request.best),
    )
    result = _result(engine, tasks, watch, clock, paths, best, scores)
    final = Event(
        Kind.FINAL,
        epoch=engine.epoch,
        time_s=clock(),
        reason=result.stopped,
        fitness=best.fitness,
        confirmed=result.improved,
        source=best.src if result.improved else "",
        metrics=dict(best.metrics),
        detail=result.to_data(),
    )
    ledger.append([final])
    _write(request, result, best, told, paths)
    return result


def _result(
    engine: Engine,
    tasks: TaskMaker,
    watch: Watch,
    clock: Callable[[], float],
    paths: RunPaths,
    best: Program,
    scores: Scores,
) -> RunResult:
    subject = tasks.subject
    return RunResult(
        paths=paths,
        stopped=str(engine.stop_reason),
        improved=scores.after > scores.before,
        source=best.src,
        diff=_diff(subject.source, best.src, Path(subject.path).name),
        ratio=1.0,
        low=1.0,
        high=1.0,
        reference_ms=0.0,
        speed_ms=0.0,
        inputs=0,
        first_10x_s=None,
        best_s=watch.best_s,
        elapsed_s=clock(),
        generation=engine.generation,
        told=sum(engine.counts.values()),
        outcomes={str(outcome): number for outcome, number in sorted(engine.counts.items())},
        hunks=(0, 0),
        late=engine.dropped,
        scores=scores,
    )


def _diff(before: str, after: str, main: str) -> str:
    """One unified diff of all files."""
    old, new = split(before, main), split(after, main)
    return "".join(unified(text, new[name], name) for name, text in old.items() if new[name] != text)


@dataclass
class _Told:
    """What the ledger tells of the run.

    Attributes:
        original: what the run started from.
        front: the Pareto front; empty where no objectives are named.
        sources: of the programs on it.
        best_at: when each program was told, seconds since the run's start.
    """

    original: Program
    front: Front
    sources: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, ledger: Path, objectives: tuple[str, ...]) -> _Told:
        original, front, sources = Program(0, ""), Front(objectives), dict[int, str]()
        for event in read(ledger):
            if event.event not in (Kind.SEED, Kind.TELL) or event.outcome is not Outcome.OK:
                continue
            if event.event is Kind.SEED and event.n == 0:
                original = Program(0, event.source, fitness=event.fitness, metrics=dict(event.metrics))
            if objectives and front.add(event.n, event.fitness or 0.0, event.metrics):
                sources[event.n] = event.source
        kept = {point.id for point in front.points}
        return cls(original, front, {n: source for n, source in sources.items() if n in kept})


def _held_out(
    request: RunRequest, tasks: TaskMaker, fabric: Fabric, watch: Watch, original: Program, best: Program
) -> Mapping[str, Any] | None:
    """What the held-out evaluator makes of the original and the winner; None if there is none.

    It was told neither to a candidate nor to a prompt before, and is not told now.
    """
    evaluation = request.held_out()
    if evaluation is None:
        return None
    watch.observer.phase("judging the winner", "on what was held out")
    found: dict[str, Any] = {}
    for name, program in (("before", original), ("after", best)):
        key = ("held-out", name, time.time_ns())
        executed = fabric.do(tasks.evaluate(key, program.src, evaluation))
        if executed.status is not Status.OK:
            found[name] = {"outcome": "lost", "reason": str(executed.data.get("msg"))}
            continue
        data = fabric.wait(executed.data["evaluate"]).data
        score = data.get("score")
        found[name] = (
            {"score": score["fitness"]}
            if score
            else {"outcome": data.get("outcome"), "reason": data.get("reason")}
        )
    return found


def _write(request: RunRequest, result: RunResult, best: Program, told: _Told, paths: RunPaths) -> None:
    replace_file(paths.summary, json.dumps(result.to_data(), indent=2) + "\n")
    main = request.target.name
    if result.improved:
        replace_file(paths.winner, best.src)
        replace_file(paths.diff, result.diff)
        if request.output is not None:
            replace_file(request.output, best.src, hint=f"the best program is in {paths.winner}")
        if len(split(best.src, main)) > 1:
            _lay_out(paths.root / "winner", best.src, main)
    shutil.rmtree(paths.front, ignore_errors=True)  # an earlier life of the run may have left one
    if told.front.points:
        for n, source in told.sources.items():
            _lay_out(paths.front / f"{n:06d}", source, main)
        front = {"objectives": list(told.front.objectives), "programs": list(result.to_data()["front"])}
        replace_file(paths.front / "front.json", json.dumps(front, indent=2) + "\n")
    if request.best is not None:
        _lay_out(request.best, best.src, main, rename=f"best_program{request.target.suffix}")
        replace_file(
            request.best / "best_program_info.json", json.dumps(_info(best, result), indent=2) + "\n"
        )


def _info(best: Program, result: RunResult) -> dict[str, Any]:
    """What is known of the best program, under the names by which users of another engine look for it."""
    return {
        "id": str(best.id),
        "generation": best.gen,
        "iteration": best.id,
        "parent_id": str(best.parents[0]) if best.parents else None,
        "metrics": {"combined_score": best.fitness, **_public(best)},
        "language": "python",
        "run": result.paths.id,
        "saved_at": time.time(),
    }


def _public(program: Program) -> dict[str, Any]:
    """What the evaluator reported, and how it came by it."""
    return {name: value for name, value in program.metrics.items() if name not in (ARTIFACTS, "layers")}


def _lay_out(directory: Path, source: str, main: str, rename: str = "") -> None:
    """Write a program's files; that of a program of one file is called ``rename``, where that is given.

    Raises:
        PeagenError: one cannot be written.
    """
    files = split(source, main)
    for name, text in files.items():
        path = directory / (rename if rename and len(files) == 1 else name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PeagenError(f"cannot be made: {error.strerror}", subject=str(path.parent)) from error
        replace_file(path, text)
