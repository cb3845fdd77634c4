"""Divisor pairs, factors up to the root and remembered chains find the same numbers."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.divisors import (
    ChainLengths,
    DivisorPairs,
    FactorsToRoot,
    ModularPower,
)

NUMBERS = [(n,) for n in range(1, 70)]


@pytest.mark.parametrize("span", ["1, n + 1", "1, n", "2, n", "1, n // 2 + 1"])
@pytest.mark.parametrize("step", ["out.append(d)", "total += d"])
def test_divisors_come_in_pairs(improve, span, step):
    source = f"""
def divisors(n):
    out, total = [], 0
    for d in range({span}):
        if n % d == 0:
            {step}
    return out, total
"""
    improve(DivisorPairs(), source, "divisors", [*NUMBERS, (0,), (-4,)], contains=["isqrt"])


def test_other_ranges_are_not_of_all_divisors(applies):
    source = "def f(n, k):\n    out = []\n    for d in range(3, k):\n        if n % d == 0:\n            out.append(d)\n    return out\n"
    assert not applies(DivisorPairs(), source)


@pytest.mark.parametrize(
    "body",
    [
        "while n > 1:\n        if n % d == 0:\n            out.append(d)\n            n //= d\n        else:\n            d += 1",
        "while d <= n:\n        if n % d != 0:\n            d += 1\n        else:\n            n = n // d\n            out.append(d)",
        "while n != 1:\n        while n % d == 0:\n            out.append(d)\n            n = n // d\n        d += 1",
        "for d in range(2, n + 1):\n        while n % d == 0:\n            out.append(d)\n            n //= d",
        "while d <= n:\n        while n % d == 0:\n            out.append(d)\n            n //= d\n        d += 1",
    ],
)
def test_factors_are_looked_for_up_to_the_root(improve, body):
    source = f"def factors(n):\n    out = []\n    d = 2\n    {body}\n    return out\n"
    improve(FactorsToRoot(), source, "factors", NUMBERS, contains=["d * d <= n"])


@pytest.mark.parametrize(
    "body",
    [
        "n = start\n        steps = 0\n        while n != 1:\n            if n % 2 == 0:\n                n = n // 2\n"
        "            else:\n                n = 3 * n + 1\n            steps += 1",
        "steps = length(start)",
    ],
)
def test_chains_are_remembered(improve, body):
    source = f"""
def length(n):
    count = 1
    while n != 1:
        count += 1
        n = n // 2 if n % 2 == 0 else n * 3 + 1
    return count

def longest(limit):
    best, where = 0, None
    for start in range(1, limit):
        {body}
        if steps > best:
            best, where = steps, start
    return best, where
"""
    improve(ChainLengths(), source, "longest", [(1,), (2,), (30,), (80,)], contains=["known"])


@pytest.mark.parametrize("step", ["r = (r * b) % m", "r *= b\n        r %= m"])
def test_powers_modulo_a_number_are_built_in(improve, step):
    source = f"def f(b, e, m):\n    r = 1\n    for _ in range(e):\n        {step}\n    return r\n"
    improve(
        ModularPower(),
        source,
        "f",
        [(b, e, m) for b in (2, 3, 7) for e in range(6) for m in (1, 5, 12)],
        contains=["pow("],
    )
