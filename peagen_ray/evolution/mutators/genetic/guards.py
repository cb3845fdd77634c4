"""Guards: what no mutation may change, whatever an operator does."""

from __future__ import annotations

import ast

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, evolve_blocks, source_lines
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.edits.donors import definitions, qualified

SOURCE_LIMIT = 200_000
"""Bytes that a source text may have."""


class Guard:
    """Compares proposals with the program that they were made from.

    Args:
        draft: the program; only its source and what it was parsed to count.
    """

    def __init__(self, draft: Draft) -> None:
        self._outside = _outside(draft.source)
        self._names = definitions(draft.pristine).keys()
        functions = qualified(draft.pristine)
        self._functions = functions.keys()
        self._signed = {path: f for path, f in functions.items() if _is_bound(path, draft.entry)}

    def objection(self, text: str, tree: ast.Module) -> str:
        """Why a proposal must not be made; "" when it may.

        Args:
            text: its source text.
            tree: what that parses to.
        """
        if len(text.encode(errors="replace")) > SOURCE_LIMIT:
            return f"longer than {SOURCE_LIMIT} bytes"
        functions = qualified(tree)
        missing = (self._names - definitions(tree).keys()) | (self._functions - functions.keys())
        if missing:
            return f"{sorted(missing)[0]} is gone"
        for path, old in self._signed.items():
            if not _alike(old, functions[path]):
                return f"{path} takes other arguments"
        if self._outside and _outside(text) != self._outside:
            return "changes code outside the EVOLVE-BLOCK"
        return ""


def _is_bound(path: str, entry: str) -> bool:
    """Whether callers from outside rely on a function's parameters."""
    return path == entry if entry else not any(part.startswith("_") for part in path.split("."))


def _alike(old: FunctionNode, new: FunctionNode) -> bool:
    return type(old) is type(new) and same_code(old.args, new.args)


def _outside(source: str) -> list[list[str]]:
    """The lines outside the EVOLVE-BLOCKs, their markers included; none where there are no blocks."""
    found, line = [], 0
    lines = source_lines(source)
    blocks = evolve_blocks(source)
    for start, end in blocks:
        found.append(lines[line:start])
        line = end - 1
    return [*found, lines[line:]] if blocks else []
