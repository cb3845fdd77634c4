"""Equality is decided by value and type, and every difference is told in one line."""

from __future__ import annotations

import array
import collections
import copy
import datetime as dt
import enum
import itertools
import math
import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from peagen_ray.workload.codec import MalformedValue, encode
from peagen_ray.workload.equality import Observation, difference, observe, raised
from peagen_ray.workload.target import Call, Drained

numpy = pytest.importorskip("numpy")

LIMIT = 50_000_000
ALMOST = 1 + 1e-12


class Thing:
    def __init__(self, **state):
        self.__dict__.update(state)


class Liar(Thing):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1


class Sneaky(list):
    def __eq__(self, other):
        return True

    __hash__ = None


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Shade(enum.Enum):
    RED = 1


Pair = collections.namedtuple("Pair", "left right")


def compare(expected: Any, actual: Any) -> str | None:
    return difference(encode(expected, limit_bytes=LIMIT), encode(actual, limit_bytes=LIMIT))


def ring(last: Any) -> list[Any]:
    made = [1, last]
    made.append(made)
    return made


EQUAL = {
    "rounding": ([0.1 + 0.2, 1.0], [0.3, ALMOST]),
    "nan": ([math.nan, "x"], [math.nan, "x"]),
    "nan in a set": ({math.nan, 1.0}, {ALMOST, math.nan}),
    "infinities": (math.inf, math.inf),
    "minus zero": (-0.0, 0.0),
    "complex": (1 + 2j, 1 + 2j * ALMOST),
    "sets in any order": ({3, 1, "a"}, {"a", 3, 1}),
    "sets of floats": ({1.0, 2.0, 3.0}, {3.0 * ALMOST, 1.0, 2.0}),
    "sets of pairs of floats": ({(1.0, 2.0), (1.0, 3.0)}, {(1.0 * ALMOST, 3.0), (1.0, 2.0)}),
    "pairs that tie in their first number": ({(1.0, 5.0), (ALMOST, 2.0)}, {(ALMOST, 5.0), (1.0, 2.0)}),
    "sets of sets": ({frozenset([1.0, 2.0]), frozenset()}, {frozenset([2.0 * ALMOST, 1.0]), frozenset()}),
    "sets of objects": ({Thing(a=1), Thing(a=2)}, {Thing(a=2), Thing(a=1)}),
    "sets of one object": ({Thing(a=[1])}, {Thing(a=[1])}),
    "sets of fractions": ({Fraction(1, 3), Fraction(2, 3)}, {Fraction(2, 3), Fraction(1, 3)}),
    "set of rows of tuples": ({((1, 2.0), (3, 4.0))}, {((1, 2.0 * ALMOST), (3, 4.0))}),
    "counters in any order": (collections.Counter("aab"), collections.Counter("baa")),
    "float keys": ({0.3: 1}, {0.1 + 0.2: 1}),
    "tuple keys": ({(1, 2): 3}, {(1, 2): 3}),
    "cycles": (ring(5), ring(5)),
    "an unrolled cycle": (ring(5), [1, 5, [1, 5, ring(5)]]),
    "sharing": ([[1, "x", None]] * 2, [[1, "x", None], [1, "x", None]]),
    "shared rows": ([[1]] * 3, [[1], [1], [1]]),
    "iterators of any kind": ((x for x in [1, 2]), iter([1, 2])),
    "objects": (Thing(a=1, b=[2.0]), Thing(b=[2.0 * ALMOST], a=1)),
    "exceptions by type": (ValueError("one"), ValueError("another")),
    "ranges by what they hold": (range(0, 3, 2), range(0, 4, 2)),
    "arrays": (numpy.array([1.0, 2.0]), numpy.array([1.0, 2.0 * ALMOST])),
    "arrays of half precision": (numpy.array([1 / 3], "f4"), numpy.array([1 / 3 + 1e-7], "f4")),
    "arrays with nan": (numpy.array([numpy.nan, 1.0]), numpy.array([numpy.nan, ALMOST])),
    "complex arrays": (numpy.array([1 + 1j]), numpy.array([1 * ALMOST + 1j])),
    "numpy scalars": (numpy.float64(1.0), numpy.float64(ALMOST)),
    "arrays of objects": (numpy.array([1.0, "a"], object), numpy.array([ALMOST, "a"], object)),
    "array.array": (array.array("d", [1.0]), array.array("d", [ALMOST])),
    "named tuples": (Pair(1, [2.0]), Pair(1, [2.0 * ALMOST])),
    "members": (Color.RED, Color.RED),
    "functions by name": (compare, compare),
    "deques": (collections.deque([1.0], 3), collections.deque([ALMOST], 3)),
    "zones": (
        dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(0))),
    ),
}

