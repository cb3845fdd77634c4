"""The commands by name and the global options; a command's module is imported only when it runs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from peagen_ray._version import __version__
from peagen_ray.cli.state import state

_COMMANDS: Final = {
    "evolve": ("peagen_ray.cli.evolve", "Search for a faster program, generation by generation."),
    "import": (
        "peagen_ray.cli.importing",
        "Make a workspace of another engine's task.",
    ),
    "runs": ("peagen_ray.cli.runs", "List, show, compare and verify the runs of this workspace."),
    "report": ("peagen_ray.cli.reporting", "Write what happened in a run as one HTML page."),
    "mutate": ("peagen_ray.cli.mutate", "Propose one changed program."),
    "render": ("peagen_ray.cli.render", "Expand the templates of a project."),
    "submit": ("peagen_ray.cli.submit", "Run a command as a job on a Ray cluster, and fetch what it made."),
    "queue": ("peagen_ray.cli.queue", "Look into the queue, and see to the tasks that died."),
    "task": ("peagen_ray.cli.task", "See what became of tasks, and what they printed."),
    "worker": ("peagen_ray.cli.worker", "Do the tasks of a queue."),
    "caps": ("peagen_ray.cli.caps", "Show what nodes offer, and which handlers can run where."),
    "config": ("peagen_ray.cli.config", "Show the effective configuration, or upgrade its file."),
    "workload": ("peagen_ray.cli.workload", "Write down which inputs a function is improved on."),
    "plugin": (
        "peagen_ray.cli.plugin",
        "List the plugins of wheels, check one, or begin a new one.",
    ),
    "process": ("peagen_ray.cli.process", "The former name of render; goes in 0.4.0."),
    "doctor": ("peagen_ray.cli.doctor", "Look whether all that is needed is there, and how to mend it."),
}
"""Name → the module whose ``app`` is the command, and its line in the list of commands."""

_COMPLETION: Final = ("install_completion", "show_completion")


class _Deferred(TyperCommand):
    """Stands in the list of commands for one that is imported when it is used."""

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name, help=summary, short_help=summary)
        self._module = module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the command itself, which from here on takes this one's place."""
        deferred: typer.Typer = import_module(self._module).app
        deferred.rich_markup_mode = app.rich_markup_mode
        command = typer.main.get_command(deferred)
        command.params = [param for param in command.params if param.name not in _COMPLETION]
        return command.make_context(info_name, args, parent, **extra)


class _Commands(TyperGroup):
    """The commands of the table above."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, (module, summary) in _COMMANDS.items():
            self.add_command(_Deferred(name, module, summary))


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # drawing help with rich takes as long as everything else together
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 the work failed, 2 wrong use or configuration, 3 no broker or cluster.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"peagen-ray {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration file; by default ./.peagen.toml.", show_default=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tell more, tracebacks too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Improve programs by evolution: on a laptop with nothing installed, on Ray when there is more to do.

    The options below may be written anywhere on the line.

    Example: peagen-ray evolve run --target-file sort.py --sync
    """
    shared = state(context)
    shared.config_path, shared.verbose, shared.dry_run = config, verbose, dry_run
