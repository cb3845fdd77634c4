"""Values of a graph in a few characters, for messages that people read."""

from __future__ import annotations

from typing import Any

from peagen_ray.workload._graph import Graph
from peagen_ray.workload._values import SCALARS, Named, Opaque
from peagen_ray.workload.target import MODULE_NAME

_CHARS = 60
_ITEMS = 6
_BRACKETS = {"tuple": ("(", ")"), "set": ("{", "}")}


def show(graph: Graph, item: Any) -> str:
    """A slot as at most about 60 characters on one line, however large or hostile the value."""
    if type(item) is list:
        node = graph.row(item)
        return _shorten(_WRITERS.get(node[0], _plain)(graph, node))
    return show_leaf(item)


def show_leaf(value: Any) -> str:
    """A leaf as at most about 60 characters on one line."""
    if type(value) is int and value.bit_length() > 256:
        return f"an int of {value.bit_length()} bits"
    if isinstance(value, str | bytes) and len(value) > _CHARS:
        return f"{value[: _CHARS // 2]!r}... ({len(value)} {'characters' if type(value) is str else 'bytes'})"
    if isinstance(value, Opaque | Named):
        return show_name(value.name) if isinstance(value, Named) else f"a {show_name(value.type_name)}"
    try:
        return _shorten(repr(value))
    except ValueError:  # a fraction or range of integers too long for decimal text
        return f"a large {type(value).__name__}"


def show_name(name: str) -> str:
    """The name of a class, without the modules that go without saying."""
    return _shorten(name.removeprefix("builtins.").removeprefix(f"{MODULE_NAME}."))


def _shorten(text: str) -> str:
    text = text.encode("ascii", "backslashreplace").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= _CHARS else f"{text[: _CHARS - 3]}..."


def _items(items: list[Any]) -> str | None:
    """The items, where they are few and all leaves."""
    if len(items) > _ITEMS or any(type(item) is list for item in items):
        return None
    return ", ".join(map(show_leaf, items))


def _sequence(_: Graph, node: list[Any]) -> str:
    text = _items(node[1])
    if text is None:
        return f"a {node[0]} of {len(node[1])}"
    opening, closing = _BRACKETS.get(node[0], ("[", "]"))
    name = "" if node[0] in ("list", "tuple", "set") else node[0]
    return f"{name}{opening}{text}{',' if node[0] == 'tuple' and len(node[1]) == 1 else ''}{closing}"


def _mapping(_: Graph, node: list[Any]) -> str:
    keys, values = node[1], node[2]
    if len(keys) > _ITEMS or not set(map(type, [*keys, *values])) <= SCALARS:
        return f"a {node[0]} of {len(keys)}"
    text = ", ".join(f"{show_leaf(k)}: {show_leaf(v)}" for k, v in zip(keys, values, strict=True))
    return f"{'' if node[0] == 'dict' else node[0]}{{{text}}}"


def _rows(_: Graph, node: list[Any]) -> str:
    return f"a {node[1]} of {len(node[3])}"


def _iterator(_: Graph, node: list[Any]) -> str:
    return f"an iterator over {_items(node[1]) or f'{len(node[1])} items'}"


def _plain(_: Graph, node: list[Any]) -> str:
    return f"a {node[0]}"


_WRITERS: dict[str, Any] = {
    **dict.fromkeys(("list", "tuple", "set", "frozenset", "deque"), _sequence),
    **dict.fromkeys(("dict", "OrderedDict", "Counter", "defaultdict"), _mapping),
    "rows": _rows,
    "iterator": _iterator,
    "bytearray": lambda _, node: f"bytearray({show_leaf(node[1])})",
    "array": lambda _, node: f"an array of type {node[1]!r}",
    "ndarray": lambda _, node: f"an array of {node[1]} and shape {tuple(node[2])}",
    "objects": lambda _, node: f"an array of objects and shape {tuple(node[1])}",
    "npscalar": lambda _, node: f"a numpy scalar of {node[1]}",
    "object": lambda _, node: f"a {show_name(node[1])}",
    "named": lambda _, node: f"a {show_name(node[1])}",
    "enum": lambda _, node: f"{show_name(node[1])}.{node[2]}",
    "error": lambda _, node: f"{show_name(node[1])}({show_name(node[2])})",
    "reference": lambda _, node: show_leaf(node[1]),
}