DIFFERENT = {
    "values": ([1, 2], [1, 3], "result[1]: expected 2, got 3"),
    "true is not one": (True, 1, "result: expected True (bool), got 1 (int)"),
    "one is not one point nought": ([1], [1.0], "result[0]: expected 1 (int), got 1.0 (float)"),
    "none is not zero": (None, 0, "result: expected None (NoneType), got 0 (int)"),
    "a tuple is no list": ((1, 2), [1, 2], "result: expected (1, 2), got [1, 2]"),
    "a tuple of one": ((1,), (2,), "result[0]: expected 1, got 2"),
    "a text is no number": ("1", 1, "result: expected '1' (str), got 1 (int)"),
    "text is not bytes": ("a", b"a", "result: expected 'a' (str), got b'a' (bytes)"),
    "a set is no frozenset": ({1}, frozenset([1]), "result: expected {1}, got frozenset[1]"),
    "bytearray is not bytes": (bytearray(b"a"), b"a", "result: expected bytearray(b'a'), got b'a'"),
    "lengths": ([1, 2], [1], "result: expected 2 items, got 1"),
    "floats beyond the tolerance": (1.0, 1.0 + 1e-6, "result: expected 1.0, got 1.000001"),
    "nan is no number": ([math.nan], [1.0], "result[0]: expected nan, got 1.0"),
    "opposite infinities": (math.inf, -math.inf, "result: expected inf, got -inf"),
    "deep inside": ({"a": [Thing(n=4)]}, {"a": [Thing(n=5)]}, "result['a'][0].n: expected 4, got 5"),
    "rows": ([[1, 2], [3, 4]], [[1, 2], [3, 5]], "result[1][1]: expected 4, got 5"),
    "rows of tuples": ([(1,), (2,)], [[1], [2]], "result[0]: expected (1,), got [1]"),
    "the first of several": ([1, [2], 3], [1, [9], 9], "result[1][0]: expected 2, got 9"),
    "dict values": ({1: 2}, {1: 3}, "result[1]: expected 2, got 3"),
    "dict order": ({1: 2, 3: 4}, {3: 4, 1: 2}, "result: the same keys in another order, from key 1 on"),
    "a missing key": ({"a": 1, "b": 2}, {"a": 1}, "result: key 'b' is missing"),
    "a surplus key": ({"a": 1}, {"a": 1, "b": 2}, "result: key 'b' is not expected"),
    "keys of another type": ({1: 2}, {True: 2}, "result: key True is not expected"),
    "keys that are tuples": ({(1, 2): 3}, {(1, 3): 3}, "result key 0[1]: expected 2, got 3"),
    "a dict is no defaultdict": ({}, collections.defaultdict(int), "result: expected {}, got defaultdict{}"),
    "factories": (
        collections.defaultdict(int),
        collections.defaultdict(list),
        "result.default_factory: expected int, got list",
    ),
    "elements": ({1, 2}, {1, 3}, "result: 2 is missing"),
    "surplus elements": ({1}, {1, 2}, "result: 2 is not expected"),
    "float elements": ({1.0, 2.0}, {1.0, 2.1}, "result: 2.0 is missing, or one like it"),
    "pairs in sets": (
        {(1, 2.0), (1, 3.0)},
        {(1, 2.0), (1, 4.0)},
        "result: (1, 2.0) is missing, or one like it",
    ),
    "objects in sets": (
        {Thing(a=1), Thing(a=2)},
        {Thing(a=1), Thing(a=3)},
        "Thing is missing, or one like it",
    ),
    "counts": (collections.Counter("aab"), collections.Counter("abb"), "result['a']: expected 2, got 1"),
    "counted keys": (collections.Counter("a"), collections.Counter("b"), "result: key 'a' is missing"),
    "cycles": (ring(5), ring(6), "result[1]: expected 5, got 6"),
    "a cycle that ends": (ring(5), [1, 5, [1, 5, [1, 6]]], "result[2][2]: expected 3 items, got 2"),
    "an iterator is no list": (Drained([1]), [1], "result: expected an iterator over 1, got [1]"),
    "what is yielded": (Drained([1, 2]), Drained([1, 3]), "result items[1]: expected 2, got 3"),
    "endless": (Drained([1]), Drained([1], truncated=True), "result: expected an iterator that ends"),
    "how it ends": (
        Drained([1]),
        Drained([1], error=KeyError("k")),
        "result end: expected None, got KeyError('k')",
    ),
    "classes": (Thing(a=1), Liar(a=1), "Thing, got a test_equality.Liar"),
    "lost attributes": (Thing(a=1, b=2), Thing(a=1), "result: attribute b is missing"),
    "new attributes": (Thing(a=1), Thing(a=1, cache=2), "result: attribute cache is not expected"),
    "an object equal to everything": (Thing(a=1), Liar(a=2), "Liar"),
    "a list equal to everything": (
        [1, 2],
        Sneaky([3]),
        "expected [1, 2], got a test_equality.Sneaky",
    ),
    "content of subclasses": (Sneaky([1]), Sneaky([2]), "result[0]: expected 1, got 2"),
    "exceptions": (ValueError(), KeyError("k"), "result: expected ValueError, got KeyError('k')"),
    "dtype": (
        numpy.array([1.0]),
        numpy.array([1]),
        "expected dtype <f8 and shape (1,), got dtype <i8",
    ),
    "shape": (
        numpy.zeros((1, 2)),
        numpy.zeros(2),
        "shape (1, 2), got dtype <f8 and shape (2,)",
    ),
    "numbers in arrays": (numpy.array([1, 2]), numpy.array([1, 3]), "result[item 1]: expected 2, got 3"),
    "texts in arrays": (numpy.array(["a"]), numpy.array(["b"]), "result[item 0]: expected b'a"),
    "booleans in arrays": (
        numpy.array([True]),
        numpy.array([False]),
        "[item 0]: expected True, got False",
    ),
    "scalars of numpy": (numpy.float64(1), numpy.float64(2), "result: expected 1.0, got 2.0"),
    "scalars are not of numpy": (1.0, numpy.float64(1), "result: expected 1.0, got a numpy scalar of <f8"),
    "array codes": (
        array.array("i", [1]),
        array.array("q", [1]),
        "an array of type 'i', got an array of",
    ),
    "array items": (array.array("i", [1]), array.array("i", [2]), "result[item 0]: expected 1, got 2"),
    "array lengths": (array.array("i", [1]), array.array("i", [1, 2]), "result: expected 1 items, got 2"),
    "objects in arrays": (
        numpy.array([1, "a"], object),
        numpy.array([1, "b"], object),
        "[1]: expected 'a'",
    ),
    "shapes of objects": (
        numpy.array([[None]]),
        numpy.array([None]),
        "expected shape (1, 1), got (1,)",
    ),
    "fields": (Pair(1, 2), Pair(1, 3), "result.right: expected 2, got 3"),
    "kinds of tuple": (Pair(1, 2), (1, 2), "Pair, got (1, 2)"),
    "members": (Color.RED, Color.BLUE, "Color.RED, got test_equality.Color.BLUE"),
    "enumerations": (Color.RED, Shade.RED, "Color.RED, got test_equality.Shade.RED"),
    "functions": (compare, encode, "expected test_equality.compare, got"),
    "maxlen": (collections.deque([1], 2), collections.deque([1]), "result: expected maxlen 2, got None"),
    "decimals keep their digits": (
        Decimal("1.0"),
        Decimal("1.00"),
        "Decimal('1.0'), got Decimal('1.00')",
    ),
    "fold": (dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, fold=1), "fold=1"),
    "zones": (dt.time(1, tzinfo=dt.UTC), dt.time(1), "result: expected"),
    "ranges": (range(3), range(4), "result: expected range(0, 3), got range(0, 4)"),
    "long texts": ("a" * 100, "b", "expected 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'... (100 characters), got 'b'"),
    "huge integers": (2**5000, 2**5001, "result: expected an int of 5001 bits, got an int of 5002 bits"),
    "huge fractions": (Fraction(1, 3**12_000), Fraction(1, 3**12_001), "result: expected a large Fraction"),
    "opaque fractions": (Fraction(1, 3**90_000), Fraction(1, 3**90_001), "expected a fractions.Fraction"),
    "many lines": ("a\nb", "a\tb", r"result: expected 'a\nb', got 'a\tb'"),
    "lone surrogates": ("\ud800", "x", r"result: expected '\ud800', got 'x'"),
}


