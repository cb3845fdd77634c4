"""Aligning two versions of a block: which old statement a new one stands for."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.compare import same_code

SIMPLE = (
    ast.Expr,
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.Return,
    ast.Delete,
    ast.Raise,
    ast.Assert,
    ast.Import,
    ast.ImportFrom,
    ast.Global,
    ast.Nonlocal,
    ast.Pass,
    ast.Break,
    ast.Continue,
)
"""The statements that may share a line with others (``type`` statements are left to be compound)."""

_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Step:
    """Old statements ``i1:i2`` of a block became new ones ``j1:j2``.

    Attributes:
        paired: one became one, perhaps with changes within.
    """

    i1: int
    i2: int
    j1: int
    j2: int
    paired: bool

    def joined(self, later: Step) -> Step:
        """This step and the one after it as one."""
        return Step(self.i1, later.i2, self.j1, later.j2, paired=False)


def align(old: Sequence[ast.stmt], new: Sequence[ast.stmt]) -> Iterator[Step]:
    """What became of each statement of a block, in order.

    Statements are paired by position, which nodes from the source keep; then by name or by equality; what
    is left between two pairs is paired in order when there are as many, and is one step when not.
    """
    i = j = 0
    for k, m in [*_pairs(old, new), (len(old), len(new))]:
        yield from _gap(old, new, (i, k), (j, m))
        if k < len(old):
            yield Step(k, k + 1, m, m + 1, paired=True)
        i, j = k + 1, m + 1


def _pairs(old: Sequence[ast.stmt], new: Sequence[ast.stmt]) -> list[tuple[int, int]]:
    places = {_place(node): index for index, node in enumerate(old)}
    found = [(places[_place(node)], j) for j, node in enumerate(new) if _place(node) in places]
    return _rising(found)


def _place(node: ast.stmt) -> tuple[type, int, int]:
    return type(node), getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of ``pairs`` whose first members rise strictly (patience sorting)."""
    tops: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for at, (value, _) in enumerate(pairs):
        pile = bisect_left(tops, value)
        before.append(ends[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [value]
        ends[pile : pile + 1] = [at]
    chosen: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = before[at]
    return chosen[::-1]


def _gap(
    old: Sequence[ast.stmt], new: Sequence[ast.stmt], olds: tuple[int, int], news: tuple[int, int]
) -> Iterator[Step]:
    (i, i2), (j, j2) = olds, news
    if i2 - i == j2 - j:
        yield from (Step(i + k, i + k + 1, j + k, j + k + 1, paired=True) for k in range(i2 - i))
        return
    for at in range(j, j2):
        match = next((k for k in range(i, i2) if _akin(old[k], new[at])), None)
        if match is not None:
            if match > i or at > j:
                yield Step(i, match, j, at, paired=False)
            yield Step(match, match + 1, at, at + 1, paired=True)
            i, j = match + 1, at + 1
    if i < i2 or j < j2:
        yield Step(i, i2, j, j2, paired=False)


def _akin(old: ast.stmt, new: ast.stmt) -> bool:
    if type(old) is not type(new):
        return False
    if isinstance(old, _NAMED) and isinstance(new, _NAMED):
        return old.name == new.name
    return same_code(old, new) or not isinstance(old, SIMPLE)
