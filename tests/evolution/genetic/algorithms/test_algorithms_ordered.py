"""A dictionary keeps the order that a list of different items had."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.ordered import CountedItems, OrderedSet

RNG = random.Random(91)
REQUESTS = [([RNG.randint(0, 6) for _ in range(n)], k) for n in range(0, 30, 3) for k in (1, 3)]


def test_items_are_removed_by_value_at_once(improve):
    source = """
def f(requests, size):
    recent = []
    hits = 0
    for key in requests:
        if key in recent:
            hits += 1
            recent.remove(key)
        elif len(recent) >= size:
            recent.pop(0)
        recent.append(key)
    return hits, [k for k in recent], sorted(recent)
"""
    after = improve(OrderedSet(), source, "f", REQUESTS)
    for text in ("recent = {}", "del recent[key]", "recent[key] = None", "recent.pop(next(iter(recent)))"):
        assert text in after


def test_the_list_itself_is_returned_as_one(improve):
    source = """
def f(requests, size):
    left = list(range(10))
    while left and requests:
        key = requests.pop()
        if key in left:
            left.remove(key)
    return left
"""
    improve(OrderedSet(), source, "f", REQUESTS, contains=["dict.fromkeys(range(10))", "return list(left)"])


@pytest.mark.parametrize(
    "use",
    [
        "xs[0] = 1",
        "xs.sort()",
        "xs.insert(0, 2)",
        "y = xs.pop()",
        "y = xs + xs",
        "y = (xs.remove(2), 1)",
        "xs = f(xs)",
        "y = 1 if xs == [1] else 2",
    ],
)
def test_lists_used_in_other_ways_are_left_alone(applies, use):
    assert not applies(
        OrderedSet(), f"def f(n):\n    xs = []\n    xs.append(n)\n    xs.remove(n)\n    {use}\n    return n\n"
    )


def test_parameters_are_left_alone(applies):
    assert not applies(OrderedSet(), "def f(xs):\n    xs.remove(1)\n    return xs\n")


@pytest.mark.parametrize("made", ["list(word)", "[c for c in word]", "sorted(word)"])
def test_items_that_are_only_asked_for_are_counted(improve, made):
    source = f"""
def f(word, other):
    left = {made}
    shared, missing = 0, 0
    for c in other:
        if c in left:
            left.remove(c)
            shared += 1
        if c not in left:
            missing += 1
            left.append(c)
    return shared, missing
"""
    inputs = [("".join(RNG.choices("abc", k=n)), "".join(RNG.choices("abcd", k=9))) for n in range(9)]
    after = improve(CountedItems(), source, "f", inputs, contains=["collections.Counter("])
    for text in ("left[c] -= 1", "left[c] += 1", "if left[c] > 0:", "if left[c] <= 0:"):
        assert text in after


@pytest.mark.parametrize("use", ["xs.pop(0)", "y = len(xs)", "for y in xs:\n        pass", "return xs"])
def test_lists_whose_order_or_length_counts_are_not_counted(applies, use):
    assert not applies(
        CountedItems(),
        f"def f(n):\n    xs = []\n    xs.append(n)\n    xs.remove(n)\n    {use}\n    return n\n",
    )
