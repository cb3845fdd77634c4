"""Containers that fit their use: deques for queues, heaps for lists that are kept sorted."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.hoisting import loops_around
from peagen_ray.evolution.mutators.genetic.match import Match, find_any
from peagen_ray.evolution.mutators.genetic.nodes import place
from peagen_ray.evolution.mutators.genetic.places import ListPlace, list_places
from peagen_ray.evolution.mutators.genetic.rewrite import Edit, put

_FRONT = (
    ("XS.pop(0)", "XS.popleft()"),
    ("XS.insert(0, V)", "XS.appendleft(V)"),
    ("del XS[0]", "XS.popleft()"),
    ("XS = XS[1:]", "XS.popleft()"),
    ("XS = [V] + XS", "XS.appendleft(V)"),
    ("XS = XS + [V]", "XS.append(V)"),
    ("XS += [V]", "XS.append(V)"),
    ("return XS", "return list(XS)"),
)
"""What is done at the front of a list, and how a deque does it."""


class ListToDeque(Edit[ListPlace]):
    """A list that is used as a queue is a ``deque``."""

    NAME = "list-to-deque"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[ListPlace]:
        """Lists that lose or gain items at their front."""
        fronts = [pattern for pattern, _ in _FRONT[:5]]
        return [each for each in list_places(draft) if any(each.uses(*fronts))]

    def edit(self, draft: Draft, site: ListPlace) -> bool:
        """Make it a deque, and use it as one."""
        found = list(site.uses(*(pattern for pattern, _ in _FRONT)))
        for index, match in found:
            put(draft, match, _FRONT[index][1])
        for _, start in site.starts:
            _wrap(start, "collections.deque")
        draft.touched()
        draft.ensure_import("import collections")
        return True


def _wrap(start: ast.Assign | ast.AnnAssign, function: str) -> None:
    """Let a call of ``function`` make what is assigned."""
    owner, _, name = function.rpartition(".")
    assert start.value is not None
    empty = isinstance(start.value, ast.List) and not start.value.elts
    func = ast.Attribute(value=ast.Name(id=owner, ctx=ast.Load()), attr=name, ctx=ast.Load())
    start.value = ast.Call(func=func, args=[] if empty else [start.value], keywords=[])


_SORTS = (
    "XS.sort()",
    "XS = sorted(XS)",
    "XS.sort(key=lambda E: E[0])",
    "XS = sorted(XS, key=lambda E: E[0])",
)


class SortedQueueToHeap(Edit[ListPlace]):
    """A list that is sorted again and again to take its first item is a heap."""

    NAME = "sorted-queue-to-heap"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[ListPlace]:
        """Lists that are sorted and lose their first item."""
        return [
            each for each in list_places(draft) if any(each.uses(*_SORTS)) and any(each.uses("XS.pop(0)"))
        ]

    def edit(self, draft: Draft, site: ListPlace) -> bool:
        """Drop the sorting, and push and pop."""
        sorts = list(site.uses(*_SORTS))
        moves = list(site.uses("XS.pop(0)", "XS.append(V)"))
        for index, match in moves:
            put(draft, match, ("heapq.heappop(XS)", "heapq.heappush(XS, V)")[index])
        for _, match in sorts:
            node = match.anchor
            statement = node if isinstance(node, ast.stmt) else draft.statement(node)
            assert statement is not None
            draft.replace(statement)
        return _heapified(draft, site)


def _heapified(draft: Draft, site: ListPlace) -> bool:
    """Make a heap of what the list starts with, unless that is one item or none."""
    for function, start in site.starts:
        if isinstance(start.value, ast.List) and len(start.value.elts) < 2:
            continue
        target = start.targets[0] if isinstance(start, ast.Assign) else start.target
        put(draft, Match({"XS": target, "S": [start]}, function, (start,)), "S\nheapq.heapify(XS)")
    draft.ensure_import("import heapq")
    return True


_TAKES = tuple(
    f"{scan}\n{removal}"
    for scan, removal in (
        ("M = min(XS)", "XS.remove(M)"),
        ("M = XS[0]\nfor V in XS:\n if V < M: M = V", "XS.remove(M)"),
        ("M = XS[0]\nfor V in XS[1:]:\n if V < M: M = V", "XS.remove(M)"),
        ("M = XS[0]\nfor I in range(len(XS)):\n if XS[I] < M: M = XS[I]", "XS.remove(M)"),
        ("M = XS[0]\nfor I in range(1, len(XS)):\n if XS[I] < M: M = XS[I]", "XS.remove(M)"),
        ("B = 0\nfor I in range(len(XS)):\n if XS[I] < XS[B]: B = I", "M = XS.pop(B)"),
        ("B = 0\nfor I in range(1, len(XS)):\n if XS[I] < XS[B]: B = I", "M = XS.pop(B)"),
    )
)
"""Taking the smallest item out of a list."""


@dataclass(frozen=True)
class Takes:
    """A list out of which the smallest item is taken, and where."""

    source: ListPlace
    matches: tuple[Match, ...]


class MinimumToHeap(Edit[Takes]):
    """A list out of which the smallest item is taken again and again is a heap."""

    NAME = "minimum-to-heap"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Takes]:
        """Lists of which the minimum is removed in a loop."""
        found = [match for _, match in find_any(draft, _TAKES) if any(loops_around(draft, match.anchor))]
        taken = [
            Takes(each, tuple(m for m in found if place(m["XS"]) == each.name)) for each in list_places(draft)
        ]
        return [each for each in taken if each.matches]

    def edit(self, draft: Draft, site: Takes) -> bool:
        """Pop the minimum, and push what is appended."""
        for _, match in list(site.source.uses("XS.append(V)")):
            put(draft, match, "heapq.heappush(XS, V)")
        for match in site.matches:
            put(draft, match, "M = heapq.heappop(XS)")
        return _heapified(draft, site.source)


OPERATORS: tuple[Operator, ...] = (ListToDeque(), SortedQueueToHeap(), MinimumToHeap())
