"""Builtins in the place of loops: each rewrite, and that it changes nothing."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_builtins as idioms

LISTS = ([3, 1, 2, 3],), ([],), ([5],)

CASES = [
    pytest.param(
        idioms.SumLoop(),
        """
        def f(xs):
            total = 0
            for x in xs:
                total += x
            return total
        """,
        """
        def f(xs):
            total = sum(xs)
            return total
        """,
        LISTS,
        id="adding-up-is-sum",
    ),
    pytest.param(
        idioms.SumLoop(),
        """
        def f(xs):
            total = 0.0
            n = len(xs)
            for i in range(0, n):
                if xs[i] % 2 == 0:
                    continue
                y = xs[i] * 2
                total = total + y
            return total
        """,
        """
        def f(xs):
            n = len(xs)
            total = sum((x * 2 for x in xs if x % 2 != 0), 0.0)
            return total
        """,
        LISTS,
        id="a-float-stays-a-float-and-indices-guards-and-temporaries-are-seen-through",
    ),
    pytest.param(
        idioms.SumLoop(),
        """
        def f(rows):
            total = 7
            for row in rows:
                for x in row:
                    if x > 1:
                        total += x
            return total
        """,
        """
        def f(rows):
            total = 7
            total += sum(x for row in rows for x in row if x > 1)
            return total
        """,
        [([[1, 2], [3]],), ([],)],
        id="nested-loops-add-to-what-is-there",
    ),
    pytest.param(
        idioms.ProductLoop(),
        """
        def f(xs):
            product = 1
            for x in xs:
                product *= x
            return product
        """,
        """
        import math


        def f(xs):
            product = math.prod(xs)
            return product
        """,
        LISTS,
        id="multiplying-up-is-prod",
    ),
    pytest.param(
        idioms.CountLoop(),
        """
        def f(xs):
            n = 0
            for x in xs:
                if 3 == x:
                    n += 1
            return n
        """,
        """
        def f(xs):
            n = xs.count(3)
            return n
        """,
        LISTS,
        id="counting-equal-items-is-count",
    ),
    pytest.param(
        idioms.CountLoop(),
        """
        def f(xs):
            return len([x for x in xs if x > 1])
        """,
        """
        def f(xs):
            return sum(1 for x in xs if x > 1)
        """,
        LISTS,
        id="no-list-is-built-to-be-counted",
    ),
    pytest.param(
        idioms.MembershipLoop(),
        """
        def f(xs, k=3):
            found = False
            for x in xs:
                if x == k:
                    found = True
                    break
            return found
        """,
        """
        def f(xs, k=3):
            found = k in xs
            return found
        """,
        LISTS,
        id="looking-for-a-value-is-in",
    ),
    pytest.param(
        idioms.PairMembershipLoop(),
        """
        def f(edges, a=1, b=2):
            for e in edges:
                if (e[0] == a and e[1] == b) or (e[0] == b and e[1] == a):
                    return True
            return False
        """,
        """
        def f(edges, a=1, b=2):
            return (a, b) in edges or (b, a) in edges
        """,
        [([(1, 2)],), ([(2, 1), (3, 4)],), ([(1, 1)],)],
        id="looking-for-a-pair-is-in",
    ),
    pytest.param(
        idioms.AnyLoop(),
        """
        def f(xs):
            for x in xs:
                if x > 2:
                    return False
            return True
        """,
        """
        def f(xs):
            return all(x <= 2 for x in xs)
        """,
        LISTS,
        id="a-counterexample-search-is-all",
    ),
    pytest.param(
        idioms.AnyLoop(),
        """
        def f(xs):
            return len([x for x in xs if x > 2]) > 0
        """,
        """
        def f(xs):
            return any(x > 2 for x in xs)
        """,
        LISTS,
        id="counting-to-know-whether-there-is-one-is-any",
    ),
    pytest.param(
        idioms.IndexLoop(),
        """
        def f(xs, k=3):
            for i in range(len(xs)):
                if xs[i] == k:
                    return i
            return -1
        """,
        """
        def f(xs, k=3):
            return xs.index(k) if k in xs else -1
        """,
        LISTS,
        id="the-first-index-is-index",
    ),
    pytest.param(
        idioms.ReverseLoop(),
        """
        def f(text):
            out = ""
            for ch in text:
                out = ch + out
            return out
        """,
        """
        def f(text):
            out = "".join(reversed(text))
            return out
        """,
        [("abc",), ("",)],
        id="text-turned-round-by-hand",
    ),
    pytest.param(
        idioms.PalindromeLoop(),
        """
        def f(s):
            i = 0
            j = len(s) - 1
            while i < j:
                if s[i] != s[j]:
                    return False
                i += 1
                j -= 1
            return True
        """,
        """
        def f(s):
            return s == s[::-1]
        """,
        [("abba",), ("abcba",), ("ab",), ("",)],
        id="two-pointers-from-both-ends",
    ),
    pytest.param(
        idioms.PalindromeLoop(),
        """
        def f(s):
            n = len(s)
            for i in range(n // 2):
                if s[i] != s[n - 1 - i]:
                    return False
            return True
        """,
        """
        def f(s):
            n = len(s)
            return s == s[::-1]
        """,
        [("abba",), ("ab",)],
        id="mirrored-indices-with-the-length-in-a-variable",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_makes_the_builtin_and_keeps_the_result(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


@pytest.mark.parametrize(
    ("operator", "source"),
    [
        pytest.param(
            idioms.SumLoop(),
            "def f(xs):\n    a, b = 0, 1\n    for x in xs:\n        a += b + a\n    return a\n",
            id="a-sum-that-reads-itself",
        ),
        pytest.param(
            idioms.SumLoop(),
            "def f(xs):\n    s = ''\n    for x in xs:\n        s += x\n    return s\n",
            id="text-is-not-summed",
        ),
        pytest.param(
            idioms.SumLoop(),
            "def f(xs, d):\n    for x in xs:\n        d[x] += 1\n    return d\n",
            id="another-place-each-round",
        ),
        pytest.param(
            idioms.CountLoop(),
            "def f(xs, n):\n    for x in xs:\n        if x == x * x:\n            n += 1\n    return n\n",
            id="a-key-that-depends-on-the-item",
        ),
        pytest.param(
            idioms.AnyLoop(),
            "def f(xs):\n    for x in xs:\n        if x > 2:\n            return x\n    return False\n",
            id="a-search-that-returns-the-item",
        ),
    ],
)
def test_no_site_where_the_builtin_would_not_do(sites, operator, source) -> None:
    assert sites(operator, source) == 0


def test_every_operator_has_its_own_name() -> None:
    names = [each.NAME for each in idioms.OPERATORS]
    assert len(set(names)) == len(names)
