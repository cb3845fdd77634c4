"""Functions as people write them, with the hints that they give. Each checks that its arguments make sense."""

from __future__ import annotations

import collections
import datetime
import enum
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import (
    Annotated,
    ClassVar,
    Dict,
    FrozenSet,
    List,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Self,
    Set,
    Tuple,
    TypedDict,
    TypeVar,
    Union,
)

T = TypeVar("T")
N = TypeVar("N", int, float)
UserId = NewType("UserId", int)


def two_sum(nums: list[int], target: int) -> list[int]:
    assert all(type(n) is int for n in nums)
    assert type(target) is int


def count_words(text: str) -> dict[str, int]:
    assert type(text) is str


def matmul(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]


def fib(n: int) -> int:
    assert n >= 0


def primes(n: int) -> list[int]:
    assert n >= 0


def gcd(a: int, b: int) -> int:
    assert a >= 0
    assert b >= 0


def shortest(graph: dict[str, dict[str, int]], start: str) -> dict[str, int]:
    assert all(near.keys() <= graph.keys() for near in graph.values())
    assert all(weight > 0 for near in graph.values() for weight in near.values())


def reach(graph: Mapping[int, Set[int]], start: int, goal: int) -> bool:
    assert all(near <= graph.keys() for near in graph.values())
    assert sorted(graph) == list(range(len(graph)))
    assert not graph or {start, goal} <= graph.keys()


def weighted(graph: Dict[str, List[Tuple[str, float]]], start: str) -> float:
    assert all(node in graph and type(weight) is float for near in graph.values() for node, weight in near)


def edges_of(graph: collections.defaultdict[int, tuple[int, ...]]) -> int:
    assert all(set(near) <= graph.keys() for near in graph.values())


def components(n: int, edges: list[tuple[int, int]]) -> int:
    assert all(0 <= a < n and 0 <= b < n for a, b in edges)


def is_anagram(a: str, b: str) -> bool:
    assert type(a) is type(b) is str


def lcs(a: str, b: str) -> str:
    assert type(a) is type(b) is str


def distance(text: str, pattern: str) -> int:
    assert len(pattern) <= max(6, len(text))


def intersect(a: list[int], b: list[int]) -> list[int]:
    assert all(type(n) is int for n in a + b)


def group(rows: list[dict[str, int]], key: str) -> dict[int, list[dict[str, int]]]:
    assert all(row.keys() == rows[0].keys() for row in rows)


def top_k(xs: Sequence[float], k: int) -> list[float]:
    assert all(type(x) is float for x in xs)
    assert k >= 0


def mean_of(xs: list[float], x: float) -> float:
    assert type(x) is float


def dedupe(items: Iterable[str]) -> list[str]:
    assert all(type(item) is str for item in items)


def islands(grid: list[list[int]]) -> int:
    assert len({len(row) for row in grid}) <= 1


def grid_path(board: tuple[tuple[str, ...], ...], words: set[str]) -> int:
    assert len({len(row) for row in board}) <= 1
    assert type(words) is set


def combine(cube: list[list[list[int]]]) -> int:
    assert len({len(row) for layer in cube for row in layer}) <= 1


def histogram(counts: dict[str, int], default: float) -> None:
    assert all(type(key) is str and type(value) is int for key, value in counts.items())


def invert(table: dict[str, list[int]], other: dict[tuple[int, str], bool]) -> None:
    assert all(len(value) <= 9 for value in table.values())


def tags(items: frozenset[int], more: FrozenSet[str]) -> None:
    assert type(items) is type(more) is frozenset


def spread(*numbers: int, **options: int) -> None:
    assert all(type(n) is int for n in numbers)


def walk(items: Iterator[int]) -> int:
    return sum(items)


def chars(data: bytes, buffer: bytearray) -> None:
    assert type(data) is bytes
    assert type(buffer) is bytearray


