"""``render``: expand the templates of a project."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from peagen_ray.cli.console import people, print_json, printable
from peagen_ray.cli.options import Address, BrokerTimeout, Provider, Queue, Sync, check_provider, say_where
from peagen_ray.cli.state import State, state

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from peagen_ray.config.load import Loaded
    from peagen_ray.rendering.payload import Payload
    from peagen_ray.runtime.rendering import RenderRequest, RenderSummary

app = typer.Typer()

ProjectFile = Annotated[
    Path, typer.Option("--project", help="The project file: YAML, TOML or JSON.", show_default=False)
]
Out = Annotated[Path, typer.Option("--out", help="The directory of the outputs.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if an output would change.")]
Regenerate = Annotated[
    bool, typer.Option("--regenerate", help="Ask language models again for what they wrote already.")
]
Json = Annotated[bool, typer.Option("--json", help="Print what was done as JSON on stdout.")]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency", "--workers", help="Tasks at a time; by default one per core.", show_default=False
    ),
]

_SHOWN: Final = 20
"""Outputs of one sort that a person is shown."""
_PLAIN_EVERY_S: Final = 5.0


@app.command()
def render(
    context: typer.Context,
    project: ProjectFile,
    out: Out = Path("build"),
    check: Check = False,
    regenerate: Regenerate = False,
    as_json: Json = False,
    concurrency: Concurrency = None,
    sync: Sync = False,
    queue: Queue = False,
    provider: Provider = None,
    address: Address = None,
    broker_timeout: BrokerTimeout = None,
) -> None:
    """Expand the templates of a project into a directory; files that need no change are left alone.

    Files of a legacy payload that a language model writes cost tokens: --dry-run says how many at most. They are
    asked for once, and again when their prompt, the models or what they depend on has changed.

    Example: peagen-ray render --project site.yaml --out build
    """
    flags = {
        "worker.defaults.concurrency": concurrency,
        "task_queue.broker_timeout": broker_timeout,
        **check_provider(sync=sync, queue=queue, provider=provider, address=address),
    }
    shared = state(context)
    loaded = shared.load(flags)
    say_where(queue=queue, provider=loaded.config.task_queue.provider)
    go(shared, loaded, project, out, check=check, regenerate=regenerate, as_json=as_json)


def go(
    shared: State,
    loaded: Loaded,
    project: Path,
    out_: Path,
    *,
    check: bool,
    regenerate: bool,
    as_json: bool,
) -> None:
    """Render a project file, or say what would be rendered; Exit with 1 if something is not as it should be."""
    from peagen_ray.rendering.job import read_job
    from peagen_ray.runtime.rendering import RenderRequest
    from peagen_ray.runtime.rendering import render as render_job
    from peagen_ray.runtime.settings import cores

    config = loaded.config
    job = read_job(project, config.templates.search_path)
    chosen = loaded.origin["worker.defaults.concurrency"] != "default"
    tasks = config.worker.defaults.concurrency if chosen else cores()
    request = RenderRequest(config, out_, check, tasks, project.parent, regenerate)
    if shared.dry_run:
        _show_plan(job, request)
        return
    console = people(stdout_is_json=True)
    with Watching(console) as watching:
        summary = render_job(job, request, watching)
    _show(console, summary, request)
    if as_json:
        print_json(summary.to_data())
    if summary.failed or summary.skipped or (check and summary.would_change):
        raise typer.Exit(1)


class Watching:
    """Shows how a render goes on: a bar on a terminal, now and then a line elsewhere.

    SIGTERM ends it as Ctrl-C does.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = time.monotonic() + _PLAIN_EVERY_S
        self._bar: Progress | None = None
        self._bar_task: TaskID | None = None
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Watching:
        if self._main:
            self._before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        if self._console.is_terminal:
            from rich.progress import Progress

            self._bar = Progress(console=self._console, transient=True)
            self._bar_task = self._bar.add_task("rendering", total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._main:
            signal.signal(signal.SIGTERM, self._before)
        if self._bar:
            self._bar.stop()

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(printable(text), soft_wrap=True)

    def progress(self, done: int, total: int) -> None:
        """So many of all outputs are done."""
        if self._bar and self._bar_task is not None:
            self._bar.update(self._bar_task, completed=done, total=total)
        elif time.monotonic() >= self._next and done < total:
            self._next = time.monotonic() + _PLAIN_EVERY_S
            self.note(f"{done} of {total} outputs")


def _show_plan(job: Payload, request: RenderRequest) -> None:
    from peagen_ray.runtime.authored import known_texts
    from peagen_ray.runtime.authors import spend_lines
    from peagen_ray.runtime.rendering import rendered_here

    for plan in job.plans:
        for line in plan.lines():
            typer.echo(printable(line))
    for one in job.generated:
        typer.echo(printable(f"{one.record.path} <- {one.record.prompt} (by a language model)"))
    if job.generated:
        texts = rendered_here(job)
        written = known_texts(request.authored(typer.echo), job.generated, texts)
        for line in spend_lines(request.config, job.generated, texts, written):
            typer.echo(printable(line))


def _show(console: Console, summary: RenderSummary, request: RenderRequest) -> None:
    verb = "would be " if request.check else ""
    for change, paths in summary.changes.items():
        if change.value != "unchanged":
            _list(console, [f"{verb}{change.value}: {path}" for path in sorted(paths)])
    _list(console, [f"skipped: {path}: {why}" for path, why in sorted(summary.skipped.items())])
    _list(console, [f"failed: {path}: {why}" for path, why in sorted(summary.failed.items())], style="red")
    counts = {change.value: len(paths) for change, paths in summary.changes.items()}
    counts |= {"failed": len(summary.failed), "skipped": len(summary.skipped)}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    console.print(printable(f"{request.out}: {words or 'nothing to do'}"), soft_wrap=True)


def _list(console: Console, lines: list[str], style: str | None = None) -> None:
    for line in lines[:_SHOWN]:
        console.print(printable(line), style=style, soft_wrap=True)
    if len(lines) > _SHOWN:
        console.print(f"and {len(lines) - _SHOWN} more", style=style)
