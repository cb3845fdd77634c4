"""Neighbours are counted, and conditions asked, where it costs least."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.grids import MatrixProduct, NeighbourSums, Unswitch

RNG = random.Random(81)
GRIDS = [
    ([[RNG.randint(0, 1) for _ in range(w)] for _ in range(h)],) for h in range(1, 6) for w in range(1, 6)
]


@pytest.mark.parametrize(
    "count",
    [
        "for dr in (-1, 0, 1):\n                for dc in (-1, 0, 1):\n                    if dr == 0 and dc == 0:\n"
        "                        continue\n                    if 0 <= r + dr < rows and 0 <= c + dc < columns:\n"
        "                        n += grid[r + dr][c + dc]",
        "for i in range(-1, 2):\n                for j in range(-1, 2):\n                    rr, cc = r + i, c + j\n"
        "                    if (i, j) != (0, 0) and rr >= 0 and rr < rows and cc >= 0 and cc < columns:\n"
        "                        if grid[rr][cc] == 1:\n                            n = n + 1",
        "for a in range(r - 1, r + 2):\n                for b in range(c - 1, c + 2):\n"
        "                    if a == r and b == c:\n                        continue\n"
        "                    if a < 0 or b < 0 or a >= rows or b >= columns:\n                        continue\n"
        "                    n += grid[a][b]",
    ],
)
def test_cells_around_are_counted_from_sums(improve, count):
    source = f"""
def step(grid):
    rows, columns = len(grid), len(grid[0])
    new = []
    for r in range(rows):
        line = []
        for c in range(columns):
            n = 0
            {count}
            line.append(1 if n == 3 or (n == 2 and grid[r][c]) else 0)
        new.append(line)
    return new
"""
    improve(NeighbourSums(), source, "step", GRIDS, contains=["triples[r + 2][c]"])


@pytest.mark.parametrize(
    ("test", "contains"),
    [
        ("xs[i] > 0 and xs[j] > 0", "if xs[i] > 0:"),
        ("xs[i] > 0", "if xs[i] > 0:"),
        ("xs[j] > 0 and k > 1 and xs[i] != 2", "if k > 1 and xs[i] != 2:"),
    ],
)
def test_conditions_are_asked_before_the_loop(improve, test, contains):
    source = f"""
def f(xs, k):
    total = 0
    for i in range(len(xs)):
        for j in range(len(xs)):
            if {test}:
                total += xs[j] * i
    return total
"""
    inputs = [([RNG.randint(-3, 3) for _ in range(n)], k) for n in range(6) for k in (1, 2)]
    improve(Unswitch(), source, "f", inputs, contains=[contains])


@pytest.mark.parametrize("test", ["xs[j] > 0", "total > 3", "xs[j] > i and next(xs)", "3 > 2"])
def test_conditions_that_change_are_left_alone(applies, test):
    source = f"def f(xs, i, total):\n    for j in range(9):\n        if {test}:\n            total += 1\n    return total\n"
    assert not applies(Unswitch(), source)


@pytest.mark.parametrize(
    "product",
    [
        "for k in range(len(b)):\n                out[i][j] += a[i][k] * b[k][j]",
        "total = 0\n            for k in range(m):\n                total += b[k][j] * a[i][k]\n            out[i][j] = total",
        "out[i][j] = sum(a[i][k] * b[k][j] for k in range(m))",
    ],
)
def test_rows_are_multiplied_by_columns(improve, product):
    source = f"""
def multiply(a, b):
    n, m, p = len(a), len(b), len(b[0])
    out = [[0] * p for _ in range(n)]
    for i in range(n):
        for j in range(p):
            {product}
    return out
"""
    inputs = [
        (
            [[RNG.randint(-4, 4) for _ in range(m)] for _ in range(n)],
            [[RNG.random() for _ in range(p)] for _ in range(m)],
        )
        for n in (1, 3)
        for m in (1, 4)
        for p in (1, 2)
    ]
    improve(MatrixProduct(), source, "multiply", inputs, contains=["columns = list(zip(*b))"])
