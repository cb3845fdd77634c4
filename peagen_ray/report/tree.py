"""The ancestors of a program, drawn: the line of first parents straight down, the others beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup, escape

from peagen_ray.report.lineage import Step
from peagen_ray.report.svg import svg
from peagen_ray.report.text import shown

MOST: Final = 60
"""Programs that are drawn, the latest ones."""

_ROW, _LANE, _LEFT = 34, 22, 18
_LANES: Final = 5


def tree(steps: Sequence[Step], value: str) -> Markup:
    """The steps, the oldest first; each node leads to the step's place on the page.

    Args:
        steps: see :func:`~peagen_ray.report.lineage.steps`.
        value: what a step's value is, as a format such as ``{}x``.
    """
    drawn = list(steps)[-MOST:]
    if not drawn[0].on_line and any(step.on_line for step in drawn):
        drawn = drawn[next(at for at, step in enumerate(drawn) if step.on_line) :]
    places: dict[int, tuple[float, float]] = {}
    aside = 0
    for at, step in enumerate(drawn):
        lane = 0 if step.on_line else 1 + aside % _LANES
        aside += not step.on_line
        places[step.program.n] = (_LEFT + lane * _LANE, 20 + at * _ROW)
    right = max(x for x, _ in places.values()) + 20
    edges, nodes = [], []
    for step in drawn:
        n = step.program.n
        x, y = places[n]
        for parent in step.program.parents:
            if parent in places:
                px, py = places[parent]
                kind = "best" if step.on_line and parent == step.program.parents[0] else "edge"
                edges.append(f'<path class="{kind}" d="M{px} {py}C{px} {y - 12} {x} {py + 12} {x} {y}"/>')
        label = shown(step.program.operator or "the original", 40)
        words = "" if step.value is None else value.format(f"{step.value:.3g}")
        nodes.append(
            f'<a href="#p{n}"><circle class="{"node" if step.on_line else "ring"}" cx="{x}" cy="{y}" r="6"/>'
            f'<text x="{right}" y="{y + 5}">#{n} <tspan class="strong">{escape(words)}</tspan> '
            f"{escape(label)}</text></a>"
        )
    return svg(20 + _ROW * len(drawn), "ancestors of the best program", [*edges, *nodes])
