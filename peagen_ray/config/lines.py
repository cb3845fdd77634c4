"""Where each key of a TOML text stands: the line numbers that the standard parser does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys from the root down; each table of an array of tables adds its index."""

_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # a multi-line string may end in up to two quotes of its own
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[^\"'\#\[\]{}=\n]+"
    r"|.",
    re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, on which each table and key of a *valid* TOML text first appears.

    Keys inside an inline table or array are not listed; see :func:`line_of`.
    """
    lines: dict[KeyPath, int] = {}
    tables: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, tokens in _statements(text):
        statement = "".join(tokens).strip()
        if statement.startswith("[["):
            *outer, last = _keys(statement[2:-2])
            array = (*_current(outer, tables), last)
            table = (*array, tables.setdefault(array, 0))
            tables[array] += 1
            path = table
        elif statement.startswith("["):
            path = table = _current(_keys(statement[1:-1]), tables)
        else:
            path = table + _keys("".join(tokens[: tokens.index("=")]))
        for depth in range(1, len(path) + 1):
            lines.setdefault(path[:depth], line)
    return lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of a key, or else of the nearest thing around it; None when nothing around it is listed."""
    return next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each statement's first line and its tokens, comments left out."""
    line, depth, start, pieces = 1, 0, 1, list[str]()
    for piece in _TOKEN.findall(text + "\n"):
        if piece == "\n" and depth == 0:
            if "".join(pieces).strip():
                yield start, pieces
            pieces, start = [], line + 1
        elif not piece.startswith("#"):
            depth += (piece in ("[", "{")) - (piece in ("]", "}"))
            pieces.append(piece)
        line += piece.count("\n")


def _keys(dotted: str) -> tuple[str, ...]:
    """The parts of a dotted and perhaps quoted key, read by the parser itself."""
    found, node = list[str](), tomllib.loads(f"{dotted} = 0")
    while isinstance(node, dict):
        ((key, node),) = node.items()
        found.append(key)
    return tuple(found)


def _current(keys: tuple[str, ...] | list[str], tables: Mapping[KeyPath, int]) -> KeyPath:
    """The path of a table header, the newest index added wherever it enters an array of tables."""
    path: KeyPath = ()
    for key in keys:
        path = (*path, key)
        if path in tables:
            path = (*path, tables[path] - 1)
    return path
