"""``workload init``: the file that says which inputs a function is improved on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from peagen_ray.cli.console import out
from peagen_ray.cli.state import state
from peagen_ray.errors import TargetError, UsageError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def workload() -> None:
    """Write down which inputs a function is improved on, and what a correct answer is."""


@app.command()
def init(
    context: typer.Context,
    target_file: Annotated[Path, typer.Option(help="The file that holds the function.", show_default=False)],
    entry_fn: Annotated[str, typer.Option(help="The function, or Class.method.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(help="The file to write.", show_default="<stem>_workload.py beside the target"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write the ten lines that make inputs, for you to fill in.

    They are needed where inputs cannot be derived from type hints.

    Example: peagen-ray workload init --target-file sort.py --entry-fn bad_sort
    """
    from peagen_ray.workload.target import inspect_source
    from peagen_ray.workload.template import template

    text = template(inspect_source(_source(target_file), entry_fn, str(target_file)))
    if state(context).dry_run:
        typer.echo(text, nl=False)
        return
    path = output or target_file.with_name(f"{target_file.stem}_workload.py")
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError("it exists already", subject=str(path), hint="--force replaces it") from error
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", subject=str(path)) from error
    found = "evolve finds it there" if output is None else f"pass it to evolve with --workload {path}"
    out().print(f"wrote {path}: fill in inputs(); {found}")


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TargetError(f"cannot be read: {error.strerror}", subject=str(path)) from error
    except UnicodeDecodeError as error:
        raise TargetError("is not UTF-8 text", subject=str(path)) from error
