"""Plans: how to make values of a type. Compiled once from annotations, drawn from many times."""

from __future__ import annotations

import datetime as dt
import enum
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from peagen_ray.workload._draw import REAL_STEP, Drawing, word

INNER = 3
"""How many elements a collection gets inside elements of another, such as a dict's values."""

_EPOCH = dt.datetime(2020, 1, 1)

Links = Callable[[Drawing, list[Any]], Any]

BULK_LEAVES: dict[Any, Callable[[Drawing], Any]] = {
    complex: lambda d: complex(d.real(), d.real()),
    Decimal: lambda d: Decimal(d.number()) / 100,
    Fraction: lambda d: Fraction(d.number(), d.between(1, 12)),
    dt.date: lambda d: _EPOCH.date() + dt.timedelta(days=d.number()),
    dt.datetime: lambda d: _EPOCH + dt.timedelta(minutes=d.number()),
    dt.timedelta: lambda d: dt.timedelta(seconds=d.number()),
}
"""Types that hypothesis would draw from all of history, where nearby values serve better."""


class Plan(ABC):
    """Makes values of one type.

    Attributes:
        recursive: its values may hold others of the class that is being drawn.
        endless: each of its values does.
        depth: levels of sequences inside each other; 0 for anything else.
    """

    recursive: bool = False
    endless: bool = False
    depth: int = 0

    @abstractmethod
    def draw(self, d: Drawing, size: int) -> Any:
        """One value, with about ``size`` parts where it has parts."""

    def fill(self, d: Drawing, count: int) -> list[Any]:
        """Many values, as elements of a collection."""
        return [self.draw(d, INNER) for _ in range(count)]


class Int(Plan):
    """Integers."""

    def draw(self, d: Drawing, _size: int) -> int:
        """See ``Plan``."""
        return d.number()

    def fill(self, d: Drawing, count: int) -> list[int]:
        """See ``Plan``."""
        return d.numbers(count)


class Float(Plan):
    """Finite floats."""

    def draw(self, d: Drawing, _size: int) -> float:
        """See ``Plan``."""
        return d.real()

    def fill(self, d: Drawing, count: int) -> list[float]:
        """See ``Plan``."""
        return [number * REAL_STEP for number in d.numbers(count)]


class Str(Plan):
    """Words; a text that is an argument of its own is drawn by ``_arguments``."""

    def draw(self, d: Drawing, _size: int) -> str:
        """See ``Plan``."""
        return d.word()

    def fill(self, d: Drawing, count: int) -> list[str]:
        """See ``Plan``."""
        return d.words(count)


class Bytes(Plan):
    """``bytes`` of the size asked for."""

    def draw(self, d: Drawing, size: int) -> bytes:
        """See ``Plan``."""
        return bytes(abs(number) % 256 for number in d.numbers(d.length(size)))


@dataclass(frozen=True)
class Choice(Plan):
    """One of given values: ``bool``, ``None``, an enumeration, a literal."""

    values: tuple[Any, ...]

    def draw(self, d: Drawing, _size: int) -> Any:
        """See ``Plan``."""
        return d.pick(self.values)


@dataclass(frozen=True)
class Leaf(Plan):
    """A type without parts: made here, or else by hypothesis."""

    kind: Any

    def draw(self, d: Drawing, _size: int) -> Any:
        """See ``Plan``."""
        make = BULK_LEAVES.get(self.kind)
        return d.custom(self.kind) if make is None else make(d)


@dataclass(frozen=True)
class Mapped(Plan):
    """Values of another plan, passed through a function: ``iter``, ``bytearray``, ``numpy.asarray``."""

    plan: Plan
    make: Callable[[Any], Any]

    def draw(self, d: Drawing, size: int) -> Any:
        """See ``Plan``."""
        return self.make(self.plan.draw(d, size))


@dataclass
class OneOf(Plan):
    """A union; ``None`` once in eight times where it is one of the types."""

    plans: list[Plan]
    optional: bool = False

    def __post_init__(self) -> None:
        self.recursive = any(plan.recursive for plan in self.plans)
        self.endless = not self.optional and all(plan.endless for plan in self.plans)

    def draw(self, d: Drawing, size: int) -> Any:
        """See ``Plan``."""
        at_end = self.recursive and (size <= 0 or d.too_deep)
        if self.optional and (at_end or (not self.recursive and d.chance(8))):
            return None
        ending = [plan for plan in self.plans if not plan.endless]
        return d.pick(ending if at_end else self.plans).draw(d, size)


@dataclass
class Sequence(Plan):
    """A list, or what ``make`` makes of one. Sequences in sequences are rectangular."""

    make: Callable[[list[Any]], Any]
    item: Plan

    def __post_init__(self) -> None:
        self.recursive = self.item.recursive
        self.depth = 1 + self.item.depth

    def draw(self, d: Drawing, size: int) -> Any:
        """See ``Plan``."""
        if self.recursive:
            return self.make(_offspring(self.item, d, size))
        if self.depth == 1:
            return self.make(self.item.fill(d, d.length(size)))
        if self.depth == 2 and size == d.size:
            count, inner = d.rows, d.columns
        else:
            count = round(size ** (1 / self.depth))
            inner = round(size / count) if count else 0
        return self.make([self._row(d, inner) for _ in range(count)])

    def _row(self, d: Drawing, size: int) -> Any:
        """One inner sequence: all of them have the same length, whatever ``length`` says."""
        if isinstance(self.item, Sequence) and self.item.depth == 1:
            return self.item.make(self.item.item.fill(d, size))
        return self.item.draw(d, size)


