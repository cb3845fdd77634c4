"""Matching of collections without an order: which element of one is which of the other."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from peagen_ray.workload._graph import Graph
from peagen_ray.workload._show import show
from peagen_ray.workload._values import Opaque, identical

if TYPE_CHECKING:
    from peagen_ray.workload._compare import Comparison

_MAX_DEPTH = 40
_MAX_PARTS = 1_000
_MAX_TRIALS = 64
"""How many elements may look alike and still be told apart by trying every pair."""

Pairs = list[tuple[int, int]]


class _Look(NamedTuple):
    """How an element looks: text of all but its floats, the floats in order, whether that is all of it."""

    text: str
    floats: tuple[tuple[bool, float], ...]
    complete: bool
    place: int


def unordered_pairs(comparison: Comparison, left: list[Any], right: list[Any]) -> Pairs | str:
    """Pair the elements of two collections, expected first, or say which element has no partner.

    Elements that look alike are told apart by their floats, sorted; those that a look cannot settle (objects,
    tuples of floats that nearly tie) by trying, as long as they are few.
    """
    comparison.spend(len(left) + len(right))
    if set(map(type, left)) <= {int, str} and identical(left, right):
        return [(index, index) for index in range(len(left))]
    if set(map(type, [*left, *right])) == {float} and len(left) == len(right):
        return _pair_floats(comparison, left, right)
    ours = sorted(_look(comparison.expected, item, index) for index, item in enumerate(left))
    theirs = sorted(_look(comparison.actual, item, index) for index, item in enumerate(right))
    problem = _unmatched(comparison, ours, theirs, left, right)
    if problem:
        return problem
    pairs: Pairs = []
    start = 0
    for _, group in groupby(ours, key=lambda look: look.text):
        one = list(group)
        other = theirs[start : start + len(one)]
        start += len(one)
        found = _pair_group(comparison, one, other, left, right)
        if found is None:
            example = show(comparison.expected, left[one[0].place])
            return f"{example} is missing, or one like it"
        pairs += found
    return pairs


def _pair_floats(comparison: Comparison, left: list[float], right: list[float]) -> Pairs | str:
    """Floats alone: on a line, the sorted order is the best matching."""
    ours, theirs = _sorted_floats(left), _sorted_floats(right)
    for i, j in zip(ours, theirs, strict=True):
        if not comparison.tolerance.close(left[i], right[j]):
            return f"{left[i]!r} is missing, or one like it"
    return list(zip(ours, theirs, strict=True))


def _sorted_floats(values: list[float]) -> list[int]:
    """Places in ascending order of their floats, NaN last."""
    numbers = [place for place, value in enumerate(values) if value == value]
    numbers.sort(key=values.__getitem__)
    return numbers + [place for place, value in enumerate(values) if value != value]


def _unmatched(
    comparison: Comparison, ours: list[_Look], theirs: list[_Look], left: list[Any], right: list[Any]
) -> str | None:
    """The first element whose text occurs more often on one side; both are sorted."""
    i = j = 0
    while i < len(ours) or j < len(theirs):
        if j == len(theirs) or (i < len(ours) and ours[i].text < theirs[j].text):
            return f"{show(comparison.expected, left[ours[i].place])} is missing"
        if i == len(ours) or theirs[j].text < ours[i].text:
            return f"{show(comparison.actual, right[theirs[j].place])} is not expected"
        i, j = i + 1, j + 1
    return None


def _pair_group(
    comparison: Comparison, ours: list[_Look], theirs: list[_Look], left: list[Any], right: list[Any]
) -> Pairs | None:
    """Pair elements of one text: in sorted order, else by trying."""
    if all(look.complete for look in [*ours, *theirs]):
        close = comparison.tolerance.close
        if all(
            close(one[1], other[1])
            for mine, yours in zip(ours, theirs, strict=True)
            for one, other in zip(mine.floats, yours.floats, strict=True)
        ):
            return [(one.place, other.place) for one, other in zip(ours, theirs, strict=True)]
        if len(ours[0].floats) == 1:
            return None  # on a line, the sorted order is the best matching
    elif len(ours) == 1:
        return [(ours[0].place, theirs[0].place)]  # the caller goes on to compare the two
    return _try_all(comparison, ours, theirs, left, right) if len(ours) <= _MAX_TRIALS else None


def _try_all(
    comparison: Comparison, ours: list[_Look], theirs: list[_Look], left: list[Any], right: list[Any]
) -> Pairs | None:
    """A perfect matching by augmenting paths (Kuhn), over trial comparisons."""
    equal = [
        [j for j, other in enumerate(theirs) if comparison.equal(left[one.place], right[other.place])]
        for one in ours
    ]
    partner: dict[int, int] = {}

    def place(i: int, seen: set[int]) -> bool:
        for j in equal[i]:
            if j not in seen:
                seen.add(j)
                if j not in partner or place(partner[j], seen):
                    partner[j] = i
                    return True
        return False

    if not all(place(i, set()) for i in range(len(ours))):
        return None
    return [(ours[i].place, theirs[j].place) for j, i in partner.items()]


def _look(graph: Graph, item: Any, index: int) -> _Look:
    floats: list[tuple[bool, float]] = []
    left = [_MAX_PARTS]
    text = _node(graph, item, floats, left, 0)
    return _Look(text, tuple(floats), left[0] >= 0, index)


def _node(graph: Graph, item: Any, floats: list[tuple[bool, float]], left: list[int], depth: int) -> str:
    """The text of a slot; what is neither leaf, tuple nor frozenset makes the look incomplete."""
    if type(item) is not list:
        return _leaf(item, floats, left)
    node = graph.row(item)
    tag = node[1] if node[0] == "rows" else node[0]
    left[0] -= 1
    if tag not in ("tuple", "frozenset") or depth > _MAX_DEPTH or left[0] < 0:
        left[0] = -1
        return f"<{node[0]} {node[1]}>" if node[0] in ("object", "named", "enum") else "<...>"
    if node[0] == "rows":
        items: list[Any] = [[item[0], index] for index in range(len(node[3]))]
    else:
        items = node[1]
    left[0] -= len(items)
    if tag == "tuple":
        return f"({','.join([_node(graph, part, floats, left, depth + 1) for part in items])})"
    return _frozenset(graph, items, floats, left, depth)


def _frozenset(
    graph: Graph, items: list[Any], floats: list[tuple[bool, float]], left: list[int], depth: int
) -> str:
    members = []
    for item in items:
        inner: list[tuple[bool, float]] = []
        members.append((_node(graph, item, inner, left, depth + 1), inner))
    members.sort()
    for _, inner in members:
        floats += inner
    return f"{{{','.join(text for text, _ in members)}}}"


def _leaf(value: Any, floats: list[tuple[bool, float]], left: list[int]) -> str:
    if type(value) is float:
        floats.append((math.isnan(value), value))
        return "float"
    if type(value) is complex:
        floats += [(math.isnan(part), part) for part in (value.real, value.imag)]
        return "complex"
    if type(value) is int:
        return f"int {value:x}"
    if type(value) is Fraction or type(value) is range or type(value) is Opaque:
        left[0] = -1  # their text may be too long to write
        return type(value).__name__
    return f"{type(value).__name__} {value!r}"
