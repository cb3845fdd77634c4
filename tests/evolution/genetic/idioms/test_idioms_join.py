"""Hash joins and key indices: look-ups in the place of inner loops."""

from __future__ import annotations

import ast

import pytest

from peagen_ray.evolution.mutators.genetic.idioms_index import KeyIndex
from peagen_ray.evolution.mutators.genetic.idioms_join import HashJoin
from peagen_ray.evolution.mutators.genetic.terms import isolated, summed, terms

TWO = [([1, 2, 3, 2], [2, 4, 2, 1]), ([], [1]), ([5], [])]

CASES = [
    pytest.param(
        HashJoin(),
        """
        def f(a, b):
            out = []
            for x in a:
                for y in b:
                    if x == y:
                        out.append((x, y))
            return out
        """,
        """
        def f(a, b):
            out = []
            groups = {}
            for y in b:
                groups.setdefault(y, []).append(y)
            for x in a:
                for y in groups.get(x, ()):
                    out.append((x, y))
            return out
        """,
        TWO,
        id="equal-items",
    ),
    pytest.param(
        HashJoin(),
        """
        def f(xs, target):
            for i in range(len(xs)):
                for j in range(i + 1, len(xs)):
                    if xs[i] + xs[j] == target:
                        return [i, j]
            return []
        """,
        """
        def f(xs, target):
            groups = {}
            for j in range(len(xs)):
                groups.setdefault(xs[j], []).append(j)
            for i in range(len(xs)):
                for j in groups.get(target - xs[i], ()):
                    if j > i:
                        return [i, j]
            return []
        """,
        [([1, 5, 3, 5], 8), ([1], 2), ([4, 4], 8)],
        id="two-that-add-up-to-a-sum",
    ),
    pytest.param(
        HashJoin(),
        """
        def f(xs, k):
            n = 0
            for i in range(len(xs)):
                for j in range(i):
                    if (xs[i] + xs[j]) % k == 0:
                        n += 1
            return n
        """,
        """
        def f(xs, k):
            n = 0
            groups = {}
            for j in range(len(xs)):
                groups.setdefault(xs[j] % k, []).append(j)
            for i in range(len(xs)):
                for j in groups.get(-xs[i] % k, ()):
                    if j < i:
                        n += 1
            return n
        """,
        [([1, 5, 3, 7], 4), ([], 2)],
        id="sums-that-a-number-divides",
    ),
    pytest.param(
        HashJoin(),
        """
        def f(users, orders):
            report = []
            for user in users:
                total = 0
                for order in orders:
                    if order["uid"] != user["id"]:
                        continue
                    if order["n"] > 1:
                        total += order["n"]
                report.append(total)
            return report
        """,
        """
        def f(users, orders):
            report = []
            groups = {}
            for order in orders:
                groups.setdefault(order["uid"], []).append(order)
            for user in users:
                total = 0
                for order in groups.get(user["id"], ()):
                    if order["n"] > 1:
                        total += order["n"]
                report.append(total)
            return report
        """,
        [([{"id": 1}, {"id": 2}], [{"uid": 1, "n": 3}, {"uid": 1, "n": 1}, {"uid": 3, "n": 2}])],
        id="records-by-a-field",
    ),
    pytest.param(
        HashJoin(),
        """
        def f(a, b):
            return [(x, y) for x in a for y in b if x == y + 1 and y > 1]
        """,
        """
        def f(a, b):
            groups = {}
            for y in b:
                groups.setdefault(y, []).append(y)
            return [(x, y) for x in a for y in groups.get(x - 1, ()) if y > 1]
        """,
        TWO,
        id="a-clause-of-a-comprehension",
    ),
    pytest.param(
        HashJoin(),
        """
        def f(a, b):
            return [sum(1 for y in b if y == x) for x in a]
        """,
        """
        def f(a, b):
            groups = {}
            for y in b:
                groups.setdefault(y, []).append(y)
            return [sum(1 for y in groups.get(x, ())) for x in a]
        """,
        TWO,
        id="a-comprehension-within-a-comprehension",
    ),
    pytest.param(
        HashJoin(),
        """
        def f(xs):
            out = []
            for i, x in enumerate(xs):
                for y in xs[i + 1 :]:
                    if x == y:
                        out.append(i)
            return out
        """,
        """
        def f(xs):
            out = []
            groups = {}
            for at, y in enumerate(xs):
                groups.setdefault(y, []).append((at, y))
            for i, x in enumerate(xs):
                for at, y in groups.get(x, ()):
                    if at > i:
                        out.append(i)
            return out
        """,
        [([1, 2, 1, 1],), ([],)],
        id="later-items-by-a-slice",
    ),
    pytest.param(
        KeyIndex(),
        """
        def f(words):
            entries = []
            for w in words:
                found = False
                for e in entries:
                    if e[0] == w:
                        e[1] += 1
                        found = True
                        break
                if not found:
                    entries.append([w, 1])
            return entries
        """,
        """
        def f(words):
            entries = []
            entries_by_key = {}
            for w in words:
                found = False
                for e in entries_by_key.get(w, ()):
                    e[1] += 1
                    found = True
                    break
                if not found:
                    entries.append([w, 1])
                    entries_by_key.setdefault(entries[-1][0], []).append(entries[-1])
            return entries
        """,
        [("abacab",), ("",)],
        id="entries-that-are-looked-for-before-they-are-made",
    ),
    pytest.param(
        KeyIndex(),
        """
        def f(words):
            keys = []
            counts = []
            for w in words:
                at = -1
                for i in range(len(keys)):
                    if keys[i] == w and at == -1:
                        at = i
                if at == -1:
                    keys.append(w)
                    counts.append(1)
                else:
                    counts[at] += 1
            return keys, counts
        """,
        """
        def f(words):
            keys = []
            keys_by_key = {}
            counts = []
            for w in words:
                at = -1
                for i in keys_by_key.get(w, ()):
                    if at == -1:
                        at = i
                if at == -1:
                    keys.append(w)
                    keys_by_key.setdefault(keys[-1], []).append(len(keys) - 1)
                    counts.append(1)
                else:
                    counts[at] += 1
            return keys, counts
        """,
        [("abacab",), ("",)],
        id="parallel-lists",
    ),
    pytest.param(
        KeyIndex(),
        """
        class Box:
            def __init__(self):
                self.items = []

            def put(self, name, n):
                for key, entry in self.items:
                    if key == name:
                        entry.append(n)
                        return
                self.items.append((name, [n]))

        def f(names):
            box = Box()
            for i, name in enumerate(names):
                box.put(name, i)
            return box.items
        """,
        """
        class Box:
            def __init__(self):
                self.items = []
                self.items_by_key = {}

            def put(self, name, n):
                for key, entry in self.items_by_key.get(name, ()):
                    entry.append(n)
                    return
                self.items.append((name, [n]))
                self.items_by_key.setdefault(self.items[-1][0], []).append(self.items[-1])

        def f(names):
            box = Box()
            for i, name in enumerate(names):
                box.put(name, i)
            return box.items
        """,
        [("abacab",), ("",)],
        id="the-list-of-a-class",
    ),
    pytest.param(
        KeyIndex(),
        """
        def f(words):
            seen = []
            out = []
            for w in words:
                for i, v in enumerate(seen):
                    if v == w:
                        out.append(i)
                seen.append(w)
            return out
        """,
        """
        def f(words):
            seen = []
            seen_by_key = {}
            out = []
            for w in words:
                for i, v in seen_by_key.get(w, ()):
                    out.append(i)
                seen.append(w)
                seen_by_key.setdefault(seen[-1], []).append((len(seen) - 1, seen[-1]))
            return out
        """,
        [("abacab",), ("",)],
        id="numbered-items",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_looks_up_and_keeps_the_order(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("for y in b:\n        if y == 1:\n            a.append(y)", id="no-outer-loop"),
        pytest.param(
            "for x in a:\n        for y in b:\n            if x < y:\n                b.append(x)",
            id="no-equality",
        ),
        pytest.param(
            "for x in a:\n        for y in b:\n            if x == y:\n                b.append(x)",
            id="grows",
        ),
        pytest.param(
            "for x in a:\n        for y in x:\n            if x == y:\n                print(x)",
            id="another-list",
        ),
        pytest.param(
            "for x in a:\n        for y in b:\n            if x * y == 4:\n                print(x)",
            id="mixed",
        ),
        pytest.param(
            "for x in a:\n        for y in b():\n            if x == y:\n                print(x)",
            id="made-anew",
        ),
        pytest.param("a = [y for y in b if y == 1]", id="a-comprehension-by-itself"),
        pytest.param("a = [y for x in a for y in x if y == x]", id="a-clause-that-depends-on-the-one-before"),
    ],
)
def test_no_join_where_a_table_would_be_wrong_or_useless(sites, body) -> None:
    assert sites(HashJoin(), f"def f(a, b):\n    {body}\n    return a\n") == 0


@pytest.mark.parametrize("change", ["entries.pop()", "entries.sort()", "entries.clear()"])
def test_no_index_for_a_list_that_loses_or_moves_items(sites, change) -> None:
    source = f"""
    def f(words):
        entries = []
        for w in words:
            for e in entries:
                if e == w:
                    {change}
            entries.append(w)
    """
    assert sites(KeyIndex(), source) == 0


@pytest.mark.parametrize(
    ("test", "inner", "outer"),
    [
        ("x == a", "x", "a"),
        ("a + x == t", "x", "t - a"),
        ("t == a - x", "x", "a - t"),
        ("x.k + 1 == a", "x.k", "a - 1"),
        ("x - y == a", "x - y", "a"),
        ("(a + x) % k == 0", "x % k", "-a % k"),
        ("(a + x) % k == r", "x % k", "(r - a) % k"),
        ("-x == a", "x", "-a"),
        ("0 == x", "x", "0"),
    ],
)
def test_an_equality_is_solved_for_the_inner_part(test, inner, outer) -> None:
    node = ast.parse(test, mode="eval").body
    solved = isolated(node, {"x", "y"})
    assert solved is not None
    assert [ast.unparse(part) for part in solved] == [inner, outer]


@pytest.mark.parametrize("test", ["x < a", "a == b", "a", "x == a == b", "x != a"])
def test_other_conditions_are_not_solved(test) -> None:
    assert isolated(ast.parse(test, mode="eval").body, {"x"}) is None


def test_terms_keep_their_signs() -> None:
    node = ast.parse("a - (b - c) + 0", mode="eval").body
    assert [(sign, ast.unparse(term)) for sign, term in terms(node)] == [(1, "a"), (-1, "b"), (1, "c")]
    assert ast.unparse(summed(terms(node))) == "a + c - b"
    assert ast.unparse(summed([])) == "0"
