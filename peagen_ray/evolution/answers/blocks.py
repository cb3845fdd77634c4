"""SEARCH/REPLACE blocks, in whatever length models write their markers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from peagen_ray.evolution.answers.edit import Hunk, Line, Mark
from peagen_ray.evolution.answers.elision import is_gap

_OPENERS: Final = frozenset({"SEARCH", "ORIGINAL", "OLD", "HEAD", "BEFORE", "FIND"})
_CLOSERS: Final = frozenset({"REPLACE", "UPDATED", "NEW", "AFTER", "END"})
_NAMELESS: Final = 5
"""Characters that a marker without a word needs; one with a word needs three."""
_MERGE: Final = 7
"""Length of the marks of a merge, which name branches that can be called anything."""
_DASHED: Final = (re.compile(r"\s*-{5,}[ \t]*SEARCH\s*"), re.compile(r"\s*\+{5,}[ \t]*REPLACE\s*"))
"""Marks of a dialect that has no angles."""
_NUMBERED: Final = re.compile(r"\s*:(?:start|end)_line: *\d+\s*")
_PATH: Final = re.compile(r"[\w./\\-]+\.\w{1,5}")
_DECORATION: Final = "`*#: \t"


@dataclass(frozen=True, slots=True)
class Block:
    """One block.

    Attributes:
        hunk: SEARCH and REPLACE as one hunk; what both begin and end with is kept. None if it has no end, or
            no telling where REPLACE begins.
        file: the file that the line above it names, or "".
        at: number of its last line, from 0.
        why: for a block without a hunk, what is wrong with it.
    """

    hunk: Hunk | None
    file: str
    at: int
    why: str = ""


def take_blocks(lines: Sequence[str]) -> tuple[list[Block], list[str]]:
    """The blocks of an answer, and the answer with blank lines in their place.

    Where there is none, what small models make of them counts: SEARCH and REPLACE as lines of their own, if fences
    say where the code ends.
    """
    rest = list(lines)
    found: list[Block] = []
    start: int | None = None
    for number, line in enumerate(lines):
        if _opens(line):
            if start is not None:
                found.append(Block(None, "", number - 1, "a SEARCH block has no end"))
            start = number
        elif start is not None and _closes(line):
            found.append(_block(lines, start, number))
            rest[start : number + 1] = [""] * (number + 1 - start)
            start = None
    if start is not None:
        found.append(Block(None, "", start, "a SEARCH block has no end"))
    for first, divider, end in [] if found else _worded(lines):
        search, replace = _unfenced(lines[first + 1 : divider]), _unfenced(lines[divider + 1 : end])
        found.append(Block(block_hunk(search, replace), _file_above(lines, first), end - 1))
        rest[first:end] = [""] * (end - first)
    return found, rest


def block_hunk(search: Sequence[str], replace: Sequence[str]) -> Hunk:
    """The hunk that turns ``search`` into ``replace``: their common ends are kept lines, and so are equal gaps."""
    gaps = [[number for number, line in enumerate(some) if is_gap(line)] for some in (search, replace)]
    if gaps[0] and len(gaps[0]) == len(gaps[1]):
        parts = zip(_cut_at(search, gaps[0]), _cut_at(replace, gaps[1]), strict=True)
        joined: list[Line] = []
        for number, (old, new) in enumerate(parts):
            joined += [Line(Mark.KEEP, search[gaps[0][number - 1]])] if number else []
            joined += _changed(old, new)
        return Hunk(tuple(joined))
    return Hunk(tuple(_changed(search, replace)))


def _cut_at(lines: Sequence[str], places: Sequence[int]) -> list[Sequence[str]]:
    starts = [0, *(place + 1 for place in places)]
    return [lines[start:end] for start, end in zip(starts, [*places, len(lines)], strict=True)]


def _changed(search: Sequence[str], replace: Sequence[str]) -> list[Line]:
    shorter = min(len(search), len(replace))
    head = next((i for i in range(shorter) if search[i].rstrip() != replace[i].rstrip()), shorter)
    left = shorter - head
    tail = next((i for i in range(left) if search[-1 - i].rstrip() != replace[-1 - i].rstrip()), left)
    lines = [Line(Mark.KEEP, text) for text in search[:head]]
    lines += [Line(Mark.CUT, text) for text in search[head : len(search) - tail]]
    lines += [Line(Mark.ADD, text) for text in replace[head : len(replace) - tail]]
    lines += [Line(Mark.KEEP, text) for text in search[len(search) - tail :]]
    return lines


def _worded(lines: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Blocks that have words in place of markers: numbers of SEARCH, of REPLACE, and of the line behind the block."""
    words = [line.strip(_DECORATION) for line in lines]
    fences = [number for number, line in enumerate(lines) if line.lstrip().startswith(("```", "~~~"))]
    past = 0
    for first, word in enumerate(words):
        if word != "SEARCH" or first < past:
            continue
        divider = next((n for n in range(first + 1, len(words)) if words[n] in ("SEARCH", "REPLACE")), None)
        if divider is None or words[divider] == "SEARCH" or not any(words[first + 1 : divider]):
            continue
        end = _end_of_worded(lines, words, fences, first, divider)
        if end is not None:
            past = end
            yield first, divider, end


