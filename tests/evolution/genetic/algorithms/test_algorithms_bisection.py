"""Bisection counts and finds what a scan does."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.bisection import (
    CountByBisection,
    CountIntervals,
    KeepSorted,
    SortedSearch,
)

RNG = random.Random(11)
LISTS = [([RNG.randint(-4, 5) for _ in range(n)],) for n in range(12)]
SORTED = [(sorted(RNG.randint(0, 9) for _ in range(n)), v) for n in range(9) for v in range(-1, 11, 2)]


@pytest.mark.parametrize("how", ["<", "<=", ">", ">="])
def test_ranks_are_counted_by_bisection(improve, how):
    source = f"""
def ranks(xs):
    out = []
    for x in xs:
        count = 0
        for y in xs:
            if y {how} x:
                count += 1
        out.append(count)
    return out
"""
    improve(CountByBisection(), source, "ranks", LISTS, contains=["bisect.bisect_", "ordered = sorted("])


@pytest.mark.parametrize("how", ["<", "<=", ">", ">="])
@pytest.mark.parametrize("span", ["i", "i + 1, len(xs)"])
def test_earlier_or_later_items_are_counted_by_bisection(improve, how, span):
    source = f"""
def f(xs):
    total = 0
    for i in range(len(xs)):
        for j in range({span}):
            if xs[i] {how} xs[j]:
                total += 1
    return total
"""
    improve(CountByBisection(), source, "f", LISTS, contains=["bisect.insort(ordered, xs[j])"])


@pytest.mark.parametrize("condition", ["x - 1 <= y <= x + 2", "x < y and y < x + 3", "x + 1 >= y > -x"])
def test_items_between_two_limits_are_counted_by_bisection(improve, condition):
    source = f"def f(xs):\n    return [len([y for y in xs if {condition}]) for x in xs]\n"
    source = f"""
def f(xs):
    out = []
    for x in xs:
        out.append(sum(1 for y in xs if {condition}))
    return out
"""
    improve(CountByBisection(), source, "f", LISTS, contains=["max(0, "])


def test_items_that_become_more_are_kept_in_order(improve):
    source = """
def f(xs):
    seen = []
    out = []
    for x in xs:
        count = 0
        for s in seen:
            if s < x:
                count += 1
        out.append(count)
        seen.append(x)
    return out
"""
    improve(CountByBisection(), source, "f", LISTS, contains=["for s in seen[filled:]:"])


@pytest.mark.parametrize(
    "inner",
    [
        "for y in xs:\n            if y == x:\n                n += 1",
        "for y in xs:\n            if y < x:\n                n += y",
        "for y in xs:\n            if y < x and y < 3:\n                n += 1",
        "for y in xs:\n            if y < x and n < 3 and y > 0:\n                n += 1",
        "for y in xs:\n            if x < y * x:\n                n += 1",
        "for y in xs:\n            if y < x:\n                n += 1\n        xs[0] = n",
    ],
)
def test_other_counts_are_left_alone(applies, inner):
    source = f"def f(xs):\n    n = 0\n    for x in xs:\n        {inner}\n    return n\n"
    assert not applies(CountByBisection(), source)


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(len(xs)):\n        if xs[i] >= v:\n            return i\n    return len(xs)",
        "for i, x in enumerate(xs):\n        if x > v:\n            return i\n    return len(xs)",
        "i = 0\n    while i < len(xs) and xs[i] < v:\n        i += 1\n    return i",
        "i = 0\n    while i < len(xs) and v >= xs[i]:\n        i = i + 1\n    return i",
        "where = -1\n    for i in range(len(xs) - 1):\n        if xs[i] <= v < xs[i + 1]:\n            where = i\n"
        "            break\n    return where",
        "lo, hi = 0, len(xs)\n    while lo < hi:\n        mid = (lo + hi) // 2\n        if xs[mid] < v:\n"
        "            lo = mid + 1\n        else:\n            hi = mid\n    return lo",
        "lo, hi = 0, len(xs) - 1\n    while lo <= hi:\n        mid = (lo + hi) // 2\n        if xs[mid] == v:\n"
        "            return True\n        elif xs[mid] < v:\n            lo = mid + 1\n        else:\n"
        "            hi = mid - 1\n    return False",
    ],
)
def test_places_in_ordered_lists_are_found_by_bisection(improve, body):
    improve(SortedSearch(), f"def f(xs, v):\n    {body}\n", "f", SORTED, contains=["bisect.bisect_"])


@pytest.mark.parametrize(
    "step",
    [
        "seen.append(x)\n        seen.sort()",
        "seen.append(x)\n        seen = sorted(seen)",
        "seen = sorted(seen + [x])",
    ],
)
def test_items_are_inserted_in_order(improve, step):
    source = f"""
def medians(xs):
    seen = []
    out = []
    for x in xs:
        {step}
        out.append(seen[len(seen) // 2])
    return out
"""
    improve(KeepSorted(), source, "medians", LISTS, contains=["bisect.insort(seen, x)"])


@pytest.mark.parametrize(("low", "high"), [("<=", "<"), ("<", "<"), ("<=", "<="), ("<", "<=")])
@pytest.mark.parametrize(("target", "begin", "end"), [("a, b", "a", "b"), ("span", "span[0]", "span[1]")])
def test_intervals_that_hold_a_point_are_counted(improve, low, high, target, begin, end):
    source = f"""
def f(spans):
    most = 0
    for start, _ in spans:
        count = 0
        for {target} in spans:
            if {begin} {low} start {high} {end}:
                count += 1
        most = max(most, count)
    return most
"""
    inputs = [([(x, x + RNG.randint(1, 4)) for x in xs],) for (xs,) in LISTS]
    improve(CountIntervals(), source, "f", inputs, contains=["begins = sorted("])


def test_conditions_that_are_of_no_interval_are_left_alone(applies):
    source = "def f(spans, p, q):\n    n = 0\n    for x in q:\n        for s in spans:\n            if x <= p < s[1]:\n                n += 1\n    return n\n"
    assert not applies(CountIntervals(), source)
