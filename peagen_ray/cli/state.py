"""What every command shares: the global options, and the configuration read on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from peagen_ray.cli.console import err, printable
from peagen_ray.logs import set_up

if TYPE_CHECKING:
    from peagen_ray.config.load import Loaded


@dataclass
class State:
    """The global options of one run of the program; a command finds it with :func:`state`.

    Attributes:
        config_path: the file that ``--config`` names.
        verbose: tell more, tracebacks included.
        dry_run: say what would be done, and do nothing.
    """

    config_path: Path | None = None
    verbose: bool = False
    dry_run: bool = False
    _told: set[str] = field(default_factory=set)

    def load(self, flags: Mapping[str, Any] | None = None) -> Loaded:
        """The effective configuration; what it warns of is said once, on stderr.

        Args:
            flags: dotted key → value (None where the flag was not given) or a ``config.load.Flag``.

        Raises:
            ConfigError: see :func:`peagen_ray.config.load.load`.
        """
        from peagen_ray.config.load import load

        loaded = load(self.config_path, flags=flags)
        set_up(loaded.config.logs.format, loaded.config.logs.least)
        for warning in loaded.warnings:
            if warning not in self._told:
                self._told.add(warning)
                err().print(printable(f"Warning: {warning}"), style="yellow")
        return loaded


def state(context: typer.Context) -> State:
    """The state of the run that a command belongs to."""
    return context.ensure_object(State)
