"""Inputs from type hints are sensible: they fit together, scale and repeat, or are refused with advice."""

from __future__ import annotations

import collections
import math
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest

from peagen_ray.errors import TargetError, WorkloadError
from peagen_ray.workload.base import load_workload
from peagen_ray.workload.equality import observe
from peagen_ray.workload.target import MODULE_NAME, Call, bind, load_module

TYPICAL = Path(__file__).parent.parent / "data" / "workload" / "typical.py"
SOURCE = TYPICAL.read_text()
ENTRIES = [
    "two_sum", "count_words", "matmul", "fib", "shortest", "is_anagram", "intersect", "primes", "lcs",
    "group", "top_k", "dedupe", "islands", "reach", "components", "gcd", "depth", "total", "length",
    "invert", "histogram", "flags", "shop", "stock", "walk", "tags", "spread", "Matrix.multiply",
    "Matrix.identity", "Matrix.norm", "Matrix.same", "dates", "ids", "nearest", "pick_first", "both",
    "sliding", "chars", "grid_path", "tree_sum", "combine", "triples", "bits", "alias", "weighted",
    "edges_of", "settings_of", "self_made", "mean_of", "shades", "distance",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_leftovers(monkeypatch):
    monkeypatch.setitem(sys.modules, MODULE_NAME, None)


def load(entry, source=SOURCE):
    return load_workload(None, source, entry, target_path="typical.py")


def args(entry, size, seed=1):
    return load(entry).call(seed, size).args


def shape(matrix):
    return len(matrix), {len(row) for row in matrix}


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_original_takes_what_is_made(entry):
    """Every call binds to the signature; the bodies of typical.py check that the arguments make sense."""
    workload = load(entry)
    calls = [workload.call(seed, size) for seed, size in ((1, 0), (2, 1), (3, 2), (4, 30), (5, 100))]
    target = bind(sys.modules[MODULE_NAME], entry)
    for call in [*calls, *workload.edges(0, 30)]:
        target.prepare(pickle.loads(pickle.dumps(call))).thunk()


@pytest.mark.parametrize("entry", ENTRIES)
def test_seed_and_size_make_the_call(entry):

    def made():
        workload = load(entry)
        return [
            pickle.dumps(call) for call in [workload.call(3, 1), workload.call(3, 20), *workload.edges(5, 6)]
        ]

    assert made() == made()


def test_the_same_inputs_are_made_in_another_process_whatever_it_has_loaded(tmp_path):
    code = (
        "import sys, hashlib, pickle, pathlib\n"
        "from peagen_ray.workload.base import load_workload\n"
        "source = pathlib.Path(sys.argv[1]).read_text()\n"
        "for entry in ('two_sum', 'shortest', 'dates', 'is_anagram', 'Matrix.multiply'):\n"
        "    workload = load_workload(None, source, entry)\n"
        "    made = [workload.call(3, 20), *workload.edges(4, 10)]\n"
        "    print(hashlib.md5(pickle.dumps(made)).hexdigest())\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", prefix + code, str(TYPICAL)],
            check=True, capture_output=True, text=True, cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for prefix, seed in (("", "1"), ("import json, peagen_ray.errors, hypothesis, decimal\n", "2"))
    ]  # fmt: skip
    assert runs[0] == runs[1]
    assert list(tmp_path.iterdir()) == []


def test_collections_have_the_size_asked_for():
    assert [len(each) for each in args("intersect", 70)] == [70, 70]
    assert len(args("dedupe", 70)[0]) == 70
    assert len(args("histogram", 70)[0]) == 70
    assert len(args("tags", 70)[0]) == 70
    assert len(args("count_words", 700)[0]) == 700
    assert len(args("chars", 70)[0]) == 70
    assert len(args("spread", 70)) == 70


def test_a_lone_integer_is_the_size():
    assert args("fib", 10) == (10,)
    assert {load("fib").call(seed, 100).args[0] for seed in range(30)} <= set(range(94, 101))
    assert args("gcd", 10)[0] == 10


def test_integers_beside_collections_stay_within_the_size():
    assert all(1 <= load("top_k").call(seed, 20).args[1] <= 20 for seed in range(30))


def test_coincidences_happen():
    numbers, others = args("intersect", 100)
    assert set(numbers) & set(others)
    assert len(set(numbers)) < 100
    assert len(set(args("dedupe", 100)[0])) < 100
    words = args("count_words", 1000)[0].split()
    assert len(set(words)) < len(words)
    rows, key = args("group", 50)
    assert all(key in row and row.keys() == rows[0].keys() for row in rows)


