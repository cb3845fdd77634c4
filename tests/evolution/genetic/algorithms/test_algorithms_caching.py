"""A helper that is called in a loop remembers what it returned, and returns the same."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.caching import CacheHelper

STEPS = """
def steps(n):
    count = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        count += 1
    return count
"""


@pytest.mark.parametrize(
    "body",
    [
        "return sum([steps(n) for n in numbers])",
        "total = 0\n    for n in numbers:\n        for _ in range(2):\n            total += steps(n)\n    return total",
        "total = 0\n    while numbers:\n        total += steps(numbers.pop())\n    return total",
    ],
)
def test_a_helper_called_in_a_loop_is_cached_by_its_caller(improve, body):
    source = f"{STEPS}\ndef total(numbers):\n    {body}\n"
    after = improve(CacheHelper(), source, "total", [([3, 7, 3, 7, 9],), ([],)])
    assert "    cached_steps = functools.lru_cache(maxsize=None)(steps)\n" in after
    assert "cached_steps(n" in after


def test_lists_that_the_loop_leaves_alone_are_passed_on(improve):
    source = """
def count(items, value):
    return sum(item == value for item in items)

def table(values: list[int]):
    seen = []
    for value in values:
        seen.append((value, count(values, value)))
    return seen
"""
    after = improve(CacheHelper(), source, "table", [([3, 1, 3, 2, 1],)])
    assert "functools.lru_cache(maxsize=None)(lambda value: count(values, value))" in after
    assert "seen.append((value, cached_count(value)))" in after


@pytest.mark.parametrize(
    "body",
    [
        "for v in values:\n        seen.append(count(seen, v))",
        "for v in values:\n        seen.append(count([v], v))",
        "for v in values:\n        seen.append(count(values, values))",
        "for v in values:\n        seen.append(count(items=values, value=v))",
        "for v in values:\n        seen.append(count(values, v) + count(others, v))",
        "seen.append(count(values, 3))",
    ],
)
def test_what_changes_or_cannot_be_a_key_is_not_remembered(applies, body):
    source = f"""
def count(items, value):
    return sum(item == value for item in items)

def table(values: list[int], others: list[int]):
    seen = []
    {body}
    return seen
"""
    assert not applies(CacheHelper(), source)


@pytest.mark.parametrize(
    "helper",
    [
        "def push(xs, n):\n    xs.append(n)\n    return xs",
        "def push(xs, n):\n    print(n)\n    return n",
        "def push(xs, n):\n    yield n",
        "def push(xs, *n):\n    return n",
        "def push(xs, n):\n    pass",
        "@property\ndef push(xs, n):\n    return n",
        "def push(xs, n):\n    global total\n    total = n\n    return n",
    ],
)
def test_helpers_that_act_are_not_cached(applies, helper):
    source = (
        f"{helper}\n\ndef fill(n):\n    xs = ()\n    for i in range(n):\n        push(xs, i)\n    return xs\n"
    )
    assert not applies(CacheHelper(), source)
