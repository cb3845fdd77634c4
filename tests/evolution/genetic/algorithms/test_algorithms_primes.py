"""Sieves find the same primes."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.primes import DivideByPrimes, Sieve, SieveCalls

LIMITS = [(n,) for n in (-3, 0, 1, 2, 3, 4, 5, 10, 26, 50, 122)]


@pytest.mark.parametrize(
    "body",
    [
        "for n in range(2, limit):\n        prime = True\n        for d in range(2, n):\n            if n % d == 0:\n"
        "                prime = False\n                break\n        if prime:\n            out.append(n)",
        "for n in range(2, limit + 1):\n        is_p = True\n        for d in range(2, n // 2 + 1):\n"
        "            if not n % d:\n                is_p = False\n        if is_p == True:\n            out += [n]",
        "for n in range(2, limit):\n        for d in range(2, int(n ** 0.5) + 1):\n            if n % d == 0:\n"
        "                break\n        else:\n            out.append(n)",
        "out = [n for n in range(2, limit) if all(n % d != 0 for d in range(2, n))]",
        "out = [n for n in range(2, limit) if not any(n % d == 0 for d in range(2, n))]",
        "n = 2\n    while n < limit:\n        count = 0\n        d = 1\n        while d <= n:\n            if n % d == 0:\n"
        "                count += 1\n            d += 1\n        if count == 2:\n            out.append(n)\n        n += 1",
        "for n in range(2, limit):\n        good = True\n        for p in out:\n            if n % p == 0:\n"
        "                good = False\n                break\n        if good:\n            out.append(n)",
    ],
)
def test_primes_of_a_range_come_from_a_sieve(improve, body):
    source = f"def primes(limit):\n    out = []\n    {body}\n    return out\n"
    improve(Sieve(), source, "primes", LIMITS, contains=["bytearray"])


PRIME = """
def is_prime(n):
    if n < 2:
        return False
    if n % 2 == 0:
        return n == 2
    d = 3
    while d * d <= n:
        if n % d == 0:
            return False
        d += 2
    return True
"""
PLAIN = """
def check(number):
    if number <= 1:
        return False
    for divisor in range(2, number):
        if number % divisor == 0:
            return False
    return True
"""


@pytest.mark.parametrize(
    "body",
    [
        "return [n for n in range(limit) if is_prime(n)]",
        "total = 0\n    for n in range(limit):\n        if not is_prime(n):\n            continue\n        total += n\n    return total",
        "return sum(1 for n in range(2, limit + 1) if is_prime(n) and n % 4 == 1)",
        "return [is_prime(n) for n in range(limit)]",
    ],
)
def test_a_function_that_tests_for_primes_is_asked_no_more(improve, body):
    improve(SieveCalls(), f"{PRIME}\ndef f(limit):\n    {body}\n", "f", LIMITS, contains=["sieve[n]"])


def test_a_plain_test_is_recognised_in_either_way(improve):
    source = f"{PLAIN}\ndef f(limit):\n    found = []\n    for n in range(limit):\n        if check(n):\n            found.append(n)\n    return found\n"
    improve(SieveCalls(), source, "f", LIMITS, contains=["sieve[n]"])
    improve(Sieve(), source, "f", LIMITS, contains=["sieve[n]"])


def test_calls_for_other_numbers_or_of_other_functions_are_left_alone(applies):
    other = PRIME.replace("return True", "return n")
    for source in (
        f"{PRIME}\ndef f(limit):\n    return [n for n in range(limit) if is_prime(n + 2)]\n",
        f"{PRIME}\ndef f(xs):\n    return [n for n in xs if is_prime(n)]\n",
        f"{other}\ndef f(limit):\n    return [n for n in range(limit) if is_prime(n)]\n",
    ):
        assert not applies(SieveCalls(), source)


@pytest.mark.parametrize(
    "test",
    [
        "prime = True\n        for d in range(2, candidate):\n            if candidate % d == 0:\n                prime = False\n"
        "                break",
        "prime = all(candidate % d for d in range(2, candidate))",
        "prime = check(candidate)",
    ],
)
def test_a_candidate_is_divided_by_the_primes_so_far(improve, test):
    source = f"""{PLAIN}
def first(n):
    primes = []
    candidate = 2
    while len(primes) < n:
        {test}
        if prime:
            primes.append(candidate)
        candidate += 1
    return primes
"""
    improve(DivideByPrimes(), source, "first", [(n,) for n in range(14)], contains=["in primes:"])
