"""A heap gives the same items in the same order as sorting before every pop."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.queues import HeapQueue

RNG = random.Random(31)
LISTS = [([RNG.randint(1, 9) for _ in range(n)],) for n in range(1, 12)]
TEXTS = [("".join(RNG.choices("aabcde", k=n)),) for n in range(2, 30, 3)]

HUFFMAN = """
def huffman(text):
    counts = {{}}
    for c in text:
        counts[c] = counts.get(c, 0) + 1
    nodes = [[n, c, None, None] for c, n in counts.items()]
    while len(nodes) > 1:
        {step}
        nodes.append([a[0] + b[0], "", a, b])
    return nodes[0]
"""


@pytest.mark.parametrize(
    "step",
    [
        "nodes.sort(key=lambda n: n[0])\n        a = nodes.pop(0)\n        b = nodes.pop(0)",
        "nodes = sorted(nodes, key=lambda x: x[0])\n        a, b = nodes.pop(0), nodes.pop(0)",
        "a = min(nodes, key=lambda n: n[0])\n        nodes.remove(a)\n        b = min(nodes, key=lambda n: n[0])\n"
        "        nodes.remove(b)",
    ],
)
def test_trees_are_merged_through_a_heap(improve, step):
    improve(
        HeapQueue(),
        HUFFMAN.format(step=step),
        "huffman",
        TEXTS,
        contains=["heapq.heappop(heap)[-1]", "next(ticks)"],
    )


@pytest.mark.parametrize(
    "step",
    [
        "ropes.sort()\n        a = ropes.pop(0)\n        b = ropes.pop(0)",
        "ropes = sorted(ropes)\n        a = ropes.pop(0)\n        b = ropes.pop(0)",
        "a = min(ropes)\n        ropes.remove(a)\n        b = min(ropes)\n        ropes.remove(b)",
        "i = 0\n        for k in range(len(ropes)):\n            if ropes[k] < ropes[i]:\n                i = k\n"
        "        a = ropes.pop(i)\n        j = 0\n        for k in range(1, len(ropes)):\n"
        "            if ropes[k] < ropes[j]:\n                j = k\n        b = ropes[j]\n        del ropes[j]",
    ],
)
def test_numbers_need_no_key(improve, step):
    source = f"""
def cost(lengths):
    ropes = list(lengths)
    total = 0
    while len(ropes) > 1:
        {step}
        total += a + b
        ropes.append(a + b)
    return total
"""
    improve(
        HeapQueue(), source, "cost", LISTS, contains=["heapq.heapify(ropes)", "heapq.heappush(ropes, a + b)"]
    )


def test_events_are_taken_in_order_of_time(improve):
    source = """
def simulate(delays):
    events = [(d, i) for i, d in enumerate(delays)]
    log = []
    while events and len(log) < 30:
        events.sort()
        time, who = events.pop(0)
        log.append((time, who))
        if events and events[0][0] > time:
            log.append(None)
        if time < 20:
            events.append((time + delays[who], who))
    return log
"""
    improve(HeapQueue(), source, "simulate", LISTS, contains=["heapq.heappop(events)", "events[0][0]"])


@pytest.mark.parametrize(
    "step",
    [
        "queue.sort(reverse=True)\n        x = queue.pop(0)",
        "queue.sort()\n        x = queue.pop()",
        "queue = sorted(queue)\n        x = queue[-1]\n        queue.pop(-1)",
        "x = max(queue)\n        queue.remove(x)",
        "x = queue[0]\n        for q in queue:\n            if q > x:\n                x = q\n        queue.remove(x)",
        "best = 0\n        for k in range(1, len(queue)):\n            if queue[k] > queue[best]:\n"
        "                best = k\n        x = queue.pop(best)",
    ],
)
def test_the_largest_may_be_taken_too(improve, step):
    source = f"""
def smash(queue):
    log = []
    while len(queue) > 0:
        {step}
        log.append(x)
        if x > 3:
            queue.append(x // 2)
    return log
"""
    after = improve(HeapQueue(), source, "smash", [])
    for (stones,) in LISTS:
        space = {}
        exec(source, space)
        old = space["smash"](list(stones))
        exec(after, space)
        assert space["smash"](list(stones)) == old


@pytest.mark.parametrize(
    "step",
    [
        "queue.sort()\n        x = queue.pop(0)\n        out.append(queue[-1] if queue else x)",
        "x = min(queue)\n        queue.remove(x)\n        y = max(queue)\n        queue.remove(y)",
        "queue.sort()\n        x = queue.pop()\n        y = queue.pop(0)",
        "x = queue.pop(0)",
        "other = sorted(queue)\n        x = queue.pop(0)",
        "queue.sort()\n        queue.append(queue[0])\n        x = 0",
        "queue.sort()\n        queue.sort(key=abs)\n        x = queue.pop(0)",
    ],
)
def test_other_lists_are_left_alone(applies, step):
    source = f"def f(queue):\n    out = []\n    while queue:\n        {step}\n        out.append(x)\n    return out\n"
    assert not applies(HeapQueue(), source)
