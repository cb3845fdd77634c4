"""``report``: one HTML page that tells what happened in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from peagen_ray.cli.console import err, out, printable
from peagen_ray.cli.state import state

app = typer.Typer()


@app.command()
def report(
    context: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Its id, directory, or last.", show_default=False)
    ] = "last",
    output: Annotated[
        Path | None,
        typer.Option(help="Where to write it.", show_default="report.html in the run's directory"),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write a report of a run: one HTML file that needs no network, and that may be sent to anybody.

    It tells how the best rose, why candidates failed, what the archive holds, where the winner comes from step by
    step, what was measured, and what it cost. A run may be under way, or have been killed: the page shows it as its
    ledger has it now. What is in the page comes from the ledger: sources and paths too, but no key and no secret.

    Example: peagen-ray report last --open
    """
    from peagen_ray.runtime.paths import RunPaths
    from peagen_ray.runtime.reporting import open_page, write_report

    shared, paths = state(context), RunPaths.find(run)
    if shared.dry_run:
        out().print(printable(f"would write {output or paths.report}"), soft_wrap=True)
        return
    written = write_report(paths, output)
    out().print(printable(str(written)), soft_wrap=True)
    if open_it and not open_page(written):
        err().print("there is no graphical browser here; open that file in one", style="yellow")
