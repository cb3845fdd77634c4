"""Going through the relevant items only does what going through all of them does."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.relevant import RelevantItems

RNG = random.Random(111)
GRAPHS = [([(RNG.randrange(n), RNG.randrange(n)) for _ in range(2 * n)], list(range(n))) for n in range(1, 9)]


@pytest.mark.parametrize(
    "body",
    [
        "if a == p:\n                out.append(b)\n            elif b == p:\n                out.append(a)",
        "if a == p:\n                out.append(b)\n            if b == p:\n                out.append(a)",
        "if a == p or b == p:\n                out.append((a, b))",
        "if a != p and b != p:\n                continue\n            out.append(a)\n            out.append(b)",
    ],
)
def test_edges_of_a_node_are_found_from_either_end(improve, body):
    source = f"""
def f(edges, people):
    found = []
    for p in people:
        out = []
        for a, b in edges:
            {body}
        found.append(out)
    return found
"""
    improve(RelevantItems(), source, "f", GRAPHS, contains=["for a, b in relevant.get(p, ()):"])


def test_a_helper_in_a_loop_header_is_written_where_it_is_called(improve):
    source = """
def neighbours(edges, node):
    result = []
    for a, b in edges:
        if a == node:
            result.append(b)
        elif b == node:
            result.append(a)
    return result

def f(edges, people):
    reached = []
    for p in people:
        for q in neighbours(edges, p):
            if q not in reached:
                reached.append(q)
    return reached
"""
    improve(RelevantItems(), source, "f", GRAPHS, contains=["relevant.get(p, ())"])


@pytest.mark.parametrize(
    "loop", ["for row in rows:\n            x = row", "for i in range(len(rows)):\n            x = rows[i]"]
)
def test_two_wanted_keys_keep_the_order_of_the_items(improve, loop):
    source = """
def f(edges, people):
    rows = [[p, 10 * p] for p in people]
    log = []
    for a, b in edges:
        for i in range(len(rows)):
            if rows[i][0] == a:
                log.append(("a", i))
                rows[i][1] -= 1
            if rows[i][0] == b:
                log.append(("b", i))
                rows[i][1] += 1
    for a, b in edges:
        for row in people:
            if row == b:
                log.append(row)
            if row == a:
                log.append(-row)
    return rows, log
"""
    improve(
        RelevantItems(),
        source,
        "f",
        GRAPHS,
        contains=["for i in sorted({*relevant.get(a, ()), *relevant.get(b, ())}):"],
    )
    improve(RelevantItems(), source, "f", GRAPHS, site=1, contains=["row = rows_1[place]"])


@pytest.mark.parametrize(
    "body",
    [
        "if a == p:\n                out.append(b)",
        "if a == p:\n                out.append(b)\n            else:\n                out.append(0)",
        "if a == p or b > 3:\n                out.append(b)",
        "out.append(a)\n            if b == p:\n                out.append(a)",
        "if a == p:\n                out.append(b)\n            elif b < p:\n                out.append(a)",
    ],
)
def test_loops_that_act_for_other_items_too_are_left_alone(applies, body):
    source = f"def f(edges, people):\n    out = []\n    for p in people:\n        for a, b in edges:\n            {body}\n    return out\n"
    assert not applies(RelevantItems(), source)
