"""``caps``: what nodes and node types offer, and which handlers can run where."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peagen_ray.cli.console import people, print_json, printable
from peagen_ray.cli.state import state

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from peagen_ray.runtime.offers import Offer, Survey

app = typer.Typer()

_SHOWN_NAMES = 3


@app.command()
def caps(
    context: typer.Context,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster: auto, HOST:6379 or ray://HOST:10001.", show_default=False),
    ] = None,
    cluster_yaml: Annotated[
        Path | None,
        typer.Option(
            help="Node types: a cluster.yaml, or KubeRay's RayCluster or RayJob.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show what each node type and live node offers, and which installed handlers can run where.

    Without a cluster and a file: what this machine offers, and how it would join a cluster.

    Example: peagen-ray caps --address auto --cluster-yaml cluster.yaml
    """
    from peagen_ray.runtime.offers import survey

    shared, console = state(context), people(stdout_is_json=as_json)
    config = shared.load({}).config
    if shared.dry_run and address is not None:
        console.print(printable(f"would ask the Ray cluster {address} for its nodes"))
        return
    found = survey(config, address, cluster_yaml)
    if as_json:
        print_json(found.data())
    else:
        _show(console, found)


def _show(console: Console, found: Survey) -> None:
    console.print(_table(found))
    for name, missing in found.unserved.items():
        text = f"{name} can run nowhere: missing {', '.join(missing)}"
        console.print(printable(text), style="yellow", soft_wrap=True)
    if found.start is not None:
        command = shlex.join(["ray", "start", "--address=HOST:6379", *found.start])
        console.print(printable(f"to join a cluster: {command}"), soft_wrap=True)


def _table(found: Survey) -> Table:
    from rich.table import Table

    table = Table("what", "name", "nodes", "offers", "handlers", box=None, pad_edge=False)
    for offer in found.offers:
        number = str(offer.most) if offer.least == offer.most else f"{offer.least}-{offer.most}"
        cells = offer.source, _names(offer), number, _offered(offer), ", ".join(offer.runs) or "none"
        table.add_row(*map(printable, cells))
    return table


def _names(offer: Offer) -> str:
    shown = ", ".join(offer.names[:_SHOWN_NAMES])
    return f"{shown} and {len(offer.names) - _SHOWN_NAMES} more" if offer.names[_SHOWN_NAMES:] else shown


def _offered(offer: Offer) -> str:
    """The tags; with the amount where it is one that tasks use up."""
    from peagen_ray.fabric.capabilities import PLENTY

    if not offer.resources:
        return "it does not say"
    amounts = {"cpu": offer.resources.get("CPU", 0), "gpu": offer.resources.get("GPU", 0), **offer.resources}
    return (
        ", ".join(tag if amounts[tag] >= PLENTY else f"{tag} {amounts[tag]:g}" for tag in offer.tags) or "-"
    )
