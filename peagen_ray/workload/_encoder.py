"""The untrusted end of the codec: a value becomes bytes, by exact types and base-class methods only."""

from __future__ import annotations

import array
import collections
import copyreg
import enum
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, count, repeat
from operator import attrgetter
from types import MemberDescriptorType, MethodDescriptorType, ModuleType
from typing import Any

from peagen_ray.workload._values import (
    MAX_PLAIN_INT,
    SCALARS,
    VERSION,
    Named,
    ValueTooLarge,
    to_base64,
    write_leaf,
)
from peagen_ray.workload.target import DRAIN_LIMIT, Drained, drain

_MESSAGE_CHARS = 200
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
_REPR = attrgetter("__repr__")
_MRO: Any = type.__dict__["__mro__"]

Slot = Any
Node = list[Any]


def encode(value: Any, *, limit_bytes: int) -> bytes:
    """Encode any value; iterators in it are drained. The format is drawn in ``codec``.

    Args:
        value: anything; what has no content to read is known by its type or its ``repr``.
        limit_bytes: longest encoding allowed.

    Raises:
        ValueTooLarge: it is longer. Much larger values are refused before they are written out.
    """
    data = _Encoder(limit_bytes).run(value).encode("utf-8", "surrogatepass")
    if len(data) > limit_bytes:
        raise ValueTooLarge(f"encoded value has {len(data)} bytes, {limit_bytes} are allowed")
    return data


