"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from peagen_ray.errors import UsageError

EntryFn = Annotated[
    str, typer.Option(help="The function, or Class.method; by default the only one.", show_default=False)
]
Sync = Annotated[bool, typer.Option("--sync", help="Work in this process: no broker, no cluster.")]
Queue = Annotated[bool, typer.Option("--queue", help="Work through the configured queue.")]
Provider = Annotated[
    str | None, typer.Option(help="Queue provider: its name or address.", show_default=False)
]


def check_provider(*, sync: bool, queue: bool, provider: str | None) -> dict[str, Any]:
    """The configuration flags that ``--sync``, ``--queue`` and ``--provider`` stand for.

    Raises:
        UsageError: they contradict each other.
    """
    if sync and (queue or provider not in {None, "stub"}):
        raise UsageError(
            "--sync works in this process, without a queue", hint="drop --sync, or --queue/--provider"
        )
    return {"task_queue.provider": "stub" if sync else provider}
