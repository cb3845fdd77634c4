"""What models write in the place of code that they leave out."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final

from peagen_ray.evolution.answers.source import indent_of

_COMMENT: Final = re.compile(r"[ \t]*(?:(?:pass|\.\.\.)[ \t]*)?#(.*)")
_DOTS: Final = re.compile(r"[ \t]*(?:\.\.\.|…)")
_EDGES: Final = " \t.…,;:!#*=~-\N{EN DASH}\N{EM DASH}[](){}<>"
_CODE: Final = (
    r"(?:code|lines?|logic|implementation|body|functions?|methods?|file|class|module|program|script|loop"
    r"|algorithm)"
)
_STAYS: Final = (
    r"(?:unchanged|(?:the |exactly the )?same|as before|as above|as is|remains?|stays?|omitted|here"
    r"|continues)"
)
_WHERE: Final = (
    r"(?: (?:as|like|from|in|of|to) (?:the |in the )?(?:above|before|original|previously|previous)\b.{0,40})"
)
_ANYWHERE: Final = re.compile(
    rf"(?:the )?(?:rest|remainder) of .{{0,80}}(?:unchanged|same|as before|remain|omitted|continues|here)\b.*"
    rf"|(?:the )?(?:rest|remainder) of (?:(?:the|your|my|this|original|existing|old) )*{_CODE}"
    rf"|(?:existing|remaining) {_CODE}\b.*"
    rf"|(?:original|previous|other|all other|same) {_CODE}(?: {_STAYS}\b.{{0,40}}|{_WHERE})"
    r"|(?:your|insert|add) (?:code|implementation|logic)(?: goes)? here"
    rf"|keep (?:the |all )*(?:rest|remaining|existing|original)\b.{{0,60}}",
    re.IGNORECASE,
)
"""Comments that stand for code wherever they are."""
_AT_AN_END: Final = re.compile(
    rf"(?:the )?(?:rest|remainder)(?: (?:is|are|remains?|stays?))?(?: {_STAYS})?{_WHERE}?"
    rf"|(?:(?:is|are|remains?|stays?) )?(?:unchanged|identical|(?:the )?same){_WHERE}?|as (?:before|above)"
    r"|no (?:other )?changes?(?: (?:needed|below|from here|here|to the rest))*|omitted(?: for brevity)?"
    rf"|(?:code )?continues?(?: {_STAYS}|{_WHERE})*|snip(?:ped)?|truncated|etc",
    re.IGNORECASE,
)
"""Comments that stand for code where nothing follows them in their block."""


def is_dots(line: str) -> bool:
    """Whether a line is nothing but dots."""
    return line.strip() in ("...", "…")


def is_gap(line: str) -> bool:
    """Whether a line is dots, or a comment of dots or of one of the phrases that stand for code anywhere."""
    return is_dots(line) or _says_so(line)


def elided(lines: Sequence[str], known: Container[str]) -> str:
    """The first line that stands for code that is left out, stripped; "" if there is none.

    Args:
        lines: of a definition, with the comments that it ends with.
        known: lines of the program, stripped; what it says itself leaves nothing out.
    """
    for number, line in enumerate(lines):
        if "#" in line and line.strip() not in known and (_says_so(line) or _ends_with_it(lines, number)):
            return line.strip()
    return ""


def _says_so(line: str) -> bool:
    comment = _COMMENT.match(line)
    if comment is None:
        return False
    text = comment[1].strip(_EDGES)
    return bool(_DOTS.match(comment[1].lstrip(" \t[(<{"))) or _ANYWHERE.fullmatch(text) is not None


def _ends_with_it(lines: Sequence[str], number: int) -> bool:
    comment = _COMMENT.match(lines[number])
    if comment is None or _AT_AN_END.fullmatch(comment[1].strip(_EDGES)) is None:
        return False
    after = next((line for line in lines[number + 1 :] if line.strip() not in ("", "pass")), "")
    return len(indent_of(after)) < len(indent_of(lines[number])) or not after
