"""``plugin``: what is installed, whether it keeps its contract, and a new one to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peagen_ray.cli.console import people, print_json, printable
from peagen_ray.cli.state import state
from peagen_ray.errors import UsageError

if TYPE_CHECKING:
    from peagen_ray.runtime.checking import Checked

app = typer.Typer(no_args_is_help=True)

Kind = Annotated[
    str | None,
    typer.Option(
        help="Only this kind: handler, queue, backend, selector, mutator, evaluator, llm, sandbox or templates.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.callback()
def plugin() -> None:
    """List the plugins of installed wheels, check one against its contract, or begin a new one."""


@app.command("list")
def list_(kind: Kind = None, as_json: Json = False) -> None:
    """List what installed wheels register: kind, name, wheel, version, and whether it loads.

    Each is imported in a process of its own, so one that fails, or ends its process, hides no other.

    Example: peagen-ray plugin list --kind selector
    """
    from peagen_ray.plugins import registrations
    from peagen_ray.runtime.loading import problems

    _check_kind(kind)
    found = [each for each in registrations() if kind in (None, each.kind)]
    told = problems(found)
    if as_json:
        print_json(
            [
                {"kind": each.kind, "name": each.name, "wheel": each.wheel, "version": each.version}
                | {"reference": each.reference, "loads": not why, "why": why}
                for each, why in zip(found, told, strict=True)
            ]
        )
        return
    console = people(stdout_is_json=False)
    if not found:
        console.print(f"no {kind or 'plugin'} is installed")
        return
    from rich.table import Table

    table = Table("kind", "name", "wheel", "version", "loads", box=None, pad_edge=False)
    for each, why in zip(found, told, strict=True):
        cells = [each.kind, each.name, each.wheel or "unnamed", each.version or "-", "no" if why else "yes"]
        table.add_row(*map(printable, cells), style="red" if why else None)
    console.print(table)
    for each, why in zip(found, told, strict=True):
        if why:
            console.print(printable(f"{each.kind} {each.name}: {why}"), style="red", soft_wrap=True)


@app.command()
def check(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The name under which it is registered.", show_default=False)],
    kind: Kind = None,
    url: Annotated[
        str,
        typer.Option(help="Where a queue or a backend keeps things; it must be empty.", show_default=False),
    ] = "",
    task: Annotated[
        Path | None,
        typer.Option(
            help="A file with tasks that a handler does well, JSON, one a line.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the contract suite of its kind over an installed plugin; exit code 1 if it fails a test.

    A queue's suite waits for a real clock and takes minutes.

    Example: peagen-ray plugin check epsilon
    """
    from peagen_ray.runtime.checking import check as checked
    from peagen_ray.runtime.checking import find

    _check_kind(kind)
    shared, found = state(context), find(name, kind)
    title = f"{found.kind} {found.name} of {found.wheel} {found.version}".rstrip()
    console = people(stdout_is_json=as_json)
    if shared.dry_run:
        console.print(printable(f"would run the contract suite of a {found.kind} over {title}"))
        return
    done = checked(found, url, task)
    if shared.verbose or not done.holds:
        console.print(printable(done.said.rstrip()), soft_wrap=True)
    for test, why in done.skipped:
        console.print(printable(f"not made: {_words(test)}: {_reason(why)}"), soft_wrap=True)
    console.print(printable(_judgement(title, done)), style="green" if done.holds else "red", soft_wrap=True)
    if as_json:
        print_json(_data(done))
    if not done.holds:
        raise typer.Exit(1)


@app.command()
def new(
    context: typer.Context,
    kind: Annotated[
        str,
        typer.Argument(help="handler, selector, mutator, evaluator, queue or backend (of results)."),
    ],
    name: Annotated[str, typer.Argument(help="What it is to be called: lower-case letters, digits and _.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The directory to make.", show_default="peagen-NAME-KIND in this directory"),
    ] = None,
) -> None:
    """Write a new wheel with one plugin in it, which works, and the test that proves its contract.

    Example: peagen-ray plugin new selector thrifty
    """
    from peagen_ray.runtime.scaffold import plan, write

    wheel, made = plan(kind, name)
    directory = out or Path(wheel.distribution)
    console = people(stdout_is_json=False)
    if state(context).dry_run:
        for path in made:
            console.print(printable(f"would write {directory / path}"), soft_wrap=True)
        return
    write(directory, made)
    for path in made:
        console.print(printable(f"wrote {directory / path}"), soft_wrap=True)
    console.print(
        printable(
            f"next: cd {directory} && pip install -e '.[test]' && python -m pytest; then write your own into "
            f"{wheel.module}.py"
        ),
        soft_wrap=True,
    )


def _check_kind(kind: str | None) -> None:
    from peagen_ray.plugins import KINDS

    if kind is not None and kind not in KINDS:
        raise UsageError(
            "there is no such kind", subject=f"--kind {kind}", hint=f"there are {', '.join(KINDS)}"
        )


def _judgement(title: str, done: Checked) -> str:
    count = f"{len(done.passed)} of {len(done.passed) + len(done.failed)} tests passed"
    left = f", {len(done.skipped)} not made" if done.skipped else ""
    if done.holds:
        return f"{title} keeps its contract: {count}{left}"
    failed = ", ".join(_words(test) for test, _ in done.failed)
    return f"{title} does not keep its contract: {count}{left}" + (f"; failed: {failed}" if failed else "")


def _words(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def _reason(skipped: str) -> str:
    return skipped.removeprefix("Skipped: ")


def _data(done: Checked) -> dict[str, Any]:
    return {
        "kind": done.plugin.kind,
        "name": done.plugin.name,
        "wheel": done.plugin.wheel,
        "version": done.plugin.version,
        "holds": done.holds,
        "passed": list(done.passed),
        "failed": [{"test": test, "why": why} for test, why in done.failed],
        "skipped": [{"test": test, "why": why} for test, why in done.skipped],
    }
