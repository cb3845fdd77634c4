"""What an answer says: an edit, or why it is none that can be used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

LIMIT: Final = 200_000
"""Bytes that an answer may have, and the program that it makes."""


class EditKind(StrEnum):
    """How an edit was written."""

    DIFF = "unified diff"
    BLOCKS = "search/replace"
    REWRITE = "rewrite"


class Reason(StrEnum):
    """Why an answer is not used."""

    NO_DIFF = "no diff"
    """Nothing in it is an edit, or the edit is cut short."""
    NOT_APPLICABLE = "does not apply"
    """What it wants to change is not in the program, is there more than once, or may not be changed."""
    SYNTAX = "syntax"
    """What it makes is not Python."""
    SIGNATURE = "signature changed"
    """The entry is gone, or is called in another way."""
    TOO_LARGE = "too large"
    IDENTICAL = "identical"
    """It makes the same syntax tree, docstrings aside."""
    TRIED = "already tried"


@dataclass(frozen=True, slots=True)
class Rejected:
    """An answer, or one edit of it, that is not used; ``detail`` is one sentence for people and models."""

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


class Mark(StrEnum):
    """What a hunk says of a line."""

    KEEP = " "
    CUT = "-"
    ADD = "+"


class Line(NamedTuple):
    """One line of a hunk, without its end.

    Attributes:
        mark: kept, cut or added.
        text: the line.
        bare: another reading of a kept line: models forget the blank that marks it. None if there is none.
    """

    mark: Mark
    text: str
    bare: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing on it."""
        return not self.text.strip()


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that follow each other, some of them changed. No line numbers: models count badly.

    Attributes:
        lines: kept, cut and added.
        within: the definition that it says it is in, as ``def f(x):``; "" if it says nothing.
    """

    lines: tuple[Line, ...]
    within: str = ""

    @property
    def before(self) -> tuple[str, ...]:
        """The lines that it wants to find."""
        return tuple(line.text for line in self.lines if line.mark is not Mark.ADD)

    @property
    def after(self) -> tuple[str, ...]:
        """The lines that it leaves."""
        return tuple(line.text for line in self.lines if line.mark is not Mark.CUT)

    @property
    def is_anchored(self) -> bool:
        """Whether it names a line to be found by."""
        return any(text.strip() for text in self.before)


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a program, as an answer asks for it.

    Attributes:
        kind: how it was written.
        hunks: of a diff or of blocks; for a rewrite one hunk that adds all its lines.
        spare: source texts from the rest of the answer; a rewrite takes from them the helpers and imports
            that it needs and does not bring along.
    """

    kind: EditKind
    hunks: tuple[Hunk, ...]
    spare: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What all hunks leave; for a rewrite the whole text of the fence."""
        return "".join(f"{line}\n" for hunk in self.hunks for line in hunk.after)


def rewrite(lines: list[str]) -> Hunk:
    """The hunk that stands for a rewrite."""
    return Hunk(tuple(Line(Mark.ADD, line) for line in lines))