def _end_of_worded(
    lines: Sequence[str], words: Sequence[str], fences: Sequence[int], first: int, divider: int
) -> int | None:
    """The line behind a block: behind its own fence, or where the fence around it or the next block stands."""
    after = [number for number in fences if number > divider]
    own = next((number for number in range(divider + 1, len(lines)) if lines[number].strip()), None)
    if own is not None and after and after[0] == own and len(after) > 1:
        return after[1] + 1
    if sum(number < first for number in fences) % 2 == 0:
        return None  # in no fence: where it ends would be a guess
    following = [number for number in range(divider + 1, len(words)) if words[number] == "SEARCH"]
    return min([*after[:1], *following[:1]], default=None)


def _block(lines: Sequence[str], start: int, end: int) -> Block:
    dividers = _dividers(lines, start, end)
    if not dividers:
        return Block(None, "", end, "a SEARCH block has no divider")
    if len(dividers) > 1:
        return Block(None, "", end, "a SEARCH block has more than one divider")
    search = _unfenced(_unnumbered(lines[start + 1 : dividers[0]]))
    replace = _unfenced(lines[dividers[0] + 1 : end])
    return Block(block_hunk(search, replace), _file_above(lines, start), end)


def _unnumbered(lines: Sequence[str]) -> Sequence[str]:
    """The lines without those that say at which number SEARCH stands, which are not believed."""
    first = next((number for number, line in enumerate(lines) if not _NUMBERED.fullmatch(line)), len(lines))
    ruled = 0 < first < len(lines) and len(lines[first].strip()) >= 5 and not lines[first].strip().strip("-")
    return lines[first + ruled :]


def _dividers(lines: Sequence[str], start: int, end: int) -> list[int]:
    """The lines that may be the divider; those of the opener's length and indentation, where there are such."""
    opener = lines[start]
    indent = len(opener) - len(opener.lstrip())
    length = len(opener.strip()) - len(opener.strip().lstrip("<"))
    places = [i for i in range(start + 1, end) if len(lines[i]) >= 3 and not lines[i].strip().strip("=")]
    places = [i for i in places if len(lines[i].strip()) >= 3]
    aligned = [i for i in places if len(lines[i]) - len(lines[i].lstrip()) == indent]
    twins = [i for i in aligned if len(lines[i].strip()) == length]
    return twins or aligned or places


def _opens(line: str) -> bool:
    return ("<<<" in line and _marker(line, "<", _OPENERS)) or _DASHED[0].fullmatch(line) is not None


def _closes(line: str) -> bool:
    return (">>>" in line and _marker(line, ">", _CLOSERS)) or _DASHED[1].fullmatch(line) is not None


def _marker(line: str, sign: str, words: frozenset[str]) -> bool:
    text = line.strip()
    rest = text.lstrip(sign)
    length = len(text) - len(rest)
    word, _, after = rest.strip().partition(" ")
    if not rest.strip():
        return length >= _NAMELESS
    if length == _MERGE and text == line.rstrip():
        return True
    known = word.strip(":<>=").upper() in words
    return length >= 3 and known and (not after or sign == "<" or len(after) < 80)


def _unfenced(lines: Sequence[str]) -> list[str]:
    """The lines without a fence around them."""
    filled = [i for i, line in enumerate(lines) if line.strip()]
    if len(filled) > 1 and lines[filled[0]].lstrip().startswith(("```", "~~~")):
        if lines[filled[-1]].strip() in ("```", "~~~"):
            return list(lines[filled[0] + 1 : filled[-1]])
    return list(lines)


def _file_above(lines: Sequence[str], start: int) -> str:
    """The file name on the line above, or above the fence that the block stands in."""
    for number in range(start - 1, max(start - 4, -1), -1):
        text = lines[number].strip(_DECORATION)
        if _PATH.fullmatch(text):
            return text
        if text and not lines[number].lstrip().startswith(("```", "~~~")):
            return ""
    return ""
