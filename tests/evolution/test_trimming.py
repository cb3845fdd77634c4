from __future__ import annotations

import ast
from collections.abc import Generator

from peagen_ray.evolution.minimise import minimise
from peagen_ray.evolution.trimming import trimmed

ORIGINAL = """def f(xs):
    return slow(xs)
"""
CHANGED = """import heapq


def f(xs):
    ys = xs
    unused = len(ys)
    if ys:
        pass
    return f"{ys}" if not ys else sum(ys)
"""


def test_every_trimmed_program_parses_and_lacks_one_statement() -> None:
    found = list(trimmed(ORIGINAL, CHANGED))
    assert found
    for source in found:
        ast.parse(source)
        assert len(source) < len(CHANGED) + len("    pass\n")
    assert any("heapq" not in source for source in found)
    assert any("unused" not in source for source in found)


def test_an_alias_gives_way_to_what_it_stands_for() -> None:
    changed = "def f(xs):\n    ys = xs  # é\n    return sum(ys) + len(ys)\n"
    assert "def f(xs):\n    return sum(xs) + len(xs)\n" in trimmed(ORIGINAL, changed)


def test_a_name_that_is_set_again_or_stands_in_an_f_string_keeps_its_alias() -> None:
    for body in ("ys = xs\n    ys = sorted(ys)\n    return ys", 'ys = xs\n    return f"{ys}"'):
        changed = f"def f(xs):\n    {body}\n"
        assert not any("sorted(xs)" in source or "{xs}" in source for source in trimmed(ORIGINAL, changed))


def test_what_the_original_has_is_left_alone() -> None:
    assert list(trimmed(CHANGED, CHANGED)) == []


def test_minimising_ends_with_nothing_left_to_trim() -> None:
    smallest = driven(minimise(ORIGINAL, CHANGED))
    assert "heapq" not in smallest
    assert "unused" not in smallest


def driven(steps: Generator[str, bool, str]) -> str:
    try:
        source = next(steps)
        while True:
            source = steps.send("sum(" in source and ("ys = xs" in source or "(xs)" in source))
    except StopIteration as done:
        return str(done.value)
