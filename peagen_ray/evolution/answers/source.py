"""A program as lines that keep their ends, and what an edit must leave as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_CODING: Final = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*[-\w.]+")
_COMMENTS: Final = ("#", "//", "/*", "--", "%", ";", "!", "<!--", "(*")
"""What comments begin with, in the languages that programs are written in."""
_BOM: Final = "\ufeff"


class Splice(NamedTuple):
    """Lines ``start:end`` of a program, from 0, become other ones."""

    start: int
    end: int
    lines: tuple[str, ...]

    def collides(self, other: Splice) -> bool:
        """Whether both change one line, or one inserts into what the other replaces."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Source:
    """A program's text.

    Attributes:
        text: all of it.
    """

    text: str

    @cached_property
    def ended(self) -> list[str]:
        """Its lines with their ends, split where the parser splits them; without a byte order mark."""
        return _LINE.findall(self.text.removeprefix(_BOM))

    @cached_property
    def lines(self) -> list[str]:
        """Its lines without their ends."""
        return [line.rstrip("\r\n") for line in self.ended]

    @cached_property
    def newline(self) -> str:
        """What ends most of its lines."""
        ends = Counter(line[len(line.rstrip("\r\n")) :] for line in self.ended)
        ends.pop("", None)
        return ends.most_common(1)[0][0] if ends else "\n"

    @cached_property
    def blocks(self) -> list[tuple[int, int]]:
        """The places of the lines between each EVOLVE-BLOCK-START comment and its END, ``start:end`` from 0."""
        return find_blocks(self.lines)

    def spliced(self, splices: Sequence[Splice]) -> str:
        """The text with some lines changed; newline style, byte order mark and last line end stay.

        Of several that insert at one place, the first comes first.
        """
        lines = list(self.ended)
        if lines and lines[-1] == self.lines[-1]:
            lines[-1] += self.newline
        order = sorted(range(len(splices)), key=lambda n: (splices[n].start, splices[n].end, n), reverse=True)
        for splice in (splices[n] for n in order):
            lines[splice.start : splice.end] = [line + self.newline for line in splice.lines]
        return self.finished("".join(lines))

    def replaced(self, lines: Sequence[str]) -> str:
        """A whole new text in this one's style."""
        return self.finished("".join(line + self.newline for line in lines))

    def finished(self, text: str) -> str:
        """A new text with this one's byte order mark, encoding declaration and last line end."""
        if self._coding and not _has_coding(text):
            head, _, rest = text.partition(self.newline) if text.startswith("#!") else ("", "", text)
            text = f"{head}{self.newline if head else ''}{self._coding}{self.newline}{rest}"
        if not self.text.endswith(("\n", "\r")):
            text = text.removesuffix(self.newline)
        elif text and not text.endswith(("\n", "\r")):
            text += self.newline
        return (_BOM if self.text.startswith(_BOM) else "") + text

    @cached_property
    def _coding(self) -> str:
        return next((line for line in self.lines[:2] if _CODING.match(line)), "")


def find_blocks(lines: Sequence[str]) -> list[tuple[int, int]]:
    """See :attr:`Source.blocks`; a START without an END opens nothing."""
    found: list[tuple[int, int]] = []
    start = -1
    for number, line in enumerate(lines):
        if "EVOLVE-BLOCK-" not in line or not line.lstrip().startswith(_COMMENTS):
            continue
        if "EVOLVE-BLOCK-START" in line:
            start = number + 1
        elif "EVOLVE-BLOCK-END" in line and start >= 0:
            found.append((start, number))
            start = -1
    return found


def outside(lines: Sequence[str], blocks: Sequence[tuple[int, int]]) -> list[list[str]]:
    """The lines before, between and after the blocks, the markers included."""
    found, at = [], 0
    for start, end in blocks:
        found.append(list(lines[at:start]))
        at = end
    return [*found, list(lines[at:])]


def outside_of(text: str) -> list[list[str]]:
    """The lines of a text that are outside of the blocks which it marks itself."""
    source = Source(text)
    return outside(source.ended, source.blocks)


def squeezed(lines: Sequence[str]) -> list[str]:
    """Lines without blank ones and without the blanks around them."""
    return [text for line in lines if (text := line.strip())]


def indent_of(line: str) -> str:
    """The blanks that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def shifted(line: str, old: str, new: str) -> str:
    """A line moved as one that was indented by ``old`` and is indented by ``new``."""
    if not line.strip() or old == new:
        return line
    if line.startswith(old):
        return new + line[len(old) :]
    indent = indent_of(line)
    width = len(new.expandtabs(8)) - len(old.expandtabs(8)) + len(indent.expandtabs(8))
    return " " * max(width, 0) + line[len(indent) :]


def _has_coding(text: str) -> bool:
    return any(_CODING.match(line) for line in _LINE.findall(text[:1000])[:2])
