"""Targets are found without running them, loaded, bound and called; wrong ones are refused with advice."""

from __future__ import annotations

import pickle
import sys
import traceback

import pytest

from peagen_ray.errors import TargetError
from peagen_ray.workload.target import (
    MODULE_NAME,
    Call,
    Drained,
    TargetKind,
    bind,
    callable_entries,
    drain,
    inspect_source,
    install,
    installed,
    load_module,
)

SOURCE = '''
import functools
from dataclasses import dataclass


def add(a: int, b: int = 2, *rest, scale: float = 1.0, **more) -> int:
    """Adds."""
    return a + b


def count(n):
    def inner():
        yield 0
    for i in range(n):
        yield i


async def fetch(url): ...


if True:
    def hidden(x): return x
else:
    pass

try:
    def tried(x): return x
finally:
    pass


class Box:
    def __init__(self, items, *, label="x"):
        self.items, self.label = items, label

    def push(self, item):
        self.items.append(item)
        return len(self.items)

    @staticmethod
    def double(x): return 2 * x

    @classmethod
    def of(cls, n): return cls([0] * n)

    @property
    def size(self): return len(self.items)

    @functools.lru_cache
    def cached(self): return 1

    class Inner:
        def run(self): return "inner"


@dataclass
class Point:
    x: int
    y: int = 0

    def norm(self) -> int:
        return abs(self.x) + abs(self.y)


number = 3
'''


@pytest.fixture
def module():
    return load_module(SOURCE)


def test_a_function_is_described_with_its_parameters():
    info = inspect_source(SOURCE, "add")
    assert info.kind is TargetKind.FUNCTION
    assert info.signature == "def add(a: int, b: int=2, *rest, scale: float=1.0, **more) -> int"
    assert [(p.name, p.annotation, p.default) for p in info.parameters[:2]] == [
        ("a", "int", None),
        ("b", "int", "2"),
    ]
    assert [p.name for p in info.parameters if p.variadic] == ["rest", "more"]
    assert [p.name for p in info.parameters if p.keyword_only] == ["scale", "more"]
    assert not info.is_generator


@pytest.mark.parametrize(
    ("entry", "kind", "parameters", "init"),
    [
        ("Box.push", TargetKind.METHOD, ["item"], ["items", "label"]),
        ("Box.double", TargetKind.STATICMETHOD, ["x"], []),
        ("Box.of", TargetKind.CLASSMETHOD, ["n"], []),
        ("Box.Inner.run", TargetKind.METHOD, [], []),
        ("Point.norm", TargetKind.METHOD, [], ["x", "y"]),
        ("hidden", TargetKind.FUNCTION, ["x"], []),
        ("tried", TargetKind.FUNCTION, ["x"], []),
        ("", TargetKind.MODULE, [], []),
    ],
)
def test_entries_of_every_kind_are_found(entry, kind, parameters, init):
    info = inspect_source(SOURCE, entry)
    assert info.kind is kind
    assert [p.name for p in info.parameters] == parameters
    assert [p.name for p in info.init_parameters] == init


def test_a_generator_is_known_by_its_own_yields_only():
    assert inspect_source(SOURCE, "count").is_generator
    assert not inspect_source("def f():\n    def g():\n        yield 1\n    return g", "f").is_generator


def test_unknown_decorators_make_the_signature_uncertain():
    assert not inspect_source(SOURCE, "Box.cached").is_wrapped
    assert inspect_source("import m\n@m.magic(3)\ndef f(a): ...", "f").is_wrapped


def test_the_last_definition_of_a_name_counts():
    assert inspect_source("def f(a): ...\ndef f(a, b): ...", "f").line == 2


@pytest.mark.parametrize(
    ("source", "entry", "words"),
    [
        ("def f(:\n", "f", "line 1"),
        (SOURCE, "ad", "add"),
        (SOURCE, "Box.pusch", "Box.push"),
        (SOURCE, "Nowhere.push", "target.py"),
        (SOURCE, "fetch", "asyncio.run"),
        (SOURCE, "Box", "Box.push"),
        (SOURCE, "Box.size", "property"),
        ("x = 1\n", "f", "defines no function"),
        ("class Empty: ...", "Empty", "is a class"),
        ("def f():\0", "f", "target.py"),
        ("(" * 5000 + ")" * 5000, "f", "target.py"),
    ],
)
def test_what_cannot_be_a_target_is_refused_with_advice(source, entry, words):
    with pytest.raises(TargetError) as caught:
        inspect_source(source, entry, "target.py")
    assert words in str(caught.value)
    assert "target.py" in str(caught.value)


