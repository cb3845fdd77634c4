"""Minima and maxima: each rewrite, and that it changes nothing."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_extremes as idioms

LISTS = [([3, 1, 2, 3],), ([5],)]

CASES = [
    pytest.param(
        idioms.ExtremeLoop(),
        """
        def f(xs):
            best = xs[0]
            for i in range(1, len(xs)):
                if xs[i] > best:
                    best = xs[i]
            return best
        """,
        """
        def f(xs):
            best = max(xs)
            return best
        """,
        LISTS,
        id="largest-item",
    ),
    pytest.param(
        idioms.ExtremeLoop(),
        """
        def f(xs):
            best = float("inf")
            for x in xs:
                if x % 2:
                    best = min(best, x * 2)
            return best
        """,
        """
        def f(xs):
            best = min((x * 2 for x in xs if x % 2), default=float("inf"))
            return best
        """,
        [*LISTS, ([],)],
        id="smallest-value-from-infinity",
    ),
    pytest.param(
        idioms.ExtremeLoop(),
        """
        def f(xs, best=2):
            for x in xs:
                if x > best:
                    best = x
            return best
        """,
        """
        def f(xs, best=2):
            best = max(best, max(xs, default=best))
            return best
        """,
        [*LISTS, ([],), ([0, 1],)],
        id="never-below-where-it-starts",
    ),
    pytest.param(
        idioms.BestItemLoop(),
        """
        def f(xs, cost={1: 5, 2: 4, 3: 4, 5: 0}, done=(2,)):
            best = None
            for x in xs:
                if x in done:
                    continue
                if best is None or cost[x] < cost[best]:
                    best = x
            return best
        """,
        """
        def f(xs, cost={1: 5, 2: 4, 3: 4, 5: 0}, done=(2,)):
            best = min((x for x in xs if x not in done), key=cost.__getitem__, default=None)
            return best
        """,
        [*LISTS, ([],), ([2],)],
        id="cheapest-open-item",
    ),
    pytest.param(
        idioms.BestItemLoop(),
        """
        def f(xs):
            low = 0
            for j in range(1, len(xs)):
                if xs[j] < xs[low]:
                    low = j
            return low
        """,
        """
        def f(xs):
            low = min(range(len(xs)), key=xs.__getitem__)
            return low
        """,
        LISTS,
        id="index-of-the-smallest",
    ),
    pytest.param(
        idioms.SortedExtreme(),
        """
        def f(xs):
            return sorted(xs, reverse=True)[:2]
        """,
        """
        import heapq


        def f(xs):
            return heapq.nlargest(2, xs)
        """,
        LISTS,
        id="a-few-of-the-largest",
    ),
    pytest.param(
        idioms.SortedExtreme(),
        """
        def f(xs):
            ordered = sorted(xs)
            return ordered[-1]
        """,
        """
        def f(xs):
            return max(xs)
        """,
        LISTS,
        id="the-last-of-all-sorted",
    ),
    pytest.param(
        idioms.ShortExtreme(),
        """
        def f(xs):
            best = xs[0]
            for x in xs:
                best = max(best, x + 1)
            return best
        """,
        """
        def f(xs):
            best = xs[0]
            for x in xs:
                best = best if best >= x + 1 else x + 1
            return best
        """,
        LISTS,
        id="two-values-without-a-call",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_finds_the_same(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


@pytest.mark.parametrize("call", ["max(*xs)", "max(g(x), 1)", "max(x)", "max(x, y, 1)"])
def test_costly_or_many_operands_stay_in_the_call(sites, call) -> None:
    assert sites(idioms.ShortExtreme(), f"def f(x, y, xs):\n    return {call}\n") == 0


def test_another_question_about_the_best_item_is_no_key(sites) -> None:
    source = """
    def f(xs, a, b):
        best = None
        for x in xs:
            if best is None or a[x] < b[best]:
                best = x
        return best
    """
    assert sites(idioms.BestItemLoop(), source) == 0
