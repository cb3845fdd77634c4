"""What is computed once and kept in a variable."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_local as idioms
from peagen_ray.evolution.mutators.genetic.base import Draft
from peagen_ray.evolution.mutators.genetic.nodes import pure_functions

LISTS = [([3, 1, 2, 3],), ([5],)]

CASES = [
    pytest.param(
        idioms.HoistInvariant(),
        """
        def f(xs):
            out = []
            for x in xs:
                if x < len(xs):
                    out.append(x * len(xs))
            return out
        """,
        """
        def f(xs):
            out = []
            length = len(xs)
            for x in xs:
                if x < length:
                    out.append(x * length)
            return out
        """,
        LISTS,
        id="a-length-asked-in-every-round",
    ),
    pytest.param(
        idioms.HoistInvariant(),
        """
        def f(xs):
            m = [xs, xs]
            total = 0
            for i in range(2):
                for j in range(len(xs)):
                    total += m[i][j]
            return total
        """,
        """
        def f(xs):
            m = [xs, xs]
            total = 0
            for i in range(2):
                row = m[i]
                for j in range(len(xs)):
                    total += row[j]
            return total
        """,
        LISTS,
        id="the-row-of-an-outer-index",
    ),
    pytest.param(
        idioms.HoistInvariant(),
        """
        def f(xs):
            return [x - mean(xs) for x in xs]

        def mean(xs):
            total = 0
            for x in xs:
                total += x
            return total / len(xs)
        """,
        """
        def f(xs):
            mean_value = mean(xs)
            return [x - mean_value for x in xs]

        def mean(xs):
            total = 0
            for x in xs:
                total += x
            return total / len(xs)
        """,
        LISTS,
        id="a-pure-helper-of-the-module",
    ),
    pytest.param(
        idioms.HoistInvariant(),
        """
        def f(xs):
            i = 0
            while i < len(xs) - 1:
                i += 1
            return i
        """,
        """
        def f(xs):
            i = 0
            value = len(xs) - 1
            while i < value:
                i += 1
            return i
        """,
        LISTS,
        id="the-test-of-a-while",
    ),
    pytest.param(
        idioms.ShareValue(),
        """
        def f(xs):
            best = 0
            for x in xs:
                if cost(x) > best:
                    best = cost(x)
            return best

        def cost(x):
            return x * x
        """,
        """
        def f(xs):
            best = 0
            for x in xs:
                cost_value = cost(x)
                if cost_value > best:
                    best = cost_value
            return best

        def cost(x):
            return x * x
        """,
        LISTS,
        id="asked-and-asked-again",
    ),
    pytest.param(
        idioms.BindLocally(),
        """
        def f(xs):
            out = []
            for x in xs:
                out.append(x)
            return out
        """,
        """
        def f(xs):
            out = []
            append = out.append
            for x in xs:
                append(x)
            return out
        """,
        LISTS,
        id="a-method-looked-up-once",
    ),
    pytest.param(
        idioms.BindLocally(),
        """
        def f(xs):
            total = 0
            for x in xs:
                total += cost(x)
            return total

        def cost(x):
            return x * x
        """,
        """
        def f(xs):
            total = 0
            local_cost = cost
            for x in xs:
                total += local_cost(x)
            return total

        def cost(x):
            return x * x
        """,
        LISTS,
        id="a-global-looked-up-once",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_computes_once(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("for x in xs:\n        n += len(xs)\n        xs.append(x)", id="grows"),
        pytest.param("for x in xs:\n        n = n + x", id="changes-each-round"),
        pytest.param("for x in xs:\n        n += next(it)", id="impure"),
        pytest.param("n = len(xs)", id="no-loop"),
        pytest.param("for x in range(len(xs)):\n        n += x", id="asked-once-by-the-loop"),
        pytest.param("for x in xs:\n        n = list(it)", id="a-new-object-each-time"),
        pytest.param("n = sorted(xs, key=lambda v: len(v))", id="the-parameter-of-a-lambda"),
    ],
)
def test_what_changes_or_acts_is_not_hoisted(sites, body) -> None:
    assert sites(idioms.HoistInvariant(), f"def f(xs, n, it):\n    {body}\n    return n\n") == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("a = n * 2\n    n = 3\n    b = n * 2", id="changed-between"),
        pytest.param("n = n * 2 + n * 2", id="changed-by-its-own-statement"),
        pytest.param("a = next(xs)\n    b = next(xs)", id="impure"),
        pytest.param("a = n * 2", id="only-once"),
        pytest.param("a = [x * 2 for x in xs]\n    b = [x * 2 for x in xs if x]", id="of-a-comprehension"),
    ],
)
def test_what_differs_is_not_shared(sites, body) -> None:
    assert sites(idioms.ShareValue(), f"def f(xs, n):\n    {body}\n    return n\n") == 0


def test_after_a_change_sharing_starts_anew(made) -> None:
    source = """
    def f(n):
        a = n * 2 + n * 2
        n = a
        return n * 2 - n * 2
    """
    assert len(made(idioms.ShareValue(), source)) == 2


def test_pure_functions_are_found_through_their_calls() -> None:
    source = """
def plain(x):
    return abs(x)

def calls(x):
    ys = []
    ys.append(plain(x))
    return ys

def prints(x):
    print(x)

def changes(xs):
    xs.append(1)

def spreads(xs):
    changes(xs)

def counts():
    global n
    n = 1

def makes():
    yield 1
"""
    assert pure_functions(Draft.parse(source)) == {"plain", "calls"}