class _Encoder:
    """One encoding. ``objects[i]`` becomes ``heap[i]``; being kept alive there, no two share an id."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit
        self.memo: dict[int, tuple[int, ...]] = {}
        self.objects: list[Any] = []

    def run(self, value: Any) -> str:
        root = self.slot(value)
        heap: list[Node] = []
        while len(heap) < len(self.objects):
            heap.append(self.node(self.objects[len(heap)], len(heap)))
        return _JSON.encode([VERSION, root, heap])

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise ValueTooLarge(f"encoded value would exceed {self.limit} bytes")

    def slot(self, value: Any) -> Slot:
        kind = type(value)
        if kind in SCALARS:
            if kind is str:
                self.spend(len(value))
            if kind is not int or -MAX_PLAIN_INT < value < MAX_PLAIN_INT:
                return value
        leaf = write_leaf(value)
        if leaf is not None:
            self.spend(len(leaf[1]) if type(leaf[1]) is str else 1)
            return leaf
        known = self.memo.get(id(value))
        if known is None:
            known = self.memo[id(value)] = (len(self.objects),)
            self.objects.append(value)
        return known

    def slots(self, items: Sequence[Any]) -> Sequence[Slot]:
        """Slots of a list or tuple; the same object where JSON can take it as it is."""
        self.spend(len(items))
        if self._is_plain(items):
            return items
        return [self.slot(item) for item in items]

    def _is_plain(self, items: Sequence[Any]) -> bool:
        """Whether every item is a scalar that JSON carries as it is; loops in C only."""
        types = set(map(type, items))
        if not types <= SCALARS:
            return False
        if str in types:
            self.spend(sum(map(len, items if len(types) == 1 else [x for x in items if type(x) is str])))
        if int in types:
            numbers = items if len(types) == 1 else [x for x in items if type(x) is int]
            return min(numbers) > -MAX_PLAIN_INT and max(numbers) < MAX_PLAIN_INT
        return True

    def node(self, value: Any, index: int) -> Node:
        kind = type(value)
        if kind is list or kind is tuple:
            return self._rows(value, index) or [kind.__name__, self.slots(value)]
        writer = _NODES.get(kind)
        if writer is not None:
            return writer(self, value)
        try:
            return self._other(value)
        except ValueTooLarge:
            raise
        except Exception as error:  # noqa: BLE001  (an object whose class defends itself is known by that)
            return ["object", type.__repr__(kind), None, ["unreadable"], [type(error).__name__]]

    def _rows(self, items: Sequence[Any], index: int) -> Node | None:
        """A sequence of lists or tuples of scalars in one piece; each row can still be referred to."""
        types = set(map(type, items))
        if types != {list} and types != {tuple}:
            return None
        self.spend(len(items) + sum(map(len, items)))
        if not self._is_plain(list(chain.from_iterable(items))):
            return None
        ids = list(map(id, items))
        if len(set(ids)) < len(ids) or not self.memo.keys().isdisjoint(ids):
            return None
        self.memo.update(zip(ids, zip(repeat(index), count()), strict=False))
        return ["rows", type(items).__name__, types.pop().__name__, items]

    def _other(self, value: Any) -> Node:
        """Any value that is not exactly of a built-in container type."""
        kind = type(value)
        mro: tuple[type, ...] = _MRO.__get__(kind)
        if kind is Drained:
            return self.iterator(value)
        if BaseException in mro:
            return ["error", type_name(kind), _message(value)]
        if enum.Enum in mro:
            return ["enum", type_name(kind), value._name_, self.slot(value._value_)]
        numpy = sys.modules.get("numpy")
        if numpy is not None and numpy.ndarray in mro and kind is numpy.ndarray:
            return self.ndarray(value)
        if numpy is not None and numpy.generic in mro:
            return ["npscalar", _dtype(value.dtype), [], to_base64(value.tobytes())]
        if type in mro or ModuleType in mro or _is_named(value):
            return ["reference", self.slot(Named(_qualified(value)))]
        if hasattr(kind, "__next__") and hasattr(kind, "__iter__"):
            return self.iterator(drain(value, min(self.left, DRAIN_LIMIT)))
        return self.object(value, kind, mro)

    def iterator(self, value: Drained) -> Node:
        error = None if value.error is None else self.slot(value.error)
        return ["iterator", self.slots(value.items), value.truncated, error]

    def unordered(self, tag: str, items: Iterable[Any]) -> Node:
        """A set; sorted where that is possible, since a set of texts has another order in every process."""
        members = list(items)
        if set(map(type, members)) in ({int}, {str}):
            members.sort()
        return [tag, self.slots(members)]

    def mapping(self, tag: str, keys: list[Any], values: list[Any]) -> Node:
        return [tag, self.slots(keys), self.slots(values)]

    def binary(self, tag: str, data: bytes, *head: Any) -> Node:
        self.spend(len(data))
        return [tag, *head, to_base64(data)]

    def ndarray(self, value: Any) -> Node:
        shape = list(value.shape)
        if value.dtype.hasobject:
            return ["objects", shape, self.slots(value.ravel().tolist())]
        return self.binary("ndarray", value.tobytes(), _dtype(value.dtype), shape)

    def object(self, value: Any, kind: type, mro: tuple[type, ...]) -> Node:
        fields = kind.__dict__.get("_fields")
        if tuple in mro and isinstance(fields, tuple) and set(map(type, fields)) <= {str}:
            items = tuple(tuple.__iter__(value))
            if len(fields) == len(items):
                return ["named", type_name(kind), fields, self.slots(items)]
        content = _content(value, mro)
        state = _state(value, mro)
        if content is None and not state:
            state = _reduced(value, kind, mro)
        names = sorted(state)
        base = None if content is None else self.slot(content)
        self.spend(sum(map(len, names)))
        return ["object", type_name(kind), base, names, self.slots([state[name] for name in names])]


_NODES: dict[type, Callable[[_Encoder, Any], Node]] = {
    set: lambda e, v: e.unordered("set", v),
    frozenset: lambda e, v: e.unordered("frozenset", v),
    dict: lambda e, v: e.mapping("dict", list(v), list(v.values())),
    collections.OrderedDict: lambda e, v: e.mapping("OrderedDict", list(v), list(v.values())),
    collections.Counter: lambda e, v: e.mapping("Counter", list(v), list(v.values())),
    collections.defaultdict: lambda e, v: [
        *e.mapping("defaultdict", list(v), list(v.values())),
        e.slot(v.default_factory),
    ],
    collections.deque: lambda e, v: ["deque", e.slots(list(v)), v.maxlen],
    bytearray: lambda e, v: e.binary("bytearray", bytes(v)),
    array.array: lambda e, v: e.binary("array", v.tobytes(), v.typecode),
}

_CONTENTS: dict[type, Callable[[Any], Any]] = {
    collections.OrderedDict: lambda v: {
        k: dict.__getitem__(v, k) for k in collections.OrderedDict.__iter__(v)
    },
    collections.deque: lambda v: list(collections.deque.__iter__(v)),
    dict: lambda v: dict(dict.items(v)),
    list: lambda v: list(list.__iter__(v)),
    tuple: lambda v: tuple(tuple.__iter__(v)),
    set: lambda v: set(set.__iter__(v)),
    frozenset: lambda v: frozenset(frozenset.__iter__(v)),
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    complex: complex.__complex__,
    bytes: lambda v: bytes.__getitem__(v, slice(None)),
    bytearray: lambda v: bytearray.__getitem__(v, slice(None)),
    memoryview: memoryview.tobytes,
    slice: lambda v: (v.start, v.stop, v.step),
    type({}.keys()): list,
    type({}.values()): list,
    type({}.items()): list,
    type(type.__dict__): dict,
}


def type_name(kind: type) -> str:
    """``module.qualname`` of a class."""
    return _qualified(kind)


def _qualified(value: Any) -> str:
    if type(value) is ModuleType:
        return f"module {value.__name__}"
    return f"{value.__module__}.{value.__qualname__}"


def _is_named(value: Any) -> bool:
    """A function of any make: it carries its own name, which an instance of a class does not."""
    return callable(value) and isinstance(getattr(value, "__qualname__", None), str)


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_MESSAGE_CHARS]
    except Exception:  # noqa: BLE001  (the target's own __str__)
        return ""


def _dtype(dtype: Any) -> str:
    return str(dtype.str) if dtype.fields is None else repr(dtype.descr)


def _content(value: Any, mro: tuple[type, ...]) -> Any:
    """What the object holds as an instance of a built-in base class, by that class's own methods."""
    pathlib = sys.modules.get("pathlib")
    if pathlib is not None and pathlib.PurePath in mro:
        return str(value)
    for base in mro:
        if base in _CONTENTS:
            return _CONTENTS[base](value)
    numpy = sys.modules.get("numpy")
    return numpy.asarray(value) if numpy is not None and numpy.ndarray in mro else None