def test_bulk_floats_are_finite_and_sum_exactly_in_any_order():
    numbers = args("top_k", 500)[0]
    assert all(map(math.isfinite, numbers))
    mixed = random.Random(1).sample(numbers, len(numbers))
    assert sum(numbers) == sum(mixed)


def test_two_texts_have_something_in_common():
    pairs = [load("is_anagram").call(seed, 60).args for seed in range(40)]
    assert any(a == b for a, b in pairs)
    assert any(a != b and sorted(a) == sorted(b) for a, b in pairs)
    assert any(len(a) == len(b) and sorted(a) != sorted(b) for a, b in pairs)
    assert any(len(a) > len(b) for a, b in pairs)


def test_some_texts_read_the_same_backwards():
    texts = [load("count_words").call(seed, 50).args[0] for seed in range(40)]
    assert 1 <= sum(text == text[::-1] for text in texts) < 20


def test_matrices_multiply_and_lone_grids_are_not_always_square():
    one, other = args("matmul", 100)
    assert shape(one) == shape(other) == (10, {10})
    shapes = {
        (len(grid), len(grid[0])) for seed in range(20) if (grid := load("islands").call(seed, 100).args[0])
    }
    assert (10, 10) in shapes
    assert len(shapes) > 1
    init, (matrix,) = (call := load("Matrix.multiply").call(1, 49)).init, call.args
    assert shape(init[0]) == shape(matrix.rows) == (7, {7})


def test_graphs_are_connected_and_ask_for_their_own_nodes():
    for entry in ("shortest", "reach", "weighted"):
        graph, start = args(entry, 40)[:2]
        assert len(graph) == 40
        assert start in graph
        names = {node: [x[0] if isinstance(x, tuple) else x for x in near] for node, near in graph.items()}
        near = collections.defaultdict(set)
        for node, others in names.items():
            for other in others:
                assert other in graph
                assert other != node
                near[node].add(other)
                near[other].add(node)
        seen, todo = set(), [start]
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += near[node]
        assert len(seen) == 40


def test_recursive_classes_become_trees_of_bounded_depth():
    def height(node):
        return 0 if node is None else 1 + max(height(node.left), height(node.right))

    def count(node):
        return 0 if node is None else 1 + count(node.left) + count(node.right)

    (tree,) = args("depth", 300)
    assert 100 <= count(tree) <= 300
    assert height(args("depth", 20_000)[0]) <= 150
    chain, length = args("length", 20_000)[0], 0
    while chain:
        chain, length = chain.next, length + 1
    assert length == 150


def test_flags_are_drawn_and_other_defaults_now_and_then_given():
    calls = [load("flags").call(seed, 10) for seed in range(30)]
    assert {call.kwargs.get("reverse") for call in calls} == {None, False, True}
    assert all(not call.kwargs.keys() & {"memo", "seen", "_depth", "plain"} for call in calls)
    assert {call.kwargs["mode"] for call in calls} == {"up", "down"}


def test_optional_collections_are_given_in_bulk_and_missing_at_the_edges():
    workload = load("pick_first")
    assert all(workload.call(seed, 10).args[0] is not None for seed in range(30))
    assert any(call.args[0] is None for call in workload.edges(0, 40))


def test_edges_are_small_unusual_and_different():
    edges = load("intersect").edges(0, 40)
    assert len(edges) == 40
    assert len({pickle.dumps(call) for call in edges}) == 40
    assert any(not call.args[0] for call in edges)
    assert any(len(call.args[0]) != len(call.args[1]) for call in edges)
    assert any(min(call.args[0], default=0) < 0 for call in edges)
    assert max(len(call.args[0]) for call in edges) <= 9
    assert any(not call.args[0].isascii() for call in load("count_words").edges(0, 40))
    assert len(load("fib").edges(0, 40)) == 10


def test_iterators_are_not_used_up_on_the_way():
    assert any(list(call.args[0]) for call in load("walk").edges(0, 10))
    assert len(list(load("walk").call(1, 10).args[0])) == 10


