"""A workload file says what inputs are and what is correct; what is wrong with it is told with its line."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from peagen_ray.errors import TargetError, WorkloadError
from peagen_ray.workload.base import Scale, Workload, load_workload
from peagen_ray.workload.codec import encode
from peagen_ray.workload.equality import observe
from peagen_ray.workload.target import MODULE_NAME, Call, Drained

TARGET = """
class Box:
    def __init__(self, items): self.items = items
    def push(self, item): self.items.append(item)
class Late:
    pass
def sort(items): return sorted(items)
def clamp(x, low=0, high=1): ...
def spread(*items, first=None): ...
import functools
def odd(f): return f
@odd
def wrapped(a): ...
"""

SORT = """
def inputs(rng, size):
    return [rng.randrange(size) for _ in range(size)]
"""


@pytest.fixture(autouse=True)
def no_leftovers(monkeypatch):
    for name in (MODULE_NAME, "__peagen_workload__"):
        monkeypatch.setitem(sys.modules, name, None)


def load(text: str, entry: str = "sort", source: str = TARGET) -> Workload:
    return load_workload(text, source, entry, path="sort_workload.py", target_path="sort.py")


def returning(expression: str, entry: str = "sort") -> Call:
    return load(f"def inputs(rng, size):\n    return {expression}\n", entry).call(0, 3)


def test_seed_and_size_make_the_call():
    workload = load(SORT)
    assert workload.call(1, 50) == workload.call(1, 50)
    assert workload.call(1, 50) != workload.call(2, 50)
    assert len(workload.call(1, 7).args[0]) == 7


def test_the_same_call_is_made_in_another_process():
    code = (
        "from peagen_ray.workload.base import load_workload\n"
        f"print(load_workload({SORT!r}, {TARGET!r}, 'sort').call(3, 20).args)"
    )
    there = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert there.strip() == str(load(SORT).call(3, 20).args)


@pytest.mark.parametrize(
    ("expression", "entry", "expected"),
    [
        ("[1, 2]", "sort", Call(([1, 2],))),
        ("None", "sort", Call((None,))),
        ("{'a': 1}", "sort", Call(({"a": 1},))),
        ("{}", "sort", Call(({},))),
        ("((1, 2),)", "sort", Call(((1, 2),))),
        ("(1, 2, 3)", "clamp", Call((1, 2, 3))),
        ("{'args': (1,), 'kwargs': {'high': 2}}", "clamp", Call((1,), {"high": 2})),
        ("{'args': [1]}", "clamp", Call((1,))),
        ("{'args': 1}", "clamp", Call((1,))),
        ("{'init': ([],), 'args': (1,)}", "Box.push", Call((1,), init=([],))),
        (
            "{'init': (), 'init_kwargs': {'items': []}, 'args': (1,)}",
            "Box.push",
            Call((1,), {}, (), {"items": []}),
        ),
        ("(1, 2, 3, 4)", "spread", Call((1, 2, 3, 4))),
        ("(1, 2)", "wrapped", Call((1, 2))),
        ("{'kwargs': {'items': [1]}}", "sort", Call((), {"items": [1]})),
    ],
)
def test_what_inputs_returns_is_understood(expression, entry, expected):
    call = returning(expression, entry)
    assert (call.args, call.kwargs, call.init or (), call.init_kwargs) == (
        expected.args,
        expected.kwargs,
        expected.init or (),
        expected.init_kwargs,
    )


def test_a_call_may_be_returned_itself():
    text = "from peagen_ray.workload.target import Call\ndef inputs(rng, size):\n    return Call((size,))\n"
    assert load(text).call(0, 4) == Call((4,))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def inputs(rng, size):\n    return 1 / 0\n", ["line 2", "ZeroDivisionError"]),
        ("import random\n\nx = [][0]\n", ["line 3", "IndexError"]),
        ("def inputs(:\n", ["line 1", "syntax error"]),
        ("x = 1\n", ["inputs(rng, size)"]),
        ("inputs = 3\n", ["inputs is no function"]),
        ("def inputs(rng, size): ...\ncheck = 1\n", ["check(args, output)"]),
        ("def inputs(rng, size): return ()\n", ["0 arguments", "sort(items) takes 1"]),
        ("def inputs(rng, size): return (1, 2)\n", ["2 arguments", "tuple"]),
        ("def inputs(rng, size): return {'args': (), 'kwargs': 3}\n", ["kwargs"]),
        ("def inputs(rng, size): ...\nsizes = 3\n", ["sizes = (smallest, largest)"]),
        ("def inputs(rng, size): ...\nsizes = (5, 2)\n", ["sizes is (5, 2)"]),
        ("def inputs(rng, size): ...\nsizes = (True, 2)\n", ["sizes is"]),
    ],
)
def test_mistakes_are_told_with_file_and_line(text, words):
    with pytest.raises(WorkloadError) as caught:
        load(text).call(0, 3)
    for word in [*words, "sort_workload.py"]:
        assert word in str(caught.value)


def test_an_arity_that_may_vary_is_told_as_a_range():
    with pytest.raises(WorkloadError, match="takes 1 to 3"):
        returning("(1, 2, 3, 4)", "clamp")


def test_a_missing_entry_is_told_before_anything_runs():
    with pytest.raises(TargetError, match="sort"):
        load("raise SystemExit", "sorted_")


def test_edges_are_the_smallest_sizes_and_skip_what_cannot_be_made():
    sizes = [len(call.args[0]) for call in load("def inputs(rng, size): return [0] * size\n").edges(0, 8)]
    assert sizes == [0, 1, 2, 3, 0, 1, 2, 3]
    skips = load("def inputs(rng, size): return [0] * (size // (size - 1) * size)\n").edges(0, 4)
    assert len(skips) == 3


def test_edges_start_at_the_smallest_size_that_the_file_allows():
    workload = load("sizes = (5, 50)\ndef inputs(rng, size): return [0] * size\n")
    assert [len(call.args[0]) for call in workload.edges(0, 2)] == [5, 6]
    assert workload.sizes == (5, 50)


def test_the_size_is_searched_within_its_bounds():
    workload = load("sizes = (5, 50)\ndef inputs(rng, size): return [0] * size\n")
    asked = []

    def seconds(size):
        asked.append(size)
        return 1e-5 * size

    assert workload.size_for(seconds, 0.01) == Scale(50, 5e-4, 20)
    assert min(asked) == 5
    with pytest.raises(WorkloadError, match="no call of size 5 works"):
        workload.size_for(lambda size: None, 0.01)


def test_a_file_can_make_objects_of_the_target_that_pickle():
    text = f"""
