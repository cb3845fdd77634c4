"""The trusted end of the codec, second half: a checked graph becomes values of built-in types."""

from __future__ import annotations

import array
import ast
import collections
import sys
from collections.abc import Callable, Iterable
from typing import Any

from peagen_ray.workload._graph import Graph, Node
from peagen_ray.workload._values import Array, MalformedValue, Named, Opaque
from peagen_ray.workload.target import Drained

_MAX_SAME_HASH = 64
"""How many distinct keys of one dict or set may share a hash: more would make building it quadratic."""

_MAX_KEY_WEIGHT = 4_000_000
"""How many parts the tuples and frozensets used as keys may have in all, shared parts counted each time."""

_FACTORIES: dict[str, type] = {
    f"builtins.{kind.__name__}": kind
    for kind in (bool, bytes, dict, float, frozenset, int, list, set, str, tuple)
}


def materialise(graph: Graph) -> Any:
    """The value of a graph; see ``codec.decode``.

    Raises:
        MalformedValue: it cannot be a value: an unhashable key, keys twice, a tuple that contains itself.
    """
    return _Builder(graph).run()


class _Builder:
    """Builds a graph bottom-up: mutable values as empty shells, then tuples and frozensets, then contents."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values: dict[int, Any] = {}
        self.weights: dict[int, int] = {}
        self.frozen: list[int] = []

    def run(self) -> Any:
        for index, node in enumerate(self.graph.heap):
            if node[0] in ("tuple", "frozenset"):
                self.frozen.append(index)
            else:
                self.values[index] = _SHELLS[node[0]](node)
            if node[0] == "rows":
                self.weights[index] = sum(map(len, node[3]))
        for index in self.frozen:
            self.freeze(index)
        for index, node in enumerate(self.graph.heap):
            fill = _FILLERS.get(node[0])
            if fill is not None:
                fill(self, node, self.values[index])
        return self.value(self.graph.root)

    def value(self, item: Any) -> Any:
        if type(item) is not list:
            return item
        whole = self.values[item[0]]
        return whole if len(item) == 1 else whole[item[1]]

    def all(self, items: list[Any]) -> list[Any]:
        return [self.value(item) if type(item) is list else item for item in items]

    def freeze(self, root: int) -> None:
        """Build a tuple or frozenset after the ones inside it, without recursion."""
        todo = [root]
        open_: set[int] = set()
        while todo:
            index = todo[-1]
            if index in self.values:
                todo.pop()
                continue
            tag, items = self.graph.heap[index]
            inner = {item[0] for item in items if type(item) is list and item[0] not in self.values}
            if inner and index in open_:
                raise MalformedValue(f"a {tag} that contains itself")
            open_.add(index)
            todo += inner
            if not inner:
                references = [item[0] for item in items if type(item) is list]
                self.weights[index] = 1 + len(items) + sum(self.weights.get(ref, 0) for ref in references)
                members = self.all(items)
                self.values[index] = (
                    tuple(members) if tag == "tuple" else frozenset(self.keys(items, members))
                )

    def keys(self, items: list[Any], members: list[Any]) -> list[Any]:
        """``members``, once they are known to be cheap to hash, and distinct."""
        weight = sum(self.weights.get(item[0], 0) for item in items if type(item) is list)
        if weight > _MAX_KEY_WEIGHT:
            raise MalformedValue("keys nested too widely")
        try:
            hashes = collections.Counter(sorted(map(hash, members)))
        except TypeError as error:
            raise MalformedValue(str(error)) from error
        if hashes and max(hashes.values()) > _MAX_SAME_HASH:
            raise MalformedValue("too many keys with one hash")
        if len(set(members)) != len(members):
            raise MalformedValue("a key occurs twice")
        return members

    def pairs(self, node: Node) -> Iterable[tuple[Any, Any]]:
        return zip(self.keys(node[1], self.all(node[1])), self.all(node[2]), strict=True)

    def fill_list(self, node: Node, shell: list[Any]) -> None:
        shell.extend(self.all(node[1]))

    def fill_set(self, node: Node, shell: set[Any]) -> None:
        shell.update(self.keys(node[1], self.all(node[1])))

    def fill_dict(self, node: Node, shell: dict[Any, Any]) -> None:
        if isinstance(shell, collections.Counter):
            dict.update(shell, self.pairs(node))  # its own update would add up
        else:
            shell.update(self.pairs(node))

    def fill_defaultdict(self, node: Node, shell: collections.defaultdict[Any, Any]) -> None:
        factory = self.value(node[3])
        shell.default_factory = _FACTORIES.get(factory.name) if isinstance(factory, Named) else None
        self.fill_dict(node, shell)

    def fill_iterator(self, node: Node, shell: Drained) -> None:
        shell.items.extend(self.all(node[1]))
        shell.error = self.value(node[3])

    def fill_object(self, node: Node, shell: Opaque) -> None:
        shell.content = self.value(node[2])
        shell.state.update(zip(node[3], self.all(node[4]), strict=True))

    def fill_named(self, node: Node, shell: Opaque) -> None:
        items = self.all(node[3])
        shell.content = tuple(items)
        shell.state.update(zip(node[2], items, strict=True))

    def fill_enum(self, node: Node, shell: Opaque) -> None:
        shell.state.update(name=node[2], value=self.value(node[3]))

    def fill_objects(self, node: Node, shell: Opaque) -> None:
        shell.content = self.all(node[2])


def _rows(node: Node) -> Any:
    rows = node[3] if node[2] == "list" else list(map(tuple, node[3]))
    return rows if node[1] == "list" else tuple(rows)


def _array(node: Node) -> Any:
    values = array.array(node[1])
    try:
        values.frombytes(node[2])
    except ValueError as error:
        raise MalformedValue(str(error)) from error
    return values


def _ndarray(node: Node) -> Any:
    """A real array where numpy is loaded already, and takes it; a scalar for an ``npscalar``."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return Array(node[1], tuple(node[2]), node[3])
    try:
        dtype = numpy.dtype(ast.literal_eval(node[1]) if node[1].startswith("[") else node[1])
        values = numpy.frombuffer(node[3], dtype) if node[3] else numpy.zeros(0, dtype)
        values = values.reshape(node[2]).copy()
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise MalformedValue(f"an array that numpy refuses: {type(error).__name__}") from error
    return values[()] if node[0] == "npscalar" else values


