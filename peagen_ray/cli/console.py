"""Where output goes: what a program reads to stdout, what a person reads to the terminal, never mixed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 200
"""Columns where there is no terminal: wide enough that a path is not broken in two."""


def out() -> Console:
    """A console on stdout. Like every console here it takes no markup: what it prints is what was given."""
    return _console(sys.stdout)


def err() -> Console:
    """A console on stderr."""
    return _console(sys.stderr)


def people(*, stdout_is_json: bool) -> Console:
    """The console for what a person reads: stderr where stdout carries JSON, else stdout."""
    return err() if stdout_is_json else out()


def print_json(value: Any) -> None:
    """One JSON document on stdout, on one line unless stdout is a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")
    sys.stdout.flush()


def printable(text: str) -> str:
    """The text with control characters spelt out, so that what a program said cannot drive the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def _console(stream: TextIO) -> Console:
    # rich takes 0.03 s to import, which a command that prints nothing need not pay.
    from rich.console import Console

    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)
