"""All pairs are judged in one pass, or after sorting."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.pairs import (
    BestPair,
    ClosestPair,
    FirstBestPair,
    PairsApart,
    SumOverPairs,
    TwoPointers,
)

RNG = random.Random(61)
LISTS = [[RNG.randint(-6, 8) for _ in range(n)] for n in range(12) for _ in range(2)]
ONE = [(xs,) for xs in LISTS]
POINTS = [([(RNG.randint(0, 30), RNG.randint(0, 30)) for _ in range(n)],) for n in range(2, 14)]


@pytest.mark.parametrize(
    "step",
    [
        "if xs[j] - xs[i] > best:\n                best = xs[j] - xs[i]",
        "profit = xs[j] - xs[i]\n            best = max(best, profit)",
        "best = min(best, abs(xs[i] - xs[j]))",
        "best = max(best, abs(xs[j] - xs[i]))",
        "best = max(best, xs[i] * xs[j])",
        "best = max(xs[i] + xs[j], best)",
    ],
)
@pytest.mark.parametrize("end", ["len(xs)", "len(xs) - 1"])
def test_the_best_pair_is_found_without_trying_all(improve, step, end):
    source = f"""
def f(xs):
    best = 0
    for i in range({end}):
        for j in range(i + 1, len(xs)):
            {step}
    return best
"""
    improve(BestPair(), source, "f", [*ONE, ([],)])


def test_the_best_container_is_found_from_both_ends(improve):
    source = """
def f(h):
    best = 0
    for i in range(len(h)):
        for j in range(i + 1, len(h)):
            area = min(h[i], h[j]) * (j - i)
            best = max(best, area)
    return best
"""
    improve(TwoPointers(), source, "f", [([abs(x) for x in xs],) for xs in LISTS])


@pytest.mark.parametrize(
    "term", ["abs(a[i] - a[j])", "a[i] * a[j]", "a[j] + a[i]", "min(a[i], a[j])", "max(a[j], a[i])"]
)
def test_sums_over_pairs_take_one_pass(improve, term):
    source = f"""
def f(a):
    total = 0
    for i in range(len(a)):
        for j in range(i + 1, len(a)):
            total += {term}
    return total
"""
    improve(SumOverPairs(), source, "f", ONE, without=["for j"])


@pytest.mark.parametrize(
    "distance",
    [
        "((p[i][0] - p[j][0]) ** 2 + (p[i][1] - p[j][1]) ** 2) ** 0.5",
        "(p[i][0] - p[j][0]) ** 2 + (p[i][1] - p[j][1]) ** 2",
        "dist(p[i], p[j])",
    ],
)
def test_the_closest_points_are_near_in_the_first_coordinate(improve, distance):
    source = f"""
import math

def dist(a, b):
    dx = a[0] - b[0]
    dy = a[1] - b[1]
    return math.sqrt(dx * dx + dy * dy)

def f(p):
    best = float("inf")
    for i in range(len(p)):
        for j in range(i + 1, len(p)):
            d = {distance}
            if d < best:
                best = d
    return best
"""
    improve(ClosestPair(), source, "f", POINTS, contains=["sorted(p"])


@pytest.mark.parametrize(
    "step",
    [
        "if best is None or xs[j] - xs[i] > best:\n                best = xs[j] - xs[i]",
        "d = abs(xs[i] - xs[j])\n            if best is None or d < best:\n                best = d",
    ],
)
def test_the_best_pair_may_have_no_best_before_it(improve, step):
    source = f"""
def f(xs):
    best = None
    for i in range(len(xs)):
        for j in range(i + 1, len(xs)):
            {step}
    return best
"""
    improve(FirstBestPair(), source, "f", ONE, contains=["best is None or"])


@pytest.mark.parametrize("size", ["abs(xs[i] - xs[j])", "abs(xs[j] - xs[i])"])
def test_pairs_that_lie_apart_are_counted_by_looking_up(improve, size):
    source = f"""
def f(xs, k):
    count = 0
    for i in range(len(xs) - 1):
        for j in range(i + 1, len(xs)):
            if {size} == k:
                count += 1
    return count
"""
    improve(
        PairsApart(), source, "f", [(xs, k) for xs in LISTS for k in (-1, 0, 1, 3)], contains=["seen.get("]
    )


def test_the_closest_points_may_have_no_best_before_them(improve):
    source = """
def f(p):
    best = None
    for i in range(len(p)):
        for j in range(i + 1, len(p)):
            dx = p[i][0] - p[j][0]
            dy = p[i][1] - p[j][1]
            d = (dx * dx + dy * dy) ** 0.5
            if best is None or d < best:
                best = d
    return best
"""
    improve(ClosestPair(), source, "f", POINTS, contains=["best is not None and"])
