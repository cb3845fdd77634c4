"""``config show`` and ``config upgrade``."""

from __future__ import annotations

import difflib
import json
import os
import stat
from pathlib import Path
from typing import Annotated

import typer

from peagen_ray.cli.console import out, print_json, printable
from peagen_ray.cli.state import state
from peagen_ray.config.text import FILE_NAME, read_text
from peagen_ray.config.upgrade import upgrade
from peagen_ray.errors import PeagenError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def config() -> None:
    """Show the effective configuration, or upgrade its file."""


@app.command()
def show(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object: key → value and origin.")] = False,
) -> None:
    """Show every key, its value and where that came from.

    A flag comes before the environment (PEAGEN__TABLE__KEY), the file, and the default.

    Example: PEAGEN__EVOLVE__SEED=7 peagen-ray config show
    """
    loaded = state(context).load()
    values = loaded.values()
    if as_json:
        print_json({key: {"value": value, "origin": loaded.origin[key]} for key, value in values.items()})
        return
    from rich.table import Table

    table = Table("key", "value", "origin", box=None, pad_edge=False)
    for key, value in values.items():
        origin = loaded.origin[key]
        table.add_row(key, _toml(value), origin, style="dim" if origin == "default" else None)
    out().print(table)


@app.command("upgrade")
def upgrade_file(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if something would be.")
    ] = False,
) -> None:
    """Add what the configuration file lacks, and touch nothing else.

    A file without a task_queue section gets one that names the stub provider; comments, order and
    layout stay as they are.

    Example: peagen-ray config upgrade --dry-run
    """
    shared = state(context)
    path = shared.config_path or Path(FILE_NAME)
    old = read_text(path)
    new = upgrade(old, str(path))
    console = out()
    if new == old:
        console.print(f"{path} is up to date")
    elif check:
        console.print(f"{path} has no [task_queue] section; config upgrade adds it")
        raise typer.Exit(1)
    elif shared.dry_run:
        typer.echo(_diff(old, new, str(path)), nl=False)
    else:
        _replace(path, new)
        console.print(f"{path}: added [task_queue]")


def _toml(value: object) -> str:
    """A value as it would be written in the file, ``-`` for none."""
    return "-" if value is None else printable(json.dumps(value, ensure_ascii=False))


def _diff(old: str, new: str, name: str) -> str:
    """The unified diff of an upgrade, which only ever appends."""
    ended = old if not old or old.endswith("\n") else f"{old}\n"
    return "".join(
        difflib.unified_diff(
            ended.splitlines(keepends=True), new.splitlines(keepends=True), name, f"{name} (upgraded)"
        )
    )


def _replace(path: Path, text: str) -> None:
    """Write a file in one step, following links and keeping its mode: it is never half written."""
    target = path.resolve()
    draft = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(stat.S_IMODE(target.stat().st_mode))
        draft.replace(target)
    except OSError as error:
        raise PeagenError(f"cannot be written: {error.strerror}", subject=str(path)) from error
    finally:
        draft.unlink(missing_ok=True)