def bits(a: list, b: dict, c: set, d: tuple, e: bool, f: None) -> None:
    assert type(a) is list
    assert type(d) is tuple
    assert f is None


def triples(items: list[tuple[int, str, float]], one: Tuple[int, ...], pair: tuple[int, list[str]]) -> None:
    assert all(len(item) == 3 for item in items)
    assert len(pair) == 2


def sliding(window: collections.deque[int], size: int, bag: collections.Counter[str]) -> None:
    assert type(window) is collections.deque
    assert type(bag) is collections.Counter


def nearest(points: list[complex], money: list[Decimal], parts: list[Fraction], index: int) -> None:
    assert all(type(each) is Decimal for each in money)
    assert index >= 0


def dates(days: list[datetime.date], at: datetime.datetime, gap: datetime.timedelta) -> None:
    assert isinstance(at, datetime.datetime)


def ids(values: list[uuid.UUID], one: UserId, other: Annotated[int, "more"]) -> None:
    assert all(isinstance(value, uuid.UUID) for value in values)
    assert type(one) is type(other) is int


def pick_first(items: Optional[list[int]], both: list[int | None]) -> None:
    assert items is None or type(items) is list


def both(values: Union[list[int], list[str]], key: int | str) -> None:
    assert len({type(value) for value in values}) <= 1


def alias(items: list[T], number: N) -> list[T]:
    assert all(type(item) is int for item in items)


def flags(
    items: list[int],
    *,
    mode: Literal["up", "down"],
    reverse: bool = False,
    memo: dict[int, int] | None = None,
    seen: list[int] = [],  # noqa: B006
    _depth: int = 0,
    plain=3,
) -> None:
    assert mode in ("up", "down")
    assert memo is None
    assert seen == []
    assert _depth == 0


class Shade(enum.Enum):
    DARK = "d"
    LIGHT = "l"


def shades(items: list[Shade], one: Shade) -> None:
    assert all(isinstance(item, Shade) for item in items)


@dataclass
class Item:
    name: str
    price: float
    shade: Shade
    labels: list[str]
    limit: ClassVar[int] = 3
    notes: list[str] = field(default_factory=list)


def shop(items: list[Item], best: Item) -> None:
    assert all(isinstance(item.name, str) and len(item.labels) <= 9 for item in items)
    assert best.notes == []


class Share(NamedTuple):
    symbol: str
    price: float


def stock(shares: list[Share]) -> float:
    assert all(isinstance(share.price, float) for share in shares)


class Options(TypedDict):
    name: str
    depth: NotRequired[int]


def settings_of(options: Options, all_options: list[Options]) -> None:
    assert type(options["name"]) is str


@dataclass
class Node:
    value: int
    left: Optional[Node]
    right: Node | None


def depth(root: Node | None) -> int:
    assert root is None or isinstance(root, Node)


@dataclass
class Link:
    value: int
    next: Link | None


def length(head: Optional[Link]) -> int:
    assert head is None or isinstance(head, Link)


@dataclass
class Tree:
    value: int
    children: list[Tree]
    named: dict[str, Tree]
    either: int | Tree


def tree_sum(tree: Tree) -> int:
    assert isinstance(tree.children, list)


def total(trees: list[Tree]) -> int:
    assert all(isinstance(tree, Tree) for tree in trees)


class Matrix:
    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = rows

    def multiply(self, other: Matrix) -> Matrix:
        return Matrix(matmul(self.rows, other.rows))

    @classmethod
    def identity(cls, n: int) -> Matrix:
        return cls([[float(i == j) for j in range(n)] for i in range(n)])

    @staticmethod
    def norm(xs: list[float], power: int = 2) -> float:
        assert all(type(x) is float for x in xs)

    def same(self, other: Self) -> bool:
        return self.rows == other.rows


class Plain:
    pass


def self_made(one: Plain, matrix: Matrix) -> None:
    assert isinstance(one, Plain)
    assert isinstance(matrix, Matrix)
