"""Unified diffs of two source texts."""

from __future__ import annotations

import difflib

_NO_NEWLINE = "\\ No newline at end of file\n"


def unified(before: str, after: str, name: str) -> str:
    """The unified diff from ``before`` to ``after`` of a file called ``name``, as ``patch -p1`` reads it.

    Empty if the two are the same text.
    """
    lines = difflib.unified_diff(
        split_lines(before), split_lines(after), fromfile=f"a/{name}", tofile=f"b/{name}", lineterm="\n"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in lines)


def split_lines(text: str) -> list[str]:
    """The lines of a file, each with its line feed; only the last one may be without."""
    # Not splitlines: a form feed or a Unicode separator inside a string does not end a line of a file.
    lines = text.split("\n")
    ended = [f"{line}\n" for line in lines[:-1]]
    return [*ended, lines[-1]] if lines[-1] else ended
