"""``runs``: what has been run in this workspace, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peagen_ray.cli.console import people, print_json, printable
from peagen_ray.cli.state import state

if TYPE_CHECKING:
    from peagen_ray.runtime.records import Gain, RunRecord, Scored
    from peagen_ray.runtime.verifying import Measured

app = typer.Typer(no_args_is_help=True)

Run = Annotated[str, typer.Argument(metavar="RUN", help="Its id, directory, or last.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]

_NO_RUNS = "no run under .peagen/runs yet; peagen-ray evolve run makes one"


@app.callback()
def runs() -> None:
    """List, show, compare and verify the runs of this workspace."""


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the runs below this directory, the newest last.

    The gain is that of the winner with its 95 % interval; of a run that has not ended, of the best confirmed program.

    Example: peagen-ray runs list
    """
    from peagen_ray.runtime.records import RunRecord, all_runs

    found = all_runs()
    if as_json:
        print_json(
            [
                each.to_data() if isinstance(each, RunRecord) else {"damaged": each.subject, "why": each.what}
                for each in found
            ]
        )
        return
    console = people(stdout_is_json=False)
    if not found:
        console.print(_NO_RUNS)
        return
    from rich.table import Table

    table = Table("run", "began (UTC)", "target", "gain", "candidates", "state", box=None, pad_edge=False)
    for each in found:
        if isinstance(each, RunRecord):
            began, gain = f"{each.began:%Y-%m-%d %H:%M}", _gain(each.gain)
            cells = [each.paths.id, began, each.target, gain, str(each.told), _state(each)]
            table.add_row(*map(printable, cells))
    console.print(table)
    for each in found:
        if not isinstance(each, RunRecord):
            console.print(printable(f"cannot be read: {each}"), style="yellow", soft_wrap=True)


@app.command()
def show(run: Run, as_json: Json = False) -> None:
    """Show one run in words: what it was asked, what came of it, what it was made with.

    Example: peagen-ray runs show last
    """
    record = _record(run)
    if as_json:
        print_json(record.to_data())
        return
    console = people(stdout_is_json=False)
    for line in _words(record):
        console.print(printable(line), soft_wrap=True)


