"""Unified diffs, read for their content: line numbers and counts are not believed."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Final

from peagen_ray.evolution.answers.edit import Hunk, Line, Mark

DIFF_TAGS: Final = frozenset({"diff", "patch", "udiff", "unidiff"})
_NOISE: Final = re.compile(
    r"diff --?\w|index [0-9a-f]{4,}\.\.[0-9a-f]{4,}|(?:new|deleted|old) (?:file )?mode \d|similarity index \d"
)
_VERSION: Final = re.compile(r"\d+\.\d[\w. ()-]{0,40}")
_PATCH: Final = re.compile(r"\*\*\* (Begin Patch|End Patch|End of File|(?:Update|Add|Delete) File: *(.*))")


@dataclass(slots=True)
class FileDiff:
    """What a diff says of one file.

    Attributes:
        file: its name without ``a/`` or ``b/``; "" if none is given, ``/dev/null`` if it is deleted.
        hunks: what changes.
    """

    file: str
    hunks: list[Hunk] = field(default_factory=list)


def looks_like_diff(lines: Sequence[str]) -> bool:
    """Whether there is a hunk or file header among the lines."""
    return any(line.startswith("@@") or _PATCH.match(line) for line in lines) or any(
        _is_header(lines, i) for i in range(len(lines))
    )


def has_marks(lines: Sequence[str]) -> bool:
    """Whether some lines begin as added or cut ones do."""
    return any(line[:1] in ("+", "-") for line in lines)


def read_diff(lines: Sequence[str], known: Container[str], *, fenced: bool) -> list[FileDiff]:
    """Read the lines of a diff.

    Args:
        lines: of a fence, or of text that has a diff in it.
        known: the lines of the program, stripped; outside fences they tell a line without its mark from prose.
        fenced: all of it is diff.
    """
    reader = _Reader(known, fenced=fenced, headless=fenced and not looks_like_diff(lines))
    skip = 0
    for number, line in enumerate(lines):
        if skip:
            skip -= 1
        elif _is_header(lines, number, inside=reader.is_inside):
            reader.begin(_file_name(line, lines[number + 1]))
            skip = 1
        elif line.rstrip() == "--" and _VERSION.fullmatch("".join(lines[number + 1 : number + 2])):
            break
        else:
            reader.read(line)
    return reader.done()


class _Reader:
    """Collects hunks from one line after the other."""

    def __init__(self, known: Container[str], *, fenced: bool, headless: bool) -> None:
        self._known = known
        self._fenced = fenced
        self._files: list[FileDiff] = []
        self._held: list[Line] | None = [] if headless else None
        self._within = ""

    @property
    def is_inside(self) -> bool:
        """Whether the lines that come belong to a hunk that has some already."""
        return bool(self._held)

    def begin(self, file: str) -> None:
        """A file header."""
        self._close()
        self._files.append(FileDiff(file))
        self._held = []

    def read(self, line: str) -> None:
        """Any other line."""
        patch = _PATCH.match(line)
        if patch is not None:
            self._close()
            if patch[2]:
                self.begin(patch[2].strip())
        elif line.startswith("@@"):
            self._close()
            self._held, self._within = [], line.rpartition("@@")[2].strip()
        elif _NOISE.match(line):
            self._close()
        elif self._held is not None and not line.startswith("\\ "):
            self._take(self._held, line)

    def done(self) -> list[FileDiff]:
        """What was read."""
        self._close()
        return self._files

    def _take(self, held: list[Line], line: str) -> None:
        mark, text = line[:1], line[1:]
        if not self._fenced and self._is_prose(held, line):
            self._close()
        elif mark == "+":
            held.append(Line(Mark.ADD, text))
        elif mark == "-":
            held.append(Line(Mark.CUT, text))
        elif mark == " ":
            held.append(Line(Mark.KEEP, text, line))
        else:
            held.append(Line(Mark.KEEP, line))

    def _is_prose(self, held: Sequence[Line], line: str) -> bool:
        """Whether a diff that stands in prose ended before this line."""
        if not line or line[0] == "+" or line.strip() in self._known:
            return False
        if line[0] not in " -":
            return True
        return bool(held) and held[-1] == Line(Mark.KEEP, "") and line[1:].strip() not in self._known

    def _close(self) -> None:
        lines = self._held or []
        while lines and lines[-1] == Line(Mark.KEEP, ""):
            lines.pop()
        while lines and lines[0] == Line(Mark.KEEP, ""):
            lines.pop(0)
        if lines:
            if not self._files:
                self._files.append(FileDiff(""))
            self._files[-1].hunks.append(Hunk(tuple(lines), self._within))
        self._held, self._within = None, ""


def _is_header(lines: Sequence[str], number: int, *, inside: bool = False) -> bool:
    """Whether ``---`` and ``+++`` lines begin here; within a hunk only if another hunk follows them."""
    if not lines[number].startswith("--- ") or number + 1 >= len(lines):
        return False
    if not lines[number + 1].startswith("+++ "):
        return False
    return not inside or (number + 2 < len(lines) and lines[number + 2].startswith("@@"))


def _file_name(old: str, new: str) -> str:
    name = new[4:].split("\t")[0].strip().strip('"')
    was = old[4:].split("\t")[0].strip().strip('"')
    if name == "/dev/null" or was == "/dev/null":
        return name
    return name.removeprefix("b/") if was.startswith("a/") or name.startswith("b/") else name
