"""Helpers written out where they are called."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_inline as idioms
from peagen_ray.evolution.mutators.genetic.inlining import as_expression, unused, with_result

HELPERS = {
    "is_even": "def is_even(n):\n    return n % 2 == 0\n",
    "less": "def less(a, b):\n    if a[0] != b[0]:\n        return a[0] < b[0]\n    return a[1] < b[1]\n",
    "small": "def small(n, limit=3):\n    if n < limit:\n        return True\n    return False\n",
    "any_of": "def any_of(xs):\n    return any(x > 1 for x in xs)\n",
    "between": "def between(n):\n    low = n - 1\n    return low * 2\n",
    "swap": "def swap(a, i, j):\n    t = a[i]\n    a[i] = a[j]\n    a[j] = t\n",
    "prime": (
        "def prime(n):\n    if n < 2:\n        return False\n    for d in range(2, n):\n"
        "        if n % d == 0:\n            return False\n    return True\n"
    ),
    "find": (
        "def find(xs, k):\n    i = 0\n    while i < len(xs):\n        if xs[i] == k:\n            return i\n"
        "        i += 1\n    return -1\n"
    ),
    "halved": (
        "def halved(n, steps):\n    while n > 1:\n        n //= 2\n        steps += 1\n    return steps\n"
    ),
    "grow": "def grow(xs, x):\n    if x > 1:\n        xs.append(x)\n        return\n    xs.append(-x)\n",
}

EXPRESSIONS = [
    ("is_even", "return [x for x in xs if is_even(x)]", "return [x for x in xs if x % 2 == 0]"),
    ("is_even", "return is_even(n=len(xs))", "return len(xs) % 2 == 0"),
    ("small", "return [small(x) for x in xs]", "return [x < 3 for x in xs]"),
    ("small", "return small(xs[0], xs[1])", "return xs[0] < xs[1]"),
    ("any_of", "x = xs\n    return any_of(x)", "x = xs\n    return any((x_2 > 1 for x_2 in x))"),
    ("between", "return between(len(xs))", "return (len(xs) - 1) * 2"),
    ("is_even", "return is_even(is_even(xs[0]))", "return (xs[0] % 2 == 0) % 2 == 0"),
]


@pytest.mark.parametrize(("helper", "body", "after"), EXPRESSIONS)
def test_an_expression_takes_the_place_of_the_call(check, helper, body, after) -> None:
    check(
        idioms.InlineExpression(),
        f"def f(xs):\n    {body}\n\n{HELPERS[helper]}",
        f"def f(xs):\n    {after}\n\n{HELPERS[helper]}",
        ([3, 1, 2],),
    )


def test_choices_become_a_conditional_expression(made) -> None:
    (text,) = made(idioms.InlineExpression(), f"def f(p, q):\n    return less(p, q)\n\n{HELPERS['less']}")
    assert "return p[0] < q[0] if p[0] != q[0] else p[1] < q[1]" in text


def test_a_costly_argument_is_not_computed_twice(made) -> None:
    source = f"def f(p, q):\n    return less(sorted(p), q)\n\n{HELPERS['less']}"
    assert made(idioms.InlineExpression(), source) == []


BODIES = [
    pytest.param(
        "swap",
        """
        def f(xs):
            t = xs[:]
            swap(t, 0, 1)
            return t
        """,
        """
        def f(xs):
            t = xs[:]
            t_2 = t[0]
            t[0] = t[1]
            t[1] = t_2
            return t
        """,
        id="names-of-the-caller-are-spared",
    ),
    pytest.param(
        "find",
        """
        def f(xs):
            i = find(xs, 2) + 1
            return i
        """,
        """
        def f(xs):
            i_2 = 0
            while i_2 < len(xs):
                if xs[i_2] == 2:
                    find_result = i_2
                    break
                i_2 += 1
            else:
                find_result = -1
            i = find_result + 1
            return i
        """,
        id="a-return-in-a-loop",
    ),
    pytest.param(
        "grow",
        """
        def f(xs):
            out = []
            for x in xs:
                grow(out, x)
            return out
        """,
        """
        def f(xs):
            out = []
            for x in xs:
                if x > 1:
                    out.append(x)
                else:
                    out.append(-x)
            return out
        """,
        id="a-result-that-nobody-reads",
    ),
    pytest.param(
        "prime",
        """
        def f(xs):
            size = len(xs)
            if prime(size + 1) and size:
                return 1
            return 2
        """,
        """
        def f(xs):
            size = len(xs)
            if size + 1 < 2:
                prime_result = False
            else:
                for d in range(2, size + 1):
                    if (size + 1) % d == 0:
                        prime_result = False
                        break
                else:
                    prime_result = True
            if prime_result and size:
                return 1
            return 2
        """,
        id="before-a-condition",
    ),
    pytest.param(
        "halved",
        """
        def f(xs):
            return halved(len(xs) * 3 - 1, 0)
        """,
        """
        def f(xs):
            n = len(xs) * 3 - 1
            steps = 0
            while n > 1:
                n //= 2
                steps += 1
            halved_result = steps
            return halved_result
        """,
        id="arguments-that-the-helper-changes",
    ),
]


@pytest.mark.parametrize(("helper", "before", "after"), BODIES)
def test_statements_go_before_the_call(check, helper, before, after) -> None:
    text = f"\n\n{HELPERS[helper]}"
    check(idioms.InlineBody(), dedent(before) + text, dedent(after) + text, ([3, 1, 2],), ([2, 0, 5, 7],))


def test_a_method_is_written_out_with_its_object(made) -> None:
    source = """
    class Box:
        def __init__(self):
            self.n = 2

        def scaled(self, x):
            return x * self.n

        def f(self, xs):
            return [self.scaled(x) for x in xs]
    """
    (text,) = made(idioms.InlineExpression(), source, "Box.f")
    assert "return [x * self.n for x in xs]" in text


@pytest.mark.parametrize(
    "helper",
    [
        pytest.param("def g(x):\n    return g(x - 1) if x else 0\n", id="recursive"),
        pytest.param("def g(x):\n    yield x\n", id="generator"),
        pytest.param("@cache\ndef g(x):\n    return x\n", id="decorated"),
        pytest.param("def g(*x):\n    return x\n", id="any-number-of-arguments"),
        pytest.param("async def g(x):\n    return x\n", id="asynchronous"),
        pytest.param("def g(x):\n    global y\n    y = x\n    return x\n", id="global-state"),
    ],
)
def test_clever_helpers_stay_functions(made, helper) -> None:
    source = f"from functools import cache\n\ndef f(x):\n    return g(x)\n\n{helper}"
    assert made(idioms.InlineExpression(), source) == []
    assert made(idioms.InlineBody(), source) == []


@pytest.mark.parametrize(
    "call",
    [
        "while find(xs, x) > 0:\n        x += 1",
        "x = x and find(xs, x)",
        "x = 1 if x else find(xs, x)",
        "x = [find(xs, y) for y in xs]",
        "x = lambda y: find(xs, y)",
    ],
)
def test_statements_never_go_where_the_call_might_not_run(sites, call) -> None:
    assert sites(idioms.InlineBody(), f"def f(xs, x):\n    {call}\n    return x\n\n{HELPERS['find']}") == 0


@pytest.mark.parametrize(
    ("body", "expression"),
    [
        ("return x", "x"),
        ("return", "None"),
        ("if x:\n    return 1\nelse:\n    return 2", "1 if x else 2"),
        ("if x > 1:\n    return True\nreturn y", "x > 1 or y"),
        ("y = x + 1\nreturn y", "x + 1"),
    ],
)
def test_simple_bodies_are_expressions(body, expression) -> None:
    made = as_expression(ast.parse(body).body)
    assert made is not None
    assert ast.unparse(made) == expression


@pytest.mark.parametrize(
    "body", ["x = 1", "for x in y:\n    return x", "y = f(x)\nreturn y + y", "if x:\n    return 1"]
)
def test_other_bodies_are_not(body) -> None:
    assert as_expression(ast.parse(body).body) is None


@pytest.mark.parametrize(
    "body",
    [
        "for x in xs:\n    for y in x:\n        return y\nreturn 0",
        "for x in xs:\n    if x:\n        break\n    return x\nreturn 0",
        "with x:\n    return 1",
        "for x in xs:\n    return x\nelse:\n    return 2",
    ],
)
def test_returns_that_cannot_be_assignments_are_refused(body) -> None:
    assert with_result(ast.parse(body).body, "result") is None


def test_names_that_are_taken_get_a_number() -> None:
    assert unused("a", {"b"}) == "a"
    assert unused("a", {"a", "a_2"}) == "a_3"
