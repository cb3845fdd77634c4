"""What a person is told before a run (``--dry-run``) and at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from peagen_ray.cli.console import printable

if TYPE_CHECKING:
    from peagen_ray.runtime.result import RunResult, Scores
    from peagen_ray.runtime.settings import RunRequest


def show_plan(console: Console, request: RunRequest) -> None:
    """What a run would do; nothing is run, nothing is written."""
    subject = request.subject()
    stop = request.config.evolve.stop
    most = (request.more_generations or stop.max_generations) * request.config.evolve.generation_size
    most = min(most, stop.max_candidates or most)
    judged, bounds = _judged(request)
    lines = [
        f"would evolve {subject.entry or 'the module'} in {subject.path}",
        judged,
        f"mutator: {request.mutator()}; worst-case token spend: {_worst(request)}",
        f"at most {most} candidates, {request.concurrency} at a time",
        f"{bounds} for a candidate",
    ]
    if stop.run_timeout:
        lines.append(f"at most {stop.run_timeout.total_seconds():.0f} s of evolution")
    for line in lines:
        console.print(printable(line), soft_wrap=True)


def _judged(request: RunRequest) -> tuple[str, str]:
    """What judges candidates, and what each may use."""
    config, evaluation = request.config, request.evaluation()
    if evaluation is None:
        inputs = request.subject().workload_path or "derived from type hints"
        return f"inputs: {inputs}", f"{config.execute.timeout_s:g} s and {config.execute.memory_mb} MiB"
    files = f"{len(evaluation.content)} bytes of files, packed, go to each evaluation"
    table = config.evaluate
    return f"evaluator: {evaluation.evaluator}; {files}", f"{table.timeout_s:g} s and {table.memory_mb} MiB"


def _worst(request: RunRequest) -> str:
    from peagen_ray.runtime.models import LLM_MUTATORS, worst_words

    if request.mutator() not in LLM_MUTATORS:
        return "0, no language model is asked"
    return worst_words(request.config, request.most_candidates())


def show_result(console: Console, result: RunResult) -> None:
    """Before and after, the diff, and where everything is."""
    if result.scores is not None:
        _show_scored(console, result, result.scores)
        return
    if not result.improved:
        console.print(
            printable(
                f"no faster program was found ({result.stopped}, {result.told} candidates, "
                f"{result.elapsed_s:.0f} s); the run is kept in {result.paths.root}"
            ),
            soft_wrap=True,
        )
        return
    console.print(_before_and_after(result))
    _show_diff(console, result)
    console.print(printable(_verdict(result)), soft_wrap=True)
    for label, path in (
        ("winner", result.paths.winner),
        ("diff", result.paths.diff),
        ("run", result.paths.root),
    ):
        console.print(printable(f"{label:7} {_short(path)}"), soft_wrap=True)


def _show_scored(console: Console, result: RunResult, scores: Scores) -> None:
    """The same of a run whose programs an evaluator scored."""
    if result.improved:
        _show_diff(console, result)
    for line in (_score_words(result, scores), *_held_out_words(scores), *_front_words(scores)):
        console.print(printable(line), soft_wrap=True)
    places = [("best", Path(scores.best_dir))] if scores.best_dir else []
    places += [("winner", result.paths.winner), ("diff", result.paths.diff)] if result.improved else []
    places += [("front", result.paths.front)] if scores.front else []
    for label, path in (*places, ("run", result.paths.root)):
        console.print(printable(f"{label:7} {_short(path)}"), soft_wrap=True)


def _score_words(result: RunResult, scores: Scores) -> str:
    told = f"{result.told} candidates in {result.elapsed_s:.0f} s ({result.stopped})"
    if not result.improved:
        return f"no program scored more than the original's {scores.before:.6g}; {told}"
    return f"score {scores.after:.6g}, the original's is {scores.before:.6g}, self-reported by the evaluator; {told}"


def _held_out_words(scores: Scores) -> list[str]:
    if scores.held_out is None:
        return []
    words = {
        name: f"{said['score']:.6g}" if "score" in said else f"{said['outcome']}: {said['reason']}"
        for name, said in scores.held_out.items()
    }
    return [f"on what was held out: {words['after']}, the original {words['before']}"]


def _front_words(scores: Scores) -> list[str]:
    """The Pareto front, a program a line."""
    lines = []
    for point in scores.front:
        values = ", ".join(
            f"{name.removeprefix('-')} {value:.6g}" for name, value in point.items() if name != "program"
        )
        lines.append(f"  program {point['program']}: {values}")
    return ["Pareto front:", *lines] if lines else []


def _show_diff(console: Console, result: RunResult) -> None:
    diff = Syntax("", "diff", background_color="default").highlight(printable(result.diff))
    diff.rstrip()
    console.print(diff, soft_wrap=True)  # as a Syntax it would be cut off at the terminal's edge


def _before_and_after(result: RunResult) -> Table:
    table = Table("", "before", "after", "gain", box=None, pad_edge=False)
    gain = f"{result.ratio:.2f}x (95 %: {result.low:.2f} to {result.high:.2f})"
    table.add_row("CPU time, ms", f"{result.reference_ms:.1f}", f"{result.speed_ms:.1f}", gain)
    return table


def _verdict(result: RunResult) -> str:
    before, after = result.hunks
    minimised = (
        f"; {before - after} of {before} changes were taken back, as they gained nothing"
        if after < before
        else ""
    )
    return (
        f"{result.ratio:.1f}x faster; no difference from the original on {result.inputs} fresh inputs; "
        f"{result.told} candidates in {result.elapsed_s:.0f} s ({result.stopped}){minimised}"
    )


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
