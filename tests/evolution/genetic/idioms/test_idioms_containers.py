"""Containers that fit their use: deques and heaps."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_containers as idioms

GRAPH = [({0: [1, 2], 1: [3], 2: [3], 3: []},)]
LISTS = [([3, 1, 2, 3],), ([5],)]

CASES = [
    pytest.param(
        idioms.ListToDeque(),
        """
        def f(graph):
            queue = [0]
            order = []
            while queue:
                node = queue.pop(0)
                if node not in order:
                    order.append(node)
                    for other in graph[node]:
                        queue.append(other)
            return order
        """,
        """
        import collections


        def f(graph):
            queue = collections.deque([0])
            order = []
            while queue:
                node = queue.popleft()
                if node not in order:
                    order.append(node)
                    for other in graph[node]:
                        queue.append(other)
            return order
        """,
        GRAPH,
        id="a-queue",
    ),
    pytest.param(
        idioms.ListToDeque(),
        """
        def f(xs):
            out = []
            for x in xs:
                out.insert(0, x)
            return out
        """,
        """
        import collections


        def f(xs):
            out = collections.deque()
            for x in xs:
                out.appendleft(x)
            return list(out)
        """,
        LISTS,
        id="a-list-that-grows-at-its-front-is-returned-as-a-list",
    ),
    pytest.param(
        idioms.SortedQueueToHeap(),
        """
        def f(xs):
            queue = list(xs)
            out = []
            while len(out) < 9 and queue:
                queue.sort()
                x = queue.pop(0)
                out.append(x)
                if x < 4:
                    queue.append(x + 3)
            return out
        """,
        """
        import heapq


        def f(xs):
            queue = list(xs)
            heapq.heapify(queue)
            out = []
            while len(out) < 9 and queue:
                x = heapq.heappop(queue)
                out.append(x)
                if x < 4:
                    heapq.heappush(queue, x + 3)
            return out
        """,
        LISTS,
        id="a-queue-that-is-sorted-again-and-again",
    ),
    pytest.param(
        idioms.MinimumToHeap(),
        """
        def f(xs):
            rest = xs[:]
            for _ in range(len(rest) // 2):
                low = rest[0]
                for v in rest:
                    if v < low:
                        low = v
                rest.remove(low)
            return min(rest)
        """,
        """
        import heapq


        def f(xs):
            rest = xs[:]
            heapq.heapify(rest)
            for _ in range(len(rest) // 2):
                low = heapq.heappop(rest)
            return min(rest)
        """,
        LISTS,
        id="the-smallest-is-taken-out-by-hand",
    ),
    pytest.param(
        idioms.MinimumToHeap(),
        """
        def f(xs):
            todo = [4]
            out = []
            for x in xs:
                todo.append(x)
                low = min(todo)
                todo.remove(low)
                out.append(low)
            return out
        """,
        """
        import heapq


        def f(xs):
            todo = [4]
            out = []
            for x in xs:
                heapq.heappush(todo, x)
                low = heapq.heappop(todo)
                out.append(low)
            return out
        """,
        LISTS,
        id="one-item-is-a-heap-already",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_keeps_what_comes_out(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


def test_the_queue_of_a_class_is_a_deque_in_all_of_its_methods(made) -> None:
    source = """
    class Queue:
        def __init__(self):
            self.items: list[int] = []

        def put(self, x):
            self.items.append(x)

        def get(self):
            return self.items.pop(0)
    """
    (text,) = made(idioms.ListToDeque(), source, "Queue.get")
    assert "self.items: list[int] = collections.deque()" in text
    assert "return self.items.popleft()" in text


@pytest.mark.parametrize(
    ("operator", "body"),
    [
        pytest.param(idioms.ListToDeque(), "q = [1]\n    return q.pop()", id="a-stack"),
        pytest.param(idioms.ListToDeque(), "return xs.pop(0)", id="a-list-from-outside"),
        pytest.param(
            idioms.SortedQueueToHeap(), "q = list(xs)\n    q.sort()\n    return q.pop()", id="the-last-one"
        ),
        pytest.param(
            idioms.MinimumToHeap(),
            "q = list(xs)\n    m = min(q)\n    q.remove(m)\n    return m",
            id="only-once",
        ),
    ],
)
def test_no_site_for_another_use(sites, operator, body) -> None:
    assert sites(operator, f"def f(xs):\n    {body}\n") == 0