def test_callable_entries_lists_functions_then_methods():
    entries = callable_entries(SOURCE)
    assert entries[:3] == ["add", "count", "fetch"]
    assert "Box.Inner.run" in entries


def test_a_module_is_registered_only_while_it_runs_or_is_installed(module):
    assert MODULE_NAME not in sys.modules
    seen = load_module("import sys\nfound = sys.modules[__name__].__name__")
    assert seen.found == MODULE_NAME
    with installed(module):
        assert sys.modules[MODULE_NAME] is module
        with installed(seen):
            assert sys.modules[MODULE_NAME] is seen
        assert sys.modules[MODULE_NAME] is module
    assert MODULE_NAME not in sys.modules


def test_a_failing_module_leaves_no_trace_in_sys_modules():
    with pytest.raises(ZeroDivisionError):
        load_module("1 / 0")
    assert MODULE_NAME not in sys.modules


def test_a_pickled_object_takes_the_class_of_whichever_module_is_installed(module, monkeypatch):
    monkeypatch.setitem(sys.modules, MODULE_NAME, module)
    data = pickle.dumps(module.Point(1, 2))
    other = load_module(SOURCE.replace("abs(self.x) + abs(self.y)", "99"))
    install(other)
    assert pickle.loads(data).norm() == 99


def test_tracebacks_show_the_lines_of_the_source():
    module = load_module("def boom():\n    return [][3]  # here\n", path="<a target>")
    with pytest.raises(IndexError) as caught:
        module.boom()
    assert "return [][3]  # here" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("entry", "call", "result"),
    [
        ("add", Call((1, 2)), 3),
        ("add", Call((1,), {"b": 5}), 6),
        ("Box.double", Call((4,)), 8),
        ("Box.push", Call((4,), init=([1, 2],)), 3),
        ("Box.push", Call((4,), init=([],), init_kwargs={"label": "y"}), 1),
        ("Box.Inner.run", Call(), "inner"),
        ("Point.norm", Call(init=(-3, 4)), 7),
    ],
)
def test_a_call_is_prepared_and_then_made(module, entry, call, result):
    assert bind(module, entry).prepare(call).thunk() == result


def test_the_object_of_a_method_is_made_before_the_timed_part(module):
    prepared = bind(module, "Box.push").prepare(Call((4,), init=([1],)))
    assert prepared.instance.items == [1]
    prepared.thunk()
    assert prepared.instance.items == [1, 4]


def test_a_class_method_is_called_on_the_class(module):
    prepared = bind(module, "Box.of").prepare(Call((2,)))
    assert prepared.instance is None
    assert prepared.thunk().items == [0, 0]


def test_a_whole_module_is_called_through_the_workload(module):
    target = bind(module, "", lambda loaded, a: loaded.add(a, 1))
    assert target.prepare(Call((1,))).thunk() == 2
    with pytest.raises(TargetError, match=r"call\(module"):
        bind(module, "")


@pytest.mark.parametrize(
    ("entry", "words"), [("gone", "no such entry"), ("Box.gone", "no such"), ("number", "int")]
)
def test_a_candidate_that_lost_its_entry_is_told_so(module, entry, words):
    with pytest.raises(TargetError, match=words):
        bind(module, entry)


def test_what_is_no_iterator_is_not_drained():
    for value in ([1], "ab", {1: 2}, range(3), None, object(), drain):
        assert drain(value) is value


def test_iterators_are_drained_to_a_marked_list(module):
    drained = drain(module.count(3))
    assert isinstance(drained, Drained)
    assert (drained.items, drained.truncated, drained.error) == ([0, 1, 2], False, None)
    assert drain(map(str, [1])).items == ["1"]


def test_endless_iterators_are_cut():
    def forever():
        while True:
            yield 1

    drained = drain(forever(), 10)
    assert drained.truncated
    assert len(drained.items) == 10


def test_an_error_in_the_middle_of_an_iterator_keeps_what_came_before():
    def broken():
        yield 1
        raise KeyError("x")

    drained = drain(broken())
    assert drained.items == [1]
    assert isinstance(drained.error, KeyError)
