"""A loop that repeats itself may end when a round has changed nothing."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.fixpoint import StopAtRest

RNG = random.Random(121)


def test_distances_are_at_rest_when_no_edge_makes_one_shorter(improve):
    source = """
def bellman(n, edges):
    dist = [float("inf")] * n
    dist[0] = 0
    for _ in range(n):
        for u, v, w in edges:
            new = dist[u] + w
            if dist[u] == float("inf"):
                continue
            if new < dist[v]:
                dist[v] = new
    return dist
"""
    inputs = [
        (n, [(RNG.randrange(n), RNG.randrange(n), RNG.randint(1, 9)) for _ in range(n)]) for n in range(1, 9)
    ]
    improve(
        StopAtRest(),
        source,
        "bellman",
        inputs,
        contains=["if not changed:", "                changed = True\n"],
    )


def test_a_list_is_at_rest_when_no_two_items_change_places(improve):
    source = """
def swap(xs, i, j):
    xs[i], xs[j] = xs[j], xs[i]

def bubble(xs):
    for _ in range(len(xs)):
        for i in range(len(xs) - 1):
            a, b = xs[i], xs[i + 1]
            if a > b:
                swap(xs, i, i + 1)
            else:
                if a == b:
                    pass
    return xs
"""
    improve(
        StopAtRest(),
        source,
        "bubble",
        [([RNG.randint(0, 9) for _ in range(n)],) for n in range(9)],
        contains=["changed"],
    )


@pytest.mark.parametrize(
    "body",
    [
        "for x in xs:\n            if x > r:\n                xs[0] = 1",
        "for x in xs:\n            total += x",
        "for x in xs:\n            xs.append(x)",
        "for x in xs:\n            y = x\n        if y:\n            xs[0] = 2\n        continue",
        "for x in xs:\n            z = y\n            y = x\n            if z:\n                xs[0] = 2",
        "for x in xs:\n            y = y + 1\n            if y:\n                xs[0] = 2",
        "for x in xs:\n            xs[0] = x\n            if y:\n                xs[0] = 2",
        "for x in xs:\n            if x:\n                pass",
        "if xs:\n            xs.pop()",
        "for x in xs:\n            if x:\n                xs[0] = 2\n        else:\n            xs[1] = 1",
    ],
)
def test_rounds_that_may_differ_are_all_made(applies, body):
    assert not applies(
        StopAtRest(), f"def f(xs, total, y):\n    for r in range(9):\n        {body}\n    return xs\n"
    )