@app.command()
def verify(
    context: typer.Context,
    run: Run,
    times: Annotated[
        int | None,
        typer.Option(
            min=1, max=100, help="How often to measure it.", show_default="1; 5 where scores are noisy"
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="CPU seconds of each measurement at most.",
            show_default="[evaluate] winner_s of the run",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the winner of a run again, in the sandbox, on inputs that nobody has seen.

    Where an evaluator scored, it evaluates the original and the winner again.

    Exit code 1: it is wrong, or no gain can be claimed, or an interval does not overlap with the others, or a recorded
    score is not reproduced.

    Example: peagen-ray runs verify last --times 3
    """
    from peagen_ray.runtime.provenance import changes, made_with
    from peagen_ray.runtime.records import Gain
    from peagen_ray.runtime.verifying import overlapping
    from peagen_ray.runtime.verifying import verify as measurements

    shared, record = state(context), _record(run)
    if record.evaluator != "speed":
        from peagen_ray.cli.rescored import verify_scores

        verify_scores(shared, record, times, seconds, as_json=as_json)
        return
    times = times or 1
    console = people(stdout_is_json=as_json)
    if shared.dry_run:
        console.print(printable(f"would measure the winner of {record.paths.id} {times} times"))
        return
    config = shared.load({}).config
    done: list[Measured] = []
    for measured in measurements(record, config, times, seconds):
        if not done:
            console.print(printable(f"recorded   {_gain(record.gain)}"))
        done.append(measured)
        console.print(printable(_measured(measured)), soft_wrap=True)
    now = made_with(config, record.meta["mutator"])
    apart = changes({"versions": record.versions, "machine": record.machine}, now)
    for change in apart:
        console.print(printable(f"not as recorded: {change}"), style="dim", soft_wrap=True)
    gains = [each for each in (record.gain, *(each.gain for each in done)) if isinstance(each, Gain)]
    sound = not any(each.why for each in done)
    overlap = overlapping(gains)
    said = _judgement(sound, overlap, [each.ratio for each in gains])
    console.print(said, style="green" if sound and overlap else "red")
    if as_json:
        print_json(
            {
                "run": record.paths.id,
                "holds": sound and overlap,
                "overlap": overlap,
                "recorded": _data(record.gain),
                "measured": [
                    {"gain": _data(each.gain), "half_width": each.half_width, "inputs": each.inputs}
                    | {"why": each.why}
                    for each in done
                ],
                "changes": apart,
            }
        )
    if not (sound and overlap):
        raise typer.Exit(1)


@app.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="A run: id, directory, or last.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    as_json: Json = False,
) -> None:
    """Show two runs side by side, and what differs in their settings.

    Example: peagen-ray runs compare 20260301-120000-ab12 last
    """
    from peagen_ray.runtime.records import settings_apart

    both = _record(one), _record(other)
    apart = settings_apart(*both)
    told = _verdict(*both)
    if as_json:
        settings = {key: list(values) for key, values in apart.items()}
        print_json({"runs": [each.to_data() for each in both], "settings": settings, "verdict": told})
        return
    from rich.table import Table

    table = Table("", *(each.paths.id for each in both), box=None, pad_edge=False)
    for rows in zip(*map(_facts, both), strict=True):
        (name, left), (_, right) = rows
        table.add_row(name, printable(left), printable(right))
    for key, (left, right) in apart.items():
        table.add_row(key, printable(_plain(left)), printable(_plain(right)), style="yellow")
    console = people(stdout_is_json=False)
    console.print(table)
    console.print(printable(told), soft_wrap=True)


def _record(name: str) -> RunRecord:
    from peagen_ray.runtime.paths import RunPaths
    from peagen_ray.runtime.records import record_of

    return record_of(RunPaths.find(name))


def _words(record: RunRecord) -> Iterator[str]:
    """A run, a line for each thing that a person asks about."""
    meta, config = record.meta, record.meta["config"]
    lives = "" if record.lives == 1 else f", in {record.lives} lives"
    yield f"run {record.paths.id}, begun {record.began:%Y-%m-%d %H:%M} UTC, {_state(record)}{lives}"
    scored = record.evaluator != "speed"
    inputs = f", inputs from {meta['subject']['workload_path'] or 'its type hints'}"
    yield f"target: {record.target}{'' if scored else inputs}"
    size = f"generation{'' if record.generations == 1 else 's'} of {config['evolve']['generation_size']}"
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in sorted(record.outcomes.items()))
    found = f": {outcomes}" if outcomes else ""
    yield f"candidates: {record.told} in {record.generations} {size}{found}"
    yield _outcome(record)
    if scored:
        file = config["evaluate"].get("file")
        yield f"scored by: evaluator {record.evaluator}{f', {file}' if file else ''}"
    yield f"chosen by: selector {record.selector}, mutator {meta['mutator']}, seed {meta['seed']}"
    if record.tokens:
        yield f"models: {record.tokens} tokens, {record.usd:.4f} USD"
    versions = record.versions
    packages = ", ".join(f"{name} {each}" for name, each in versions.get("packages", {}).items())
    yield f"code: peagen-ray {versions['peagen-ray']}, Python {versions['python']}" + (
        f", {packages}" if packages else ""
    )
    foreign = {each for each in versions.get("plugins", {}).values() if not each.startswith("peagen-ray ")}
    if foreign:
        yield f"plugins: {', '.join(sorted(foreign))}"
    if versions.get("commit"):
        changed = ", and files that were changed since" if versions["commit"].endswith("+") else ""
        yield f"commit: {versions['commit'].rstrip('+')}{changed}"
    machine = record.machine
    if machine:
        yield f"machine: {machine['cpu']}, {machine['cores']} cores, {machine['os']}, kernel {machine['kernel']}"
    yield f"files: {record.paths.root}"


def _outcome(record: RunRecord) -> str:
    took = f"{record.elapsed_s:.0f} s"
    if record.gain is None:
        return f"outcome: no better program, in {took}"
    when = "" if record.best_s is None else f", its program found after {record.best_s:.0f} s"
    measured = "winner" if record.winner else "best confirmed program"
    return f"outcome: {measured} {_gain(record.gain)}, in {took}{when}"


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    """The rows of a comparison."""
    best = "-" if record.best_s is None else f"{record.best_s:.0f} s"
    versions, machine = record.versions, record.machine
    return [
        ("target", record.target),
        ("state", _state(record)),
        ("gain", _gain(record.gain)),
        ("best after", best),
        ("took", f"{record.elapsed_s:.0f} s"),
        ("candidates", str(record.told)),
        ("tokens", str(record.tokens)),
        ("seed", str(record.meta["seed"])),
        ("selector", record.selector),
        ("mutator", record.meta["mutator"]),
        ("evaluator", record.evaluator),
        ("peagen-ray", versions["peagen-ray"]),
        ("python", versions["python"]),
        ("commit", versions.get("commit") or "-"),
        ("cpu", machine.get("cpu", "-")),
    ]


def _verdict(one: RunRecord, other: RunRecord) -> str:
    from peagen_ray.runtime.records import Gain, Scored
    from peagen_ray.runtime.verifying import overlapping

    if one.meta["subject"]["source"] != other.meta["subject"]["source"]:
        return "the originals are different programs: what came of them cannot be compared"
    left, right = one.gain, other.gain
    if left is None or right is None:
        found = one if left else other
        return "neither found a better program" if found.gain is None else f"only {found.paths.id} found one"
    if isinstance(left, Scored) and isinstance(right, Scored):
        if left.after == right.after:
            return "both winners have the same score"
        return f"{(one if left.after > right.after else other).paths.id} has the winner with the higher score"
    if not (isinstance(left, Gain) and isinstance(right, Gain)):
        return "one was measured, and the other one scored by an evaluator: they cannot be compared"
    better = one if left.ratio > right.ratio else other
    if left.low is None or right.low is None:
        return f"{better.paths.id} is ahead; not both have ended, so that there are no intervals to compare"
    if overlapping([left, right]):
        return "the intervals overlap: neither winner can be called the faster one"
    return f"{better.paths.id} has the faster winner: the intervals do not overlap"


def _measured(measured: Measured) -> str:
    if measured.gain is None:
        return f"measured   none: {measured.why}"
    text = f"measured   {_gain(measured.gain)}, half-width {100 * (measured.half_width or 0):.2f} %, "
    text += f"no difference from the original on {measured.inputs} fresh inputs"
    return f"{text}; no gain that can be claimed: {measured.why}" if measured.why else text


def _judgement(sound: bool, overlap: bool, ratios: Sequence[float]) -> str:
    """In words; ``ratios`` are the recorded one and those measured now."""
    if not sound:
        return "it does not hold: see above"
    if overlap:
        return "it holds: the intervals overlap"
    recorded, *now = ratios
    apart = (
        "slower"
        if max(now) < recorded
        else "faster"
        if min(now) > recorded
        else "at times slower, at times faster"
    )
    return f"it does not hold: the intervals do not overlap; the winner is {apart} now than it was recorded"


def _state(record: RunRecord) -> str:
    return f"{record.state} ({record.stopped})" if record.stopped else str(record.state)


def _gain(gain: Gain | Scored | None) -> str:
    return "-" if gain is None else str(gain)


def _data(gain: Gain | Scored | None) -> dict[str, Any] | None:
    from dataclasses import asdict

    return None if gain is None else asdict(gain)


def _plain(value: object) -> str:
    return "-" if value is None else str(value)
