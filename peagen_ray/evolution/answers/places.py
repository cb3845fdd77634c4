"""Where a hunk belongs in a program: the one place that its lines are at, or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from peagen_ray.evolution.answers.edit import Hunk, Line, Mark
from peagen_ray.evolution.answers.source import Splice, indent_of, shifted


class Places:
    """Finds hunks among the lines of a program; time is linear in both.

    First the lines have to agree but for blanks at their ends; where no place does, all blanks around lines and
    blank lines are disregarded. More than one place is none: nothing is guessed.

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
            numbers = self._filled[places[0] : places[0] + len(wanted)] if places else []
        if len(places) == 1:
            return _walk(self._lines, lines, numbers)
        first = next(text.strip() for text in wanted if text.strip())
        if places:
            return f"the lines from {_shown(first)} on are in the program more than once"
        missing = next((text.strip() for text in wanted if text.strip() not in self._known), "")
        if missing:
            return f"the program has no line {_shown(missing)}"
        return f"the lines from {_shown(first)} on do not follow each other like this in the program"

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
