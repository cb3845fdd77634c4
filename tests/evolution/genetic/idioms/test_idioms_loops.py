"""Loops: each rewrite, and that it changes nothing."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_iteration as iteration
from peagen_ray.evolution.mutators.genetic import idioms_loops as loops

LISTS = [([3, 1, 2, 3],), ([],), ([5],)]
TWO = [([1, 2, 3], [4, 5, 6]), ([], [])]

CASES = [
    pytest.param(
        loops.WhileToFor(),
        """
        def f(xs):
            out = []
            i = 0
            while i < len(xs):
                out.append(xs[i])
                i += 1
            return out
        """,
        """
        def f(xs):
            out = []
            for i in range(len(xs)):
                out.append(xs[i])
            return out
        """,
        LISTS,
        id="a-counter-in-a-while",
    ),
    pytest.param(
        loops.WhileToFor(),
        """
        def f(xs):
            out = []
            i = len(xs) - 1
            while i >= 0:
                out.append(xs[i])
                i = i - 1
            return out
        """,
        """
        def f(xs):
            out = []
            for i in range(len(xs) - 1, 0 - 1, -1):
                out.append(xs[i])
            return out
        """,
        LISTS,
        id="counting-down",
    ),
    pytest.param(
        loops.DrainToFor(),
        """
        def f(xs):
            rest = list(xs)
            total = 0
            while len(rest) > 0:
                x = rest.pop(0)
                total += x
            return total
        """,
        """
        def f(xs):
            rest = list(xs)
            total = 0
            for x in rest:
                total += x
            rest = []
            return total
        """,
        LISTS,
        id="emptying-a-list-from-the-front",
    ),
    pytest.param(
        loops.EarlyBreak(),
        """
        def f(xs):
            ok = True
            for x in xs:
                y = x * 2
                if y > 4:
                    ok = False
            return ok
        """,
        """
        def f(xs):
            ok = True
            for x in xs:
                y = x * 2
                if y > 4:
                    ok = False
                    break
            return ok
        """,
        LISTS,
        id="leaving-with-the-flag",
    ),
    pytest.param(
        loops.LoopFusion(),
        """
        def f(xs):
            a = b = 0
            for x in xs:
                a += x
            for y in xs:
                b += y * y
            return a, b
        """,
        """
        def f(xs):
            a = b = 0
            for x in xs:
                a += x
                b += x * x
            return a, b
        """,
        LISTS,
        id="two-loops-in-one",
    ),
    pytest.param(
        loops.SwapTuple(),
        """
        def f(xs):
            if len(xs) > 1:
                t = xs[0]
                xs[0] = xs[1]
                xs[1] = t
            return xs
        """,
        """
        def f(xs):
            if len(xs) > 1:
                xs[0], xs[1] = xs[1], xs[0]
            return xs
        """,
        LISTS,
        id="a-swap-by-a-third-variable",
    ),
    pytest.param(
        loops.ShortTests(),
        """
        def f(xs):
            return [x for x in xs if x >= 1 and x < 3]
        """,
        """
        def f(xs):
            return [x for x in xs if 1 <= x < 3]
        """,
        LISTS,
        id="a-chained-comparison",
    ),
    pytest.param(
        iteration.DirectIteration(),
        """
        def f(xs):
            n = len(xs)
            total = 0
            for i in range(n):
                total += xs[i]
            return total
        """,
        """
        def f(xs):
            n = len(xs)
            total = 0
            for x in xs:
                total += x
            return total
        """,
        LISTS,
        id="items-instead-of-indices",
    ),
    pytest.param(
        iteration.DirectIteration(),
        """
        def f(items):
            out = []
            for i in range(1, len(items)):
                if items[i] > 1:
                    out.append(i)
            return out
        """,
        """
        def f(items):
            out = []
            for i, item in enumerate(items[1:], 1):
                if item > 1:
                    out.append(i)
            return out
        """,
        LISTS,
        id="numbered-items",
    ),
    pytest.param(
        iteration.DirectIteration(),
        """
        def f(xs, ys):
            n = len(xs)
            total = 0
            for i in range(n):
                total += xs[i] * ys[i]
            return total
        """,
        """
        def f(xs, ys):
            n = len(xs)
            total = 0
            for x, y in zip(xs, ys):
                total += x * y
            return total
        """,
        TWO,
        id="two-sequences-at-once",
    ),
    pytest.param(
        iteration.DirectComprehension(),
        """
        def f(xs):
            return [xs[i] + 1 for i in range(len(xs)) if xs[i] > 1]
        """,
        """
        def f(xs):
            return [x + 1 for x in xs if x > 1]
        """,
        LISTS,
        id="a-comprehension-over-items",
    ),
    pytest.param(
        iteration.Neighbours(),
        """
        def f(items):
            return all(items[i] <= items[i + 1] for i in range(len(items) - 1))
        """,
        """
        def f(items):
            return all(item <= next_item for item, next_item in zip(items, items[1:]))
        """,
        LISTS,
        id="neighbours-in-a-comprehension",
    ),
    pytest.param(
        iteration.Neighbours(),
        """
        def f(items):
            n = 0
            for i in range(1, len(items)):
                if items[i] < items[i - 1]:
                    n += 1
            return n
        """,
        """
        def f(items):
            n = 0
            for item, next_item in zip(items, items[1:]):
                if next_item < item:
                    n += 1
            return n
        """,
        LISTS,
        id="neighbours-in-a-loop",
    ),
    pytest.param(
        iteration.DictItems(),
        """
        def f(xs):
            d = {x: x + 1 for x in xs}
            total = 0
            for k in d.keys():
                total += k * d[k]
            return total
        """,
        """
        def f(xs):
            d = {x: x + 1 for x in xs}
            total = 0
            for k, value in d.items():
                total += k * value
            return total
        """,
        LISTS,
        id="keys-and-values-together",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_goes_the_same_rounds(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


@pytest.mark.parametrize(
    ("operator", "body"),
    [
        pytest.param(
            loops.WhileToFor(),
            "i = 0\n    while i < n:\n        if xs[i]:\n            i += 2\n        i += 1",
            id="the-body-counts-too",
        ),
        pytest.param(
            loops.WhileToFor(),
            "i = 0\n    while i < n:\n        if xs[i]:\n            continue\n        i += 1",
            id="a-round-may-not-count",
        ),
        pytest.param(
            loops.WhileToFor(),
            "i = 0\n    while i < len(xs):\n        xs.pop()\n        i += 1",
            id="the-end-moves",
        ),
        pytest.param(
            loops.DrainToFor(),
            "while xs:\n        x = xs.pop(0)\n        xs.append(x - 1)",
            id="refilled-on-the-way",
        ),
        pytest.param(
            loops.LoopFusion(),
            "for x in xs:\n        n += x\n    for x in xs:\n        xs[0] = n",
            id="the-second-waits-for-the-first",
        ),
        pytest.param(
            loops.LoopFusion(),
            "for x in xs:\n        break\n    for x in xs:\n        n += x",
            id="the-first-is-left-early",
        ),
        pytest.param(
            loops.LoopFusion(),
            "for x in xs:\n        n += x\n    for x in n:\n        n += x",
            id="another-source",
        ),
        pytest.param(
            iteration.DirectIteration(),
            "for i in range(n):\n        xs[i] = xs[i] + 1",
            id="items-are-written",
        ),
        pytest.param(
            iteration.DirectIteration(), "for i in range(n):\n        i += xs[i]", id="the-index-is-written"
        ),
        pytest.param(
            iteration.DirectIteration(), "for i in range(0, n, 2):\n        n += xs[i]", id="a-step"
        ),
        pytest.param(
            iteration.Neighbours(),
            "for i in range(len(xs) - 1):\n        n += xs[i + 1] * i",
            id="the-number-counts",
        ),
        pytest.param(
            iteration.Neighbours(), "for i in range(len(xs) - 1):\n        n += xs[i + 2]", id="two-further"
        ),
        pytest.param(
            iteration.DictItems(),
            "for k in xs:\n        xs[k] = 1\n        n += xs[k]",
            id="values-are-written",
        ),
    ],
)
def test_no_site_where_a_round_would_differ(sites, operator, body) -> None:
    assert sites(operator, f"def f(xs, n):\n    {body}\n    return n\n") == 0
