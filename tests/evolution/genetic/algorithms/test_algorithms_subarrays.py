"""One pass over a sequence finds what two or three loops do."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.subarrays import (
    BestSubarray,
    LongestRun,
    OtherProducts,
    RisingSubsequence,
    SubarraySums,
)

RNG = random.Random(21)
LISTS = [[RNG.randint(-6, 8) for _ in range(n)] for n in range(1, 12) for _ in range(2)]
ONE = [(xs,) for xs in LISTS]
TWO = [(xs, k) for xs in LISTS for k in (1, 3, 5)]


@pytest.mark.parametrize(
    "body",
    [
        "best = xs[0]\n    for i in range(len(xs)):\n        total = 0\n        for j in range(i, len(xs)):\n"
        "            total += xs[j]\n            if total > best:\n                best = total",
        "best = float('-inf')\n    n = len(xs)\n    for start in range(n):\n        for end in range(start, n):\n"
        "            s = sum(xs[start:end + 1])\n            best = max(s, best)",
        "best = None\n    for i in range(len(xs)):\n        for j in range(i + 1, len(xs) + 1):\n"
        "            cur = sum(xs[i:j])\n            if best is None or cur > best:\n                best = cur",
        "best = max(sum(xs[i:j]) for i in range(len(xs)) for j in range(i + 1, len(xs) + 1))",
        "best = 99\n    i = 0\n    while i < len(xs):\n        acc = 0\n        j = i\n        while j <= len(xs) - 1:\n"
        "            acc = acc + xs[j]\n            best = acc if acc < best else best\n            j += 1\n        i += 1",
    ],
)
def test_the_best_sum_of_neighbours_takes_one_pass(improve, body):
    improve(BestSubarray(), f"def f(xs):\n    {body}\n    return best\n", "f", ONE, contains=["running"])


@pytest.mark.parametrize(
    "step",
    [
        "if s == k:\n                out += 1",
        "if s % k == 0:\n                out += 1",
        "if s == k:\n                return True",
        "if s == k:\n                out = max(out, j - i + 1)",
        "if s == k and j - i + 1 > out:\n                out = j - i + 1",
    ],
)
def test_sums_of_neighbours_are_found_through_prefixes(improve, applies, step):
    source = f"""
def f(xs, k):
    out = 0
    for i in range(len(xs)):
        s = 0
        for j in range(i, len(xs)):
            s += xs[j]
            {step}
    return out
"""
    improve(SubarraySums(), source, "f", TWO, contains=["running"])


@pytest.mark.parametrize("how", ["<", "<="])
@pytest.mark.parametrize(
    "step", ["dp[i] = max(dp[i], dp[j] + 1)", "if dp[j] + 1 > dp[i]:\n                    dp[i] = dp[j] + 1"]
)
@pytest.mark.parametrize("first", ["", "1, "])
def test_rising_subsequences_are_found_by_bisection(improve, how, step, first):
    source = f"""
def f(xs):
    dp = [1] * len(xs)
    for i in range({first}len(xs)):
        for j in range(i):
            if xs[i] {how.replace("<", ">")} xs[j]:
                {step}
    return dp, max(dp)
"""
    improve(RisingSubsequence(), source, "f", ONE, contains=["bisect.bisect_"])


@pytest.mark.parametrize(
    "step",
    [
        "length = 1\n        while x + length in xs:\n            length += 1",
        "length = 1\n        y = x\n        while y + 1 in xs:\n            y = y + 1\n            length = length + 1",
    ],
)
def test_runs_are_measured_from_their_beginnings(improve, step):
    source = f"def f(xs):\n    best = 0\n    for x in xs:\n        {step}\n        best = max(best, length)\n    return best\n"
    improve(LongestRun(), source, "f", ONE, contains=["- 1 not in"])


def test_products_of_the_others_come_from_both_sides(improve):
    source = """
def f(xs):
    out = []
    for i in range(len(xs)):
        p = 1
        for j in range(len(xs)):
            if j != i:
                p *= xs[j]
        out.append(p)
    return out
"""
    improve(OtherProducts(), source, "f", [*ONE, ([],)], contains=["itertools.accumulate"])
