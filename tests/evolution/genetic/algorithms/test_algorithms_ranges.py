"""Sums and extremes of ranges are the same when they are looked up."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.ranges import RangeTable

RNG = random.Random(6)
LISTS = [([RNG.randint(-9, 9) for _ in range(n)], k) for n in range(1, 12) for k in (1, 2, 3) if k <= n]
FLOATS = [([RNG.random() for _ in range(n)], 3) for n in range(3, 12)]


@pytest.mark.parametrize(
    "loops",
    [
        "for i in range(len(xs) - k + 1):\n        out.append(sum(xs[i:i + k]))",
        "for i in range(len(xs) - k + 1):\n        total = 0\n        for j in range(i, i + k):\n"
        "            total += xs[j]\n        out.append(total / k)",
        "for i in range(len(xs)):\n        t = 0\n        for j in range(i + 1):\n            t = t + xs[j]\n"
        "        out.append(t)",
        "for i in range(len(xs)):\n        t = 5\n        for j in range(i + 1, len(xs)):\n"
        "            if xs[j] > 0:\n                t += j * xs[j]\n        out.append(t)",
        "for i in range(len(xs)):\n        for j in range(i, len(xs)):\n            s = 0\n"
        "            for m in range(i, j + 1):\n                s += xs[m]\n            out.append(s)",
        "i = 0\n    while i < len(xs):\n        window = xs[max(0, i - k):i + 1]\n"
        "        out.append(sum(window) / len(window))\n        i += 1",
    ],
)
def test_sums_of_ranges_are_differences_of_prefix_sums(improve, loops):
    source = f"def f(xs, k):\n    out = []\n    {loops}\n    return out\n"
    improve(RangeTable(), source, "f", [*LISTS, *FLOATS], contains=["sums = "])


def test_a_table_may_be_filled_while_it_is_summed(improve):
    source = """
def catalan(n):
    ways = [1] * (n + 1)
    for i in range(1, n + 1):
        total = 0
        for j in range(i):
            total += ways[j]
        ways[i] = total
    return ways
"""
    improve(RangeTable(), source, "catalan", [(n,) for n in range(9)], contains=["sums = [0]"])


@pytest.mark.parametrize("kind", ["max", "min"])
@pytest.mark.parametrize(
    ("start", "stop", "contains"),
    [
        ("0", "i + 1", ".append("),
        ("i", "len(xs)", "itertools.accumulate("),
        ("i", "i + k", "collections.deque()"),
    ],
)
def test_extremes_of_ranges_are_looked_up(improve, kind, start, stop, contains):
    source = f"""
def f(xs, k):
    out = []
    for i in range(len(xs) - k + 1):
        best = xs[i]
        for j in range({start}, {stop}):
            best = {kind}(best, xs[j])
        out.append(best)
    return out
"""
    improve(RangeTable(), source, "f", LISTS, contains=[contains])


def test_extremes_written_by_hand_are_found(improve):
    source = """
def trapped(h, _):
    water = 0
    for i in range(len(h)):
        left = 0
        for j in range(0, i + 1):
            if h[j] > left:
                left = h[j]
        right = 0
        for j in range(i, len(h)):
            if h[j] > right:
                right = h[j]
        water += min(left, right) - h[i]
    return water
"""
    positive = [([abs(x) for x in xs], k) for xs, k in LISTS]
    once = improve(RangeTable(), source, "trapped", positive)
    improve(RangeTable(), once, "trapped", positive, contains=["itertools.accumulate("])


@pytest.mark.parametrize("kind", ["max", "min"])
def test_extremes_of_slices_of_one_width_are_found(improve, kind):
    source = f"def f(xs, k):\n    return [{kind}(xs[i:i + k]) for i in range(len(xs) - k + 1)]\n"
    source += f"def g(xs, k):\n    out = []\n    for i in range(len(xs) - k + 1):\n        out.append({kind}(xs[i:i + k]))\n    return out\n"
    improve(RangeTable(), source, "g", LISTS, contains=["collections.deque()"])


@pytest.mark.parametrize(
    "loops",
    [
        "for j in range(0, len(xs)):\n            t += xs[j]",
        "for j in range(i):\n            t += xs[i]",
        "for j in range(i):\n            t += t * xs[j]",
        "for j in range(i):\n            t -= xs[j]",
        "for j in range(i, len(xs)):\n            t += xs[j]\n        xs[i] = t",
        "for j in range(i, 2 * i):\n            t = max(t, j * xs[j])",
    ],
)
def test_other_loops_are_left_alone(applies, loops):
    source = (
        f"def f(xs, k):\n    for i in range(len(xs)):\n        t = 0\n        {loops}\n        print(t)\n"
    )
    assert not applies(RangeTable(), source)


@pytest.mark.parametrize("kind", ["max", "min"])
def test_extremes_of_any_ranges_come_from_powers_of_two(improve, kind):
    source = f"""
def f(xs, k):
    peaks = []
    for i in range(len(xs)):
        low, high = max(0, i - k), min(len(xs), i + 2 * k + 1)
        if xs[i] == {kind}(xs[low:high]):
            peaks.append(i)
    return peaks
"""
    improve(RangeTable(), source, "f", LISTS, contains=["bit_length()"])
