"""Comprehensions and bulk methods: each rewrite, and that it changes nothing."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_comprehensions as idioms

LISTS = [([3, 1, 2, 3],), ([],)]
ROWS = [([[1, 2], [3, 4]],), ([[5]],)]

CASES = [
    pytest.param(
        idioms.AppendLoop(),
        """
        def f(xs):
            out: list[int] = []
            limit = 1
            for x in xs:
                if x <= limit:
                    continue
                out.append(x * 2)
            return out
        """,
        """
        def f(xs):
            limit = 1
            out: list[int] = [x * 2 for x in xs if x > limit]
            return out
        """,
        LISTS,
        id="appending-is-a-comprehension",
    ),
    pytest.param(
        idioms.AppendLoop(),
        """
        def f(xs):
            out = []
            for x in xs:
                if x > 2:
                    out.append(x)
                else:
                    out.append(-x)
            return out
        """,
        """
        def f(xs):
            out = [x if x > 2 else -x for x in xs]
            return out
        """,
        LISTS,
        id="either-of-two-values",
    ),
    pytest.param(
        idioms.AppendLoop(),
        """
        def f(rows):
            out = [0]
            for row in rows:
                for x in row:
                    out = out + [x]
            return out
        """,
        """
        def f(rows):
            out = [0]
            out.extend([x for row in rows for x in row])
            return out
        """,
        ROWS,
        id="a-list-that-has-items-is-extended",
    ),
    pytest.param(
        idioms.AppendLoop(),
        """
        def f(xs):
            return list(g(xs))

        def g(xs):
            for x in xs:
                yield x + 1
        """,
        """
        def f(xs):
            return list(g(xs))

        def g(xs):
            yield from (x + 1 for x in xs)
        """,
        LISTS,
        id="yielding-in-a-loop",
    ),
    pytest.param(
        idioms.AddLoop(),
        """
        def f(xs):
            out = set()
            for x in xs:
                out.add(x % 2)
            return out
        """,
        """
        def f(xs):
            out = {x % 2 for x in xs}
            return out
        """,
        LISTS,
        id="adding-is-a-set-comprehension",
    ),
    pytest.param(
        idioms.ItemLoop(),
        """
        def f(xs):
            out = {}
            for i, x in enumerate(xs):
                out[x] = i
            return out
        """,
        """
        def f(xs):
            out = {x: i for i, x in enumerate(xs)}
            return out
        """,
        LISTS,
        id="setting-items-is-a-dict-comprehension",
    ),
    pytest.param(
        idioms.Flatten(),
        """
        def f(rows):
            return sum(rows, [])
        """,
        """
        import itertools


        def f(rows):
            return list(itertools.chain.from_iterable(rows))
        """,
        ROWS,
        id="summing-lists-is-chain",
    ),
    pytest.param(
        idioms.GrowInPlace(),
        """
        def f(xs):
            out = []
            for x in xs:
                out = out + [x]
            return out
        """,
        """
        def f(xs):
            out = []
            for x in xs:
                out.append(x)
            return out
        """,
        LISTS,
        id="concatenating-one-item-is-append",
    ),
    pytest.param(
        idioms.GrowInPlace(),
        """
        def f(rows):
            out = []
            for row in rows:
                out = out + row
            return out
        """,
        """
        def f(rows):
            out = []
            for row in rows:
                out.extend(row)
            return out
        """,
        ROWS,
        id="concatenating-a-list-is-extend",
    ),
    pytest.param(
        idioms.MapFilter(),
        """
        def f(xs):
            return list(map(lambda x: x + 1, xs))
        """,
        """
        def f(xs):
            return [x + 1 for x in xs]
        """,
        LISTS,
        id="map-with-a-lambda",
    ),
    pytest.param(
        idioms.MapFilter(),
        """
        def f(xs):
            return [str(x) for x in xs]
        """,
        """
        def f(xs):
            return list(map(str, xs))
        """,
        LISTS,
        id="a-builtin-is-mapped",
    ),
    pytest.param(
        idioms.NeedlessCopy(),
        """
        def f(xs):
            return sorted(list(xs))
        """,
        """
        def f(xs):
            return sorted(xs)
        """,
        LISTS,
        id="sorted-copies-anyway",
    ),
    pytest.param(
        idioms.NeedlessCopy(),
        """
        def f(xs):
            d = dict.fromkeys(xs, 1)
            return [x for x in xs if x in d.keys()]
        """,
        """
        def f(xs):
            d = dict.fromkeys(xs, 1)
            return [x for x in xs if x in d]
        """,
        LISTS,
        id="a-dict-is-asked-without-its-keys",
    ),
    pytest.param(
        idioms.ShallowRows(),
        """
        import copy

        def f(rows):
            mine = copy.deepcopy(rows)
            mine[0][0] = 9
            return mine
        """,
        """
        import copy

        def f(rows):
            mine = [row[:] for row in rows]
            mine[0][0] = 9
            return mine
        """,
        ROWS,
        id="rows-are-copied-one-by-one",
    ),
    pytest.param(
        idioms.ShallowCopy(),
        """
        import copy

        def f(xs):
            mine = copy.deepcopy(xs)
            mine.append(1)
            return mine
        """,
        """
        import copy

        def f(xs):
            mine = xs.copy()
            mine.append(1)
            return mine
        """,
        LISTS,
        id="a-flat-list-needs-no-deep-copy",
    ),
    pytest.param(
        idioms.Transpose(),
        """
        def f(m):
            return [[m[r][c] for r in range(len(m))] for c in range(len(m[0]))]
        """,
        """
        def f(m):
            return [list(column) for column in zip(*m)]
        """,
        ROWS,
        id="rows-to-columns",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_builds_at_once_and_keeps_the_result(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


def test_a_list_that_its_own_items_depend_on_is_left_alone(sites) -> None:
    source = """
    def f(n):
        out = []
        for i in range(n):
            out.append(len(out) + i)
        return out
    """
    assert sites(idioms.AppendLoop(), source) == 0


def test_parameters_are_not_extended_in_place(sites) -> None:
    source = """
    def f(xs, ys):
        xs = xs + ys
        return xs
    """
    assert sites(idioms.GrowInPlace(), source) == 0
