"""The best so far as a graph of block characters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_PLAIN: Final = " .:-=+*##"


def graph(
    points: Sequence[tuple[float, float]],
    width: int,
    height: int,
    *,
    blocks: bool = True,
    ratios: bool = True,
) -> list[str]:
    """Lines of a graph, the top one first.

    Args:
        points: seconds and value, in the order of time; the value holds until the next point.
        width: columns, the scale's included.
        height: lines, the time's included.
        blocks: use block characters; else ASCII.
        ratios: the values are ratios, shown on a logarithmic scale that holds 1; else scores, on a plain one.

    Returns:
        ``height`` lines of at most ``width`` characters; [] if there is no room.
    """
    scale = 8
    columns, rows = width - scale, height - 1
    if not points or columns < 8 or rows < 1:
        return []
    end = max(points[-1][0], 1e-9)
    values = _sampled(points, columns, end)
    name = _ratio if ratios else _score
    if ratios:
        values = [math.log(max(value, 1e-9)) for value in values]
        low, high = min(0.0, *values), max(*values, math.log(1.05))
    else:
        low, high = min(values), max(values)
        high = high if high > low else low + max(abs(low), 1.0)
    filled = [1 + (value - low) / (high - low) * (8 * rows - 1) for value in values]  # eighths
    marks = _BLOCKS if blocks else _PLAIN
    lines = []
    for row in range(rows):
        below = 8 * (rows - 1 - row)
        label = name(high) if row == 0 else name(low) if row == rows - 1 else ""
        bar = "".join(marks[max(0, min(8, round(eighths - below)))] for eighths in filled)
        lines.append(f"{label:>{scale - 1}} {bar}")
    return [*lines, f"{'':{scale}}0 s{f'{end:.0f} s':>{columns - 3}}"]


def _sampled(points: Sequence[tuple[float, float]], columns: int, end: float) -> list[float]:
    """The value at the right edge of each column."""
    values, at = [], 0
    for column in range(columns):
        edge = end * (column + 1) / columns
        while at + 1 < len(points) and points[at + 1][0] <= edge:
            at += 1
        values.append(points[at][1])
    return values


def _ratio(log: float) -> str:
    ratio = math.exp(log)
    return f"{ratio:.0f}x" if ratio >= 100 else f"{ratio:.2f}x"


def _score(value: float) -> str:
    return f"{value:.4g}"[:7]
