"""Where a hunk belongs in a program: the one place that its lines are at, or none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Final

from peagen_ray.evolution.answers.edit import Hunk, Line, Mark
from peagen_ray.evolution.answers.elision import is_gap
from peagen_ray.evolution.answers.source import Splice, indent_of, shifted

PARTS: Final = 100
"""Parts of one hunk, between gaps, that are looked for."""
_DEFINES: Final = re.compile(r"[ \t]*(?:async[ \t]+def|def|class)[ \t]+(\w+)")


class Places:
    """Finds hunks among the lines of a program; time is linear in both.

    First the lines have to agree but for blanks at their ends; where no place does, all blanks around lines and
    blank lines are disregarded, and then those within lines too. More than one place is none, unless the hunk says
    which definition it is in: nothing is guessed. A kept line that only stands for code is a gap: what is before and
    after it is found by itself, in order.

    Args:
        lines: of the program, without their ends.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def find(self, hunk: Hunk) -> list[Splice] | str:
        """What a hunk changes, or why that cannot be told."""
        if not hunk.is_anchored:
            return "a change has no line of the program with it, so it has no place"
        lines = [self._reading(line) for line in hunk.lines]
        wanted = [line.text for line in lines if line.mark is not Mark.ADD]
        places = self._exact.find(text.rstrip() for text in wanted)
        if places:
            start = places[0]
            numbers = list(range(start, start + len(wanted)))
        else:
            wanted = [text for text in wanted if text.strip()]
            places = self._loose.find(text.strip() for text in wanted)
            if not places:
                places = self._squashed.find("".join(text.split()) for text in wanted)
            numbers = self._filled[places[0] : places[0] + len(wanted)] if places else []
        if len(places) == 1:
            return _walk(self._lines, lines, numbers)
        if not places and any(self._is_gap(line) for line in lines):
            return self._find_parts(hunk)
        scope = self._scope(hunk.within) if places else None
        if scope is not None:
            first_line, part = scope
            inner = part.find(Hunk(hunk.lines))
            if not isinstance(inner, str):
                return [Splice(a + first_line, b + first_line, text) for a, b, text in inner]
        first = next(text.strip() for text in wanted if text.strip())
        if places:
            return f"the lines from {_shown(first)} on are in the program more than once"
        missing = next((text.strip() for text in wanted if text.strip() not in self._known), "")
        if missing:
            return f"the program has no line {_shown(missing)}"
        return f"the lines from {_shown(first)} on do not follow each other like this in the program"

    def _is_gap(self, line: Line) -> bool:
        return line.mark is Mark.KEEP and is_gap(line.text) and line.text.strip() not in self._known

    def _find_parts(self, hunk: Hunk) -> list[Splice] | str:
        """The same for a hunk with gaps: each part that changes something has one place, and all are in order."""
        found: list[Splice] = []
        within = hunk.within
        parts = _parts(hunk.lines, self._is_gap)
        if len(parts) > PARTS:
            return f"a change leaves out code in more than {PARTS} places"
        for lines in parts:
            part = Hunk(lines, within)
            here = self.find(part)
            if all(line.mark is Mark.KEEP for line in lines):
                if isinstance(here, str) and not self._has(part):
                    return here
            elif isinstance(here, str):
                return here
            elif found and here[0].start < found[-1].end:
                return "the parts of a change are in another order in the program"
            else:
                found += here
            within = next((line.text for line in reversed(lines) if _DEFINES.match(line.text)), within)
        return found

    def _has(self, part: Hunk) -> bool:
        """Whether lines are anywhere in the program."""
        wanted = [text.strip() for text in part.before if text.strip()]
        return not wanted or bool(self._loose.find(wanted))

    def _scope(self, within: str) -> tuple[int, Places] | None:
        """The first line of a definition and its lines; None if there is not one such."""
        text = within.strip()
        name = _DEFINES.match(text)
        if name is None:
            return None
        if text not in self._scopes:
            same = self._definitions.get(name[1], [])
            at = [n for n in same if re.match(rf"\s*{re.escape(text)}(?!\w)", self._lines[n])]
            self._scopes[text] = (at[0], Places(_block_at(self._lines, at[0]))) if len(at) == 1 else None
        return self._scopes[text]

    @cached_property
    def _definitions(self) -> dict[str, list[int]]:
        """The lines that define a name."""
        found: dict[str, list[int]] = {}
        for number, line in enumerate(self._lines):
            if match := _DEFINES.match(line):
                found.setdefault(match[1], []).append(number)
        return found

    @cached_property
    def _scopes(self) -> dict[str, tuple[int, Places] | None]:
        return {}

    def _reading(self, line: Line) -> Line:
        """The reading of a kept line that the program has; the marked one if it has both or neither."""
        if line.bare is None or line.text.rstrip() in self._texts or line.bare.rstrip() not in self._texts:
            return line
        return Line(line.mark, line.bare)

    @cached_property
    def _texts(self) -> frozenset[str]:
        return frozenset(line.rstrip() for line in self._lines)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(line.strip() for line in self._lines)

    @cached_property
    def _filled(self) -> list[int]:
        return [number for number, line in enumerate(self._lines) if line.strip()]

    @cached_property
    def _exact(self) -> _Finder:
        return _Finder(line.rstrip() for line in self._lines)

    @cached_property
    def _loose(self) -> _Finder:
        return _Finder(self._lines[number].strip() for number in self._filled)

    @cached_property
    def _squashed(self) -> _Finder:
        return _Finder("".join(self._lines[number].split()) for number in self._filled)


