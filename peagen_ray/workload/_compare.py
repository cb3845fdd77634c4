"""The walk over two graphs that finds their first difference. What counts is said in ``equality``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from peagen_ray.workload._graph import Graph, Node
from peagen_ray.workload._numbers import Tolerance
from peagen_ray.workload._path import Found, Label, Pair, Path
from peagen_ray.workload._rules import RULES
from peagen_ray.workload._show import show
from peagen_ray.workload._values import SCALARS, Opaque

_TRIAL_STEPS = 2_000_000

Key = tuple[int, ...]


class TooEntangled(Exception):
    """Unordered collections inside unordered collections, so many that comparing them has no end in sight."""


class Comparison:
    """Two graphs and what is known to be equal in them.

    Nodes compared once are merged, so that shared and cyclic parts cost nothing the second time: there are at
    most as many merges as nodes.

    Args:
        steps: how many pairs it may look at, None for any number; used for trials, see ``equal``.
    """

    def __init__(
        self, expected: Graph, actual: Graph, tolerance: Tolerance, steps: list[int] | None = None
    ) -> None:
        self.expected = expected
        self.actual = actual
        self.tolerance = tolerance
        self.steps = steps
        self._trial_steps = [_TRIAL_STEPS] if steps is None else steps
        self._merged: dict[Key, Key] = {}

    def run(self, expected: Any, actual: Any, path: Path) -> str | None:
        """The first difference between two slots, in reading order, or None.

        Raises:
            TooEntangled: the steps of all trials are used up.
        """
        todo = [Pair(expected, actual, path)]
        while todo:
            self.spend(1)
            found = self._pair(todo.pop())
            if isinstance(found, str):
                return found
            todo.extend(reversed(found))
        return None

    def equal(self, expected: Any, actual: Any) -> bool:
        """A trial: whether two slots are equal, with nothing assumed or remembered."""
        trial = Comparison(self.expected, self.actual, self.tolerance, steps=self._trial_steps)
        return trial.run(expected, actual, Path("")) is None

    def spend(self, steps: int) -> None:
        """Count work done in a trial, where the total of all trials is limited.

        Raises:
            TooEntangled: it is used up.
        """
        if self.steps is not None:
            self.steps[0] -= steps
            if self.steps[0] < 0:
                raise TooEntangled

    def _pair(self, pair: Pair) -> Found:
        expected, actual, path = pair
        if type(expected) is not list or type(actual) is not list:
            return self._leaves(pair)
        if not self._merge((0, *expected), (1, *actual)):
            return []
        left, right = self._view(self.expected, expected), self._view(self.actual, actual)
        if left[0] != right[0]:
            return self._mismatch(pair)
        return RULES[left[0]](self, left, right, path)

    def _merge(self, left: Key, right: Key) -> bool:
        """Take two nodes for equal from now on; False where they were already (union-find)."""
        left, right = self._find(left), self._find(right)
        if left == right:
            return False
        self._merged[left] = right
        return True

    def _find(self, key: Key) -> Key:
        merged = self._merged
        while (up := merged.get(key, key)) != key:
            above = merged.get(up, up)
            merged[key] = above
            key = above
        return key

    @staticmethod
    def _view(graph: Graph, reference: list[int]) -> Node:
        """The node of a reference, ``rows`` given the form of a list of references."""
        node = graph.row(reference)
        if node[0] == "rows":
            return [node[1], [[reference[0], index] for index in range(len(node[3]))]]
        return node

    def _leaves(self, pair: Pair) -> Found:
        expected, actual, _ = pair
        if type(expected) is not type(actual) or type(expected) is list:
            return self._mismatch(pair)
        return [] if self.same_leaf(expected, actual) else self._mismatch(pair)

    def same_leaf(self, expected: Any, actual: Any) -> bool:
        """Whether two leaves of one type are equal."""
        rule = _LEAF_RULES.get(type(expected))
        return bool(expected == actual if rule is None else rule(self.tolerance, expected, actual))

    def _mismatch(self, pair: Pair) -> str:
        left, right = show(self.expected, pair.expected), show(self.actual, pair.actual)
        if type(pair.expected) is not list and type(pair.actual) is not list:
            kinds = type(pair.expected), type(pair.actual)
            if kinds[0] is not kinds[1]:
                left, right = f"{left} ({kinds[0].__name__})", f"{right} ({kinds[1].__name__})"
        return f"{pair.path}: expected {left}, got {right}"

    def items(
        self, left: Sequence[Any], right: Sequence[Any], path: Path, label: Label = "[{}]".format
    ) -> Found:
        """Slots in order; scalars are compared in C as far as they are identical."""
        if len(left) != len(right):
            return f"{path}: expected {len(left)} items, got {len(right)}"
        self.spend(len(left))
        if set(map(type, left)) <= SCALARS and list(map(type, left)) == list(map(type, right)):
            if left == right:
                return []
            for index, (one, other) in enumerate(zip(left, right, strict=True)):
                if not self.same_leaf(one, other):
                    return self._mismatch(Pair(one, other, path.at(label, index)))
            return []
        return [
            Pair(one, other, path.at(label, index))
            for index, (one, other) in enumerate(zip(left, right, strict=True))
        ]


def _same_opaque(_: Tolerance, left: Opaque, right: Opaque) -> bool:
    return left.type_name == right.type_name and left.state == right.state


def _same_text(_: Tolerance, left: Any, right: Any) -> bool:
    return str(left) == str(right) and getattr(left, "fold", 0) == getattr(right, "fold", 0)


_LEAF_RULES: dict[type, Callable[[Tolerance, Any, Any], bool]] = {
    float: Tolerance.close,
    complex: Tolerance.close_complex,
    Decimal: _same_text,
    dt.datetime: _same_text,
    dt.time: _same_text,
    Opaque: _same_opaque,
}
