"""``doctor``: what this machine, its queue and its cluster can do, tried out rather than looked up."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peagen_ray._version import __version__
from peagen_ray.cli.console import people, print_json, printable
from peagen_ray.cli.script import owner, scripts_directory
from peagen_ray.cli.state import state
from peagen_ray.errors import PeagenError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from peagen_ray.config.model import Config
    from peagen_ray.runtime.checkup import Check
    from peagen_ray.sandbox.examination import Examination

app = typer.Typer()


@app.command()
def doctor(
    context: typer.Context,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Only what the sandboxes hold.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Look whether all that the configuration needs is there, and say how to mend what is not.

    Ray, the queue and its server, GPUs, keys (never shown), clock and disks are looked at, and hostile programs are run
    in every sandbox to see what each one stops. Exit code 1 means that something has to be mended.

    Example: peagen-ray doctor

    Example: peagen-ray doctor --sandbox
    """
    from peagen_ray.plugins import Group, names
    from peagen_ray.runtime.serving import confinement
    from peagen_ray.sandbox.examination import examine_all
    from peagen_ray.sandbox.process import ProcessSandbox

    console = people(stdout_is_json=as_json)
    config = state(context).load({}).config
    machine = {} if sandbox else _machine()
    for fact, value in machine.items():
        console.print(f"{fact}: {value}")
    known = names(Group.SANDBOXES)
    if state(context).dry_run:
        if not sandbox:
            console.print("would look at Ray, the queue, GPUs, keys, clock and disks")
        console.print(f"would run the probes unconfined and in {', '.join(known)}")
        return
    found_here = [] if sandbox else _checked(config, console)
    try:
        unconfined, found = examine_all(known, Path.cwd(), confinement(config))
    except OSError as error:
        hint = "run it in a directory that you may write to"
        raise PeagenError(
            f"the probes need a file here: {error}", subject=str(Path.cwd()), hint=hint
        ) from error
    _show(console, unconfined, found)
    default = next(each for each in found if each.sandbox == ProcessSandbox.NAME)
    console.print(_judgement(default), style="green" if default.holds else "red")
    bad = [each.name for each in found_here if each.verdict == "bad"]
    ok = default.holds and not bad
    if bad:
        console.print(f"to be mended: {', '.join(dict.fromkeys(bad))}", style="red")
    if as_json:
        looked = {} if sandbox else {"checks": [asdict(each) for each in found_here]}
        probed = {"unconfined": _data(unconfined), "sandboxes": [_data(each) for each in found]}
        print_json({**machine, **looked, **probed, "ok": ok})
    if not ok:
        raise typer.Exit(1)


def _checked(config: Config, console: Console) -> list[Check]:
    """Look at everything, and say at once what each look found."""
    from peagen_ray.runtime.checkup import Check, Verdict, checks

    mend = "always call peagen-ray, or uninstall the other wheel and reinstall this one"
    script = owner(scripts_directory())
    foreign = [Check("command", Verdict.LOOK, f"peagen is that of {script}", mend)] if script else []
    found = list(foreign)
    for each in foreign:
        _tell(each, console)
    for each in checks(config):
        _tell(each, console)
        found.append(each)
    return found


def _tell(check: Check, console: Console) -> None:
    style = {"ok": None, "look": "yellow", "bad": "red"}[check.verdict]
    mend = f"; {check.mend}" if check.mend else ""
    console.print(
        printable(f"{check.verdict:<4}  {check.name}: {check.found}{mend}"), style=style, soft_wrap=True
    )


def _machine() -> dict[str, Any]:
    return {
        "peagen-ray": __version__,
        "python": platform.python_version(),
        "kernel": f"{sys.platform} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "user": "root" if os.geteuid() == 0 else "not root",
        "command peagen": _script(),
    }


def _script() -> str:
    found = owner(scripts_directory())
    if found is None:
        return "ours"
    return f"that of {found}; this program is always peagen-ray" if found else "not installed"


def _show(console: Console, unconfined: Examination, found: list[Examination]) -> None:
    for each in found:
        if each.problem:
            hint = f" ({each.hint})" if each.hint else ""
            console.print(printable(f"{each.sandbox}: cannot be used here: {each.problem}{hint}"))
            continue
        console.print(
            f"{each.sandbox}: a guest starts in {each.start_ms:.1f} ms (median); layers: "
            f"{', '.join(sorted(each.layers)) or 'none'}"
        )
    console.print(_table(unconfined, [each for each in found if not each.problem]))


def _table(unconfined: Examination, usable: list[Examination]) -> Table:
    """One row for each probe; what is stopped with no sandbox around it is no merit of a sandbox."""
    from rich.table import Table

    from peagen_ray.sandbox.examination import State
    from peagen_ray.sandbox.probes import PROBES

    table = Table(
        "probe", "none", *(each.sandbox for each in usable), "what it tries", box=None, pad_edge=False
    )
    tries = {probe.name: probe.tries for probe in PROBES}
    for free, *rest in zip(unconfined.findings, *(each.findings for each in usable), strict=True):
        told = free.state is State.POSSIBLE
        cells = [each.state.value for each in rest]
        style = "red" if set(cells) - {"blocked"} else None if told else "dim"
        table.add_row(free.probe, free.state.value, *cells, tries[free.probe], style=style)
    return table


def _judgement(default: Examination) -> str:
    if default.problem:
        return f"{default.sandbox} cannot be used: no candidate is run here"
    if default.holds:
        return f"{default.sandbox} stops all {len(default.findings)} probes"
    open_ = [each.probe for each in default.findings if each.state.value != "blocked"]
    return (
        f"{default.sandbox} does not stop {len(open_)} of {len(default.findings)} probes: {', '.join(open_)}"
    )


def _data(examined: Examination) -> dict[str, Any]:
    return {**asdict(examined), "layers": sorted(examined.layers), "holds": examined.holds}
