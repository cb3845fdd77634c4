"""Code that stands in prose, with no fence around it or with half of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from peagen_ray.evolution.answers.source import indent_of
from peagen_ray.evolution.answers.tree import parsed

_START: Final = re.compile(r"(?:def|async def|class)[ \t]+\w|import \w|from [\w.]+ import\b|@\w|#!")
_CODE: Final = re.compile(
    r"""[@#)\]}]|[rbfRBF]?["']
    |(?:def|async|class|import|return|raise|assert|global|del)\b
    |from[ ][\w.]+[ ]import\b
    |(?:if|for|while|elif|with|match|except|else|try|finally)\b.*:[ \t]*(?:\#.*)?$
    |(?:pass|break|continue)[ \t]*$
    |[A-Za-z_][\w.]*[ \t]*(?:[-+*/|&^%@]|//|\*\*|>>|<<)?=[^=]
    |[A-Za-z_][\w.]*[\[(]
    |[A-Za-z_]\w*[ \t]*:[ \t]*[A-Za-z_][\w.\[\], ]*=
    """,
    re.VERBOSE,
)
_DEFINING: Final = re.compile(r"(?:async[ \t]+def|def|class)[ \t]+\w")


def code_among(lines: Sequence[str], *, fenced: bool) -> list[str]:
    """The code of a segment.

    Args:
        lines: of the segment.
        fenced: all of it is code. Otherwise the last stretch of lines that look like code and define something
            is taken; or all from the first of such lines on, if that is Python. The margin of the first one is cut off.
    """
    if fenced:
        return list(lines)
    start = next((number for number, line in enumerate(lines) if _START.match(line.lstrip(" \t"))), None)
    if start is None:
        return []
    margin = indent_of(lines[start])
    lines = [line.removeprefix(margin) for line in lines]
    rest = list(lines[start:])
    if not isinstance(parsed("\n".join(rest) + "\n"), str):
        return rest
    stretches = [stretch for stretch in _stretches(rest) if any(_DEFINING.match(line) for line in stretch)]
    return stretches[-1] if stretches else []


def _stretches(lines: Sequence[str]) -> list[list[str]]:
    """The runs of lines that look like code, each from one on that code begins with."""
    found: list[list[str]] = []
    held: list[str] | None = None
    for line in lines:
        if held is None:
            held = [line] if _START.match(line) else None
        elif not line.strip() or line[0] in " \t" or _CODE.match(line):
            held.append(line)
        else:
            found.append(held)
            held = [line] if _START.match(line) else None
    return found if held is None else [*found, held]
