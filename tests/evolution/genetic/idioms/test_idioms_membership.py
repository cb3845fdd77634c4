"""Membership: sets for literals and beside growing lists."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_membership as idioms

LISTS = [([3, 1, 2, 3],), ([],)]

CASES = [
    pytest.param(
        idioms.LiteralSet(),
        """
        def f(xs):
            return [x for x in xs if x not in [1, 2, 7]]
        """,
        """
        def f(xs):
            return [x for x in xs if x not in {1, 2, 7}]
        """,
        LISTS,
        id="a-literal",
    ),
    pytest.param(
        idioms.CompanionSet(),
        """
        def f(xs):
            out = [2]
            for x in xs:
                if x not in out:
                    out.append(x)
            return out
        """,
        """
        def f(xs):
            out = [2]
            out_set = set(out)
            for x in xs:
                if x not in out_set:
                    out.append(x)
                    out_set.add(x)
            return out
        """,
        LISTS,
        id="a-set-beside-the-list",
    ),
    pytest.param(
        idioms.CompanionSet(),
        """
        def f(xs):
            out = []
            for x in xs:
                pair = sorted([x, 2])
                if pair not in out:
                    out.append(pair)
            return out
        """,
        """
        def f(xs):
            out = []
            out_set = set()
            for x in xs:
                pair = sorted([x, 2])
                if tuple(pair) not in out_set:
                    out.append(pair)
                    out_set.add(tuple(pair))
            return out
        """,
        LISTS,
        id="lists-are-kept-as-tuples",
    ),
    pytest.param(
        idioms.CompanionSet(),
        """
        def f(xs):
            out = []
            for x in xs:
                if [x, 1] not in out:
                    out += [[x, 1]]
                elif [x, 2] not in out:
                    out.remove([x, 1])
            return out
        """,
        """
        def f(xs):
            out = []
            out_set = set()
            for x in xs:
                if (x, 1) not in out_set:
                    out += [[x, 1]]
                    out_set.add((x, 1))
                elif (x, 2) not in out_set:
                    out.remove([x, 1])
                    out_set.discard((x, 1))
            return out
        """,
        LISTS,
        id="literal-items-and-items-that-leave",
    ),
    pytest.param(
        idioms.ListToSet(),
        """
        def f(xs):
            seen = []
            out = []
            for x in xs:
                if x in seen:
                    out.append(x)
                seen.append(x)
            return out
        """,
        """
        def f(xs):
            seen = set()
            out = []
            for x in xs:
                if x in seen:
                    out.append(x)
                seen.add(x)
            return out
        """,
        LISTS,
        id="a-list-that-is-only-searched",
    ),
    pytest.param(
        idioms.ListToSet(),
        """
        def f(xs):
            seen = [3]
            for x in xs:
                if x not in seen:
                    seen.append(x)
                    yield_ = x
            return yield_ if xs else None
        """,
        """
        def f(xs):
            seen = {3}
            for x in xs:
                if x not in seen:
                    seen.add(x)
                    yield_ = x
            return yield_ if xs else None
        """,
        LISTS,
        id="with-something-in-it-from-the-start",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_asks_a_set(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


def test_the_lists_of_a_class_are_watched_in_all_of_its_methods(check) -> None:
    check(
        idioms.CompanionSet(),
        """
        class Box:
            def __init__(self):
                self._items = []

            def add(self, x):
                self._items.append(x)

            def has(self, x):
                return x in self._items

        def f(xs):
            box = Box()
            for x in xs:
                if not box.has(x):
                    box.add(x)
            return box._items
        """,
        """
        class Box:
            def __init__(self):
                self._items = []
                self.items_set = set()

            def add(self, x):
                self._items.append(x)
                self.items_set.add(x)

            def has(self, x):
                return x in self.items_set

        def f(xs):
            box = Box()
            for x in xs:
                if not box.has(x):
                    box.add(x)
            return box._items
        """,
        *LISTS,
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("out = [y for y in xs]\n    return 1 in out", id="does-not-grow"),
        pytest.param("out = []\n    out.append(1)\n    return out", id="is-not-searched"),
        pytest.param("xs.append(1)\n    return 1 in xs", id="comes-from-outside"),
    ],
)
def test_no_site_without_growth_search_and_a_start(sites, body) -> None:
    assert sites(idioms.CompanionSet(), f"def f(xs):\n    {body}\n") == 0


def test_a_list_that_is_returned_stays_a_list(sites) -> None:
    source = """
    def f(xs):
        seen = []
        for x in xs:
            if x not in seen:
                seen.append(x)
        return seen
    """
    assert sites(idioms.ListToSet(), source) == 0
    assert sites(idioms.CompanionSet(), source) == 1


@pytest.mark.parametrize("literal", ["[]", "[x]", "(1, x)", "'abc'"])
def test_only_literals_of_constants_become_sets(sites, literal) -> None:
    assert sites(idioms.LiteralSet(), f"def f(x):\n    return x in {literal}\n") == 0
