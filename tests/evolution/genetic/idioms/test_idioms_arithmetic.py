"""Arithmetic: each rewrite, and that it changes nothing for small numbers."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_arithmetic as idioms

NUMBERS = [(n,) for n in (1, 2, 3, 9, 12, 16, 97)]
PAIRS = [(12, 18), (7, 3), (5, 5), (1, 9)]

CASES = [
    pytest.param(
        idioms.Gcd(),
        """
        def f(a, b):
            while b != 0:
                t = b
                b = a % b
                a = t
            return a
        """,
        """
        import math


        def f(a, b):
            a, b = math.gcd(a, b), 0
            return a
        """,
        [*PAIRS, (0, 4)],
        id="euclid",
    ),
    pytest.param(
        idioms.Gcd(),
        """
        def f(a, b):
            best = 1
            for i in range(1, min(a, b) + 1):
                if a % i == 0 and b % i == 0:
                    best = i
            return best
        """,
        """
        import math


        def f(a, b):
            best = 1
            best = math.gcd(a, b)
            return best
        """,
        PAIRS,
        id="largest-common-divisor-by-trial",
    ),
    pytest.param(
        idioms.Factorial(),
        """
        def f(n):
            r = 1
            for i in range(2, n + 1):
                r = r * i
            return r
        """,
        """
        import math


        def f(n):
            r = 1
            r *= math.factorial(n)
            return r
        """,
        NUMBERS,
        id="factorial",
    ),
    pytest.param(
        idioms.Factorial(),
        """
        def f(n, k):
            return fact(n) // (fact(k) * fact(n - k))

        def fact(n):
            if n <= 1:
                return 1
            return n * fact(n - 1)
        """,
        """
        import math


        def f(n, k):
            return math.comb(n, k)

        def fact(n):
            if n <= 1:
                return 1
            return n * fact(n - 1)
        """,
        [(5, 2), (9, 9), (4, 0)],
        id="binomial",
    ),
    pytest.param(
        idioms.Power(),
        """
        def f(b, e, m=97):
            r = 1
            for _ in range(e):
                r = r * b % m
            return r
        """,
        """
        def f(b, e, m=97):
            r = 1
            r = r * pow(b, e, m) % m
            return r
        """,
        PAIRS,
        id="modular-power",
    ),
    pytest.param(
        idioms.IntegerRoot(),
        """
        def f(n):
            r = 0
            while (r + 1) * (r + 1) <= n:
                r += 1
            return r
        """,
        """
        import math


        def f(n):
            r = 0
            r = math.isqrt(n)
            return r
        """,
        NUMBERS,
        id="integer-root",
    ),
    pytest.param(
        idioms.SeriesSum(),
        """
        def f(n):
            total = 0
            for i in range(1, n + 1):
                total += i
            return total
        """,
        """
        def f(n):
            total = 0
            total += n * (n + 1) // 2
            return total
        """,
        NUMBERS,
        id="gauss",
    ),
    pytest.param(
        idioms.Digits(),
        """
        def f(n):
            total = 0
            while n > 0:
                total += n % 10
                n = n // 10
            return total
        """,
        """
        def f(n):
            total = 0
            total += sum(map(int, str(n)))
            n = 0
            return total
        """,
        NUMBERS,
        id="digit-sum",
    ),
    pytest.param(
        idioms.Digits(),
        """
        def f(n):
            r = 0
            while n > 0:
                r = r * 10 + n % 10
                n //= 10
            return r
        """,
        """
        def f(n):
            r = int(str(n)[::-1])
            n = 0
            return r
        """,
        NUMBERS,
        id="digits-turned-round",
    ),
    pytest.param(
        idioms.Divisors(),
        """
        def f(n):
            out = []
            for d in range(1, n):
                if n % d == 0:
                    out.append(d)
            return out
        """,
        """
        import math


        def f(n):
            out = []
            for d in sorted({part for low in range(1, math.isqrt(n) + 1) if n % low == 0 for part in (low, n // low)} - {n}):
                out.append(d)
            return out
        """,
        NUMBERS,
        id="divisors-in-pairs",
    ),
    pytest.param(
        idioms.TrialDivision(),
        """
        def f(n):
            if n < 2:
                return False
            for d in range(2, n):
                if n % d == 0:
                    return False
            return True
        """,
        """
        import math


        def f(n):
            if n < 2:
                return False
            for d in range(2, math.isqrt(n) + 1):
                if n % d == 0:
                    return False
            return True
        """,
        [(n,) for n in range(30)],
        id="primality-up-to-the-root",
    ),
    pytest.param(
        idioms.CheapPower(),
        """
        def f(n):
            return n ** 2
        """,
        """
        def f(n):
            return n * n
        """,
        NUMBERS,
        id="square-as-product",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_computes_the_same(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


def test_a_product_of_the_counter_is_no_power(sites) -> None:
    source = "def f(n):\n    r = 1\n    for i in range(n):\n        r *= i\n    return r\n"
    assert sites(idioms.Power(), source) == 0


def test_a_search_that_stops_at_a_divisor_is_not_sorted_first(sites) -> None:
    source = (
        "def f(n):\n    for d in range(2, n):\n        if n % d == 0:\n            return d\n    return n\n"
    )
    assert sites(idioms.Divisors(), source) == 0
