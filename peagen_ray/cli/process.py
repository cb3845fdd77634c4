"""``process``: the former name of ``render``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import wraps
from typing import Any

import typer

from peagen_ray.cli.console import err, printable
from peagen_ray.cli.render import render
from peagen_ray.cli.state import State, state
from peagen_ray.config.load import mask

app = typer.Typer()

_HELP = """Expand the templates of a project: the former name of render, with the same options.

Example: peagen-ray process --project projects_payload.yaml --workers 2
"""


@app.command(help=_HELP)
@wraps(render)
def process(context: typer.Context, **options: Any) -> None:
    """Say which command takes its place, and do what that does; the options are those of ``render``."""
    words = ["peagen-ray", "render", *_given(context), *_global(state(context))]
    err().print(
        printable(f"Warning: process goes in 0.4.0; use: {shlex.join(map(mask, words))}"),
        style="yellow",
        soft_wrap=True,
    )
    render(context, **options)


def _given(context: typer.Context) -> Iterator[str]:
    """The options of a command as they may be written, those left out that say nothing."""
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if value is True:
            yield option.opts[0]
        elif value not in (None, False):
            yield from (option.opts[0], str(value))


def _global(shared: State) -> Iterator[str]:
    if shared.config_path:
        yield from ("--config", str(shared.config_path))
    if shared.verbose:
        yield "--verbose"
    if shared.dry_run:
        yield "--dry-run"
