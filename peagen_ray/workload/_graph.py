"""The trusted end of the codec, first half: bytes become a graph that is known to be well formed."""

from __future__ import annotations

import array
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from peagen_ray.workload._values import (
    SCALARS,
    VERSION,
    MalformedValue,
    from_base64,
    read_leaf,
)

_DTYPE = re.compile(r"[<>|=][biufcSUmMV]\d{1,9}(\[[0-9a-zA-Z/]{1,20}\])?|\[.{0,10000}\]", re.DOTALL)
_TYPECODES = array.typecodes
_SEQUENCES = ("list", "tuple")

Node = list[Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """A parsed value. In ``root`` and in every node's slots an item is a leaf value, or a list: a reference.

    ``[n]`` refers to ``heap[n]``, ``[n, i]`` to row ``i`` of it. Base64 texts are replaced by their bytes.
    """

    root: Any
    heap: list[Node]

    def row(self, reference: list[int]) -> Node:
        """The node that a reference means; a row is given the form of a node."""
        node = self.heap[reference[0]]
        return node if len(reference) == 1 else [node[2], node[3][reference[1]]]


def parse(data: bytes) -> Graph:
    """Read what ``encode`` wrote, and check all of it.

    Raises:
        MalformedValue: anything else, however nested or large.
    """
    try:
        document = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise MalformedValue(f"not JSON: {type(error).__name__}") from error
    if type(document) is not list or len(document) != 3 or type(document[0]) is not int:
        raise MalformedValue("not [version, root, heap]")
    version, root, heap = document
    if version != VERSION:
        raise MalformedValue(f"format version {version}, this program speaks {VERSION}")
    if type(heap) is not list:
        raise MalformedValue("the heap is not a list")
    return _Checker(heap).run(root)


class _Checker:
    """Checks a heap in place: reads leaves and base64 texts, verifies references."""

    def __init__(self, heap: list[Any]) -> None:
        self.heap = heap

    def run(self, root: Any) -> Graph:
        for node in self.heap:
            if type(node) is not list or not node or type(node[0]) is not str:
                raise MalformedValue("a node is not [tag, ...]")
            self.shape(node)
        for node in self.heap:
            _CHECKS[node[0]](self, node)
        return Graph(self.slot(root), self.heap)

    def shape(self, node: Node) -> None:
        """Tag and length of a node, and its rows, which references from any other node rely on."""
        length = _LENGTHS.get(node[0])
        if length is None:
            raise MalformedValue(f"no node is called {node[0]!r:.40}")
        if len(node) != length:
            raise MalformedValue(f"a {node[0]} has {len(node)} parts")
        if node[0] == "rows":
            self.rows(node)

    def slot(self, item: Any) -> Any:
        if type(item) in SCALARS:
            return item
        if type(item) is not list or not item:
            raise MalformedValue("a slot is an object or an empty array")
        if type(item[0]) is str:
            return read_leaf(item)
        if len(item) > 2 or set(map(type, item)) != {int} or not 0 <= item[0] < len(self.heap):
            raise MalformedValue("bad reference")
        if len(item) == 2:
            target = self.heap[item[0]]
            if target[0] != "rows" or not 0 <= item[1] < len(target[3]):
                raise MalformedValue("bad reference to a row")
        return item

    def slots(self, node: Node, at: int) -> None:
        items = node[at]
        if type(items) is not list:
            raise MalformedValue(f"a {node[0]} holds no list")
        if not set(map(type, items)) <= SCALARS:
            items[:] = map(self.slot, items)

    def names(self, node: Node, at: int) -> None:
        if type(node[at]) is not list or not set(map(type, node[at])) <= {str}:
            raise MalformedValue(f"a {node[0]} has names that are no texts")
        self.slots(node, at + 1)
        if len(node[at]) != len(node[at + 1]) or len(set(node[at])) != len(node[at]):
            raise MalformedValue(f"a {node[0]} has names without values, or twice")

    def text(self, node: Node, *at: int) -> None:
        for index in at:
            if type(node[index]) is not str:
                raise MalformedValue(f"a {node[0]} lacks a text")

    def rows(self, node: Node) -> None:
        if node[1] not in _SEQUENCES or node[2] not in _SEQUENCES:
            raise MalformedValue("rows of no sequence")
        rows = node[3]
        if type(rows) is not list or not set(map(type, rows)) <= {list}:
            raise MalformedValue("rows are no lists")
        for row in rows:
            if not set(map(type, row)) <= SCALARS:
                raise MalformedValue("rows hold more than scalars")

    def sequence(self, node: Node) -> None:
        self.slots(node, 1)

    def mapping(self, node: Node) -> None:
        self.slots(node, 1)
        self.slots(node, 2)
        if len(node[1]) != len(node[2]):
            raise MalformedValue(f"a {node[0]} has keys without values")
        if len(node) == 4:
            node[3] = self.slot(node[3])

    def deque(self, node: Node) -> None:
        self.slots(node, 1)
        if node[2] is not None and (type(node[2]) is not int or not len(node[1]) <= node[2] < 2**63):
            raise MalformedValue("a deque has an impossible maxlen")

    def binary(self, node: Node) -> None:
        self.text(node, len(node) - 1)
        try:
            node[-1] = from_base64(node[-1])
        except ValueError as error:
            raise MalformedValue(f"a {node[0]} is not base64") from error

    def array(self, node: Node) -> None:
        self.text(node, 1)
        if len(node[1]) != 1 or node[1] not in _TYPECODES:
            raise MalformedValue("an array of an unknown type code")
        self.binary(node)

    def ndarray(self, node: Node) -> None:
        self.text(node, 1)
        if not _DTYPE.fullmatch(node[1]):
            raise MalformedValue("an array of an unknown dtype")
        size = self.dimensions(node, 2)
        self.binary(node)
        width = _item_bytes(node[1])
        if len(node[3]) != size * width if width else size and len(node[3]) % size:
            raise MalformedValue("an array whose bytes do not fill its shape")

    def dimensions(self, node: Node, at: int) -> int:
        shape = node[at]
        if type(shape) is not list or len(shape) > 64 or not set(map(type, shape)) <= {int}:
            raise MalformedValue("an array has no shape")
        if any(not 0 <= side < 2**62 for side in shape):
            raise MalformedValue("an array has an impossible shape")
        return math.prod(shape)

    def objects(self, node: Node) -> None:
        self.slots(node, 2)
        if self.dimensions(node, 1) != len(node[2]):
            raise MalformedValue("an array whose items do not fill its shape")

    def iterator(self, node: Node) -> None:
        self.slots(node, 1)
        if type(node[2]) is not bool:
            raise MalformedValue("an iterator does not say whether it was cut")
        node[3] = self.slot(node[3])

    def object(self, node: Node) -> None:
        self.text(node, 1)
        node[2] = self.slot(node[2])
        self.names(node, 3)
        if node[3] != sorted(node[3]):
            raise MalformedValue("an object whose attributes are not sorted")

    def named(self, node: Node) -> None:
        self.text(node, 1)
        self.names(node, 2)

    def enum(self, node: Node) -> None:
        self.text(node, 1)
        if node[2] is not None:
            self.text(node, 2)
        node[3] = self.slot(node[3])

    def error(self, node: Node) -> None:
        self.text(node, 1, 2)

    def reference(self, node: Node) -> None:
        node[1] = self.slot(node[1])


def _item_bytes(dtype: str) -> int:
    """Bytes of one item of a plain dtype; 0 for a structured one."""
    match = re.match(r"[<>|=]([a-zA-Z])(\d+)", dtype)
    return 0 if match is None else int(match[2]) * (4 if match[1] == "U" else 1)


_SHAPES: dict[str, tuple[int, Callable[[_Checker, Node], None]]] = {
    "list": (2, _Checker.sequence),
    "tuple": (2, _Checker.sequence),
    "set": (2, _Checker.sequence),
    "frozenset": (2, _Checker.sequence),
    "rows": (4, lambda *_: None),
    "deque": (3, _Checker.deque),
    "dict": (3, _Checker.mapping),
    "OrderedDict": (3, _Checker.mapping),
    "Counter": (3, _Checker.mapping),
    "defaultdict": (4, _Checker.mapping),
    "bytearray": (2, _Checker.binary),
    "array": (3, _Checker.array),
    "ndarray": (4, _Checker.ndarray),
    "npscalar": (4, _Checker.ndarray),
    "objects": (3, _Checker.objects),
    "iterator": (4, _Checker.iterator),
    "object": (5, _Checker.object),
    "named": (4, _Checker.named),
    "enum": (4, _Checker.enum),
    "error": (3, _Checker.error),
    "reference": (2, _Checker.reference),
}
_LENGTHS = {tag: length for tag, (length, _) in _SHAPES.items()}
_CHECKS = {tag: check for tag, (_, check) in _SHAPES.items()}
