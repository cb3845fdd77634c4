"""Each pair is judged once, where the order does not matter."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.halving import HalfThePairs

RNG = random.Random(131)
POINTS = [([(RNG.randint(0, 30), RNG.randint(0, 30)) for _ in range(n)],) for n in range(2, 14)]


@pytest.mark.parametrize(
    "loops",
    [
        "for i in range(len(p)):\n        for j in range(len(p)):\n            if i != j and apart(p[i], p[j]) < best:\n"
        "                best = apart(p[i], p[j])",
        "for i, a in enumerate(p):\n        for j, b in enumerate(p):\n            if i == j:\n                continue\n"
        "            best = min(best, apart(a, b))",
    ],
)
def test_each_pair_is_taken_once(improve, loops):
    source = f"""
def apart(a, b):
    return abs(a[0] - b[0]) + abs(a[1] - b[1])

def f(p):
    best = 99
    {loops}
    return best
"""
    improve(HalfThePairs(), source, "f", POINTS, contains=["for j in range(i + 1, len(p))"])


@pytest.mark.parametrize(
    "loops",
    [
        "for i in range(n):\n        for j in range(n):\n            if i < j:\n                n += 1",
        "for i in range(n):\n        for j in range(9):\n            if i != j:\n                n += 1",
        "for i in range(n):\n        for j in range(n):\n            if i != n:\n                n += 1",
        "for i in range(n):\n        for j in range(n):\n            n += 1",
        "for i in range(n):\n        for j in xs:\n            if i != j:\n                n += 1",
    ],
)
def test_other_pairs_are_left_alone(applies, loops):
    assert not applies(HalfThePairs(), f"def f(xs, n):\n    {loops}\n    return n\n")
