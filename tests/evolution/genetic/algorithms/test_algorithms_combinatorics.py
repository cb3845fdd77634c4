"""Arrangements and determinants are the same without recursion."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.combinatorics import Determinant, Permutations

RNG = random.Random(101)


@pytest.mark.parametrize(
    "base",
    [
        "if len(items) <= 1:\n        return [items]",
        "if not items:\n        return [[]]",
        "if items == []:\n        return [[]]",
    ],
)
@pytest.mark.parametrize(
    "loop",
    [
        "for i in range(len(items)):\n        rest = items[:i] + items[i + 1:]\n        for p in f(rest):\n"
        "            out.append([items[i]] + p)",
        "for i, item in enumerate(items):\n        for p in f(items[:i] + items[i + 1:]):\n            out.append([item] + p)",
    ],
)
def test_all_orders_of_a_list_come_from_itertools(improve, base, loop):
    source = f"def f(items):\n    {base}\n    out = []\n    {loop}\n    return out\n"
    start = 1 if "<= 1" in base else 0
    improve(
        Permutations(),
        source,
        "f",
        [(list(range(n)),) for n in range(start, 5)],
        contains=["itertools.permutations"],
    )


def test_all_orders_of_a_string_are_strings(improve):
    source = """
def f(s):
    if len(s) <= 1:
        return [s]
    result = []
    for i in range(len(s)):
        for p in f(s[:i] + s[i + 1:]):
            result.append(s[i] + p)
    return result
"""
    improve(
        Permutations(), source, "f", [("",), ("a",), ("abc",), ("aab",)], contains=["itertools.permutations"]
    )


@pytest.mark.parametrize(
    "second", ["", "if len(m) == 2:\n        return m[0][0] * m[1][1] - m[0][1] * m[1][0]"]
)
@pytest.mark.parametrize(
    "minor",
    [
        "minor = [row[:c] + row[c + 1:] for row in m[1:]]",
        "minor = []\n        for r in range(1, len(m)):\n            minor.append(m[r][:c] + m[r][c + 1:])",
        "minor = []\n        for r in range(1, len(m)):\n            row = []\n            for k in range(len(m)):\n"
        "                if k != c:\n                    row.append(m[r][k])\n            minor.append(row)",
    ],
)
def test_determinants_come_from_elimination(improve, second, minor):
    source = f"""
def det(m):
    n = len(m)
    if n == 1:
        return m[0][0]
    {second}
    total = 0
    for c in range(n):
        {minor}
        total += (-1) ** c * m[0][c] * det(minor)
    return total
"""
    inputs = [
        ([[RNG.choice([0, 0, 1, -2, 5]) for _ in range(n)] for _ in range(n)],)
        for n in (1, 2, 3, 4, 5)
        for _ in range(4)
    ]
    improve(Determinant(), source, "det", inputs, contains=["pivot"])
