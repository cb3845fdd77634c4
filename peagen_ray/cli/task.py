"""``task``: what became of a task, and what it printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from peagen_ray.about import About
from peagen_ray.cli.console import err, out, people, print_json, printable
from peagen_ray.cli.options import Provider
from peagen_ray.cli.state import state
from peagen_ray.task import TaskKind

if TYPE_CHECKING:
    from rich.console import Console

    from peagen_ray.results.base import Record
    from peagen_ray.task import Result, Task

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
_SHOWN: Final = frozenset(
    {"provenance", "usage", "output", "guests", "msg", "reason", "retryable", "traceback"}
)
"""What of a Result's data has a line of its own."""

_LONGEST: Final = 2000


@app.callback()
def task() -> None:
    """See what became of tasks that have run, and what they printed.

    Example: peagen-ray task list --failed
    """


@app.command()
def show(
    context: typer.Context,
    task_id: Annotated[str, typer.Argument(help="The task's whole id.", metavar="ID")],
    payload: Annotated[bool, typer.Option("--payload", help="Show the payload too.")] = False,
    as_json: AsJson = False,
    provider: Provider = None,
) -> None:
    """Show a task's Result, and what its process and its candidate wrote to stdout and stderr.

    Of the process at most 64 KiB of each are kept: the beginning, and the end; of the candidate the last 4000
    characters.

    Example: peagen-ray task show 3f2a9c0b1d4e4f5a8b6c7d8e9f001122
    """
    from peagen_ray.runtime.lookup import found

    known, result = found(state(context).load({"task_queue.provider": provider}).config, task_id)
    about = About.of(known.payload) if known else About()
    if as_json:
        fields = json.loads(known.to_wire()) if known else None
        if fields and not payload:
            fields.pop("payload")
        print_json({"task": fields, "result": json.loads(result.to_wire()), "about": about.to_data()})
        return
    console = out()
    _show(console, known, result, about)
    if payload and known:
        _text(console, "payload", json.dumps(known.payload, indent=2))
    for whose, table in (("", "output"), ("candidate's ", "guests")):
        printed = _table_of(result.data, table)
        for name in ("stdout", "stderr"):
            _text(console, f"{whose}{name}", str(printed.get(name) or ""))


@app.command("list")
def list_ended(
    context: typer.Context,
    run: Annotated[str, typer.Option(help="Only of this run.", show_default=False)] = "",
    candidate: Annotated[
        int | None, typer.Option(min=0, help="Only of the candidate of this number.", show_default=False)
    ] = None,
    kind: Annotated[TaskKind | None, typer.Option(help="Only of this kind.", show_default=False)] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only what failed.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the latest ones.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List tasks that have run, by when they were created: every record is read.

    Example: peagen-ray task list --run 20261127-093000-3f2a --candidate 17
    """
    from peagen_ray.runtime.lookup import Wanted, records

    config = state(context).load().config
    found: list[Record] = []
    for each in records(config, Wanted(run, candidate, kind, failed)):
        if isinstance(each, Exception):
            err().print(printable(f"Warning: {each}"), style="yellow", soft_wrap=True)
        else:
            found.append(each)
    latest = sorted(found, key=lambda each: each.task.created_at)[-limit:]
    if as_json:
        print_json([_row(each) for each in latest])
        return
    console = people(stdout_is_json=False)
    if not latest:
        console.print(printable(f"no such task has a record in {config.result_backend.root}"))
        return
    if len(found) > len(latest):
        console.print(f"the latest {len(latest)} of {len(found)}; --limit shows more")
    _list(console, latest)


def _list(console: Console, found: list[Record]) -> None:
    from rich.table import Table

    table = Table("id", "kind", "candidate", "status", "seconds", "why", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for each in found:
        row = _row(each)
        seconds = "-" if row["wall_s"] is None else f"{row['wall_s']:.3f}"
        number = "-" if row["candidate"] is None else str(row["candidate"])
        cells = (row["id"], row["kind"], number, row["status"], seconds, row["why"][:100])
        table.add_row(*(printable(cell).replace("\n", " ") for cell in cells))
    console.print(table)


def _row(record: Record) -> dict[str, Any]:
    data, about = record.result.data, About.of(record.task.payload)
    wall = _table_of(data, "usage").get("wall_s")
    return {
        "id": record.task.id,
        "kind": str(record.task.kind),
        "run": about.run,
        "candidate": about.candidate,
        "created_at": record.task.created_at.isoformat(),
        "status": str(record.result.status),
        "wall_s": wall if isinstance(wall, int | float) else None,
        "why": str(data.get("msg") or data.get("reason") or data.get("outcome") or ""),
    }


def _show(console: Console, task: Task | None, result: Result, about: About) -> None:
    data = result.data
    made, used = _table_of(data, "provenance"), _table_of(data, "usage")
    head = f"{result.task_id}: {f'{task.kind} task, ' if task else ''}{result.status}"
    facts: dict[str, Any] = {
        "run": about.run,
        "candidate": about.candidate,
        "created": task and f"{task.created_at:%Y-%m-%d %H:%M:%S} UTC",
        "requires": task and (", ".join(sorted(task.requires)) or "no tags"),
        "ended": f"{result.created_at:%Y-%m-%d %H:%M:%S} UTC, in run {result.attempts}",
        "handler": f"{made.get('handler', '?')} {made.get('handler_version', '')}".strip(),
        "worker": f"{made.get('worker', '?')}, peagen-ray {made.get('version', '?')}",
        "image": made.get("image"),
        "layers": ", ".join(map(str, made.get("layers") or ())),
        "used": ", ".join(f"{name} {_short(value)}" for name, value in used.items()),
        "guests used": _short(spent) + " s of CPU"
        if (spent := _table_of(data, "guests").get("cpu_s"))
        else None,
        "why": data.get("msg"),
        "reason": data.get("reason"),
        "retryable": data.get("retryable"),
    }
    rest = {name: value for name, value in data.items() if name not in _SHOWN}
    if rest:
        text = json.dumps(rest)
        facts["data"] = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… (--json shows all of it)"
    console.print(head)
    for name, value in facts.items():
        if value not in ("", None):
            console.print(printable(f"  {name}: {value}"), soft_wrap=True)
    _text(console, "traceback", str(data.get("traceback") or ""))


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _text(console: Console, name: str, text: str) -> None:
    """A longer text under its name; nothing if it is empty."""
    if text:
        console.print(f"--- {name}")
        console.print(printable(text.rstrip("\n")), soft_wrap=True)


def _table_of(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table of a Result's data; empty if somebody else's Result has none there."""
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}
