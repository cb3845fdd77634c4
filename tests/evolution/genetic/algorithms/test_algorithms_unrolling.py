"""Loops in the place of recursion give the same results."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.unrolling import BottomUp, FoldRecursion, TailRecursion

NUMBERS = [(n,) for n in range(12)]
LISTS = [([3, 1, 4, 1, 5, 9],), ([2],), ([7, 7],)]


def test_a_returned_call_of_itself_goes_round_a_loop(improve):
    source = """
def total(items, index=0, so_far=0):
    \"\"\"The sum.\"\"\"
    if index == len(items):
        return so_far
    return total(items, index + 1, so_far + items[index])
"""
    after = improve(TailRecursion(), source, "total", [([1, 2, 3],), ([],)])
    assert "while True:" in after
    assert "index, so_far = (index + 1, so_far + items[index])" in after or "index, so_far =" in after


def test_every_branch_that_returns_a_call_goes_round(improve):
    source = """
def search(items, x, low, high):
    if low > high:
        return -1
    mid = (low + high) // 2
    if items[mid] == x:
        return mid
    if items[mid] < x:
        return search(items, x, mid + 1, high)
    else:
        return search(items, x, low, mid - 1)
"""
    items = list(range(0, 40, 3))
    after = improve(TailRecursion(), source, "search", [(items, x, 0, len(items) - 1) for x in range(42)])
    assert "continue" in after


def test_defaults_are_taken_again(improve):
    source = """
def f(n, step=2):
    if n <= 0:
        return step
    if n == 5:
        return f(n - 1, 3)
    return f(n - step)
"""
    improve(TailRecursion(), source, "f", NUMBERS)


def test_recursion_that_is_not_returned_at_once_is_no_loop(applies):
    assert not applies(TailRecursion(), "def f(n):\n    return n and 1 + f(n - 1)\n")
    assert not applies(
        TailRecursion(), "def f(n):\n    for i in range(n):\n        return f(i)\n    return n\n"
    )


@pytest.mark.parametrize(
    "body",
    [
        "if n <= 1:\n        return 1\n    return f(n - 1) + f(n - 2)",
        "if n == 0:\n        return 0\n    elif n == 1:\n        return 1\n    else:\n        return f(n - 2) + f(n - 1)",
        "if n < 3:\n        return n\n    return f(n - 1) + f(n - 2) * f(n - 3)",
        "if n <= 1:\n        return 1\n    return sum(f(i) * f(n - 1 - i) for i in range(n))",
    ],
)
def test_what_is_needed_is_computed_from_the_smallest_number_up(improve, body):
    improve(BottomUp(), f"def f(n):\n    {body}\n", "f", NUMBERS, contains=["known.append(step(number))"])


def test_only_calls_for_smaller_numbers_go_bottom_up(applies):
    for args in ("n, f(n)", "f(n + 1), f(n - 1)", "f(n * 2), f(1)", "f(g[n]), f(n - 1)", "f(n - 1), 0"):
        assert not applies(BottomUp(), f"def f(n):\n    return {args}\n")


@pytest.mark.parametrize(
    ("source", "inputs"),
    [
        ("def f(xs):\n    if not xs:\n        return 0\n    return xs[0] + f(xs[1:])\n", [*LISTS, ([],)]),
        (
            "def f(xs):\n    if len(xs) == 0:\n        return []\n    return f(xs[1:]) + [xs[0] * 2]\n",
            [*LISTS, ([],)],
        ),
        ("def f(s):\n    if s == '':\n        return ''\n    return f(s[1:]) + s[0]\n", [("abc",), ("",)]),
        (
            "def f(xs):\n    if len(xs) == 1:\n        return xs[0]\n    rest = f(xs[1:])\n"
            "    if xs[0] > rest:\n        return xs[0]\n    return rest\n",
            LISTS,
        ),
        ("def f(xs):\n    if len(xs) == 1:\n        return xs[0]\n    return max(xs[0], f(xs[1:]))\n", LISTS),
        ("def f(n):\n    if n == 0:\n        return 1\n    else:\n        return n * f(n - 1)\n", NUMBERS),
        ("def f(n):\n    if n <= 1:\n        return 1\n    return n * f(n - 1)\n", NUMBERS),
    ],
)
def test_a_recursion_that_takes_one_item_at_a_time_is_a_loop(improve, source, inputs):
    improve(FoldRecursion(), source, "f", inputs, contains=["for "])