def _parts(lines: Sequence[Line], is_gap: Callable[[Line], bool]) -> list[tuple[Line, ...]]:
    """The runs of lines between gaps, those that are blank left out."""
    runs = [tuple(run) for gap, run in groupby(lines, key=is_gap) if not gap]
    return [run for run in runs if any(not line.is_blank for line in run)]


def _block_at(lines: Sequence[str], start: int) -> Sequence[str]:
    """The lines of the definition that begins at a line."""
    margin = len(indent_of(lines[start]))
    for number in range(start + 1, len(lines)):
        text = lines[number].strip()
        if text and text[0] != ")" and len(indent_of(lines[number])) <= margin:
            return lines[start:number]
    return lines[start:]


class _Finder:
    """Finds runs of lines: each different line is one character of a string, and strings are searched fast."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._letters: dict[str, str] = {}
        self._text = "".join(self._letters.setdefault(line, chr(len(self._letters) + 1)) for line in lines)

    def find(self, lines: Iterable[str]) -> list[int]:
        """The first two places of a run."""
        letters = [self._letters.get(line, "\0") for line in lines]
        if not letters or "\0" in letters:
            return []
        wanted = "".join(letters)
        first = self._text.find(wanted)
        if first < 0:
            return []
        second = self._text.find(wanted, first + 1)
        return [first] if second < 0 else [first, second]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A line of a hunk and the number of the program's line that it is; None if it is added or missing."""

    line: Line
    at: int | None


def _walk(program: Sequence[str], lines: Sequence[Line], numbers: Sequence[int]) -> list[Splice]:
    """The splices of a hunk.

    Args:
        program: its lines.
        lines: of the hunk.
        numbers: where those that are not added stand; or only those that are not blank either.
    """
    placed = list(_placed(program, lines, numbers))
    move = _Move(program, placed)
    found: list[Splice] = []
    at, here = numbers[0], 0
    while here < len(placed):
        end = here
        while end < len(placed) and placed[end].line.mark is not Mark.KEEP:
            end += 1
        run = placed[here:end]
        if run:
            first, last = _extent(run, at)
            added = [move.moved(each.line.text) for each in run if each.line.mark is Mark.ADD]
            found.append(Splice(first, last, tuple(added)))
            at = last
        if end < len(placed) and (kept := placed[end].at) is not None:
            at = kept + 1
        here = end + 1
    return found


def _placed(program: Sequence[str], lines: Sequence[Line], numbers: Sequence[int]) -> Iterator[_Placed]:
    places = iter(numbers)
    has_blanks = len(numbers) == sum(line.mark is not Mark.ADD for line in lines)
    at = numbers[0]
    for line in lines:
        if line.mark is Mark.ADD:
            yield _Placed(line, None)
        elif has_blanks or not line.is_blank:
            number = next(places)
            at = number + 1
            yield _Placed(line, number)
        elif at < len(program) and not program[at].strip():
            at += 1
            yield _Placed(line, at - 1)
        else:
            yield _Placed(line, None)


def _extent(run: Sequence[_Placed], at: int) -> tuple[int, int]:
    """The lines of the program that a run of added and cut lines replaces."""
    cut = [each.at for each in run if each.at is not None]
    if not cut:
        return at, at
    return (at if run[0].line.mark is Mark.ADD else cut[0]), cut[-1] + 1


class _Move:
    """How added lines are moved, as the lines around them stand elsewhere in the program than in the hunk.

    What is indented like a line that the program has is indented as that one is there; anything else moves with
    the nearest indentation that it has in common with one. Cut lines count first, then kept ones.
    """

    def __init__(self, program: Sequence[str], placed: Sequence[_Placed]) -> None:
        self._indents: dict[str, str] = {}
        for mark in (Mark.CUT, Mark.KEEP):
            for each in placed:
                if each.line.mark is mark and each.at is not None and not each.line.is_blank:
                    self._indents.setdefault(indent_of(each.line.text), indent_of(program[each.at]))
        self._base = next(iter(self._indents.items()), ("", ""))

    def moved(self, text: str) -> str:
        """An added line where it belongs."""
        indent = indent_of(text)
        known = [old for old in self._indents if indent.startswith(old)]
        old = max(known, key=len) if known else self._base[0]
        return shifted(text, old, self._indents.get(old, self._base[1]))


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else f"{line[:57]}...")
