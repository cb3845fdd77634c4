"""Whatever bytes an untrusted process sends, reading them ends soon, in a value or in MalformedValue."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.workload.codec import MalformedValue, decode, encode
from peagen_ray.workload.equality import Observation, difference

GOOD = encode(
    [1, (2, {3}), {"a": [1.5]}, [[1], [2]], bytearray(b"x"), iter([1]), ValueError(), 10**30, 2j],
    limit_bytes=10**6,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["list", "dict"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
)
TAGS = st.sampled_from([
    "list", "tuple", "set", "frozenset", "rows", "deque", "dict", "OrderedDict", "Counter",
    "defaultdict", "bytearray", "array", "ndarray", "npscalar", "objects", "iterator", "object",
    "named", "enum", "error", "reference", "int", "bytes", "complex", "range", "decimal", "fraction",
    "date", "datetime", "time", "timedelta", "constant",
])  # fmt: skip
SLOTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 6)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["0x1", "AAAA", "<f8", "d", "list", "tuple"])
    | st.lists(st.integers(0, 5), min_size=1, max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(TAGS, inner).map(list),
    max_leaves=6,
)
NODES = st.builds(lambda tag, parts: [tag, *parts], TAGS, st.lists(SLOTS, max_size=4))
DOCUMENTS = st.builds(lambda root, heap: [1, root, heap], SLOTS, st.lists(NODES, max_size=5))


def read_all(data: bytes) -> None:
    with contextlib.suppress(MalformedValue):
        decode(data)
    difference(GOOD, data)
    with contextlib.suppress(MalformedValue):
        Observation.read(data).summary()


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes(data):
    read_all(data)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_any_json(document):
    read_all(json.dumps(document).encode("utf-8", "surrogatepass"))


@given(DOCUMENTS)
@settings(max_examples=1500, deadline=None)
def test_anything_that_nearly_looks_right(document):
    data = json.dumps(document).encode("utf-8", "surrogatepass")
    read_all(data)
    with contextlib.suppress(MalformedValue):
        difference(data, data + b" ")


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3))
@settings(max_examples=500, deadline=None)
def test_any_damage_to_good_bytes(place, patch):
    read_all(GOOD[:place] + patch + GOOD[place + len(patch) :])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[" * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"a":' * 100_000,
        b"1" * 100_000,
        b"[1,1" + b"0" * 10_000 + b",[]]",
        b"[2,1,[]]",
        b"[true,1,[]]",
        b"[1,1]",
        b"[1,{},[]]",
        b"[1,[],[]]",
        b"[1,[0],[]]",
        b"[1,[-1],[]]",
        b"[1,[true],[[]]]",
        b"[1,[0,0,0],[]]",
        b"[1,[1e300],[]]",
        b"[1,1,{}]",
        b"[1,1,[1]]",
        b"[1,1,[[1]]]",
        b'[1,1,[["nonsense"]]]',
        b'[1,1,[["list"]]]',
        b'[1,1,[["list",1]]]',
        b'[1,1,[["list",[{}]]]]',
        b'[1,1,[["dict",[1],[]]]]',
        b'[1,1,[["deque",[1],0]]]',
        b'[1,1,[["deque",[],1e3]]]',
        b'[1,1,[["deque",[],99999999999999999999]]]',
        b'[1,1,[["bytearray","?"]]]',
        b'[1,1,[["bytearray",1]]]',
        b'[1,1,[["array","x",""]]]',
        b'[1,1,[["array","dd",""]]]',
        b'[1,1,[["rows","list","set",[]]]]',
        b'[1,1,[["rows","list","list",1]]]',
        b'[1,1,[["rows","list","list",[1]]]]',
        b'[1,1,[["rows","list","list",[[[0]]]]]]',
        b'[1,[0,5],[["rows","list","list",[[1]]]]]',
        b'[1,[0,0],[["list",[1]]]]',
        b'[1,1,[["ndarray","O",[1],""]]]',
        b'[1,1,[["ndarray","<f8",[3],"AAAA"]]]',
        b'[1,1,[["ndarray","<f8",[-1],""]]]',
        b'[1,1,[["ndarray","<f8",1,""]]]',
        b'[1,1,[["ndarray","<f8",[0],"AAAA"]]]',
        b'[1,1,[["objects",[2],[1]]]]',
        b'[1,1,[["iterator",[],1,null]]]',
        b'[1,1,[["object","T",null,["b","a"],[1,2]]]]',
        b'[1,1,[["object","T",null,["a","a"],[1,2]]]]',
        b'[1,1,[["object","T",null,["a"],[]]]]',
        b'[1,1,[["object","T",null,[1],[1]]]]',
        b'[1,1,[["object",1,null,[],[]]]]',
        b'[1,1,[["error",1,"m"]]]',
        b'[1,["unknown"],[]]',
        b'[1,["int","zz"],[]]',
        b'[1,["int",5],[]]',
        b'[1,["int"],[]]',
        b'[1,["decimal",[1]],[]]',
        b'[1,["decimal","x"],[]]',
        b'[1,["fraction","0x1","0x0"],[]]',
        b'[1,["range","0x1","0x1","0x0"],[]]',
        b'[1,["date","never"],[]]',
        b'[1,["timedelta",1e300,0,0],[]]',
        b'[1,["timedelta",99999999999,0,0],[]]',
        b'[1,["constant","quit"],[]]',
        b'[1,["constant",[]],[]]',
        b'[1,["named",3],[]]',
        b'[1,["complex","x",0],[]]',
        b'[1,["bytes","A"],[]]',
    ],
)
def test_malformed_bytes_are_refused(data):
    with pytest.raises(MalformedValue):
        decode(data)
    assert "cannot be read" in (difference(GOOD, data) or "")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'[1,[0],[["tuple",[[0]]]]]', "contains itself"),
        (b'[1,[0],[["frozenset",[[1]]],["tuple",[[0]]]]]', "contains itself"),
        (b'[1,[0],[["set",[[1]]],["list",[]]]]', "unhashable"),
        (b'[1,[0],[["set",[1,1]]]]', "twice"),
        (b'[1,[0],[["dict",[1,true],[1,2]]]]', "twice"),
        (b'[1,[0],[["array","d","AAAA"]]]', "not a multiple"),
        (b'[1,[0],[["ndarray","<f3",[1],"AAAA"]]]', "numpy refuses"),
        (b'[1,[0],[["ndarray","<f8",[1],"AAAA"]]]', "do not fill"),
        (b'[1,[0],[["ndarray","[oops",[1],"AAAA"]]]', "unknown dtype"),
        (b'[1,[0],[["ndarray","[oops]",[1],"AAAA"]]]', "numpy refuses"),
    ],
)
def test_graphs_that_are_no_values_are_refused(data, words):
    pytest.importorskip("numpy")
    with pytest.raises(MalformedValue, match=words):
        decode(data)


def test_keys_that_collide_do_not_take_quadratic_time():
    keys = [index * (2**61 - 1) for index in range(20_000)]
    data = b'[1,[0],[["set",[%s]]]]' % ",".join(map(str, keys)).encode()
    with pytest.raises(MalformedValue, match="one hash"):
        decode(data)


def test_keys_of_exponential_size_are_not_hashed():
    nodes = ",".join(f'["tuple",[[{index + 2}],[{index + 2}]]]' for index in range(60))
    data = f'[1,[0],[["set",[[1]]],{nodes},["tuple",[]]]]'.encode()
    with pytest.raises(MalformedValue, match="too widely"):
        decode(data)


def test_large_rows_are_not_hashed_again_and_again():
    row = ",".join(["1"] * 50_000)
    keys = ",".join(["[1]"] * 200)
    data = f'[1,[0],[["set",[{keys}]],["rows","tuple","tuple",[[{row}]]]]]'.encode()
    with pytest.raises(MalformedValue, match="too widely"):
        decode(data)


def test_shared_parts_of_exponential_expansion_are_compared_at_once():
    def doubling(leaf: str) -> bytes:
        nodes = ",".join(f'["list",[[{index + 1}],[{index + 1}]]]' for index in range(60))
        return f'[1,[0],[{nodes},["list",[{leaf}]]]]'.encode()

    assert difference(doubling("1"), doubling("1") + b" ") is None
    assert "expected 1, got 2" in (difference(doubling("1"), doubling("2")) or "")


def test_sets_built_to_look_alike_end_in_a_verdict():
    """Every pair of elements has to be tried, at every level."""

    def nested(leaf: int) -> bytes:
        nodes, depth, width = [], 5, 30
        for level in range(depth):
            inner = f"[{(level + 1) * width}]" if level < depth - 1 else str(leaf)
            nodes += [f'["object","T",null,["a"],[{inner}]]'] * (width - 1)
            nodes.append(f'["set",[{",".join(f"[{level * width + i}]" for i in range(width - 1))}]]')
        return f"[1,[{width - 1}],[{','.join(nodes)}]]".encode()

    assert difference(nested(1), nested(2)) is not None


def test_nothing_is_imported_or_called_by_name():
    data = b'[1,[0],[["object","os.system",null,["command"],["true"]]]]'
    found = decode(data)
    assert found.command == "true"
    assert type(found).__name__ == "Opaque"
