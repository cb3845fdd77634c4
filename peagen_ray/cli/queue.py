"""``queue``: look into the queue, and see to the tasks that died."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peagen_ray.cli.console import err, out, people, print_json, printable
from peagen_ray.cli.options import BrokerTimeout, Provider
from peagen_ray.cli.state import State, state
from peagen_ray.config.values import parse_duration
from peagen_ray.errors import UsageError
from peagen_ray.task import Status, TaskKind

if TYPE_CHECKING:
    from rich.table import Table

    from peagen_ray.config.model import Config
    from peagen_ray.queues.base import Attempt, DeadTask, TaskQueue
    from peagen_ray.task import Task

app = typer.Typer(no_args_is_help=True)
dlq = typer.Typer(
    no_args_is_help=True, help="See to the tasks that died.\n\nExample: peagen-ray queue dlq list"
)
app.add_typer(dlq, name="dlq")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Kind = Annotated[TaskKind | None, typer.Option(help="Only tasks of this kind.", show_default=False)]
Ids = Annotated[
    list[str] | None, typer.Argument(help="Ids, or their first six characters and more.", show_default=False)
]
Everything = Annotated[bool, typer.Option("--all", help="Every task in the dead-letter queue.")]
_WORDS = 100
_COLUMNS = ("id", "kind", "reason", "died_at", "attempts", "requires", "letter")


@app.callback()
def queue() -> None:
    """Look into the queue, and see to the tasks that died.

    Example: peagen-ray queue stats --provider redis://localhost:6379
    """


@app.command()
def stats(
    context: typer.Context,
    as_json: AsJson = False,
    provider: Provider = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Show how many tasks wait, run and died, and what no worker can serve.

    Example: peagen-ray queue stats --json
    """
    with _opened(context, provider, broker_timeout) as (config, opened):
        depth = [
            {"lane": lane, "kind": str(kind), "waiting": n} for (lane, kind), n in opened.depth().items()
        ]
        happened = {f"{event}:{kind}": n for (event, kind), n in opened.counters().items()}
        found: dict[str, Any] = {
            "provider": config.task_queue.provider,
            "waiting": opened.pending_count(),
            "claimed": opened.claimed_count(),
            "dead": opened.dead_count(),
            "oldest_idle_s": round(opened.oldest_idle(), 3),
            "lanes": depth,
            "unserved": {lane: list(missing) for lane, missing in opened.unserved().items()},
            "counters": happened,
        }
    if as_json:
        print_json(found)
        return
    console = out()
    console.print(f"{found['waiting']} waiting, {found['claimed']} claimed, {found['dead']} dead")
    if found["waiting"]:
        console.print(f"the oldest has waited {found['oldest_idle_s']:.1f} s")
    if depth:
        table = _table("lane", "kind", "waiting")
        for each in depth:
            table.add_row(str(each["lane"]) or "(no tags)", str(each["kind"]), str(each["waiting"]))
        console.print(table)
    for lane, missing in found["unserved"].items():
        console.print(f"no worker serves {lane}: none offers {', '.join(missing)}", style="yellow")
    if happened:
        console.print("so far: " + ", ".join(f"{n} {event}" for event, n in sorted(happened.items())))


@app.command("list")
def list_waiting(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="How many to leave out first.")] = 0,
    as_json: AsJson = False,
    provider: Provider = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Show the tasks that no worker has, in the order in which they would run.

    Example: peagen-ray queue list --limit 5
    """
    with _opened(context, provider, broker_timeout) as (_, opened):
        tasks = opened.list_tasks(limit, offset)
    if as_json:
        print_json([_plain(task) for task in tasks])
        return
    if not tasks:
        out().print("no task waits")
        return
    table = _table("id", "kind", "requires", "runs", "created")
    for task in tasks:
        created = f"{task.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            task.id, str(task.kind), ",".join(sorted(task.requires)) or "-", str(task.attempts), created
        )
    out().print(table)


@app.command()
def peek(
    context: typer.Context,
    task_id: Annotated[str, typer.Argument(help="The task's id.", metavar="ID")],
    as_json: AsJson = False,
    provider: Provider = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Show all that the queue knows of a task; nothing is claimed.

    Example: peagen-ray queue peek 3f2a9c0b1d4e4f5a8b6c7d8e9f001122
    """
    from peagen_ray.runtime.deadletters import looked_up

    with _opened(context, provider, broker_timeout) as (_, opened):
        name, info = looked_up(opened, task_id)
    found = {
        "id": name,
        "state": str(info.state),
        "since": _moment(info.since),
        "owner": info.owner,
        "due": None if info.due is None else _moment(info.due),
        "reason": info.reason,
        "task": None if info.task is None else _plain(info.task),
        "result": None if info.result is None else json.loads(info.result.to_wire()),
        "history": [_run(run) for run in info.history],
    }
    if as_json:
        print_json(found)
        return
    console = out()
    console.print(f"{name}: {info.state} since {found['since']}")
    if info.owner:
        console.print(f"owner: {printable(info.owner)}, lease until {found['due']}")
    elif info.due is not None:
        console.print(f"due: {found['due']}")
    if info.reason:
        console.print(printable(f"reason: {info.reason}"), soft_wrap=True)
    _show_task(info.task)
    _show_history(info.history)
    if info.result is not None:
        console.print(printable(f"result: {info.result.to_wire().decode()}"), soft_wrap=True)


