"""One stack finds for every place what a search from each place finds."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.neighbours import NearestByStack

RNG = random.Random(41)
LISTS = [([RNG.randint(0, 6) for _ in range(n)],) for n in range(14)]


@pytest.mark.parametrize("how", ["<", "<=", ">", ">="])
@pytest.mark.parametrize("span", ["i + 1, len(xs)", "i - 1, -1, -1"])
def test_the_nearest_item_is_found_with_a_stack(improve, how, span):
    source = f"""
def f(xs):
    out = [0] * len(xs)
    for i in range(len(xs)):
        for j in range({span}):
            if xs[i] {how} xs[j]:
                out[i] = j - i
                break
    return out
"""
    improve(NearestByStack(), source, "f", LISTS, contains=["stack.append(j)"])


@pytest.mark.parametrize(
    "search",
    [
        "result = -1\n        for j in range(i + 1, n):\n            if xs[j] > value:\n                result = xs[j]\n"
        "                break",
        "result = first(xs, i)",
        "result = -1\n        for later in xs[i + 1:]:\n            if later > value:\n                result = later\n"
        "                break",
    ],
)
def test_what_was_not_found_stays_what_it_was(improve, search):
    source = f"""
def first(xs, i):
    for j in range(i + 1, len(xs)):
        if xs[j] > xs[i]:
            return xs[j]
    return -1

def f(xs):
    out = []
    n = len(xs)
    for i, value in enumerate(xs):
        {search}
        out.append(result)
    return out
"""
    improve(NearestByStack(), source, "f", LISTS, contains=["following[i]"])


@pytest.mark.parametrize(
    "search",
    [
        "j = i - 1\n        while j >= 0 and xs[j] <= xs[i]:\n            j -= 1",
        "j = i - 1\n        while j > -1 and not xs[j] > xs[i]:\n            j -= 1",
        "j = i + 1\n        while j < len(xs) and xs[j] >= xs[i]:\n            j += 1",
    ],
)
def test_a_search_by_while_stops_at_the_same_place(improve, applies, search):
    source = f"def f(xs):\n    out = []\n    for i in range(len(xs)):\n        {search}\n        out.append(j)\n    return out\n"
    if "> -1" not in search:
        improve(NearestByStack(), source, "f", LISTS, contains=["stack.append(j)"])


@pytest.mark.parametrize(
    "search",
    [
        "for j in range(i + 1, len(xs)):\n            if xs[j] > xs[i]:\n                out.append(j)",
        "for j in range(i + 2, len(xs)):\n            if xs[j] > xs[i]:\n                break",
        "for j in range(i + 1, len(out)):\n            if xs[j] > xs[i]:\n                break",
        "for j in range(i + 1, len(xs), 2):\n            if xs[j] > xs[i]:\n                break",
        "for j in range(i + 1, len(xs)):\n            if xs[j] == xs[i]:\n                break",
        "for j in range(i + 1, len(xs)):\n            if xs[j] > xs[i]:\n                break\n        xs[i] = 0",
        "j = i - 1\n        while j > 3 and xs[j] <= xs[i]:\n            j -= 1",
        "while j >= 0 and xs[j] <= xs[i]:\n            j -= 1",
    ],
)
def test_other_searches_are_left_alone(applies, search):
    source = (
        f"def f(xs, j):\n    out = []\n    for i in range(len(xs)):\n        {search}\n    return out, j\n"
    )
    assert not applies(NearestByStack(), source)
