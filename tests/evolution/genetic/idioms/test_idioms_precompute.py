"""Results that are kept: caches of helpers, values of each item, helpers that scan."""

from __future__ import annotations

import random
from textwrap import dedent

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_precompute as idioms
from peagen_ray.evolution.mutators.genetic.base import Draft
from peagen_ray.evolution.mutators.genetic.idioms_scanning import InlineScan
from peagen_ray.evolution.mutators.genetic.idioms_tables import RowSets, SetOfEach, ValueSets
from peagen_ray.evolution.mutators.genetic.render import rendered

TEXTS = [(["a b", "b c b", ""],), ([],)]
ROWS = [([[1, 2], [2, 3]],), ([],)]

CASES = [
    pytest.param(
        idioms.PartialCache(),
        """
        def f(docs):
            out = []
            for d in docs:
                for w in d.split():
                    out.append(holders(docs, w))
            return out

        def holders(docs, word):
            n = 0
            for d in docs:
                if word in d.split():
                    n += 1
            return n
        """,
        """
        import functools


        def f(docs):
            out = []
            cached_holders = functools.cache(lambda word: holders(docs, word))
            for d in docs:
                for w in d.split():
                    out.append(cached_holders(w))
            return out

        def holders(docs, word):
            n = 0
            for d in docs:
                if word in d.split():
                    n += 1
            return n
        """,
        TEXTS,
        id="a-helper-with-one-argument-that-varies",
    ),
    pytest.param(
        idioms.PrecomputeEach(),
        """
        def f(docs):
            out = []
            for w in "abc":
                n = 0
                for d in docs:
                    if w in d.split():
                        n += len(d.split())
                out.append(n)
            return out
        """,
        """
        def f(docs):
            out = []
            d_values = [d.split() for d in docs]
            for w in "abc":
                n = 0
                for d, d_value in zip(docs, d_values):
                    if w in d_value:
                        n += len(d_value)
                out.append(n)
            return out
        """,
        TEXTS,
        id="each-item-split-once",
    ),
    pytest.param(
        idioms.PrecomputeEach(),
        """
        def f(docs):
            return [[w in d.split() for d in docs] for w in "abc"]
        """,
        """
        def f(docs):
            d_values = [d.split() for d in docs]
            return [[w in d_value for d, d_value in zip(docs, d_values)] for w in "abc"]
        """,
        TEXTS,
        id="in-comprehensions",
    ),
    pytest.param(
        RowSets(),
        """
        def f(rows):
            return [(i, x) for i in range(len(rows)) for x in range(4) if x not in rows[i]]
        """,
        """
        def f(rows):
            rows_sets = [set(row) for row in rows]
            return [(i, x) for i in range(len(rows)) for x in range(4) if x not in rows_sets[i]]
        """,
        ROWS,
        id="a-set-of-every-row",
    ),
    pytest.param(
        ValueSets(),
        """
        def f(rows):
            graph = dict(enumerate(rows))
            n = 0
            for a in graph:
                for b in range(4):
                    if b in graph[a]:
                        n += 1
            return n
        """,
        """
        def f(rows):
            graph = dict(enumerate(rows))
            n = 0
            graph_sets = {key: set(row) for key, row in graph.items()}
            for a in graph:
                for b in range(4):
                    if b in graph_sets[a]:
                        n += 1
            return n
        """,
        ROWS,
        id="a-set-of-every-value",
    ),
    pytest.param(
        SetOfEach(),
        """
        def f(rows):
            return [x for x in range(4) if all(x in r for r in rows)]
        """,
        """
        def f(rows):
            rows_sets = [set(row) for row in rows]
            return [x for x in range(4) if all(x in r for r in rows_sets)]
        """,
        ROWS,
        id="every-row-is-searched",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_keeps_results(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


@pytest.mark.parametrize(
    ("body", "helper"),
    [
        pytest.param("return g(x, y)", "return x + y", id="no-loop"),
        pytest.param("for y in x:\n        g(y, y)", "return x + y", id="nothing-stays-the-same"),
        pytest.param("for z in x:\n        g(x, y)", "return x + y", id="nothing-varies"),
        pytest.param("for z in x:\n        g(y, z)", "print(x)", id="impure"),
        pytest.param("for z in x:\n        g(y, y=z)", "return x + y", id="by-keyword"),
        pytest.param("for z in x:\n        g(y, *z)", "return x + y", id="starred"),
    ],
)
def test_no_cache_where_it_would_be_wrong_or_useless(sites, body, helper) -> None:
    source = f"def f(x, y):\n    {body}\n    return x\n\ndef g(x, y):\n    {helper}\n"
    assert sites(idioms.PartialCache(), source) == 0


@pytest.mark.parametrize(
    "loop",
    [
        pytest.param("for d in xs:\n        n += len(d)", id="no-outer-loop"),
        pytest.param("for y in n:\n        for d in y:\n            n = len(d)", id="another-list"),
        pytest.param("for y in n:\n        for d in xs:\n            n = max(d, y)", id="the-outer-variable"),
        pytest.param("for y in n:\n        for d in xs:\n            d.append(len(d))", id="it-changes"),
        pytest.param("for y in n:\n        for a, b in xs:\n            n = len(a)", id="two-variables"),
        pytest.param(
            "for y in n:\n        for d in xs:\n            n = [len(d + e) for e in y]", id="inner"
        ),
    ],
)
def test_nothing_is_computed_ahead_that_may_differ(sites, loop) -> None:
    assert sites(idioms.PrecomputeEach(), f"def f(xs, n):\n    {loop}\n    return n\n") == 0


HELPER = """
def has_edge(edges, a, b):
    for e in edges:
        if (e[0] == a and e[1] == b) or (e[0] == b and e[1] == a):
            return True
    return False
"""
CALLER = """
def f(edges, n):
    count = 0
    for a in range(n):
        for b in range(a):
            if has_edge(edges, a, b):
                count += 1
    return count
"""


def scanned(source: str) -> set[str]:
    found: set[str] = set()
    for seed in range(20):
        draft = Draft.parse(dedent(source).lstrip(), "f")
        for site in InlineScan().sites(draft)[:1]:
            if InlineScan().apply(draft, site, random.Random(seed)):
                draft.touched()
                found.add(rendered(draft).text)
    return found


def test_a_helper_that_looks_for_a_pair_becomes_a_set() -> None:
    (text,) = scanned(CALLER + HELPER)
    assert "edges_set = set(edges)" in text
    assert "if (a, b) in edges_set or (b, a) in edges_set:" in text
    names: dict[str, object] = {}
    exec(text, names)
    assert names["f"]([(1, 0), (2, 3)], 4) == 2  # type: ignore[operator]


def test_a_helper_that_looks_for_a_record_becomes_a_group() -> None:
    texts = scanned(
        """
        def f(records, names):
            out = []
            for name in names:
                out.append(total_of(records, name))
            return out

        def total_of(records, name):
            total = 0
            for r in records:
                if r["name"] == name:
                    total += r["n"]
            return total
        """
    )
    assert any("for r in groups.get(name, ()):" in text for text in texts)


def test_a_helper_without_a_scan_is_left_alone() -> None:
    source = """
    def f(xs):
        for x in xs:
            g(x)

    def g(x):
        x.append(1)
        x.append(2)
    """
    assert scanned(source) == set()
    assert scanned("def f(x):\n    return g(x)\n\ndef g(x):\n    return 1 in x\n") == set()
