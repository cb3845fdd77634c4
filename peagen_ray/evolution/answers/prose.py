"""The layout of an answer: reasoning that does not count, fences, and what stands between them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

_OPENING: Final = re.compile(r"[ \t]*<(think|thinking|thought|reasoning|reflection)>", re.IGNORECASE)
_CLOSING: Final = re.compile(r"</(?:think|thinking|thought|reasoning|reflection)>", re.IGNORECASE)
_LONE_CLOSING: Final = re.compile(
    r"[ \t]*</(?:think|thinking|thought|reasoning|reflection)>"
    r"|.*</(?:think|thinking|thought|reasoning|reflection)>[ \t]*$",
    re.IGNORECASE,
)
_WRAPPERS: Final = frozenset({"", "markdown", "md", "text", "txt"})
_PYTHON: Final = frozenset({"python", "py", "python3"})
_QUOTES: Final = '"""'
_CODE_WORD: Final = re.compile(r"[\w+.#-]*")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of an answer.

    Attributes:
        lines: without fences; those of a fence without the indentation of the fence.
        at: number of its last line in the answer, from 0.
        fenced: it stood in a fence.
        info: the language tag of the fence, lower case.
        closed: its fence was closed.
        last: the answer ends with it.
    """

    lines: tuple[str, ...]
    at: int
    fenced: bool = False
    info: str = ""
    closed: bool = False
    last: bool = False


class _Fence(NamedTuple):
    indent: int
    ticks: str
    info: str


def lines_of(answer: str) -> list[str]:
    """The lines of an answer, whatever ends them."""
    return answer.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").split("\n")


def without_reasoning(lines: list[str]) -> list[str]:
    """The lines outside ``<think>`` and its like.

    A tag counts at the start of a line outside fences. One that is never closed hides all that follows; a
    closing tag that was never opened, at either end of its line, hides all before it.
    """
    last = next((i for i in range(len(lines) - 1, -1, -1) if _CLOSING.search(lines[i])), -1)
    kept: list[str] = []
    inside = False
    fence: _Fence | None = None
    for number, line in enumerate(lines):
        if not inside:
            fence = _next_fence(fence, line)
            opening = _OPENING.match(line) if fence is None else None
            if opening is None:
                kept.append(line)
                continue
            inside, line = True, line[opening.end() :]
        closing = _CLOSING.search(line)
        if closing is not None:
            inside = False
            kept.append(line[closing.end() :])
        elif number > last:
            break
    return _after_lone_closing(kept)


def _after_lone_closing(lines: list[str]) -> list[str]:
    for number in range(len(lines) - 1, -1, -1):
        if _LONE_CLOSING.match(lines[number]):
            closing = list(_CLOSING.finditer(lines[number]))[-1]
            return [lines[number][closing.end() :], *lines[number + 1 :]]
    return lines


def segments(lines: list[str], depth: int = 3) -> list[Segment]:
    """Cut an answer at its fences, and at the fences in fences of prose, ``depth`` deep.

    A fence that is never closed reaches to the end.

    In a fence of Python, one inside a string in three quotes is part of the string. Otherwise a fence that opens with
    a language tag inside another one closes that one: models forget to close.
    """
    found: list[Segment] = []
    held: list[str] = []
    fence: _Fence | None = None
    last = next((i for i in range(len(lines) - 1, -1, -1) if _QUOTES in lines[i]), -1)
    quoted = False
    for number, line in enumerate(lines):
        head, following = _split(fence, line)
        in_string = quoted and number < last and fence is not None and fence.info in _PYTHON
        if following is fence or in_string:
            held.append(line)
            quoted ^= line.count(_QUOTES) % 2 == 1
            continue
        if head:
            held.append(head)
        found.append(_segment(held, number, fence, closed=following is None))
        held, fence, quoted = [], following, False
    found.append(replace(_segment(held, len(lines), fence, closed=False), last=True))
    filled = [each for each in found if any(line.strip() for line in each.lines)]
    return [inner for each in filled for inner in (_inner(each, depth) if each.info in _WRAPPERS else [each])]


def _inner(outer: Segment, depth: int) -> list[Segment]:
    """The segments of a fence that may be prose with fences of its own."""
    if not outer.fenced or depth == 0 or not any(line.lstrip()[:3] in ("```", "~~~") for line in outer.lines):
        return [outer]
    found = segments(list(outer.lines), depth - 1)
    return [replace(each, at=outer.at, last=outer.last and not outer.closed and each.last) for each in found]


def _segment(lines: list[str], at: int, fence: _Fence | None, *, closed: bool) -> Segment:
    if fence is None:
        return Segment(tuple(lines), at)
    cut = [_outdented(line, fence.indent) for line in lines]
    return Segment(tuple(cut), at, fenced=True, info=fence.info, closed=closed)


def _next_fence(fence: _Fence | None, line: str) -> _Fence | None:
    return _split(fence, line)[1]


def _split(fence: _Fence | None, line: str) -> tuple[str, _Fence | None]:
    """The text of a line that belongs to what stands before it, and the fence that holds afterwards."""
    text = line.lstrip(" \t")
    rest = text.lstrip(text[:1]) if text[:3] in ("```", "~~~") else None
    if rest is None or "`" in rest:
        return _split_late(fence, line)
    indent = len(line[: len(line) - len(text)].expandtabs(4))
    ticks, info = text[: len(text) - len(rest)], rest.strip().lower()
    if fence is None:
        return "", _Fence(indent, ticks, info.split(" ")[0])
    if ticks[0] != fence.ticks[0] or indent > fence.indent + 3:
        return "", fence
    if not info:
        return "", None if len(ticks) >= len(fence.ticks) else fence
    nested = len(ticks) >= len(fence.ticks) and _CODE_WORD.fullmatch(info) is not None
    return "", _Fence(indent, ticks, info) if nested else fence


def _split_late(fence: _Fence | None, line: str) -> tuple[str, _Fence | None]:
    """A fence at the end of a line: ``Here it is:```python`` opens one, ``return x``` `` closes it."""
    head, ticks, info = line.rpartition("```")
    if not ticks or "`" in head or not head.strip():
        return "", fence
    if fence is None and info.strip() and _CODE_WORD.fullmatch(info.strip()):
        return head, _Fence(0, ticks, info.strip().lower())
    if fence is not None and not info.strip() and fence.ticks == ticks:
        return head, None
    return "", fence


def _outdented(line: str, indent: int) -> str:
    blank = len(line) - len(line.lstrip(" "))
    return line[min(indent, blank) :]
