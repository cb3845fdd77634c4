"""A heap in the place of a repeated linear scan: whatever the program's spelling, the results stay the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.heap_scan import HeapScan

INLINE_DICT = """
def shortest(graph, start):
    dist = {node: float("inf") for node in graph}
    dist[start] = 0
    previous = {}
    visited = set()
    while len(visited) < len(graph):
        best = None
        for node in dist:
            if node not in visited:
                if best is None or dist[node] < dist[best]:
                    best = node
        if best is None or dist[best] == float("inf"):
            break
        visited.add(best)
        for neighbour, weight in graph[best].items():
            alt = dist[best] + weight
            if alt < dist[neighbour]:
                dist[neighbour] = alt
                previous[neighbour] = best
    return dist, previous
"""

HELPERS = """
import math

def closest(distances, finished):
    nearest, lowest = None, math.inf
    for city in distances:
        if city in finished:
            continue
        d = distances[city]
        if d < lowest:
            lowest = d
            nearest = city
    return nearest

def relax(distances, parents, a, b, length):
    if distances[a] + length < distances.get(b, math.inf):
        distances[b] = distances[a] + length
        parents[b] = a

def shortest(graph, start):
    distances = {start: 0}
    parents = {start: None}
    finished = []
    current = closest(distances, finished)
    while current is not None:
        for other in graph[current]:
            relax(distances, parents, current, other, graph[current][other])
        finished.append(current)
        current = closest(distances, finished)
    return distances, parents
"""

UNVISITED_MIN = """
def shortest(graph, start):
    unvisited = list(graph)
    cost = {}
    for n in graph:
        cost[n] = 10 ** 9
    cost[start] = 0
    while unvisited:
        here = min(unvisited, key=lambda n: cost[n])
        unvisited.remove(here)
        for there in graph[here]:
            if there in unvisited and cost[here] + graph[here][there] < cost[there]:
                cost[there] = cost[here] + graph[here][there]
    return cost
"""

CANDIDATE_LIST = """
def shortest(graph, start):
    dist = {start: 0}
    done = set()
    while True:
        candidates = [n for n in dist if n not in done]
        if not candidates:
            break
        n = min(candidates, key=dist.get)
        done.add(n)
        for m, w in graph[n].items():
            if m not in dist or dist[n] + w < dist[m]:
                dist[m] = dist[n] + w
    return dist
"""

SHRINKING_DICT = """
def shortest(graph, start):
    tentative = {n: float("inf") for n in graph}
    tentative[start] = 0
    final = {}
    while tentative:
        node = min(tentative, key=tentative.get)
        value = tentative[node]
        final[node] = value
        del tentative[node]
        for other in graph[node]:
            if other in tentative:
                new = value + graph[node][other]
                if new < tentative[other]:
                    tentative[other] = new
    return final
"""

GENERATOR = """
def shortest(graph, start, goal=None):
    dist = dict.fromkeys(graph, float("inf"))
    dist[start] = 0
    seen = {}
    while len(seen) != len(graph):
        u = min((v for v in graph if v not in seen), key=lambda v: dist[v])
        if u == goal or dist[u] == float("inf"):
            return dist, list(seen)
        seen[u] = True
        for v in graph[u]:
            dist[v] = min(dist[v], dist[u] + graph[u][v])
    return dist, list(seen)
"""

SORTED_PAIRS = """
def shortest(graph, start):
    dist = {n: float("inf") for n in graph}
    dist[start] = 0
    todo = set(graph)
    while todo:
        pairs = [(dist[n], n) for n in todo]
        d, n = min(pairs)
        todo.discard(n)
        for m in graph[n]:
            if d + graph[n][m] < dist[m]:
                dist[m] = d + graph[n][m]
    return dist
"""

NESTED_FUNCTION = """
class Solver:
    def __init__(self, graph):
        self.graph = graph
        self.dist = {}
        self.done = set()

    def _pick(self):
        pick = None
        for node, d in self.dist.items():
            if node not in self.done and (pick is None or d < self.dist[pick]):
                pick = node
        return pick

    def run(self, start):
        self.dist[start] = 0
        while True:
            node = self._pick()
            if node is None:
                return self.dist
            self.done.add(node)
            for other, w in self.graph[node].items():
                d = self.dist[node] + w
                if other not in self.dist or self.dist[other] > d:
                    self.dist[other] = d

def shortest(graph, start):
    return Solver(graph).run(start)
"""

MATRIX = """
def shortest(matrix, source):
    n = len(matrix)
    INF = 10 ** 9
    dist = [INF] * n
    used = [False] * n
    parent = [-1] * n
    dist[source] = 0
    for _ in range(n):
        u = -1
        for v in range(n):
            if not used[v] and (u == -1 or dist[v] < dist[u]):
                u = v
        if u == -1 or dist[u] == INF:
            break
        used[u] = True
        for v in range(n):
            if matrix[u][v] > 0 and dist[u] + matrix[u][v] < dist[v]:
                dist[v] = dist[u] + matrix[u][v]
                parent[v] = u
    return dist, parent
