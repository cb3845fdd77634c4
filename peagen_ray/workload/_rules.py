"""Rules: when two nodes of one tag are equal, and which of their parts are left to compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from peagen_ray.workload._graph import Node
from peagen_ray.workload._match import unordered_pairs
from peagen_ray.workload._numbers import unpack
from peagen_ray.workload._path import Found, Pair, Path
from peagen_ray.workload._show import show, show_leaf, show_name
from peagen_ray.workload._values import SCALARS, identical

if TYPE_CHECKING:
    from peagen_ray.workload._compare import Comparison


def _sequence(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    return walk.items(left[1], right[1], path)


def _unordered(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    found = unordered_pairs(walk, left[1], right[1])
    if isinstance(found, str):
        return f"{path}: {found}"
    return [Pair(left[1][i], right[1][j], path.at("{...}")) for i, j in found]


def _counter(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    found = unordered_pairs(walk, left[1], right[1])
    if isinstance(found, str):
        return f"{path}: key {found}"
    pairs = []
    for i, j in found:
        key = show(walk.expected, left[1][i])
        pairs.append(Pair(left[1][i], right[1][j], path.at(f" key {key}")))
        pairs.append(Pair(left[2][i], right[2][j], path.at(f"[{key}]")))
    return pairs


def _mapping(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    plain = set(map(type, left[1])) <= SCALARS and set(map(type, right[1])) <= SCALARS
    if plain and (problem := _key_problem(walk, left[1], right[1])):
        return f"{path}: {problem}"
    keys = [] if plain else walk.items(left[1], right[1], path, " key {}".format)
    values = walk.items(left[2], right[2], path, lambda i: f"[{show(walk.expected, left[1][i])}]")
    if isinstance(keys, str) or isinstance(values, str):
        return keys if isinstance(keys, str) else values
    factory = [Pair(left[3], right[3], path.at(".default_factory"))] if left[0] == "defaultdict" else []
    return [*keys, *values, *factory]


def _key_problem(walk: Comparison, left: list[Any], right: list[Any]) -> str | None:
    if identical(left, right):
        return None
    found = unordered_pairs(walk, left, right)
    if isinstance(found, str):
        return f"key {found}"
    moved = next((i for i, j in sorted(found) if i != j), None)
    if moved is None or all(
        type(one) is type(two) and walk.same_leaf(one, two) for one, two in zip(left, right, strict=True)
    ):
        return None
    return f"the same keys in another order, from key {show_leaf(left[moved])} on"


def _deque(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    if left[2] != right[2]:
        return f"{path}: expected maxlen {left[2]}, got {right[2]}"
    return walk.items(left[1], right[1], path)


def _bytes(_: Comparison, left: Node, right: Node, path: Path) -> Found:
    return [Pair(left[1], right[1], path)]


def _numbers(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    """``array``, ``ndarray`` and ``npscalar``: type and shape exactly, then the numbers."""
    if left[1:-1] != right[1:-1]:
        return f"{path}: expected {_describe(left)}, got {_describe(right)}"
    if left[-1] == right[-1]:
        return []
    walk.spend(len(left[-1]) + len(right[-1]))
    ours, theirs, tolerance = unpack(left, right, walk.tolerance)
    if len(ours) != len(theirs):
        return f"{path}: expected {len(ours)} items, got {len(theirs)}"
    for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        same = tolerance.close(one, other) if type(one) is float else one == other
        if not same:
            where = path if left[0] == "npscalar" else path.at(f"[item {index}]")
            return f"{where}: expected {show_leaf(one)}, got {show_leaf(other)}"
    return []


def _objects(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    if left[1] != right[1]:
        return f"{path}: expected shape {tuple(left[1])}, got {tuple(right[1])}"
    return walk.items(left[2], right[2], path)


def _iterator(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    problem = walk.items(left[1], right[1], path.at(" items"))
    if isinstance(problem, str):
        return problem
    if left[2] != right[2]:
        ends = ["one without end" if node[2] else "an iterator that ends" for node in (left, right)]
        return f"{path}: expected {ends[0]}, got {ends[1]}"
    return [*problem, Pair(left[3], right[3], path.at(" end"))]


def _object(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    if left[1] != right[1]:
        return f"{path}: expected a {show_name(left[1])}, got a {show_name(right[1])}"
    if left[3] != right[3]:
        missing = sorted(set(left[3]) - set(right[3]))
        name = show_name((missing or sorted(set(right[3]) - set(left[3])))[0])
        return f"{path}: attribute {name} is {'missing' if missing else 'not expected'}"
    found = walk.items(left[4], right[4], path, lambda i: f".{left[3][i]}")
    return found if isinstance(found, str) else [Pair(left[2], right[2], path), *found]


def _named(walk: Comparison, left: Node, right: Node, path: Path) -> Found:
    if left[1:3] != right[1:3]:
        return f"{path}: expected a {show_name(left[1])}, got a {show_name(right[1])}"
    return walk.items(left[3], right[3], path, lambda i: f".{left[2][i]}")


def _enum(_: Comparison, left: Node, right: Node, path: Path) -> Found:
    if left[1:3] != right[1:3]:
        ours, theirs = (f"{show_name(node[1])}.{show_name(str(node[2]))}" for node in (left, right))
        return f"{path}: expected {ours}, got {theirs}"
    return [Pair(left[3], right[3], path.at(".value"))]


def _error(_: Comparison, left: Node, right: Node, path: Path) -> Found:
    if left[1] == right[1]:
        return []
    return f"{path}: expected {show_name(left[1])}, got {show_name(right[1])}({show_name(right[2])})"


def _reference(_: Comparison, left: Node, right: Node, path: Path) -> Found:
    return [Pair(left[1], right[1], path)]


def _describe(node: Node) -> str:
    if node[0] == "array":
        return f"an array of type {node[1]!r}"
    return f"dtype {node[1]} and shape {tuple(node[2])}"


RULES: dict[str, Callable[[Comparison, Node, Node, Path], Found]] = {
    "list": _sequence,
    "tuple": _sequence,
    "set": _unordered,
    "frozenset": _unordered,
    "deque": _deque,
    "dict": _mapping,
    "OrderedDict": _mapping,
    "defaultdict": _mapping,
    "Counter": _counter,
    "bytearray": _bytes,
    "array": _numbers,
    "ndarray": _numbers,
    "npscalar": _numbers,
    "objects": _objects,
    "iterator": _iterator,
    "object": _object,
    "named": _named,
    "enum": _enum,
    "error": _error,
    "reference": _reference,
}
