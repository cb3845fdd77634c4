"""A function of no file, written down with what it uses."""

from __future__ import annotations

import linecache
import math
from typing import Any

import pytest

from peagen_ray.errors import TargetError
from peagen_ray.runtime.standalone import standalone

_cells = 0


def cell(source: str, **scope: Any) -> dict[str, Any]:
    """What a notebook's cell of that source defines, beside what was defined before."""
    global _cells
    _cells += 1
    name = f"<cell {_cells}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": "__main__", **scope}
    exec(compile(source, name, "exec"), names)
    return names


def alone(source: str, **scope: Any) -> str:
    return standalone(cell(source, **scope)["f"])


def test_a_function_that_uses_nothing_is_its_source():
    source = (
        "def f(xs: list[int]) -> int:\n    def inner(x):\n        return x + len(xs)\n    return inner(1)\n"
    )
    assert alone(source) == source


def test_imports_constants_and_functions_come_along_and_it_runs_by_itself():
    names = cell(
        "import math as m\nfrom math import floor as low\nfrom fractions import Fraction\nLIMIT = {'a': [1, (2.5, None)]}\n"
        "def helper(x):\n    return low(x) + LIMIT['a'][0]\n"
    )
    source = alone(
        "def f(x: float, of=Fraction) -> float:\n    return helper(x) + m.pi + float(of(1, 2))\n", **names
    )
    scope: dict[str, Any] = {}
    exec(source, scope)
    assert scope["f"](3.7) == 4 + math.pi + 0.5
    assert source.startswith(
        "from fractions import Fraction\nfrom math import floor as low\nimport math as m\n"
    )


def test_what_two_functions_use_is_written_once_and_a_cycle_ends():
    names = cell(
        "N = 3\ndef even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)\n"
    )
    names["odd"].__globals__.update(names)
    source = alone("def f(x: int) -> bool:\n    return even(x + N) and odd(x)\n", **names)
    assert source.count("def even") == source.count("def odd") == source.count("N = 3") == 1
    scope: dict[str, Any] = {}
    exec(source, scope)
    assert scope["f"](1) is True


def test_a_closure_and_another_name_for_a_function_are_seen():
    names = cell(
        "def g(x):\n    return x\nh = g\ndef outer():\n    step = 5\n    def f(x: int) -> int:\n        return h(x) + step\n    return f\n"
    )
    scope: dict[str, Any] = {}
    exec(standalone(names["outer"]()), scope)
    assert scope["f"](1) == 6


def test_a_lambda_that_is_used_is_written_down_under_its_name_with_what_it_uses():
    names = cell(
        "step = 2\nkey = other = lambda x: x * step  # so\ndef f(x: int) -> int:\n    return other(x)\n"
    )
    scope: dict[str, Any] = {}
    exec(standalone(names["f"]), scope)
    assert scope["f"](4) == 8
    with pytest.raises(TargetError, match="around it"):
        alone("g, h = (lambda x: x), (lambda x: -x)\ndef f(x: int) -> int:\n    return h(x)\n")


def test_a_local_that_shares_its_name_with_something_else_brings_nothing():
    assert "frame" not in alone("def f(x: int) -> int:\n    data = x\n    return data\n", data=object())


def test_what_cannot_be_written_down_is_named():
    with pytest.raises(TargetError, match="it uses handle, a object") as refused:
        alone("def f(x: int) -> int:\n    return handle + x\n", handle=object())
    assert refused.value.subject == "f"


def test_what_has_no_source_is_refused():
    with pytest.raises(TargetError, match="source"):
        standalone(len)
