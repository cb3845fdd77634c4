"""How unlike two programs are: by their cells, and by their syntax trees."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable

from peagen_ray.evolution.program import Cell, Program

_UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
_WORD = re.compile(r"\w+|[^\w\s]")


def distance(one: Cell, other: Cell) -> float:
    """How far two cells of one grid lie apart: d / (1 + d) for the d steps of each descriptor, added up."""
    total = 0.0
    for a, b in zip(one, other, strict=False):
        if a != b:
            step = abs(a - b)
            total += step / (1 + step)
    return total


def unlike(chosen: Iterable[Program], pool: Iterable[Program], k: int) -> list[Program]:
    """``k`` programs of the pool, one by one the one that is farthest from its nearest among all chosen.

    Farthest-first traversal (Gonzalez 1985, "Clustering to minimize the maximum intercluster distance").
    Of programs that are equally far the first one of the pool is taken; none is chosen twice.
    """
    found: list[Program] = []
    known = {program.id for program in chosen}
    nearest = {
        program.id: (min((_apart(program, other) for other in chosen), default=0.0), program)
        for program in pool
        if program.id not in known
    }
    while nearest and len(found) < k:
        _, taken = nearest.pop(max(nearest, key=lambda n: nearest[n][0]))
        found.append(taken)
        for n, (gap, program) in nearest.items():
            nearest[n] = (min(gap, _apart(program, taken)), program)
    return found


def _apart(one: Program, other: Program) -> float:
    return distance(one.bucket or (), other.bucket or ())


class Likeness:
    """Compares programs with one original, by the parts of their syntax trees.

    The parts are pairs of a node's kind and its parent's, so that names, constants and layout do not count
    (after the tree-edit approximations of Yang, Kalnis & Tung 2005, "Similarity evaluation on tree-structured
    data"). Where either text is no Python, both are taken as words.
    """

    def __init__(self, original: str) -> None:
        self._original = original
        self._pairs = _pairs(original)
        self._words: Counter[tuple[str, str]] | None = None

    def novelty(self, source: str) -> float:
        """0.0 for a program with the original's tree, up to 1.0 for one that shares no part with it."""
        pairs = None if self._pairs is None else _pairs(source)
        if pairs is None or self._pairs is None:
            if self._words is None:
                self._words = _words(self._original)
            return _jaccard(self._words, _words(source))
        return _jaccard(self._pairs, pairs)


def _pairs(source: str) -> Counter[tuple[str, str]] | None:
    """How often each pair of a node's kind and its child's occurs; None if it is no Python."""
    try:
        tree = ast.parse(source.removeprefix("\ufeff"))
    except _UNPARSABLE:
        return None
    return Counter(
        (type(node).__name__, type(child).__name__)
        for node in ast.walk(tree)
        for child in ast.iter_child_nodes(node)
    )


def _words(source: str) -> Counter[tuple[str, str]]:
    words = _WORD.findall(source)
    return Counter(zip(["", *words], [*words, ""], strict=True))


def _jaccard(one: Counter[tuple[str, str]], other: Counter[tuple[str, str]]) -> float:
    """The weighted Jaccard distance: 1 - Σ min / Σ max."""
    union = (one | other).total()
    return 1.0 - (one & other).total() / union if union else 0.0