def test_numpy_arrays_are_made_where_the_target_uses_them():
    pytest.importorskip("numpy")
    source = """
import numpy as np
import numpy.typing as npt
def plain(a: np.ndarray, b: np.ndarray): ...
def typed(a: npt.NDArray[np.int32], b: npt.NDArray[np.float64], c: npt.NDArray[np.bool_]): ...
"""
    plain = load("plain", source).call(1, 5).args
    assert [(each.dtype.kind, each.shape) for each in plain] == [("f", (5,)), ("f", (5,))]
    assert [each.dtype.str for each in load("typed", source).call(1, 5).args] == ["<i4", "<f8", "|b1"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement is newer")
def test_type_aliases_are_followed():
    source = "type Grid[T] = list[list[T]]\ntype Row = list[str]\ndef f(a: Grid[int], b: Row): ...\n"
    grid, row = load("f", source).call(1, 9).args
    assert shape(grid) == (3, {3})
    assert {type(each) for each in row} == {str}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def f(a, b: int): ...", "parameter a has no type hint"),
        ("from typing import Any\ndef f(a: Any): ...", "says nothing"),
        ("from typing import Any\ndef f(a: dict[str, Any]): ...", "says nothing"),
        ("def f(a: object): ...", "says nothing"),
        ("from typing import Callable\ndef f(a: Callable[[int], int]): ...", "is a function"),
        ("from collections.abc import Callable\ndef f(a: Callable): ...", "is a function"),
        ("def f(a: type): ...", "is a function or class"),
        ("def f(a: Missing): ...", "typical.py, line 1"),
        ("from __future__ import annotations\ndef f(a: Missing): ...", "cannot be resolved"),
        ("def f(a: [int]): ...", "a"),
        ("def f(a: 3): ...", "a"),
        ("def f(): ...", "takes no arguments"),
        ("class C:\n    def __init__(self, a): ...\ndef f(a: C): ...", "says nothing"),
        ("class N:\n    def __init__(self, n: 'N'): ...\ndef f(a: N): ...", "without end"),
        ("class N:\n    def __init__(self, n: 'tuple[N, int]'): ...\ndef f(a: N): ...", "without end"),
        (
            "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def m(self): ...\ndef f(a: A): ...",
            "A",
        ),
        ("import types\ndef f(a: types.FrameType): ...", "FrameType"),
    ],
)
def test_hints_that_do_not_do_show_the_file_to_write(code, words):
    with pytest.raises((WorkloadError, TargetError)) as caught:
        load("f", code).call(0, 3)
    assert words in str(caught.value)
    if isinstance(caught.value, WorkloadError):
        assert "def inputs(rng, size):" in caught.value.hint
        assert "typical.py, line" in caught.value.subject


def test_a_whole_module_has_no_hints():
    with pytest.raises(WorkloadError, match="whole module") as caught:
        load("")
    assert "def call(module, data):" in caught.value.hint


def test_a_constructor_that_refuses_is_told():
    source = (
        "class Even:\n    def __init__(self, n: int):\n        if n >= 0: raise ValueError('odd one')\n"
        "def f(a: Even): ...\n"
    )
    workload = load("f", source)
    with pytest.raises(WorkloadError, match="ValueError: odd one"):
        workload.call(0, 3)
    assert all(isinstance(call, Call) for call in workload.edges(0, 5))


def test_a_constructor_that_always_refuses_leaves_no_edges():
    source = "class No:\n    def __init__(self, n: int):\n        raise ValueError\ndef f(a: No): ...\n"
    with pytest.raises(WorkloadError, match="no small inputs"):
        load("f", source).edges(0, 5)


def test_an_original_that_cannot_be_loaded_is_told_with_its_line():
    with pytest.raises(TargetError, match=r"typical\.py, line 3.*ModuleNotFoundError"):
        load("f", "def f(a: int): ...\n\nimport no_such_module_anywhere\n")


def observed(error):
    return observe(error, Call(), raised=error is not None, limit_bytes=10_000)


def test_exceptions_count_unless_no_caller_could_want_them():
    source = (
        "class Own(Exception): ...\n"
        "def f(a: int):\n"
        "    assert a\n"
        "    if a > 3:\n        raise ValueError('too large')\n"
        "    raise Own\n"
    )
    workload = load("f", source)
    module = load_module(source)
    for error in (None, ValueError(), AssertionError(), module.Own(), ZeroDivisionError(), IndexError()):
        assert workload.accepts(Call(([],)), observed(error))
    for error in (TypeError(), RecursionError(), MemoryError(), AttributeError()):
        assert not workload.accepts(Call(([],)), observed(error))
    assert workload.accepts(Call(([1], "a"), {"k": {2}}), observed(IndexError()))
    assert not workload.accepts(Call(([1], [])), observed(IndexError()))
    assert load("f", source + "raise_ = None\ndef g():\n    raise TypeError\n").accepts(
        Call(), observed(TypeError())
    )
