"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from peagen_ray.cli.console import err
from peagen_ray.errors import UsageError

EntryFn = Annotated[
    str, typer.Option(help="The function, or Class.method; by default the only one.", show_default=False)
]
Sync = Annotated[bool, typer.Option("--sync", help="Work in this process: no broker, no cluster.")]
Queue = Annotated[bool, typer.Option("--queue", help="Work through the configured queue.")]
Provider = Annotated[
    str | None, typer.Option(help="Queue provider: its name or address.", show_default=False)
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster that does the tasks: auto, HOST:6379 or ray://HOST:10001.",
        show_default="[fabric] address",
    ),
]
BrokerTimeout = Annotated[
    float | None,
    typer.Option(
        help="Seconds that the broker may stay away before that is an error.",
        show_default="[task_queue] broker_timeout",
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        help="Where metrics are shown, at /metrics; 0 takes a free port.", show_default="[metrics] port"
    ),
]


def check_provider(
    *, sync: bool, queue: bool, provider: str | None, address: str | None = None
) -> dict[str, Any]:
    """The configuration flags that ``--sync``, ``--queue``, ``--provider`` and ``--address`` stand for.

    Raises:
        UsageError: they contradict each other.
    """
    if sync and (queue or address or provider not in {None, "stub"}):
        raise UsageError(
            "--sync works in this process, without a queue",
            hint="drop --sync, or --queue/--provider/--address",
        )
    return {
        "task_queue.provider": "stub" if sync else provider,
        "fabric.address": "" if sync else address,
    }


def say_where(*, queue: bool, provider: str) -> None:
    """Tell a person who asked for ``--queue`` that the configured one is this process's own."""
    if queue and provider == "stub":
        err().print("Warning: the queue is stub, so that all is done in this process", style="yellow")
