"""From annotations to plans: what the hints of a function say about its arguments."""

from __future__ import annotations

import collections
import collections.abc as abc
import dataclasses
import enum
import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

from peagen_ray.workload import _plans as plans
from peagen_ray.workload._draw import Drawing

_LISTS = (
    list,
    abc.Sequence,
    abc.MutableSequence,
    abc.Collection,
    abc.Iterable,
    abc.Reversible,
    abc.Sized,
    abc.Container,
)
_DICTS: dict[Any, Callable[[dict[Any, Any]], Any]] = {
    dict: dict,
    abc.Mapping: dict,
    abc.MutableMapping: dict,
    collections.OrderedDict: collections.OrderedDict,
}
_SETS: dict[Any, Callable[[list[Any]], Any]] = {
    set: set,
    abc.Set: set,
    abc.MutableSet: set,
    frozenset: frozenset,
}
_LEAVES: dict[Any, plans.Plan] = {
    int: plans.Int(),
    float: plans.Float(),
    str: plans.Str(),
    bytes: plans.Bytes(),
    bool: plans.Choice((False, True)),
    type(None): plans.Choice((None,)),
}


class Refused(Exception):
    """An annotation that does not say enough to make values."""


class Compiler:
    """Makes plans from annotations; a class met inside itself becomes a recursive plan."""

    def __init__(self, owner: type | None = None) -> None:
        self.owner = owner
        self._records: dict[Any, plans.Plan] = {}
        self._open: list[Any] = []

    def plan(self, hint: Any) -> plans.Plan:
        """The plan for an annotation, already evaluated.

        Raises:
            Refused: it does not say enough.
        """
        if hint is Any or hint is object or hint is inspect.Parameter.empty:
            raise Refused("says nothing about its values")
        if not isinstance(hint, abc.Hashable):
            raise Refused(f"{hint!r:.60} is not a type")
        if hint is typing.Self and self.owner is not None:
            hint = self.owner
        if isinstance(hint, typing.TypeVar):
            return self.plan(hint.__bound__ or (hint.__constraints__ or (int,))[0])
        if isinstance(hint, typing.NewType):
            return self.plan(hint.__supertype__)
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if hasattr(hint, "__value__"):  # a type alias of Python 3.12, with its parameters if it has any
            return self.plan(hint.__value__[args] if args else hint.__value__)
        if origin is typing.Annotated:
            return self.plan(args[0])
        if origin is typing.Literal:
            return plans.Choice(args)
        if origin in (typing.Union, types.UnionType):
            return self._union(args)
        if hint in _LEAVES:
            return _LEAVES[hint]
        return self._container(origin or hint, args) or self._class(hint, origin)

    def _union(self, args: tuple[Any, ...]) -> plans.Plan:
        rest = [self.plan(arg) for arg in args if arg is not type(None)]
        if len(rest) == 1 and len(args) == 1:
            return rest[0]
        return plans.OneOf(rest, optional=type(None) in args)

    def _container(self, kind: Any, args: tuple[Any, ...]) -> plans.Plan | None:
        if kind is tuple:
            return self._tuple(args)
        if kind in _LISTS:
            return plans.Sequence(list, self._item(args))
        if kind is collections.deque:
            return plans.Sequence(collections.deque, self._item(args))
        if kind in (abc.Iterator, abc.Generator):
            return plans.Mapped(plans.Sequence(list, self._item(args[:1])), iter)
        if kind in _SETS:
            return plans.Set(_SETS[kind], self._item(args))
        if kind is collections.Counter:
            return plans.Dict(collections.Counter, self.plan(args[0] if args else str), _LEAVES[int])
        if kind in _DICTS:
            return self._dict(_DICTS[kind], args or (str, int))
        if kind is collections.defaultdict:
            return self._defaultdict(args or (str, int))
        if kind is bytearray:
            return plans.Mapped(_LEAVES[bytes], bytearray)
        return self._array(kind, args)

    def _item(self, args: tuple[Any, ...]) -> plans.Plan:
        """Elements of a collection: integers where the annotation does not say; rows where they are dicts."""
        if not args:
            return _LEAVES[int]
        origin, inner = typing.get_origin(args[0]) or args[0], typing.get_args(args[0])
        if origin in _DICTS and (not inner or inner[0] is str):
            value = inner[1] if inner else int
            return plans.Rows(self.plan(int if value is Any else value), _DICTS[origin])
        return self.plan(args[0])

    def _tuple(self, args: tuple[Any, ...]) -> plans.Plan:
        if not args:
            return plans.Sequence(tuple, _LEAVES[int])
        if len(args) == 2 and args[1] is Ellipsis:
            return plans.Sequence(tuple, self._item(args[:1]))
        return plans.Tuple([self.plan(arg) for arg in args if arg != ()])

    def _dict(self, make: Callable[[dict[Any, Any]], Any], args: tuple[Any, ...]) -> plans.Plan:
        key, value = args
        return plans.Dict(make, self.plan(key), self.plan(value), self._links(key, value))

    def _defaultdict(self, args: tuple[Any, ...]) -> plans.Plan:
        factory = typing.get_origin(args[1]) or args[1]
        known = factory if factory in (int, float, str, list, dict, set, bool, tuple) else None
        return self._dict(lambda items: collections.defaultdict(known, items), args)

    def _links(self, key: Any, value: Any) -> Callable[[Drawing, list[Any]], Any] | None:
        """Where a dict's values are made of its own keys, it is a graph: how a node names its neighbours."""
        if key not in (int, str):
            return None
        origin, inner = typing.get_origin(value), typing.get_args(value)
        weights = self.plan(inner[-1]) if inner and inner[-1] in (int, float) else None
        if origin in _LISTS and inner == (key,):
            return lambda _, near: near
        if origin in _SETS and inner == (key,):
            return lambda _, near: _SETS[origin](near)
        if origin is tuple and inner == (key, Ellipsis):
            return lambda _, near: tuple(near)
        if origin in _DICTS and inner[:1] == (key,) and weights is not None:
            return lambda d, near: {node: _weight(d, weights) for node in near}
        if origin in _LISTS and typing.get_origin(inner[0]) is tuple:
            pair = typing.get_args(inner[0])
            if len(pair) == 2 and pair[0] is key and pair[1] in (int, float):
                return lambda d, near: [(node, _weight(d, self.plan(pair[1]))) for node in near]
        return None

    def _array(self, kind: Any, args: tuple[Any, ...]) -> plans.Plan | None:
        """Numpy arrays of one dimension, of floats unless the annotation says integers or booleans."""
        numpy = sys.modules.get("numpy")
        if numpy is None or kind is not numpy.ndarray:
            return None
        scalars = (arg for part in args[1:] for arg in typing.get_args(part) if isinstance(arg, type))
        scalar = next(scalars, float)
        whole = issubclass(scalar, numpy.integer | int)
        item = _LEAVES[bool if issubclass(scalar, numpy.bool_ | bool) else int if whole else float]
        dtype = scalar if issubclass(scalar, numpy.generic) and not inspect.isabstract(scalar) else None
        return plans.Mapped(plans.Sequence(list, item), lambda items: numpy.asarray(items, dtype=dtype))

    def _class(self, hint: Any, origin: Any) -> plans.Plan:
        kind = origin or hint
        if kind in (abc.Callable, typing.Callable) or kind is type:
            raise Refused("is a function or class, which has no obvious examples")
        if not isinstance(kind, type):
            raise Refused(f"{hint!r:.60} is not understood")
        if issubclass(kind, enum.Enum):
            return plans.enumeration(kind)
        if kind in self._open:
            return plans.Again(self._records, kind)
        if kind not in self._records:
            self._open.append(kind)
            self._records[kind] = self._record(kind)
            self._open.pop()
        return self._records[kind]

    def _record(self, kind: type) -> plans.Plan:
        if not _has_fields(kind):
            return _leaf(kind)
        is_row = typing.is_typeddict(kind) or hasattr(kind, "_fields")
        hints = typing.get_type_hints(
            kind if is_row else inspect.getattr_static(kind, "__init__"), include_extras=True
        )
        fields = {}
        for name, hint in _needed(kind, hints):
            plan = self.plan(hint)
            if plan.endless:
                raise Refused(f"{kind.__name__}.{name} holds another {kind.__name__} without end")
            fields[name] = plan
        return plans.Record(kind, fields)