def _state(value: Any, mro: tuple[type, ...]) -> dict[str, Any]:
    """Attributes in ``__dict__`` and in slots, read past any ``__getattribute__``."""
    state: dict[str, Any] = {}
    for base in mro:
        for name, member in vars(base).items():
            if isinstance(member, MemberDescriptorType):
                try:
                    state.setdefault(name, member.__get__(value))
                except AttributeError:
                    continue
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return state
    if isinstance(attributes, dict):
        state.update((str(name), item) for name, item in attributes.items())
    return state


def _reduced(value: Any, kind: type, mro: tuple[type, ...]) -> dict[str, Any]:
    """State of an extension type: what it would be pickled from, else its ``repr`` without addresses."""
    reducer = copyreg.dispatch_table.get(kind)
    own = [vars(base).get(name) for base in mro[:-1] for name in ("__reduce__", "__reduce_ex__")]
    try:
        if reducer is not None:
            return {"reduced": tuple(reducer(value))[1:]}
        if any(isinstance(method, MethodDescriptorType) for method in own):
            return {"reduced": tuple(value.__reduce_ex__(4))[1:]}
        if _REPR(kind) is not object.__repr__:
            return {"repr": _ADDRESS.sub("", repr(value))[:_MESSAGE_CHARS]}
    except Exception:  # noqa: BLE001  (an object that cannot be read is known by its type)
        return {}
    return {}
