"""Sorts written by hand: seen for what they are, whatever the algorithm and the order."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_sorting as idioms

LISTS = [([3, 1, 2, 3],), ([],), ([5],)]
PAIRS = [([(1, "b"), (0, "c"), (1, "a")],), ([],)]

CASES = [
    pytest.param(
        idioms.SortLoop(),
        """
        def f(xs):
            a = list(xs)
            n = len(a)
            swapped = True
            while swapped:
                swapped = False
                for j in range(n - 1):
                    if a[j] > a[j + 1]:
                        a[j], a[j + 1] = a[j + 1], a[j]
                        swapped = True
            return a
        """,
        """
        def f(xs):
            a = list(xs)
            n = len(a)
            swapped = True
            a.sort()
            return a
        """,
        LISTS,
        id="bubble-with-a-flag",
    ),
    pytest.param(
        idioms.SortLoop(),
        """
        def f(words):
            a = words[:]
            for i in range(1, len(a)):
                key = a[i]
                j = i - 1
                while j >= 0 and len(a[j]) < len(key):
                    a[j + 1] = a[j]
                    j -= 1
                a[j + 1] = key
            return a
        """,
        """
        def f(words):
            a = words[:]
            a.sort(key=len, reverse=True)
            return a
        """,
        [(["a", "ccc", "bb", "dd"],), ([],)],
        id="insertion-by-a-key-falling",
    ),
    pytest.param(
        idioms.SortLoop(),
        """
        def f(records):
            a = list(records)
            for i in range(len(a)):
                m = smallest(a, i)
                exchange(a, i, m)
            return a

        def smallest(xs, start):
            best = start
            for k in range(start + 1, len(xs)):
                if before(xs[k], xs[best]):
                    best = k
            return best

        def before(one, other):
            if key_of(one) != key_of(other):
                return key_of(one) < key_of(other)
            return one[1] < other[1]

        def key_of(record):
            return record[0]

        def exchange(xs, i, j):
            t = xs[i]
            xs[i] = xs[j]
            xs[j] = t
        """,
        """
        def f(records):
            a = list(records)
            a.sort(key=lambda item: (key_of(item), item[1]))
            return a

        def smallest(xs, start):
            best = start
            for k in range(start + 1, len(xs)):
                if before(xs[k], xs[best]):
                    best = k
            return best

        def before(one, other):
            if key_of(one) != key_of(other):
                return key_of(one) < key_of(other)
            return one[1] < other[1]

        def key_of(record):
            return record[0]

        def exchange(xs, i, j):
            t = xs[i]
            xs[i] = xs[j]
            xs[j] = t
        """,
        PAIRS,
        id="selection-with-everything-in-helpers",
    ),
    pytest.param(
        idioms.SortLoop(),
        """
        def f(records):
            a = list(records)
            for i in range(len(a)):
                for j in range(len(a) - 1):
                    if compare(a[j], a[j + 1]) > 0:
                        a[j], a[j + 1] = a[j + 1], a[j]
            return a

        def compare(one, other):
            if one[0] != other[0]:
                return one[0] - other[0]
            return ord(other[1]) - ord(one[1])
        """,
        """
        import functools


        def f(records):
            a = list(records)
            a.sort(key=functools.cmp_to_key(compare))
            return a

        def compare(one, other):
            if one[0] != other[0]:
                return one[0] - other[0]
            return ord(other[1]) - ord(one[1])
        """,
        PAIRS,
        id="a-comparison-function",
    ),
    pytest.param(
        idioms.SortLoop(),
        """
        def f(records):
            a = list(records)
            for i in range(len(a)):
                for j in range(len(a) - 1):
                    if a[j][0] < a[j + 1][0] or (a[j][0] == a[j + 1][0] and a[j][1] > a[j + 1][1]):
                        a[j], a[j + 1] = a[j + 1], a[j]
            return a
        """,
        """
        def f(records):
            a = list(records)
            a.sort(key=lambda item: (-item[0], item[1]))
            return a
        """,
        PAIRS,
        id="two-keys-in-opposite-orders",
    ),
    pytest.param(
        idioms.SortedInsertion(),
        """
        def f(xs):
            out = []
            for x in xs:
                i = 0
                while i < len(out) and out[i] <= x:
                    i += 1
                out.insert(i, x)
            return out
        """,
        """
        def f(xs):
            out = []
            out.extend(xs)
            out.sort()
            return out
        """,
        LISTS,
        id="inserting-where-it-belongs",
    ),
    pytest.param(
        idioms.ExtractionSort(),
        """
        def f(xs):
            rest = list(xs)
            out = []
            while rest:
                low = min(rest)
                rest.remove(low)
                out.append(low)
            return out
        """,
        """
        def f(xs):
            rest = list(xs)
            out = []
            out.extend(sorted(rest))
            rest.clear()
            return out
        """,
        LISTS,
        id="taking-out-the-smallest",
    ),
    pytest.param(
        idioms.ExtractionSort(),
        """
        def f(xs):
            rest = list(xs)
            out = []
            while len(rest) > 0:
                b = 0
                for i in range(len(rest)):
                    if rest[i] > rest[b]:
                        b = i
                out.append(rest[b])
                del rest[b]
            return out
        """,
        """
        def f(xs):
            rest = list(xs)
            out = []
            out.extend(sorted(rest, reverse=True))
            rest.clear()
            return out
        """,
        LISTS,
        id="taking-out-the-largest-by-index",
    ),
    pytest.param(
        idioms.RecursiveSort(),
        '''
        def f(xs):
            """Quick."""
            if len(xs) <= 1:
                return xs[:]
            pivot = xs[0]
            low = [x for x in xs[1:] if x < pivot]
            high = [x for x in xs[1:] if x >= pivot]
            return f(low) + [pivot] + f(high)
        ''',
        '''
        def f(xs):
            """Quick."""
            return sorted(xs)
        ''',
        LISTS,
        id="quick-sort",
    ),
    pytest.param(
        idioms.RecursiveSort(),
        """
        def f(xs):
            if len(xs) < 2:
                return list(xs)
            mid = len(xs) // 2
            left = f(xs[:mid])
            right = f(xs[mid:])
            return merge(left, right)

        def merge(a, b):
            out = []
            i = j = 0
            while i < len(a) and j < len(b):
                if a[i][0] <= b[j][0]:
                    out.append(a[i])
                    i += 1
                else:
                    out.append(b[j])
                    j += 1
            return out + a[i:] + b[j:]
        """,
        """
        def f(xs):
            return sorted(xs, key=lambda item: item[0])

        def merge(a, b):
            out = []
            i = j = 0
            while i < len(a) and j < len(b):
                if a[i][0] <= b[j][0]:
                    out.append(a[i])
                    i += 1
                else:
                    out.append(b[j])
                    j += 1
            return out + a[i:] + b[j:]
        """,
        PAIRS,
        id="merge-sort-by-a-key",
    ),
    pytest.param(
        idioms.RecursiveSort(),
        """
        def f(xs):
            a = list(xs)
            quick(a, 0, len(a) - 1)
            return a

        def quick(a, lo, hi):
            if lo >= hi:
                return
            p = lo
            for k in range(lo, hi):
                if a[k] < a[hi]:
                    a[k], a[p] = a[p], a[k]
                    p += 1
            a[p], a[hi] = a[hi], a[p]
            quick(a, lo, p - 1)
            quick(a, p + 1, hi)
        """,
        """
        def f(xs):
            a = list(xs)
            quick(a, 0, len(a) - 1)
            return a

        def quick(a, lo, hi):
            a[lo:hi + 1] = sorted(a[lo:hi + 1])
        """,
        LISTS,
        id="in-place-between-bounds",
    ),
    pytest.param(
        idioms.MergeSorted(),
        """
        def f(a, b):
            out = []
            i = 0
            j = 0
            while i < len(a) and j < len(b):
                if a[i] <= b[j]:
                    out.append(a[i])
                    i += 1
                else:
                    out.append(b[j])
                    j += 1
            return out + a[i:] + b[j:]
        """,
        """
        def f(a, b):
            return sorted(a + b)
        """,
        [([1, 4], [2, 3, 9]), ([], [1])],
        id="merging",
    ),
    pytest.param(
        idioms.SortInLoop(),
        """
        def f(xs):
            out = []
            for x in xs:
                out.append(x)
                out.sort()
            return out
        """,
        """
        import bisect


        def f(xs):
            out = []
            for x in xs:
                bisect.insort(out, x)
            return out
        """,
        LISTS,
        id="sorted-after-each-append",
    ),
    pytest.param(
        idioms.SortAfterLoop(),
        """
        def f(xs):
            out = []
            for x in xs:
                out.append(x)
                out.sort()
            return out
        """,
        """
        def f(xs):
            out = []
            for x in xs:
                out.append(x)
            out.sort()
            return out
        """,
        LISTS,
        id="sorted-once-after-the-loop",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_sorts_the_same_way(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


def test_both_directions_are_offered(made) -> None:
    source = """
    def f(a):
        for i in range(len(a)):
            for j in range(i + 1, len(a)):
                if a[i] > a[j]:
                    a[i], a[j] = a[j], a[i]
    """
    assert [("reverse" in text) for text in made(idioms.SortLoop(), source)] == [False, True]


@pytest.mark.parametrize(
    "loop",
    [
        pytest.param("for i in range(n):\n        a[i] = a[i] + 1", id="one-loop"),
        pytest.param(
            "for i in range(n):\n        for j in range(n):\n            a[i] += j", id="nothing-is-moved"
        ),
        pytest.param(
            "for i in range(n):\n        for j in range(n):\n            a[i], a[j] = a[j], a[i]",
            id="nothing-is-compared",
        ),
    ],
)
def test_loops_that_do_not_sort_are_left_alone(sites, loop) -> None:
    assert sites(idioms.SortLoop(), f"def f(a, n):\n    {loop}\n") == 0


def test_recursion_that_compares_no_items_is_no_sort(sites) -> None:
    source = "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n"
    assert sites(idioms.RecursiveSort(), source) == 0
