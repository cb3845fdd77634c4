"""Tables made before a loop: each rewrite, and that it changes nothing."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_bisect as bisect_idioms
from peagen_ray.evolution.mutators.genetic import idioms_tables as idioms

TWO = [([1, 2, 3, 2], [2, 4, 2, 1]), ([], []), ([5], [])]
LISTS = [([3, 1, 2, 3],), ([5],), ([],)]

CASES = [
    pytest.param(
        idioms.MembershipTable(),
        """
        def f(a, b):
            out = []
            for x in a:
                if x in b or x + 1 not in b:
                    out.append(x)
            return out
        """,
        """
        def f(a, b):
            out = []
            b_set = set(b)
            for x in a:
                if x in b_set or x + 1 not in b_set:
                    out.append(x)
            return out
        """,
        TWO,
        id="a-set-for-every-test-in-the-loop",
    ),
    pytest.param(
        idioms.MembershipTable(),
        """
        def f(a, b):
            return [x for x in a if x not in b]
        """,
        """
        def f(a, b):
            b_set = set(b)
            return [x for x in a if x not in b_set]
        """,
        TWO,
        id="a-comprehension-is-a-loop-too",
    ),
    pytest.param(
        idioms.CountTable(),
        """
        def f(a, b):
            return {x: b.count(x) for x in a}
        """,
        """
        import collections


        def f(a, b):
            b_counts = collections.Counter(b)
            return {x: b_counts[x] for x in a}
        """,
        TWO,
        id="counted-once",
    ),
    pytest.param(
        idioms.PositionTable(),
        """
        def f(xs):
            out = []
            for i in range(len(xs)):
                if xs[i] not in xs[:i]:
                    out.append(xs.index(xs[i]))
            return out
        """,
        """
        def f(xs):
            out = []
            xs_positions = {value: at for at, value in reversed(list(enumerate(xs)))}
            for i in range(len(xs)):
                if xs_positions.get(xs[i], i) >= i:
                    out.append(xs_positions[xs[i]])
            return out
        """,
        LISTS,
        id="first-positions",
    ),
    pytest.param(
        idioms.PrefixSums(),
        """
        def f(xs, k=2):
            out = []
            for i in range(len(xs) - k + 1):
                total = 0
                for j in range(i, i + k):
                    total += xs[j]
                out.append(total)
            return out
        """,
        """
        import itertools


        def f(xs, k=2):
            out = []
            xs_totals = [0, *itertools.accumulate(xs)]
            for i in range(len(xs) - k + 1):
                total = xs_totals[i + k] - xs_totals[i]
                out.append(total)
            return out
        """,
        LISTS,
        id="window-sums-by-hand",
    ),
    pytest.param(
        idioms.PrefixSums(),
        """
        def f(xs):
            return [sum(xs[:i]) - sum(xs[i:]) for i in range(len(xs))]
        """,
        """
        import itertools


        def f(xs):
            xs_totals = [0, *itertools.accumulate(xs)]
            return [xs_totals[i] - (xs_totals[-1] - xs_totals[i]) for i in range(len(xs))]
        """,
        LISTS,
        id="one-table-for-both-sides",
    ),
    pytest.param(
        idioms.PrefixExtremes(),
        """
        def f(xs):
            out = []
            for i in range(len(xs)):
                out.append(max(xs[: i + 1]))
            return out
        """,
        """
        import itertools


        def f(xs):
            out = []
            xs_peaks = list(itertools.accumulate(xs, max))
            for i in range(len(xs)):
                out.append(xs_peaks[i])
            return out
        """,
        LISTS,
        id="running-maximum",
    ),
    pytest.param(
        idioms.MatrixColumns(),
        """
        def f(a, b):
            out = []
            for i in range(len(a)):
                row = []
                for j in range(len(b[0])):
                    total = 0
                    for k in range(len(b)):
                        total += a[i][k] * b[k][j]
                    row.append(total)
                out.append(row)
            return out
        """,
        """
        import operator


        def f(a, b):
            out = []
            b_columns = list(zip(*b))
            for i in range(len(a)):
                row = []
                for j in range(len(b[0])):
                    total = sum(map(operator.mul, a[i], b_columns[j]))
                    row.append(total)
                out.append(row)
            return out
        """,
        [([[1, 2], [3, 4]], [[5, 6], [7, 8]])],
        id="columns-of-a-matrix",
    ),
    pytest.param(
        idioms.DotProduct(),
        """
        def f(a, b):
            return sum(a[k] * b[k] for k in range(len(a)))
        """,
        """
        import operator


        def f(a, b):
            return sum(map(operator.mul, a, b))
        """,
        [([1, 2], [3, 4])],
        id="inner-product",
    ),
    pytest.param(
        bisect_idioms.SortedCounts(),
        """
        def f(xs):
            out = []
            for x in xs:
                n = 0
                for y in xs:
                    if y < x:
                        n += 1
                out.append(n)
            return out
        """,
        """
        import bisect


        def f(xs):
            out = []
            xs_ordered = sorted(xs)
            for x in xs:
                n = bisect.bisect_left(xs_ordered, x)
                out.append(n)
            return out
        """,
        LISTS,
        id="how-many-are-smaller",
    ),
    pytest.param(
        bisect_idioms.SortedCounts(),
        """
        def f(xs):
            return [sum(1 for v in xs if lo <= v < lo + 2) for lo in range(4)]
        """,
        """
        import bisect


        def f(xs):
            xs_ordered = sorted(xs)
            return [bisect.bisect_left(xs_ordered, lo + 2) - bisect.bisect_left(xs_ordered, lo) for lo in range(4)]
        """,
        LISTS,
        id="how-many-are-between",
    ),
    pytest.param(
        bisect_idioms.OrderedPairs(),
        """
        def f(xs):
            n = len(xs)
            count = 0
            for i in range(n):
                for j in range(i + 1, n):
                    if xs[i] > xs[j]:
                        count += 1
            return count
        """,
        """
        import bisect


        def f(xs):
            n = len(xs)
            count = 0
            earlier = []
            for value in xs:
                count += len(earlier) - bisect.bisect_right(earlier, value)
                bisect.insort(earlier, value)
            return count
        """,
        LISTS,
        id="inversions",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_makes_the_table_once(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("return x in xs", id="asked-once"),
        pytest.param("for y in range(3):\n        xs.append(y in xs)", id="changed-in-the-loop"),
        pytest.param("seen = set(xs)\n    for y in range(3):\n        x += y in seen", id="a-set-already"),
        pytest.param("for y in range(3):\n        x += y in range(2)", id="a-range"),
        pytest.param("for ys in x:\n        x = 2 in ys", id="another-list-each-round"),
        pytest.param("return [1 in ys for ys in xs]", id="another-list-each-item"),
        pytest.param("return sorted(xs, key=lambda ys: 1 in ys)", id="the-parameter-of-a-lambda"),
        pytest.param("for y in range(3):\n        x += y in next(xs)", id="made-anew"),
    ],
)
def test_no_table_where_it_would_be_wrong_or_useless(sites, body) -> None:
    assert sites(idioms.MembershipTable(), f"def f(xs, x):\n    {body}\n    return x\n") == 0


def test_an_attribute_names_its_table(made) -> None:
    source = """
    class Box:
        def __init__(self, xs):
            self.known = xs

        def f(self, ys):
            self.n = 0
            for y in ys:
                if y in self.known:
                    self.n += 1
            return self.n
    """
    (text,) = made(idioms.MembershipTable(), source, "Box.f")
    assert "known_set = set(self.known)" in text