from {MODULE_NAME} import Box
def inputs(rng, size):
    from {MODULE_NAME} import Late
    return Box([Late()])
"""
    call = load(text, "sort").call(0, 1)
    assert type(pickle.loads(pickle.dumps(call)).args[0]).__name__ == "Box"


def test_an_original_that_cannot_be_loaded_is_told_with_its_line():
    with pytest.raises(TargetError, match=r"sort\.py, line 2.*ZeroDivisionError"):
        load(f"import {MODULE_NAME}\n" + SORT, source="def sort(items): ...\n1 / 0\n")


def test_a_whole_module_needs_a_call():
    with pytest.raises(WorkloadError, match=r"call\(module"):
        load(SORT, "")
    workload = load(SORT + "def call(module, items): return module.sort(items)\n", "")
    assert len(workload.call(0, 3).args) == 1


def verdict(check: str, output: object = 3, **options: object) -> str | None:
    workload = load(f"{SORT}\ndef check(args, output):\n    {check}\n")
    assert workload.has_check
    call = Call(([1, 2],))
    return workload.check_observation(call, observe(output, call, limit_bytes=10**6, **options))


@pytest.mark.parametrize(
    "check", ["return True", "return None", "pass", "assert args == ([1, 2],)", "return 1"]
)
def test_a_check_that_is_content(check):
    assert verdict(check) is None


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ("return False", "check says that it is wrong"),
        ("return 0", "check says that it is wrong"),
        ("return 'too short'", "check: too short"),
        ("return ''", "check: "),
        ("assert output == 4, 'not four'", "check: not four"),
        ("assert output == 4", "check: assertion in line 6"),
        ("return output.missing", "check raised AttributeError in line 6"),
        ("return 'x' * 1000", "check: " + "x" * 200),
        (
            "class A:\n        def __bool__(self): raise ValueError('both')\n    return A()",
            "both",
        ),
    ],
)
def test_a_check_that_is_not(check, told):
    assert told in (verdict(check) or "")


def test_a_check_sees_values_of_built_in_types():
    assert verdict("assert output == {'a': [(1, 2.0)]}", {"a": [(1, 2.0)]}) is None
    assert verdict("assert output == [1, 2]", Drained([1, 2])) is None
    assert verdict("assert output.args == (1,) or True", ValueError(1)) == (
        "check raised AttributeError in line 6: builtins.ValueError object has no attribute 'args'"
    )


def test_outcomes_that_no_check_can_accept():
    assert verdict("return True", KeyError("x"), raised=True) == "raised KeyError"
    assert verdict("return True", Drained([], truncated=True)) == "the iterator returned has no end"
    assert "KeyError" in (verdict("return True", Drained([], error=KeyError())) or "")


def test_rubbish_from_the_process_is_a_verdict():
    workload = load(f"{SORT}\ndef check(args, output): return True\n")
    for data in (b"", b"[" * 10_000, encode(1, limit_bytes=100), b'[1,[0],[["tuple",["observation"]]]]'):
        assert "cannot be read" in (workload.check_observation(Call(), data) or "")
    seen = '["tuple",["observation","returned",[1],[2],[3],null]]'
    unhashable = f'[1,[0],[{seen},["set",[[2]]],["list",[]],["dict",[],[]]]]'.encode()
    assert "cannot be read" in (workload.check_observation(Call(), unhashable) or "")


def test_without_a_check_the_original_decides():
    workload = load(SORT)
    assert not workload.has_check
    assert workload.accepts(Call(), b"anything")
    with pytest.raises(WorkloadError, match="no check"):
        workload.check_observation(Call(), observe(1, Call(), limit_bytes=1000))


def test_a_workload_for_comparing_only():
    oracle = Workload.oracle()
    assert not oracle.has_check
    assert oracle.edges(0, 5) == []
    with pytest.raises(WorkloadError):
        oracle.call(0, 1)
