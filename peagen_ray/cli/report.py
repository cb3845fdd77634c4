"""What a person is told before a run (``--dry-run``) and at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from peagen_ray.cli.console import printable

if TYPE_CHECKING:
    from peagen_ray.runtime.result import RunResult
    from peagen_ray.runtime.settings import RunRequest


def show_plan(console: Console, request: RunRequest) -> None:
    """What a run would do; nothing is run, nothing is written."""
    subject = request.subject()
    stop = request.config.evolve.stop
    inputs = subject.workload_path or "derived from type hints"
    most = (request.more_generations or stop.max_generations) * request.config.evolve.generation_size
    lines = [
        f"would evolve {subject.entry or 'the module'} in {subject.path}",
        f"inputs: {inputs}",
        f"mutator: {request.mutator()}; worst-case token spend: 0, no language model is asked",
        f"at most {most} candidates, {request.concurrency} at a time",
        f"{request.config.execute.timeout_s:g} s and {request.config.execute.memory_mb} MiB for a candidate",
    ]
    if stop.run_timeout:
        lines.append(f"at most {stop.run_timeout.total_seconds():.0f} s of evolution")
    for line in lines:
        console.print(printable(line), soft_wrap=True)


def show_result(console: Console, result: RunResult) -> None:
    """Before and after, the diff, and where everything is."""
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
    diff = Syntax("", "diff", background_color="default").highlight(printable(result.diff))
    diff.rstrip()
    console.print(diff, soft_wrap=True)  # as a Syntax it would be cut off at the terminal's edge
    console.print(printable(_verdict(result)), soft_wrap=True)
    for label, path in (
        ("winner", result.paths.winner),
        ("diff", result.paths.diff),
        ("run", result.paths.root),
    ):
        console.print(printable(f"{label:7} {_short(path)}"), soft_wrap=True)


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
