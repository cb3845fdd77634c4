"""Values cross from an untrusted process with their value and type, and nothing else does."""

from __future__ import annotations

import array
import collections
import datetime as dt
import enum
import functools
import itertools
import json
import math
import re
import struct
import sys
import uuid
import zoneinfo
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.workload.codec import Array, Named, Opaque, ValueTooLarge, decode, encode
from peagen_ray.workload.target import Drained

numpy = pytest.importorskip("numpy")

LIMIT = 50_000_000
ZONE = zoneinfo.ZoneInfo("UTC")


def there_and_back(value: Any) -> Any:
    return decode(encode(value, limit_bytes=LIMIT))


def alike(left: Any, right: Any) -> bool:
    """Equal in value and exact type, bit for bit where there are bits."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return math.isnan(left) == math.isnan(right) and (
            math.isnan(left) or struct.pack("d", left) == struct.pack("d", right)
        )
    if isinstance(left, complex):
        return alike(left.real, right.real) and alike(left.imag, right.imag)
    if isinstance(left, list | tuple | collections.deque):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, dict):
        return alike(list(left.items()), list(right.items()))
    if isinstance(left, array.array):
        return left.typecode == right.typecode and left.tobytes() == right.tobytes()
    if isinstance(left, Decimal):
        return left.as_tuple() == right.as_tuple()
    if isinstance(left, dt.datetime | dt.time):
        return left.isoformat() == right.isoformat() and left.fold == right.fold
    return bool(left == right)


ANY_CHARACTER = st.characters(exclude_categories=[])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63, 2**5000).map(lambda n: -n)
    | st.floats()
    | st.text(ANY_CHARACTER, max_size=5)
    | st.binary(max_size=5)
    | st.complex_numbers()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC), allow_imaginary=True)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.builds(range, st.integers(), st.integers(), st.integers(1, 9))
    | st.sampled_from([..., NotImplemented])
)
KEYS = st.recursive(
    st.none() | st.integers() | st.text(ANY_CHARACTER, max_size=3) | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, max_size=4).map(collections.deque)
        | st.sets(KEYS, max_size=4)
        | st.frozensets(KEYS, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4).map(collections.OrderedDict)
        | st.dictionaries(KEYS, inner, max_size=4).map(lambda d: collections.defaultdict(list, d))
        | st.dictionaries(KEYS, st.integers(), max_size=4).map(collections.Counter)
        | st.binary(max_size=4).map(bytearray)
        | st.lists(st.floats(), max_size=4).map(lambda xs: array.array("d", xs))
        | st.lists(st.lists(st.integers(), max_size=3), max_size=3)
        | st.lists(st.tuples(st.integers(), st.floats()), max_size=3)
    ),
    max_leaves=20,
)


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_built_in_values_come_back_bit_for_bit(value):
    assert alike(there_and_back(value), value)


@pytest.mark.parametrize(
    "value",
    [
        "\ud83d\ude00",
        "\0",
        "é",
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        2**64,
        -(2**64),
        10**6000,
        True,
        1,
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_the_classic_losers_of_json_come_back(value):
    assert alike(there_and_back(value), value)
    assert alike(there_and_back([value, [value]]), [value, [value]])


@pytest.mark.parametrize(
    "value",
    [
        collections.deque([1, 2], maxlen=2),
        collections.defaultdict(int, {1: 2}),
        collections.Counter({"b": 1, "a": -2}),
        dt.datetime(2020, 1, 1, fold=1),
        dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
        Decimal("1.10"),
        Decimal("-0"),
        Fraction(-1, 3),
        array.array("b", [-1]),
        {(1, frozenset([2])): [1]},
    ],
)
def test_their_particulars_come_back(value):
    back = there_and_back(value)
    assert alike(back, value)
    assert getattr(back, "maxlen", None) == getattr(value, "maxlen", None)
    assert getattr(back, "default_factory", None) == getattr(value, "default_factory", None)


def test_a_decimal_that_is_no_number_comes_back():
    assert str(there_and_back(Decimal("sNaN12"))) == "sNaN12"


def test_sharing_is_kept():
    row: list[Any] = [1, "x", None]
    same, also, other = there_and_back([row, row, list(row)])
    assert same is also
    assert same is not other
    rows = [[1], [2]]
    first, again = there_and_back([rows, rows[0]])
    assert first[0] is again


def test_cycles_are_kept():
    ring: list[Any] = [1]
    ring.append({"back": (ring,)})
    back = there_and_back(ring)
    assert back[1]["back"][0] is back


@pytest.mark.parametrize(
    "wrap", [lambda x: [x], lambda x: (x,), lambda x: {"k": x}, lambda x: frozenset([x])]
)
def test_depth_costs_nothing(wrap):
    value: Any = 1
    for _ in range(20_000):
        value = wrap(value)
    back, depth = there_and_back(value), 0
    while back != 1:
        back = next(iter(back.values() if isinstance(back, dict) else back))
        depth += 1
    assert depth == 20_000


def test_a_linked_list_of_objects_is_read_without_recursion():
    class Node:
        def __init__(self, link):
            self.link = link

    head = None
    for _ in range(20_000):
        head = Node(head)
    back, length = there_and_back(head), 0
    while back is not None:
        back, length = back.link, length + 1
    assert length == 20_000


@dataclass
class Point:
    x: int
    y: Any = None


class Slotted:
    __slots__ = ("__hidden", "a", "unset")

    def __init__(self):
        self.a, self.__hidden = 1, 2


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Both(enum.Flag):
    A = 1
    B = 2


Pair = collections.namedtuple("Pair", "left right")


class Hostile(list):
    """A list that lies about all that it is."""

    def __init__(self, items):
        super().__init__(items)
        self.extra = 1

    def __iter__(self):
        raise RuntimeError("no")

    __len__ = __getitem__ = __iter__

    def __eq__(self, other):
        return True

    __hash__ = None

    def __getattribute__(self, name):
        raise RuntimeError("no")


def test_objects_become_what_they_hold():
    point = there_and_back(Point(1, [2]))
    assert isinstance(point, Opaque)
    assert point.type_name == f"{__name__}.Point"
    assert (point.x, point.y) == (1, [2])
    assert repr(point) == f"<{__name__}.Point with x, y>"
    with pytest.raises(AttributeError, match="no attribute 'z'"):
        _ = point.z


def test_slots_are_read_and_empty_ones_left_out():
    assert there_and_back(Slotted()).state == {"_Slotted__hidden": 2, "a": 1}


def test_a_named_tuple_has_its_items_and_its_names():
    pair = there_and_back(Pair(1, [2]))
    assert (pair.left, pair[1], len(pair), list(pair)) == (1, [2], 2, [1, [2]])
    assert bool(pair)


@pytest.mark.parametrize(("member", "name", "value"), [(Color.RED, "RED", 1), (Level.LOW, "LOW", 1)])
def test_enum_members_are_known_by_class_name_and_value(member, name, value):
    found = there_and_back(member)
    assert found.state == {"name": name, "value": value}
    assert found.type_name.endswith(type(member).__name__)


def test_combined_flags_cross():
    assert there_and_back(Both.A | Both.B).state["value"] == 3


def test_subclasses_are_read_by_the_methods_of_their_base():
    hostile = there_and_back(Hostile([1, 2]))
    assert hostile.content == [1, 2]
    assert hostile.state == {"extra": 1}

    class Text(str):
        def __str__(self):
            return "lie"

    class Number(int):
        __slots__ = ()

    class Ratio(float):
        def __float__(self):
            return 0.0

    class Table(dict):
        def items(self):
            return []

    class Ordered(collections.OrderedDict):
        pass

    table = Ordered(a=1, b=2)
    table.move_to_end("a")
    assert there_and_back(Text("truth")).content == "truth"
    assert there_and_back(Number(7)).content == 7
    assert there_and_back(Ratio(0.5)).content == 0.5
    assert there_and_back(Table({1: 2})).content == {1: 2}
    assert list(there_and_back(table).content) == ["b", "a"]


@pytest.mark.parametrize("kind", [set, frozenset, tuple, bytes, bytearray, collections.deque])
def test_subclasses_of_every_container_keep_their_content(kind):
    sub = type("Sub", (kind,), {})
    content = there_and_back(sub([1, 2])).content
    assert list(content) == [1, 2]


def test_exceptions_are_known_by_type():
    class Failed(Exception):
        def __str__(self):
            raise RuntimeError("no")

    assert there_and_back(ValueError("bad")).type_name == "builtins.ValueError"
    assert there_and_back(ValueError("x" * 999)).state["message"] == "x" * 200
    assert there_and_back(Failed()).type_name.endswith("Failed")


def test_functions_classes_and_modules_are_known_by_name():
    assert there_and_back(len) == Named("builtins.len")
    assert there_and_back(Point) == Named(f"{__name__}.Point")
    assert there_and_back(json) == Named("module json")
    assert there_and_back(functools.lru_cache(there_and_back)) == Named(f"{__name__}.there_and_back")


def test_iterators_are_drained_and_marked():
    drained = there_and_back(x for x in "ab")
    assert isinstance(drained, Drained)
    assert drained.items == ["a", "b"]
    nested = there_and_back([iter([1]), map(str, [2])])
    assert [each.items for each in nested] == [[1], ["2"]]


def test_a_failing_iterator_tells_its_error():
    def broken():
        yield 1
        raise KeyError

    drained = there_and_back(broken())
    assert drained.items == [1]
    assert drained.error.type_name == "builtins.KeyError"


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ({1: 2}.keys(), [1]),
        ({1: 2}.values(), [2]),
        ({1: 2}.items(), [(1, 2)]),
        (memoryview(b"ab"), b"ab"),
        (slice(1, 2), (1, 2, None)),
        (PurePosixPath("/a/b"), "/a/b"),
    ],
)
def test_views_and_paths_keep_their_content(value, content):
    assert there_and_back(value).content == content


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (re.compile("a"), re.compile("b")),
        (functools.partial(int, base=2), functools.partial(int, base=8)),
        (uuid.UUID(int=1), uuid.UUID(int=2)),
        (itertools.product, itertools.chain),
        (
            dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
            dt.datetime(2021, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
        ),
    ],
)
def test_extension_types_are_told_apart(one, other):
    assert encode(one, limit_bytes=LIMIT) == encode(one, limit_bytes=LIMIT)
    assert encode(one, limit_bytes=LIMIT) != encode(other, limit_bytes=LIMIT)


def test_objects_that_defend_themselves_are_known_by_that():
    class Meta(type):
        @property
        def __module__(cls):
            raise RuntimeError("no")

    class Guarded(metaclass=Meta):
        pass

    assert there_and_back(Guarded()).state == {"unreadable": "RuntimeError"}


def test_what_cannot_be_read_is_known_by_its_type():
    class Refuses:
        __slots__ = ()

        def __repr__(self):
            raise RuntimeError("no")

    assert there_and_back(Refuses()).state == {}
    assert there_and_back(object()).type_name == "builtins.object"


@pytest.mark.parametrize(
    "value",
    [
        numpy.arange(6).reshape(2, 3),
        numpy.array([1.5, numpy.nan]),
        numpy.array(["a", "bc"]),
        numpy.array([], dtype="f4").reshape(0, 3),
        numpy.array([True, False]),
        numpy.array([1 + 2j]),
        numpy.array(["2020-01-01"], dtype="M8[ns]"),
        numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3)),
        numpy.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        numpy.float32(1.5),
        numpy.int64(-1),
        numpy.bool_(True),
    ],
)
def test_numpy_arrays_and_scalars_come_back(value):
    back = there_and_back(value)
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    assert back.tobytes() == value.tobytes()


def test_arrays_of_objects_and_subclasses_of_arrays_cross():
    assert there_and_back(numpy.array([1, "a"], dtype=object)).content == [1, "a"]
    masked = there_and_back(numpy.ma.array([1, 2]))
    assert masked.type_name.endswith("MaskedArray")


def test_where_numpy_is_not_loaded_an_array_is_its_bytes(monkeypatch):
    data = encode(numpy.array([1, 2], dtype="i2"), limit_bytes=LIMIT)
    monkeypatch.delitem(sys.modules, "numpy")
    assert decode(data) == Array("<i2", (2,), b"\1\0\2\0")


def test_sets_of_texts_are_encoded_in_one_order_in_every_process():
    data = encode({"b", "a", "c"}, limit_bytes=LIMIT)
    assert b'["a","b","c"]' in data


@pytest.mark.parametrize(
    "value",
    [
        list(range(10_000)),
        "x" * 2000,
        ["x" * 100] * 100,
        [b"x" * 2000],
        bytearray(2000),
        [[1] * 500, [2] * 500],
        itertools.count(),
        (0 for _ in itertools.count()),
        pytest.param(10**3000, id="long"),
        [["x" * 900], ["y" * 900]],
        [1, "x" * 2000],
    ],
)
def test_the_size_limit_holds(value):
    with pytest.raises(ValueTooLarge):
        encode(value, limit_bytes=1000)


def test_a_small_value_of_enormous_expansion_is_refused_before_it_is_written():
    text = "x" * 1_000_000
    with pytest.raises(ValueTooLarge, match="would exceed"):
        encode([text] * 100_000, limit_bytes=LIMIT)
    with pytest.raises(ValueTooLarge, match="would exceed"):
        encode([(text,) * 1000] * 1000, limit_bytes=LIMIT)


def test_a_fraction_too_long_for_a_quick_gcd_stays_opaque():
    value = Fraction(1, 3**90_000)
    back = there_and_back(value)
    assert isinstance(back, Opaque)
    assert back.denominator == value.denominator