@pytest.fixture(autouse=True)
def short_names(monkeypatch):
    """Classes of this module are called the same however the test is started."""
    for kind in (Thing, Liar, Sneaky, Pair, Color, Shade):
        monkeypatch.setattr(kind, "__module__", "test_equality")
    monkeypatch.setattr(compare, "__module__", "test_equality")


@pytest.mark.parametrize(("expected", "actual"), EQUAL.values(), ids=EQUAL)
def test_what_is_equal(expected, actual):
    assert compare(expected, actual) is None


@pytest.mark.parametrize(("expected", "actual", "words"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_is_told_in_one_line(expected, actual, words):
    told = compare(expected, actual)
    assert told is not None
    assert words in told
    assert "\n" not in told
    assert len(told) < 300
    told.encode("utf-8")


@pytest.mark.parametrize(("expected", "actual", "_words"), DIFFERENT.values(), ids=DIFFERENT)
def test_a_difference_is_one_in_both_directions(expected, actual, _words):
    assert compare(actual, expected) is not None


def test_the_tolerance_can_be_chosen():
    one, other = (encode(value, limit_bytes=LIMIT) for value in ([1.0, 0.0], [1.1, 0.01]))
    assert difference(one, other) is not None
    assert difference(one, other, rel_tol=0.2, abs_tol=0.1) is None


def test_less_precise_types_get_the_tolerance_they_deserve():
    assert compare(numpy.array([1.0], "f2"), numpy.array([1.001], "f2")) is None
    assert compare(numpy.array([1.0], "f8"), numpy.array([1.001], "f8")) is not None


def test_equal_bytes_are_equal_whatever_they_say():
    assert difference(b"rubbish", b"rubbish") is None


def test_a_broken_reference_is_our_own_fault():
    with pytest.raises(MalformedValue):
        difference(b"rubbish", encode(1, limit_bytes=LIMIT))


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, math.nan])
    | st.sampled_from("ab")
)
KEYS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2).map(tuple), max_leaves=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(KEYS, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.builds(Thing, a=inner)
        | st.dictionaries(KEYS, st.integers(0, 2), max_size=3).map(collections.Counter)
    ),
    max_leaves=8,
)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_a_copy_is_equal(value):
    assert compare(value, copy.deepcopy(value)) is None


