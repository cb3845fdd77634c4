"""What ``runs verify`` says of a run that an evaluator scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from peagen_ray.cli.console import people, print_json, printable
from peagen_ray.errors import UsageError

if TYPE_CHECKING:
    from peagen_ray.cli.state import State
    from peagen_ray.runtime.records import RunRecord
    from peagen_ray.runtime.rescoring import Rescored


def verify_scores(
    shared: State, record: RunRecord, times: int | None, seconds: float | None, *, as_json: bool
) -> None:
    """Have a run's evaluator score its original and its winner again, and say whether the record holds.

    Raises:
        UsageError: seconds are said, which bound no evaluation; or there is nothing to verify.
        Exit: with 1, where it does not hold.
    """
    from peagen_ray.runtime.provenance import changes, made_with
    from peagen_ray.runtime.rescoring import NOISY, hold, rescore

    if seconds is not None:
        raise UsageError(
            "bounds measurements of speed, and an evaluator scored this run",
            subject="--seconds",
            hint="leave it out: an evaluation may take [evaluate] timeout_s of the run",
        )
    console = people(stdout_is_json=as_json)
    if shared.dry_run:
        often = f"{times} times" if times else f"once, or {NOISY} times where scores are noisy"
        console.print(printable(f"would evaluate the original and the winner of {record.paths.id} {often}"))
        return
    config = shared.load({}).config
    console.print(printable(f"recorded   {record.gain}"))
    programs: tuple[Rescored, ...] = ()
    for programs in rescore(record, config, times):
        scores = ", ".join(f"{each.name} {_latest(each)}" for each in programs)
        console.print(printable(f"evaluated  {scores}"), soft_wrap=True)
    apart = changes(
        {"versions": record.versions, "machine": record.machine}, made_with(config, record.meta["mutator"])
    )
    for change in apart:
        console.print(printable(f"not as recorded: {change}"), style="dim", soft_wrap=True)
    for each in programs:
        console.print(printable(_said(each)), soft_wrap=True)
    original, winner = programs
    holds = hold(original, winner)
    console.print(_judgement(original, winner), style="green" if holds else "red", soft_wrap=True)
    if as_json:
        found = {each.name: _data(each) for each in programs}
        print_json({"run": record.paths.id, "holds": holds, **found, "changes": apart})
    if not holds:
        raise typer.Exit(1)


def _latest(program: Rescored) -> str:
    return program.why or f"{program.scores[-1]:.10g}"


def _said(program: Rescored) -> str:
    """What became of one recorded score, in words."""
    begun = f"{program.name}: recorded {program.recorded:.10g}, "
    if program.why:
        return f"{begun}no score now: {program.why}"
    spread, count = program.spread, len(program.scores)
    times = "once" if count == 1 else f"{count} times"
    if spread is None:
        return begun + (
            f"reproduced {times}" if program.same else f"not reproduced: {program.scores[0]:.10g}, {times}"
        )
    where = "within" if program.reproduced else "not within"
    low, high = (f"{end:.6g}" for end in spread)
    return f"{begun}{where} the spread of {count} evaluations: {program.mean:.6g}, {low} to {high}"


def _judgement(original: Rescored, winner: Rescored) -> str:
    from peagen_ray.runtime.rescoring import hold

    if hold(original, winner):
        return "it holds: the recorded scores are reproduced"
    if not (original.reproduced and winner.reproduced):
        single = any(len(each.scores) == 1 and not (each.same or each.why) for each in (original, winner))
        more = "; where scores are noisy, --times 5 tells their spread" if single else ""
        return f"it does not hold: a recorded score is not reproduced{more}"
    return "it does not hold: on the mean the winner scores no higher than the original"


def _data(program: Rescored) -> dict[str, Any]:
    return {
        "recorded": program.recorded,
        "scores": program.scores,
        "spread": program.spread,
        "reproduced": program.reproduced,
        "why": program.why,
    }
