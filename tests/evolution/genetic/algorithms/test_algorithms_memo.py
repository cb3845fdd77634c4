"""Recursion that remembers gives the same results, and no longer computes them again and again."""

from __future__ import annotations

import random

from peagen_ray.evolution.mutators.genetic.algorithms.memo import CacheNested, MemoiseRecursion

FIB = """
def fib(n):
    \"\"\"The n-th Fibonacci number.\"\"\"
    # the classic
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)
"""


def test_a_recursive_function_gets_a_cache_that_lives_for_one_call(improve):
    after = improve(MemoiseRecursion(), FIB, "fib", [(n,) for n in range(-2, 20)])
    assert "# the classic" in after
    assert "@functools.lru_cache(maxsize=None)\n    def solve(n):\n" in after
    assert "    return solve(n)\n" in after


def test_lists_that_are_only_passed_on_are_no_part_of_the_key(improve):
    source = """
def best(weights, values, capacity, n=None):
    if n is None:
        n = len(weights)
    if n == 0 or capacity == 0:
        return 0
    if weights[n - 1] > capacity:
        return best(weights, values, capacity, n - 1)
    return max(values[n - 1] + best(weights, values, capacity - weights[n - 1], n - 1),
               best(weights, values, capacity, n - 1))
"""
    rng = random.Random(1)
    inputs = [
        ([rng.randint(1, 9) for _ in range(8)], [rng.randint(1, 9) for _ in range(8)], c) for c in range(20)
    ]
    improve(MemoiseRecursion(), source, "best", inputs, contains=["def solve(capacity, n):"])


def test_slices_become_indices(improve):
    source = """
def ways(coins, amount):
    if amount == 0:
        return 1
    if amount < 0 or not coins:
        return 0
    return ways(coins, amount - coins[0]) + ways(coins[1:], amount)
"""
    inputs = [([1, 2, 5], 11), ([], 3), ([2], 3), ([3, 5, 7, 8], 40)]
    improve(
        MemoiseRecursion(),
        source,
        "ways",
        inputs,
        contains=["solve(start + 1, amount)", "start >= len(coins)"],
    )


def test_two_sequences_have_an_index_each(improve):
    source = """
def common(a, b):
    if len(a) == 0 or b == "":
        return 0
    if a[0] == b[0]:
        return 1 + common(a[1:], b[1:])
    return max(common(a[1:], b), common(a, b[1:]))
"""
    rng = random.Random(2)
    inputs = [("".join(rng.choices("abc", k=i % 9)), "".join(rng.choices("abc", k=i % 7))) for i in range(40)]
    improve(MemoiseRecursion(), source, "common", inputs, contains=["def solve(a_start, b_start):"])


def test_prefixes_become_indices(improve):
    source = """
def distance(s, t):
    if not s:
        return len(t)
    if not t:
        return len(s)
    if s[-1] == t[-1]:
        return distance(s[:-1], t[:-1])
    return 1 + min(distance(s[:-1], t), distance(s, t[:-1]), distance(s[:-1], t[:-1]))
"""
    rng = random.Random(3)
    inputs = [("".join(rng.choices("ab", k=i % 6)), "".join(rng.choices("ab", k=i % 5))) for i in range(30)]
    improve(MemoiseRecursion(), source, "distance", inputs, contains=["s_end - 1"])


def test_the_rest_of_a_list_may_be_looped_over_and_sliced_further(improve):
    source = """
def count(items, target):
    if items:
        total = 0
        for item in items[:2]:
            total += item
        if sum(items) == target:
            total += items[-1]
        return total + count(items[1:], target) + count(items[2:], target)
    return 1
"""
    improve(MemoiseRecursion(), source, "count", [([1, 2, 3, 4, 5, 6], 6), ([], 0), ([5], 5)])


def test_lists_may_be_passed_as_tuples(improve):
    source = """
def tour(left, here):
    if not left:
        return here
    return min(abs(here - p) + tour(left[:i] + left[i + 1:], p) for i, p in enumerate(left))
"""
    improve(
        MemoiseRecursion(),
        source,
        "tour",
        [([3, 9, 1, 7, 4], 0), ([], 2)],
        site=1,
        contains=["solve(tuple(left)"],
    )


def test_sets_may_be_passed_as_frozen_sets(improve):
    source = """
def cover(seen, n):
    if len(seen) == n:
        return 1
    return sum(cover(seen | {k}, n) for k in range(n) if k not in seen)
"""
    improve(MemoiseRecursion(), source, "cover", [(set(), 5), ({1}, 4)], site=1, contains=["frozenset(seen)"])


def test_methods_remember_too(improve):
    source = """
class Grid:
    def __init__(self, cost):
        self.cost = cost
    def cheapest(self, r, c):
        if r == 0 and c == 0:
            return self.cost[0][0]
        if r < 0 or c < 0:
            return 10 ** 9
        return self.cost[r][c] + min(self.cheapest(r - 1, c), self.cheapest(r, c - 1))

def solve_grid(cost):
    return Grid(cost).cheapest(len(cost) - 1, len(cost[0]) - 1)
"""
    rng = random.Random(4)
    grid = [[rng.randint(1, 9) for _ in range(5)] for _ in range(4)]
    improve(MemoiseRecursion(), source, "solve_grid", [(grid,)], contains=["lru_cache"])


def test_functions_that_act_or_change_their_arguments_are_left_alone(applies):
    act = "def f(n):\n    print(n)\n    return f(n - 1) + f(n - 2)\n"
    change = "def f(xs, n):\n    xs.append(n)\n    return f(xs, n - 1) + f(xs, n - 2)\n"
    single = "def f(n):\n    return n and f(n - 1)\n"
    starred = "def f(*n):\n    return f(1) + f(2)\n"
    assert not any(applies(MemoiseRecursion(), source) for source in (act, change, single, starred))


def test_a_nested_function_is_decorated(improve):
    source = """
def edit(a, b):
    def distance(i, j):
        if i == 0 or j == 0:
            return i + j
        if a[i - 1] == b[j - 1]:
            return distance(i - 1, j - 1)
        return 1 + min(distance(i - 1, j), distance(i, j - 1), distance(i - 1, j - 1))
    return distance(len(a), len(b))
"""
    improve(CacheNested(), source, "edit", [("kitten", "sitting"), ("", "abc")], contains=["lru_cache"])