_SHELLS: dict[str, Callable[[Node], Any]] = {
    "list": lambda _: [],
    "set": lambda _: set(),
    "rows": _rows,
    "deque": lambda node: collections.deque(maxlen=node[2]),
    "dict": lambda _: {},
    "OrderedDict": lambda _: collections.OrderedDict(),
    "Counter": lambda _: collections.Counter(),
    "defaultdict": lambda _: collections.defaultdict(None),
    "bytearray": lambda node: bytearray(node[1]),
    "array": _array,
    "ndarray": _ndarray,
    "npscalar": _ndarray,
    "objects": lambda node: Opaque("numpy.ndarray", {"shape": tuple(node[1])}),
    "iterator": lambda node: Drained([], truncated=node[2]),
    "object": lambda node: Opaque(node[1]),
    "named": lambda node: Opaque(node[1]),
    "enum": lambda node: Opaque(node[1]),
    "error": lambda node: Opaque(node[1], {"message": node[2]}),
    "reference": lambda node: node[1],
}

_FILLERS: dict[str, Callable[[_Builder, Node, Any], None]] = {
    "list": _Builder.fill_list,
    "set": _Builder.fill_set,
    "deque": _Builder.fill_list,
    "dict": _Builder.fill_dict,
    "OrderedDict": _Builder.fill_dict,
    "Counter": _Builder.fill_dict,
    "defaultdict": _Builder.fill_defaultdict,
    "iterator": _Builder.fill_iterator,
    "object": _Builder.fill_object,
    "named": _Builder.fill_named,
    "enum": _Builder.fill_enum,
    "objects": _Builder.fill_objects,
}
