"""One step does what many small ones do."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.repeats import (
    BinByDivision,
    Horner,
    PowerBySquaring,
    RotateAtOnce,
)

RNG = random.Random(61)
LISTS = [([RNG.randint(-6, 8) for _ in range(n)],) for n in range(10)]
TURNS = [(list(range(n)), k) for n in range(6) for k in (0, 1, 2, 7)]


@pytest.mark.parametrize(
    "step",
    [
        "xs.insert(0, xs.pop())",
        "last = xs.pop()\n        xs.insert(0, last)",
        "xs = [xs[-1]] + xs[:-1]",
        "xs = xs[-1:] + xs[:-1]",
        "xs.append(xs.pop(0))",
        "first = xs.pop(0)\n        xs.append(first)",
        "xs = xs[1:] + xs[:1]",
        "xs = xs[1:] + [xs[0]]",
        "last = xs[len(xs) - 1]\n        for j in range(len(xs) - 1, 0, -1):\n            xs[j] = xs[j - 1]\n        xs[0] = last",
        "temp = xs[0]\n        for j in range(len(xs) - 1):\n            xs[j] = xs[j + 1]\n        xs[-1] = temp",
    ],
)
def test_a_sequence_is_rotated_at_once(improve, step):
    source = f"def f(xs, k):\n    for _ in range(k):\n        {step}\n    return xs\n"
    full = [(xs, k) for xs, k in TURNS if xs]
    improve(RotateAtOnce(), source, "f", full, contains=["% len(xs)"])


@pytest.mark.parametrize("step", ["multiply(result, m)", "multiply(m, result)"])
@pytest.mark.parametrize("span", ["n", "1, n"])
def test_powers_of_matrices_are_squared(improve, step, span):
    source = f"""
def multiply(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]

def power(m, n):
    result = [[int(i == j) for j in range(len(m))] for i in range(len(m))]
    for _ in range({span}):
        result = {step}
    return result
"""
    inputs = [([[1, 1], [1, 0]], n) for n in range(9)] + [([[2, 1, 0], [1, 0, 3], [0, 1, 1]], 7)]
    improve(PowerBySquaring(), source, "power", inputs, contains=["& 1"])


def test_steps_that_are_no_products_are_not_squared(applies):
    assert not applies(
        PowerBySquaring(), "def f(r, m, n):\n    for _ in range(n):\n        r = r - m\n    return r\n"
    )
    assert not applies(
        PowerBySquaring(), "def f(r, n):\n    for _ in range(n):\n        r = 2 + 2\n    return r\n"
    )


@pytest.mark.parametrize(
    ("test", "low"),
    [
        ("low + b * width <= v < low + (b + 1) * width", -3),
        ("v >= b * width and v < (b + 1) * width", 0),
        ("b * width <= v <= (b + 1) * width", 0),
    ],
)
@pytest.mark.parametrize("width", [2, 1.5])
def test_bins_are_found_by_division(improve, test, low, width):
    source = f"""
def f(values):
    low, width = {low}, {width}
    counts = [0] * 5
    for v in values:
        for b in range(5):
            if {test}:
                counts[b] += 1
                break
    return counts
"""
    improve(BinByDivision(), source, "f", LISTS, contains=["guess"])


@pytest.mark.parametrize(
    "loop",
    [
        "for i in range(len(cs)):\n            total += cs[i] * x ** i",
        "for i, c in enumerate(cs):\n            total = total + c * x ** i",
        "for i in range(len(cs)):\n            term = cs[i]\n            for _ in range(i):\n                term = term * x\n"
        "            total += term",
        "for i in range(len(cs)):\n            power = 1\n            for _ in range(i):\n                power *= x\n"
        "            total += power * cs[i]",
    ],
)
def test_polynomials_need_no_powers(improve, loop):
    source = f"""
def f(cs, xs):
    out = []
    for x in xs:
        total = 0
        {loop}
        out.append(total)
    return out
"""
    improve(Horner(), source, "f", [(cs, [-2, 0, 1, 3]) for (cs,) in LISTS], contains=["reversed(cs)"])