@given(VALUES, VALUES)
@settings(max_examples=300, deadline=None)
def test_difference_is_symmetric(one, other):
    assert (compare(one, other) is None) == (compare(other, one) is None)


@given(st.sets(st.tuples(st.floats(-2, 2), st.sampled_from("ab")), max_size=6), st.randoms())
@settings(deadline=None)
def test_sets_are_matched_whatever_the_rounding(values, rng):
    numbers = sorted(number for number, _ in values)
    assume(all(abs(a - b) > 1e-6 or a == b for a, b in itertools.pairwise(numbers)))
    noisy = [(number * (1 + rng.choice([-1, 0, 1]) * 1e-11), text) for number, text in values]
    rng.shuffle(noisy)
    assert compare(values, set(noisy)) is None


@given(st.lists(st.integers(0, 5), max_size=5), st.lists(st.integers(0, 5), max_size=5))
@settings(deadline=None)
def test_counters_agree_with_python(one, other):
    left, right = collections.Counter(one), collections.Counter(other)
    assert (compare(left, right) is None) == (left == right)


def test_many_floats_in_sets_are_matched_by_sorting():
    rng = random.Random(1)
    values = [rng.random() for _ in range(2000)]
    assert compare(set(values), {value * (1 + 1e-13) for value in values}) is None


