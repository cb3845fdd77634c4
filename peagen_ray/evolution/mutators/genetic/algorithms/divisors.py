"""Divisors in pairs, factors up to the root, remembered chains, powers modulo a number."""

from __future__ import annotations

import ast

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Found, Recipe


def _reaches(found: Found) -> bool:
    """Whether the range of divisors begins at one or two and ends at the number, or half of it."""
    low = found["LOW"]
    known = isinstance(low, ast.Constant) and low.value in {1, 2}
    text = ast.unparse(found["HIGH"])
    number = ast.unparse(found["N"])
    return known and text in {number, f"{number} + 1", f"{number} // 2 + 1", f"int({number} / 2) + 1"}


class DivisorPairs(Cookbook):
    """Finds divisors in pairs, up to the square root.

    Before::

        for d in range(1, n + 1):
            if n % d == 0:
                divisors.append(d)

    After::

        small = [d for d in range(1, math.isqrt(max(n, 0)) + 1) if n % d == 0]
        large = [n // d for d in reversed(small) if d * d != n]
        for d in small + large:
            if 1 <= d < n + 1:
                divisors.append(d)
    """

    NAME = "divisor-pairs"
    RECIPES = (
        Recipe(
            """
for D in range(LOW, HIGH):
    if N % D == 0:
        BODY
""",
            """
fresh_small = [D for D in range(1, math.isqrt(max(N, 0)) + 1) if N % D == 0]
fresh_large = [N // D for D in reversed(fresh_small) if D * D != N]
for D in fresh_small + fresh_large:
    if LOW <= D < HIGH:
        BODY
""",
            where=_reaches,
            imports=("import math",),
        ),
    )


class FactorsToRoot(Cookbook):
    """Looks for prime factors up to the square root of what is left.

    Before::

        while n > 1:
            if n % d == 0:
                factors.append(d)
                n //= d
            else:
                d += 1

    After::

        while n > 1:
            if n % d == 0:
                factors.append(d)
                n //= d
            else:
                d = d + 1 if d * d <= n else n
    """

    NAME = "factors-to-root"
    RECIPES = (
        *(
            Recipe(
                f"""
while {test}:
    if N % D == 0:
        BODY
    else:
        D += 1
""",
                f"""
while {test}:
    if N % D == 0:
        BODY
    else:
        D = D + 1 if D * D <= N else N
""",
            )
            for test in ("N > 1", "N != 1", "D <= N")
        ),
        *(
            Recipe(
                f"""
while {test}:
    while N % D == 0:
        BODY
    D += 1
""",
                f"""
while {test}:
    while N % D == 0:
        BODY
    D = D + 1 if D * D <= N else max(N, D + 1)
""",
            )
            for test in ("N > 1", "N != 1", "D <= N")
        ),
        Recipe(
            """
for D in range(2, STOP):
    while N % D == 0:
        BODY
""",
            """
fresh_stop = STOP
D = 2
while D < fresh_stop and N > 1:
    while N % D == 0:
        BODY
    D = D + 1 if D * D <= N else max(N, D + 1)
""",
        ),
    )


class ChainLengths(Cookbook):
    """Remembers how many steps there are from each number on the way.

    Before::

        for start in range(1, limit):
            n = start
            steps = 0
            while n != 1:
                n = n // 2 if n % 2 == 0 else 3 * n + 1
                steps += 1
            ...

    After::

        known = {}
        for start in range(1, limit):
            n = start
            steps = 0
            way = []
            while n != 1 and n not in known:
                way.append(n)
                n = n // 2 if n % 2 == 0 else 3 * n + 1
            further = known.get(n, 0)
            for n in reversed(way):
                further += 1
                known[n] = further
            steps += further
            ...
    """

    NAME = "chain-lengths"
    RECIPES = tuple(
        Recipe(
            f"""
for START in range(LOW, HIGH):
    BEFORE
    while N != LAST:
        {first}
        {second}
    AFTER
""",
            """
fresh_known = {}
for START in range(LOW, HIGH):
    BEFORE
    fresh_way = []
    while N != LAST and N not in fresh_known:
        fresh_way.append(N)
        N = STEP(N)
    fresh_further = fresh_known.get(N, 0)
    for N in reversed(fresh_way):
        fresh_further += 1
        fresh_known[N] = fresh_further
    COUNT += fresh_further
    AFTER
""",
        )
        for first, second in (("N = STEP(N)", "COUNT += 1"), ("COUNT += 1", "N = STEP(N)"))
    )


class ModularPower(Cookbook):
    """Raises to a power modulo a number with the built-in function.

    Before::

        for _ in range(exponent):
            result = result * base % modulus

    After::

        result = result * pow(base, exponent, modulus) % modulus
    """

    NAME = "modular-power"
    RECIPES = (
        Recipe(
            "for I in range(0, N):\n    R = R * B % M",
            "if N > 0:\n    R = R * pow(B, N, M) % M",
        ),
        Recipe(
            "for I in range(0, N):\n    R *= B\n    R %= M",
            "if N > 0:\n    R = R * pow(B, N, M) % M",
        ),
    )


OPERATORS: tuple[Operator, ...] = (DivisorPairs(), FactorsToRoot(), ChainLengths(), ModularPower())