@dlq.command("list")
def list_dead(
    context: typer.Context,
    kind: Kind = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest.")] = 50,
    as_json: AsJson = False,
    provider: Provider = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Show the tasks that died, and why.

    Example: peagen-ray queue dlq list --kind execute --json
    """
    from peagen_ray.runtime.deadletters import chosen, row

    with _opened(context, provider, broker_timeout) as (_, opened):
        found = chosen(opened, (), kind)
    if as_json:
        rows = map(row, found[-limit:])
        print_json([{name: value for name, value in each.items() if name != "letter"} for each in rows])
        return
    if not found:
        out().print("the dead-letter queue is empty")
        return
    _show_dead(found, limit)
    if len(found) > limit:
        out().print("--limit shows more")


@dlq.command()
def inspect(
    context: typer.Context,
    task_id: Annotated[str, typer.Argument(help="The task's id.", metavar="ID")],
    as_json: AsJson = False,
    provider: Provider = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Show a dead task: its payload, the errors of its runs, and who ran it.

    Example: peagen-ray queue dlq inspect 3f2a9c
    """
    from peagen_ray.queues.letters import to_json
    from peagen_ray.runtime.deadletters import chosen

    with _opened(context, provider, broker_timeout) as (_, opened):
        (dead,) = chosen(opened, [task_id])
        info = opened.inspect(dead.id)
    result = info.result if info else None
    if as_json:
        plain = None if result is None else json.loads(result.to_wire())
        print_json({**json.loads(to_json(dead)), "result": plain})
        return
    console = out()
    console.print(f"{dead.id} died {_moment(dead.died_at)}")
    console.print(printable(f"reason: {dead.reason}"), soft_wrap=True)
    if dead.task is None:
        console.print(
            printable(f"what was sent: {dead.raw.decode(errors='backslashreplace')}"), soft_wrap=True
        )
    _show_task(dead.task)
    _show_history(dead.history)
    if result is not None and result.data.get("provenance"):
        console.print(printable(f"provenance: {json.dumps(result.data['provenance'])}"), soft_wrap=True)
    if result is not None and result.data.get("traceback"):
        console.print(printable(str(result.data["traceback"]).rstrip()), soft_wrap=True, style="dim")


@dlq.command()
def retry(
    context: typer.Context,
    task_ids: Ids = None,
    kind: Kind = None,
    everything: Everything = False,
    provider: Provider = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Give dead tasks a new life, with all their runs; a new Result supersedes the old one.

    With the stub, whose tasks live in one process, they run here and now.

    Example: peagen-ray queue dlq retry --kind execute
    """
    _one_choice(task_ids, kind, everything)
    from peagen_ray.runtime.deadletters import chosen

    with _opened(context, provider, broker_timeout) as (config, opened):
        found = chosen(opened, task_ids or (), kind)
        if not found:
            out().print("nothing to retry")
            return
        if state(context).dry_run:
            out().print(f"would run again: {_tasks(len(found))}")
            _show_dead(found)
            return
        if config.task_queue.provider != "stub":
            n = opened.retry([dead.id for dead in found])
            out().print(f"back in the queue: {_tasks(n)}")
            _tell_left(len(found) - n)
            return
    _run_here(config, [dead.id for dead in found])


def _run_here(config: Config, ids: Sequence[str]) -> None:
    from peagen_ray.runtime.deadletters import run_again

    failed = 0
    for result in run_again(config, ids):
        done = result.status is Status.OK
        failed += not done
        said = "ok" if done else printable(str(result.data.get("msg", result.status)))
        out().print(f"{result.task_id}: {said}", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _tell_left(n: int) -> None:
    if n:
        err().print(
            f"{n} cannot be read by this version and stay; queue dlq inspect shows them", style="yellow"
        )
        raise typer.Exit(1)


@dlq.command()
def export(
    context: typer.Context,
    form: Annotated[
        str, typer.Option("--format", help="jsonl (everything), csv or parquet.", metavar="FORMAT")
    ] = "jsonl",
    output: Annotated[Path | None, typer.Option(help="The file; stdout by default.")] = None,
    kind: Kind = None,
    provider: Provider = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Write the dead-letter queue to a file; nothing is removed.

    Example: peagen-ray queue dlq export --format parquet --output dead.parquet
    """
    if form not in ("jsonl", "csv", "parquet"):
        raise UsageError(f"is {form!r}, none of jsonl, csv, parquet", subject="--format")
    if form == "parquet" and (output is None or str(output) == "-"):
        raise UsageError("parquet goes to a file", subject="--format", hint="add --output FILE")
    from peagen_ray.runtime.deadletters import chosen

    with _opened(context, provider, broker_timeout) as (_, opened):
        found = chosen(opened, (), kind)
    if output is None or str(output) == "-":
        _write(found, form, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    try:
        with output.open("wb") as file:
            _write(found, form, file)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", subject=str(output)) from error
    err().print(f"wrote {len(found)} dead letters to {output}")


def _write(found: Sequence[DeadTask], form: str, target: Any) -> None:
    from peagen_ray.queues.letters import to_json
    from peagen_ray.runtime.deadletters import row

    if form == "jsonl":
        for dead in found:
            target.write(to_json(dead) + b"\n")
        return
    from peagen_ray.results.export import write_table

    write_table([row(dead) for dead in found], _COLUMNS, target, form)


@dlq.command()
def purge(
    context: typer.Context,
    task_ids: Ids = None,
    kind: Kind = None,
    everything: Everything = False,
    older_than: Annotated[
        str | None,
        typer.Option(help="Only what died at least so long ago, such as 7d or 12h.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    provider: Provider = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Remove dead tasks for good, after asking; export them first if in doubt.

    Example: peagen-ray queue dlq purge --older-than 7d
    """
    _one_choice(task_ids, kind, everything or older_than is not None)
    age = 0.0 if older_than is None else _seconds(older_than)
    from peagen_ray.runtime.deadletters import chosen

    with _opened(context, provider, broker_timeout) as (_, opened):
        now = datetime.now(UTC).timestamp()
        found = [dead for dead in chosen(opened, task_ids or (), kind) if dead.died_at + age <= now]
        if not found:
            out().print("nothing to remove")
            return
        if state(context).dry_run:
            out().print(f"would be removed for good: {_tasks(len(found))}")
            _show_dead(found)
            return
        _ask(f"Remove {_tasks(len(found))} from the dead-letter queue for good?", yes=yes)
        out().print(f"removed: {_tasks(opened.purge([dead.id for dead in found]))}")


def _ask(question: str, *, yes: bool) -> None:
    """Return if a person agrees, or agreed beforehand; else leave."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask", subject="purge", hint="--yes removes without asking")
    if not typer.confirm(question, err=True):
        people(stdout_is_json=True).print("nothing was removed")
        raise typer.Exit(1)


def _one_choice(task_ids: Sequence[str] | None, kind: TaskKind | None, everything: bool) -> None:
    if not task_ids and kind is None and not everything:
        raise UsageError("which tasks?", subject="queue dlq", hint="write ids, --kind KIND or --all")
    if task_ids and (kind is not None or everything):
        raise UsageError("ids and a choice of many at once", subject="queue dlq", hint="write one of them")


def _seconds(text: str) -> float:
    try:
        length = parse_duration(text)
        assert isinstance(length, timedelta)
        return length.total_seconds()
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no length of time", subject="--older-than", hint="such as 7d, 12h or 90s"
        ) from error


@contextmanager
def _opened(
    context: typer.Context, provider: str | None, broker_timeout: float | None
) -> Iterator[tuple[Config, TaskQueue]]:
    shared: State = state(context)
    config = shared.load(
        {"task_queue.provider": provider, "task_queue.broker_timeout": broker_timeout}
    ).config
    from peagen_ray.runtime.deadletters import opened

    if config.task_queue.provider == "stub":
        err().print(
            "the queue is stub: tasks live and die with the process that runs them; only dead ones are kept"
        )
    with opened(config) as found:
        yield config, found


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    return table


def _plain(task: Task) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(task.to_wire())
    return fields


def _tasks(n: int) -> str:
    return f"{n} task" if n == 1 else f"{n} tasks"


def _show_dead(found: Sequence[DeadTask], limit: int = 50) -> None:
    """A line for each of the newest; says how many are left out."""
    table = _table("id", "kind", "runs", "died", "reason")
    for dead in found[-limit:]:
        runs = str(dead.task.attempts) if dead.task else "-"
        name = str(dead.task.kind) if dead.task else "unreadable"
        table.add_row(dead.id, name, runs, _moment(dead.died_at), printable(dead.reason[:_WORDS]))
    out().print(table)
    if len(found) > limit:
        out().print(f"… and {len(found) - limit} older")


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"


def _run(run: Attempt) -> dict[str, Any]:
    return {
        "run": run.number,
        "owner": run.owner,
        "started_at": _moment(run.started_at),
        "seconds": round(run.ended_at - run.started_at, 3),
        "ended": run.ended,
        "msg": run.msg,
    }


def _show_task(task: Task | None) -> None:
    if task is not None:
        out().print(
            f"{task.kind}, requires {', '.join(sorted(task.requires)) or 'nothing'}, {task.attempts} runs,"
            f" created {task.created_at:%Y-%m-%d %H:%M:%S}Z"
        )
        out().print(printable(f"payload: {json.dumps(task.payload, ensure_ascii=False)}"), soft_wrap=True)


def _show_history(history: Sequence[Attempt]) -> None:
    for run in history:
        said = _run(run)
        text = f"run {said['run']} by {said['owner'] or '?'} at {said['started_at']}, {said['seconds']} s: "
        out().print(printable(f"{text}{said['ended']} {said['msg']}".rstrip()), soft_wrap=True)
