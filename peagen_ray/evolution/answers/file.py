"""A whole file that a model was asked for: an answer without its reasoning, its fences and the words around them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from peagen_ray.evolution.answers.prose import lines_of, segments, without_reasoning

_PROSE: Final = frozenset({".adoc", ".markdown", ".md", ".mdx", ".rst", ".txt"})
"""Ends of names of files in which fences belong to the text."""
_WRAPS_PROSE: Final = frozenset({"adoc", "markdown", "md", "mdx", "rst", "text", "txt"})
_PYTHON: Final = frozenset({".py", ".pyi"})


def file_of(answer: str, path: str) -> str:
    """The file's text, with a newline at its end.

    Of code the longest fence is taken, unless the answer is Python as it stands; without a fence, and in a text that is
    no code, all of it is. A fence that says that it holds such a text, and holds all of it, is taken off.

    Args:
        answer: what the model said.
        path: where the file goes; its name says whether it is code.
    """
    lines = without_reasoning(lines_of(answer))
    end = PurePosixPath(path).suffix.lower()
    if end in _PROSE:
        return _joined(_unwrapped(lines))
    if end in _PYTHON and _parses(lines):
        return _joined(lines)
    fenced = [each.lines for each in segments(lines) if each.fenced]
    return _joined(max(fenced, key=lambda held: sum(map(len, held))) if fenced else lines)


def _unwrapped(lines: Sequence[str]) -> Sequence[str]:
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if len(filled) < 2:
        return lines
    first, last = lines[filled[0]].strip(), lines[filled[-1]].strip()
    word = first.lstrip("`~")
    ticks = first.removesuffix(word)
    wraps = len(ticks) >= 3 and word.strip().lower() in _WRAPS_PROSE and last == ticks
    return lines[filled[0] + 1 : filled[-1]] if wraps else lines


def _parses(lines: Sequence[str]) -> bool:
    try:
        ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip("\n") + "\n"
