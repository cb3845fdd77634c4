"""``import``: a task of another engine becomes a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from peagen_ray.cli.console import out, printable
from peagen_ray.cli.state import state

app = typer.Typer()


@app.command("import")
def import_(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(help="Where the program and its evaluator lie.", show_default=False)
    ],
    force: Annotated[bool, typer.Option("--force", help="Write .peagen.toml anew, if it is there.")] = False,
) -> None:
    """Make a workspace of a directory that has a program and its evaluator, as other engines' users have them.

    A .peagen.toml is written there; no file that was there is touched. What the task's configuration says that means
    nothing here is listed.

    Example: peagen-ray import circle_packing && cd circle_packing && peagen-ray evolve run -i 100
    """
    from peagen_ray.runtime.importing import import_task

    dry_run = state(context).dry_run
    made = import_task(directory, force=force, write=not dry_run)
    others = f" and {len(made.files)} more" if made.files else ""
    lines = [
        f"program    {made.program}{others}",
        f"evaluator  {made.evaluator} ({made.kind})",
        f"read       {made.config or 'no configuration'}",
        f"{'would write' if dry_run else 'wrote     '} {made.path}",
    ]
    if made.unmapped:
        lines += ["not taken over:", *(f"  {line}" for line in made.unmapped)]
    for line in lines:
        out().print(printable(line), soft_wrap=True)