def test_too_many_look_alikes_are_not_matched():
    values = [(float(i % 2), float(i)) for i in range(200)]
    shifted = [(a * ALMOST + 1e-13 * (i % 3), b + 5) for i, (a, b) in enumerate(values)]
    assert "missing" in (compare(set(values), set(shifted)) or "")


def test_trials_without_end_in_sight_are_given_up(monkeypatch):
    monkeypatch.setattr("peagen_ray.workload._compare._TRIAL_STEPS", 10)
    things = [{Thing(a=number) for number in range(9)} for _ in range(2)]
    assert compare(*things) == "result: too entangled to compare"


def seen(value: Any = None, call: Call | None = None, instance: Any = None, **options: Any) -> bytes:
    return observe(value, call or Call(), instance, limit_bytes=LIMIT, **options)


@pytest.mark.parametrize(
    ("expected", "actual", "told"),
    [
        (seen([1.0]), seen([ALMOST]), None),
        (seen(ValueError("a"), raised=True), seen(ValueError("b"), raised=True), None),
        (seen(1), seen(2), "result: expected 1, got 2"),
        (seen(1, Call(([1, 2],))), seen(1, Call(([1, 3],))), "args[0][1] after the call: expected 2, got 3"),
        (
            seen(1, Call(([1], [2]))),
            seen(1, Call(([1], [3]))),
            "args[1][0] after the call: expected 2, got 3",
        ),
        (
            seen(1, Call(kwargs={"k": [1]})),
            seen(1, Call(kwargs={"k": []})),
            "kwargs['k'] after the call: expected 1 items",
        ),
        (
            seen(1, instance=Thing(a=1)),
            seen(1, instance=Thing(a=2)),
            "self.a after the call: expected 1, got 2",
        ),
        (
            seen(1),
            seen(KeyError("x"), raised=True),
            "expected a call that returned 1, got one that raised KeyError('x')",
        ),
        (seen(ValueError(), raised=True), seen(ValueError()), "expected a call that raised ValueError()"),
        (
            seen(ValueError(), raised=True),
            seen(OSError("o"), raised=True),
            "raised: expected ValueError, got OSError(o)",
        ),
    ],
)
def test_calls_are_compared_with_all_that_they_did(expected, actual, told):
    assert difference(expected, actual) == told or (told and difference(expected, actual).startswith(told))


def test_an_argument_returned_is_compared_once_and_rightly():
    items = [3, 1]
    assert difference(seen(items, Call((items,))), seen([3, 1], Call(([3, 1],)))) is None


def test_a_value_is_no_observation():
    assert difference(seen(1), encode(1, limit_bytes=LIMIT)) is not None
    forged = encode(("observation", "returned", 1, [], {}, None), limit_bytes=LIMIT)
    assert difference(seen(1), forged) is None


def test_an_observation_is_read_on_the_trusted_side():
    read = Observation.read(seen([1, 2], Call(([3],))))
    assert (read.outcome, read.value, read.args, read.raised) == ("returned", [1, 2], [[3]], None)
    assert read.summary() == "returned [1, 2]"


def test_the_exception_is_named():
    assert raised(seen(1)) is None
    assert raised(seen(KeyError("x"), raised=True)) == "KeyError"
    assert raised(seen(1, raised=True)) == "something that is no exception"
    assert raised(seen([1], raised=True)) == "something that is no exception"


@pytest.mark.parametrize(
    "value",
    [
        1,
        [1],
        ("observation", "returned"),
        ("observation", "lost", 1, [], {}, None),
        ("observation", "returned", 1, {}, {}, 1),
        ("observation", "returned", 1, 2, 3, 1),
    ],
)
def test_other_bytes_are_no_observation(value):
    with pytest.raises(MalformedValue):
        Observation.read(encode(value, limit_bytes=LIMIT))
