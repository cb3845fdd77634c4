"""Orders, classes and paths of graphs stay the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.graphs import FirstReady, MergeClasses, RowsOfPaths

RNG = random.Random(71)


def dags() -> list[tuple[Any, ...]]:
    made = []
    for size in range(1, 12):
        nodes = [f"t{i}" for i in range(size)]
        RNG.shuffle(nodes)
        later = {a: [b for b in nodes[i + 1 :] if RNG.random() < 0.3] for i, a in enumerate(nodes)}
        names = sorted(nodes)
        made.append(({n: later[n] for n in names},))
    return made


def matrices() -> list[tuple[Any, ...]]:
    inf = float("inf")
    return [
        ([[0 if i == j else RNG.choice([1, 2, 5, inf]) for j in range(n)] for i in range(n)],)
        for n in range(1, 8)
    ]


@pytest.mark.parametrize(
    "search",
    [
        "for task in graph:\n            if waiting[task] == 0 and task not in order:\n                order.append(task)\n"
        "                for other in graph[task]:\n                    waiting[other] -= 1\n                break",
        "chosen = None\n        for task in graph:\n            if task in done:\n                continue\n"
        "            if waiting[task] == 0:\n                chosen = task\n                break\n        order.append(chosen)\n"
        "        done.add(chosen)\n        for other in graph[chosen]:\n            waiting[other] = waiting[other] - 1",
        "chosen = pick(graph, waiting, done)\n        done.add(chosen)\n        order.append(chosen)\n"
        "        for other in graph[chosen]:\n            waiting[other] -= 1",
    ],
)
def test_the_first_task_that_is_ready_stays_the_same(improve, search):
    source = f"""
def pick(graph, waiting, done):
    for task in graph:
        if task not in done and waiting[task] == 0:
            return task
    return None

def order(graph):
    waiting = {{task: 0 for task in graph}}
    for task in graph:
        for other in graph[task]:
            waiting[other] += 1
    order, done = [], set()
    while len(order) < len(graph):
        {search}
    return order
"""
    improve(FirstReady(), source, "order", dags(), contains=["heapq.heappush(ready, ("])


@pytest.mark.parametrize(
    "search",
    [
        "for task in graph:\n            if waiting[task] == 0:\n                order.append(task)",
        "for task in list(order):\n            if waiting[task] == limit:\n                break",
        "for task in graph:\n            if waiting[task] == 0:\n                break",
    ],
)
def test_other_searches_are_left_alone(applies, search):
    source = f"def f(graph, waiting, limit):\n    order = []\n    while len(order) < 9:\n        {search}\n        limit += 1\n"
    assert not applies(FirstReady(), source)


@pytest.mark.parametrize("nodes", ["group", "range(n)"])
def test_classes_are_merged_by_their_members(improve, nodes):
    source = f"""
def components(n, edges):
    group = {{i: i for i in range(n)}}
    for a, b in edges:
        old, new = group[a], group[b]
        if old != new:
            for node in {nodes}:
                if group[node] == old:
                    group[node] = new
    return group
"""
    inputs = [(n, [(RNG.randrange(n), RNG.randrange(n)) for _ in range(n)]) for n in range(1, 15)]
    if nodes == "range(n)":
        improve(MergeClasses(), source, "components", inputs, contains=["members.pop("])


@pytest.mark.parametrize(
    "step",
    [
        "if d[i][k] + d[k][j] < d[i][j]:\n                    d[i][j] = d[i][k] + d[k][j]",
        "d[i][j] = min(d[i][j], d[i][k] + d[k][j])",
        "through = d[i][k] + d[k][j]\n                if d[i][j] > through:\n                    d[i][j] = through",
        "if d[i][k] < 9 and d[k][j] < 9:\n                    d[i][j] = 1",
        "if d[i][k] and d[k][j]:\n                    d[i][j] = 1",
    ],
)
def test_rows_of_distances_are_looked_up_once(improve, applies, step):
    source = f"""
def f(d):
    n = len(d)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                {step}
    return d
"""
    if "< 9" in step:
        assert not applies(RowsOfPaths(), source)
    else:
        improve(RowsOfPaths(), source, "f", matrices(), contains=["row = d[i]"])


def test_distances_by_name_are_looked_up_once(improve):
    source = """
def f(d):
    for k in d:
        for i in d:
            for j in d:
                if d[i][j] > d[i][k] + d[k][j]:
                    d[i][j] = d[i][k] + d[k][j]
    return d
"""
    inputs = [({i: dict(enumerate(row)) for i, row in enumerate(m)},) for (m,) in matrices()]
    improve(RowsOfPaths(), source, "f", inputs, contains=["through = d[k]"])
