"""The file that workload init writes makes inputs that the function takes, as it stands."""

from __future__ import annotations

import pytest

from peagen_ray.workload.base import load_workload
from peagen_ray.workload.target import inspect_source
from peagen_ray.workload.template import template

SOURCE = """
from __future__ import annotations
import typing as t
def sort(items): ...
def two_sum(nums: list[int], target: int): ...
def matmul(a: t.List[list[float]], b: list[list[float]]): ...
def shortest(graph: dict[str, dict[str, int]], start: str): ...
def reach(graph: dict[int, list[int]], *, start: int): ...
def near(graph: dict[int, set[int]], start: int): ...
def find(words: list[str], word: str): ...
def text(text, k, x=3, *args, **kw): ...
def pairs(p: list[tuple[int, str]], q: t.Optional[int], r: "set[int]", f: float, g: bool, h: bytes): ...
def rows(rows: list[dict[str, int]], one: tuple, m: dict[str, list[int]], n: dict[str, int] | None): ...
def guess(matrix, graph, words, d, s, n, x): ...
def none(): ...
class Box:
    def __init__(self, items: list[int], k): ...
    def push(self, k: int): ...
    @staticmethod
    def double(x: float): ...
"""

ENTRIES = [
    "sort", "two_sum", "matmul", "shortest", "reach", "near", "find", "text", "pairs", "rows", "guess",
    "none", "Box.push", "Box.double", "",
]  # fmt: skip


def started(entry):
    return load_workload(template(inspect_source(SOURCE, entry)), SOURCE, entry, path="workload.py")


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_template_works_as_it_stands(entry):
    workload = started(entry)
    assert workload.call(1, 5) == workload.call(1, 5)
    assert workload.edges(0, 4)
    assert not workload.has_check


def test_it_is_about_ten_lines_and_names_the_parameters():
    text = template(inspect_source(SOURCE, "two_sum"))
    assert len(text.splitlines()) <= 14
    assert "return (nums, target)" in text
    assert max(map(len, text.splitlines())) <= 110


def test_matrices_can_be_multiplied_and_keys_are_found():
    matrices = started("matmul").call(1, 4).args
    assert [[len(row) for row in matrix] for matrix in matrices] == [[4] * 4] * 2
    graph, start = (
        load_workload(template(inspect_source(SOURCE, "shortest")), SOURCE, "shortest").call(1, 4).args
    )
    assert start in graph
    assert set().union(*graph.values()) <= set(graph)


def test_an_unknown_type_is_left_to_the_person():
    source = "def f(a: Strange, b: list[Strange]): ..."
    text = template(inspect_source(source, "f"))
    assert "a = ...  # fill in: Strange" in text
    assert "b = [... for _ in range(size)]  # fill in: list[Strange]" in text
    assert load_workload(text, source, "f").call(0, 2).args == (..., [..., ...])


def test_a_method_gets_its_object():
    call = started("Box.push").call(1, 3)
    assert len(call.init) == 2
    assert len(call.args) == 1