"""

MATRIX_LAST_WINS = """
def find(dist, used, n):
    smallest = 10 ** 9
    where = None
    i = 0
    while i < n:
        if dist[i] <= smallest and not used[i]:
            smallest = dist[i]
            where = i
        i += 1
    return where

def shortest(matrix, source):
    n = len(matrix)
    dist = [10 ** 9 for i in range(n)]
    used = [False for i in range(n)]
    dist[source] = 0
    order = []
    for count in range(n):
        u = find(dist, used, n)
        used[u] = True
        order.append(u)
        for v in range(n):
            if matrix[u][v] and not used[v] and dist[u] + matrix[u][v] < dist[v]:
                dist[v] = dist[u] + matrix[u][v]
    return dist, order
"""

PRIM = """
def tree(graph, start):
    key = {v: float("inf") for v in graph}
    key[start] = 0
    parent = {start: None}
    outside = [v for v in graph]
    total = 0
    while len(outside) > 0:
        u = outside[0]
        for v in outside:
            if key[v] < key[u]:
                u = v
        outside.remove(u)
        if key[u] == float("inf"):
            continue
        total += key[u]
        for v in graph[u]:
            if v in outside and graph[u][v] < key[v]:
                key[v] = graph[u][v]
                parent[v] = u
    return total, parent
"""

PRIM_MATRIX = """
def tree(matrix):
    n = len(matrix)
    in_tree = set([0])
    weight = {}
    for j in range(1, n):
        weight[j] = matrix[0][j] if matrix[0][j] else 10 ** 6
    total = 0
    while len(in_tree) < n:
        best = None
        for j in range(1, n):
            if j in in_tree:
                continue
            if best is None or weight[best] > weight[j]:
                best = j
        in_tree.add(best)
        total += weight[best]
        for j in range(1, n):
            if j not in in_tree and matrix[best][j] and matrix[best][j] < weight[j]:
                weight[j] = matrix[best][j]
    return total
"""

WIDEST = """
def widest(graph, start):
    width = {n: 0 for n in graph}
    width[start] = 10 ** 6
    done = set()
    for _ in graph:
        top = None
        for n in graph:
            if n not in done and (top is None or width[n] > width[top]):
                top = n
        done.add(top)
        for m, w in graph[top].items():
            if min(width[top], w) > width[m]:
                width[m] = min(width[top], w)
    return width
"""

LOADS = """
def schedule(jobs, machines):
    load = [0] * machines
    plan = []
    for job in jobs:
        least = 0
        for m in range(machines):
            if load[m] < load[least]:
                least = m
        load[least] += job
        plan.append(least)
    return load, plan
"""

SORTED_FIRST = """
def shortest(graph, start):
    dist = {}
    for n in graph:
        dist[n] = float("inf")
    dist[start] = 0
    queue = [n for n in graph]
    while queue:
        queue.sort(key=lambda n: dist[n])
        n = queue.pop(0)
        for m in graph[n]:
            dist[m] = min(dist[m], dist[n] + graph[n][m])
    return dist
"""

SORTED_TAKE = """
def shortest(graph, start):
    dist = {n: float("inf") for n in graph}
    dist[start] = 0
    left = set(graph)
    while len(left) != 0:
        n = sorted(left, key=dist.get)[0]
        left.remove(n)
        for m, w in graph[n].items():
            if m in left:
                if dist[n] + w < dist[m]:
                    dist[m] = dist[n] + w
    return dist
"""

DIFFERENCE = """
def shortest(graph, start):
    dist = {n: float("inf") for n in graph}
    dist[start] = 0
    done = set()
    while len(done) < len(dist):
        n = min(dist.keys() - done, key=dist.__getitem__)
        done.add(n)
        for m, w in graph[n].items():
            dist[m] = min(dist[m], dist[n] + w)
    return dist
"""

GROWING = """
def shortest(graph, start):
    dist = {start: 0}
    open_nodes = [start]
    closed = []
    while open_nodes:
        n = open_nodes[0]
        for m in list(open_nodes):
            if dist.get(m, 0) < dist.get(n, 0):
                n = m
        open_nodes.remove(n)
        closed.append(n)
        for m in graph[n]:
            if m in closed:
                continue
            new = dist[n] + graph[n][m]
            if m not in open_nodes:
                open_nodes.append(m)
                dist[m] = new
            elif new < dist[m]:
                dist[m] = new
    return dist