@dataclass
class Set(Plan):
    """A set or frozenset of distinct elements."""

    make: Callable[[list[Any]], Any]
    item: Plan

    def draw(self, d: Drawing, size: int) -> Any:
        """See ``Plan``; fewer elements where the type has not so many values."""
        return self.make(distinct(self.item, d, d.length(size)))


@dataclass
class Tuple(Plan):
    """A tuple of fixed length."""

    items: list[Plan]

    def __post_init__(self) -> None:
        self.recursive = any(item.recursive for item in self.items)
        self.endless = any(item.endless for item in self.items)

    def draw(self, d: Drawing, size: int) -> tuple[Any, ...]:
        """See ``Plan``."""
        return tuple(item.draw(d, size) for item in self.items)


@dataclass
class Dict(Plan):
    """A mapping.

    Attributes:
        links: makes the value of a node from the keys of its neighbours, where values refer to keys: a graph.
    """

    make: Callable[[dict[Any, Any]], Any]
    key: Plan
    value: Plan
    links: Links | None = None

    def __post_init__(self) -> None:
        self.recursive = self.value.recursive

    def draw(self, d: Drawing, size: int) -> Any:
        """See ``Plan``; a graph is connected."""
        if self.recursive:
            return self.make({word(i): child for i, child in enumerate(_offspring(self.value, d, size))})
        keys = self.keys(d, d.length(size))
        if self.links is None:
            return self.make(dict(zip(keys, self.value.fill(d, len(keys)), strict=True)))
        return self.make(self._graph(d, keys, self.links))

    def keys(self, d: Drawing, count: int) -> list[Any]:
        """Distinct keys: the first integers or words, where it is a graph."""
        if self.links is None:
            return distinct(self.key, d, count)
        if isinstance(self.key, Int):
            return list(range(count))
        return [word(index) for index in range(count)]

    def _graph(
        self, d: Drawing, keys: list[Any], links: Callable[[Drawing, list[Any]], Any]
    ) -> dict[Any, Any]:
        """Each node leads to the next on a path through all of them, and to up to three others."""
        order = d.shuffled(keys)
        graph = {}
        follower = dict(pairwise(order))
        for key in keys:
            near = {follower[key]: None} if key in follower else {}
            near.update((d.pick(keys), None) for _ in range(d.between(0, INNER)))
            near.pop(key, None)
            graph[key] = links(d, list(near))
        return graph


@dataclass
class Record(Plan):
    """An object made from its fields: a dataclass, named tuple, typed dict, or by its ``__init__``."""

    make: Callable[..., Any]
    fields: dict[str, Plan] = field(default_factory=dict)

    def draw(self, d: Drawing, size: int) -> Any:
        """See ``Plan``; where the class refers to itself, ``size`` objects in all."""
        inner = [name for name, plan in self.fields.items() if plan.recursive]
        shares = dict(zip(inner, _split(d, size - 1, len(inner)), strict=True))
        d.depth += 1
        values = {name: plan.draw(d, shares.get(name, size)) for name, plan in self.fields.items()}
        d.depth -= 1
        return self.make(**values)


@dataclass
class Again(Plan):
    """The class that is being defined, inside itself."""

    plans: dict[Any, Plan]
    kind: Any
    recursive: bool = True
    endless: bool = True

    def draw(self, d: Drawing, size: int) -> Any:
        """See ``Plan``."""
        return self.plans[self.kind].draw(d, size)


@dataclass(frozen=True)
class Rows(Plan):
    """Dicts with the same keys, as records have."""

    value: Plan
    make: Callable[[dict[Any, Any]], Any] = dict

    def draw(self, d: Drawing, _size: int) -> Any:
        """See ``Plan``."""
        return self.fill(d, 1)[0]

    def fill(self, d: Drawing, count: int) -> list[Any]:
        """Rows over two to five keys."""
        keys = [word(index) for index in range(d.between(2, 5))]
        return [self.make(dict(zip(keys, self.value.fill(d, len(keys)), strict=True))) for _ in range(count)]


def distinct(plan: Plan, d: Drawing, count: int) -> list[Any]:
    """``count`` different values; fewer where the type does not have as many."""
    found: dict[Any, None] = {}
    for _ in range(8):
        missing = count - len(found)
        if missing <= 0:
            break
        found.update(dict.fromkeys(plan.fill(d, missing)))
    if len(found) < count and isinstance(plan, Int | Str):
        spare = (word(index) if isinstance(plan, Str) else index for index in range(2 * count))
        found.update(dict.fromkeys(spare))
    return list(found)[:count]


def enumeration(kind: type[enum.Enum]) -> Plan:
    """The members of an enumeration."""
    return Choice(tuple(kind))


def _offspring(plan: Plan, d: Drawing, size: int) -> list[Any]:
    """Up to three children, of ``size`` objects in all; none where a recursive object must end."""
    if size <= 0 or d.too_deep:
        return []
    return [plan.draw(d, share) for share in _split(d, size, d.between(1, INNER)) if share > 0]


def _split(d: Drawing, size: int, parts: int) -> list[int]:
    """``size`` in that many parts, any of which may be zero."""
    if parts == 0:
        return []
    cuts = sorted(d.between(0, max(0, size)) for _ in range(parts - 1))
    return [high - low for low, high in zip([0, *cuts], [*cuts, max(0, size)], strict=True)]