def _weight(d: Drawing, plan: plans.Plan) -> Any:
    """The weight of an edge: small and positive, so that there are ties and shortest paths."""
    weight = d.between(1, 20)
    return float(weight) / 2 if isinstance(plan, plans.Float) else weight


def _has_fields(kind: type) -> bool:
    """Whether a class says what it is made of; hypothesis knows those of the standard library better."""
    if typing.is_typeddict(kind) or dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return True
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names:
        return False
    return isinstance(inspect.getattr_static(kind, "__init__"), types.FunctionType)


def _needed(kind: type, hints: dict[str, Any]) -> list[tuple[str, Any]]:
    """Fields to give a value to: those without a default; typed dicts have them all."""
    if typing.is_typeddict(kind):
        return [(name, _unwrapped(hint)) for name, hint in hints.items()]
    found = []
    for name, parameter in inspect.signature(kind).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is parameter.empty:
            found.append((name, hints.get(name, parameter.empty)))
    return found


def _unwrapped(hint: Any) -> Any:
    wrappers = (typing.Required, typing.NotRequired)
    return typing.get_args(hint)[0] if typing.get_origin(hint) in wrappers else hint


def _leaf(kind: type) -> plans.Plan:
    """A type that hypothesis can make, such as a date or a UUID."""
    from hypothesis import strategies
    from hypothesis.errors import HypothesisException

    if kind not in plans.BULK_LEAVES:
        try:
            strategies.from_type(kind).validate()
        except (HypothesisException, TypeError, ValueError) as error:
            raise Refused(f"{kind.__name__} cannot be made without more information") from error
    return plans.Leaf(kind)