"""

ON_GRAPHS = {
    "inline": INLINE_DICT,
    "helpers": HELPERS,
    "unvisited": UNVISITED_MIN,
    "candidates": CANDIDATE_LIST,
    "shrinking": SHRINKING_DICT,
    "generator": GENERATOR,
    "pairs": SORTED_PAIRS,
    "methods": NESTED_FUNCTION,
    "sorted-first": SORTED_FIRST,
    "sorted-take": SORTED_TAKE,
    "difference": DIFFERENCE,
    "growing": GROWING,
}


def graphs(count: int) -> list[tuple[Any, ...]]:
    """Directed graphs with unreachable nodes and many ties."""
    rng = random.Random(7)
    made = []
    for size in range(1, count):
        nodes = list(range(size)) if size % 2 else [f"n{i}" for i in range(size)]
        graph: dict[Any, dict[Any, int]] = {n: {} for n in nodes}
        for _ in range(size * 2):
            a, b = rng.choice(nodes), rng.choice(nodes)
            if a != b:
                graph[a][b] = rng.randint(1, 5)
        made.append((graph, rng.choice(nodes)))
    return made


def matrices(count: int) -> list[list[list[int]]]:
    rng = random.Random(8)
    return [
        [[rng.choice([0, 0, 1, 2, 3]) if i != j else 0 for j in range(size)] for i in range(size)]
        for size in range(1, count)
    ]


@pytest.mark.parametrize("program", ON_GRAPHS)
def test_shortest_paths_stay_the_same_in_every_spelling(improve, program):
    improve(HeapScan(), ON_GRAPHS[program], "shortest", graphs(18), contains=["heapq.heappush(heap, ("])


def test_a_list_that_is_only_shrunk_and_asked_for_members_becomes_a_set(improve):
    improve(HeapScan(), UNVISITED_MIN, "shortest", graphs(8), contains=["unvisited = set(unvisited)"])


@pytest.mark.parametrize("source", [MATRIX, MATRIX_LAST_WINS])
def test_shortest_paths_on_matrices_keep_their_ties(improve, source):
    improve(
        HeapScan(), source, "shortest", [(m, 0) for m in matrices(14)], contains=["heapq.heappush(heap, ("]
    )


def test_spanning_trees_stay_the_same(improve):
    symmetric = []
    for graph, start in graphs(16):
        for a in list(graph):
            for b, w in list(graph[a].items()):
                graph[b][a] = w
        symmetric.append((graph, start))
    improve(HeapScan(), PRIM, "tree", symmetric, without=["outside = set(outside)"])
    improve(HeapScan(), PRIM_MATRIX, "tree", [(m,) for m in matrices(12)])


def test_the_largest_may_win_too(improve):
    improve(HeapScan(), WIDEST, "widest", graphs(15), contains=["(-width["])


def test_the_least_loaded_of_several_is_found_in_a_heap(improve):
    rng = random.Random(9)
    inputs = [([rng.randint(1, 6) for _ in range(30)], m) for m in range(1, 8)]
    improve(HeapScan(), LOADS, "schedule", inputs, contains=["heap = [(load[m], m) for m in range("])


@pytest.mark.parametrize(
    "body",
    [
        "if best is None:\n                best = v",
        "if best is None or dist[v] < dist[best]:\n                best = v\n                count = 1",
        "if dist[v] < dist[best] or v == 3:\n                best = v",
        "if dist[v] < dist[w]:\n                best = v",
        "if v < best:\n                best = v",
        "if dist[v] != dist[best]:\n                best = v",
        "found.append(v)",
        "found.append((v, dist[v]))",
        "print(v)",
        "found.insert(0, v)",
    ],
)
def test_loops_that_find_no_smallest_are_left_alone(applies, body):
    source = f"""
def f(dist, n, w, best):
    for _ in range(n):
        found = []
        for v in dist:
            {body}
        if not found or len(found) > 3:
            dist[best] = 2
    return best
"""
    assert not applies(HeapScan(), source)


@pytest.mark.parametrize(
    "change",
    [
        "dist = dict(dist)",
        "dist.update({start: 1})",
        "pass",
    ],
)
def test_tables_that_a_heap_cannot_follow_are_left_alone(applies, change):
    source = f"""
def f(dist, start, n):
    out = []
    for _ in range(n):
        best = None
        for v in dist:
            if best is None or dist[v] < dist[best]:
                best = v
        out.append(best)
        {change}
    return out
"""
    assert not applies(HeapScan(), source)


def test_filters_that_change_with_the_round_are_left_alone(applies):
    source = """
def f(dist, graph, n):
    here = n
    while here:
        best = None
        for v in dist:
            if v in graph[here] and (best is None or dist[v] < dist[best]):
                best = v
        dist[best] += 1
        here = best
"""
    assert not applies(HeapScan(), source)
