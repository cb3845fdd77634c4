"""Charts as inline SVG. Colours come from the page's style; shape and position tell the same without them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from peagen_ray.report.cells import Map
from peagen_ray.report.text import number

WIDTH: Final = 640
_UNITS: Final = {"speed": "ms", "memory": "kB", "size": "characters"}
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 14, 52
_CHARACTER: Final = 11
"""Width of a label's character at most: on a phone, where letters are larger."""


@dataclass(frozen=True)
class Axis:
    """Maps values to places along one side.

    Attributes:
        low: value at the beginning.
        high: value at the end.
        start: its place.
        end: the end's place.
        log: equal distances are equal ratios.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, *, log: bool = False) -> Axis:
        """One that holds all the values with some room; of positive values, if it is logarithmic."""
        finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)] or [1.0]
        low, high = min(finite), max(finite)
        if log:
            return cls(low / 1.15, high * 1.15, start, end, log=True) if high / low < 1e12 else cls(
                high / 1e12, high * 1.15, start, end, log=True
            )  # fmt: skip
        room = 0.04 * (high - low) or max(abs(high) * 0.1, 1e-9)
        return cls(low - room if low else 0.0, high + room, start, end)

    def __call__(self, value: float) -> float:
        """The place of a value, to a tenth; what lies outside is put at the border."""
        bounded = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(bounded / self.low) / math.log(self.high / self.low)
        else:
            share = (bounded - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers along it."""
        return list(_log_ticks(self, most) if self.log else _ticks(self, most))


def _ticks(axis: Axis, most: int) -> Iterator[float]:
    raw = (axis.high - axis.low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= raw)
    first = math.ceil(axis.low / step)
    while first * step <= axis.high:
        yield first * step
        first += 1


def _log_ticks(axis: Axis, most: int) -> Iterator[float]:
    if axis.high / axis.low < 3:
        yield from (tick for tick in _ticks(axis, most) if tick > 0)
        return
    low, high = math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high))
    factors: tuple[int, ...] = (1, 2, 5) if 3 * (high - low) <= 2 * most else (1,)
    skip = max(1, math.ceil((high - low) / most))
    for power in range(low, high + 1, skip):
        for factor in factors:
            if axis.low <= factor * 10.0**power <= axis.high:
                yield factor * 10.0**power


@dataclass(frozen=True)
class Rise:
    """Best so far against something.

    Attributes:
        steps: the confirmed best: from each x on, that value; rising.
        screened: x and value of every program that was measured.
        failed: x of every candidate that failed.
        end: the last x.
        xlabel: what x is.
        ylabel: what the values are.
        log: values on a logarithmic scale.
        words: how x is written.
    """

    steps: Sequence[tuple[float, float]]
    screened: Sequence[tuple[float, float]]
    failed: Sequence[float]
    end: float
    xlabel: str
    ylabel: str
    log: bool
    words: Callable[[float], str] = number


def rise(chart: Rise) -> Markup:
    """The confirmed best as a line with a diamond at every rise, measured programs as dots, failed ones as a rug."""
    height = 330
    x = Axis(0.0, max(chart.end, 1e-9), _LEFT, WIDTH - _RIGHT)
    values = [value for _, value in (*chart.steps, *chart.screened)]
    y = Axis.over(values, height - _BOTTOM - 10, _TOP, log=chart.log)
    dots = {f"M{x(at)} {y(value)}h0" for at, value in chart.screened}
    rug = {f"M{x(at)} {height - _BOTTOM}v-6" for at in chart.failed}
    parts = [
        *_frame(x, y, height, chart.xlabel, chart.ylabel, chart.words),
        f'<path class="rug" d="{"".join(sorted(rug))}"/>',
        f'<path class="dots" d="{"".join(sorted(dots))}"/>',
    ]
    if chart.steps:
        path = f"M{x(chart.steps[0][0])} {y(chart.steps[0][1])}"
        path += "".join(f"H{x(at)}V{y(value)}" for at, value in chart.steps[1:]) + f"H{x(chart.end)}"
        marks = "".join(f"M{x(at)} {y(value)}m-5 0l5-5 5 5-5 5z" for at, value in chart.steps)
        parts += [f'<path class="best" d="{path}"/>', f'<path class="mark" d="{marks}"/>']
    return svg(height, f"{chart.ylabel} against {chart.xlabel}", parts)


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        label: whose.
        low: of its interval.
        high: of its interval.
        middle: the value; None where only an interval is known.
        points: single values that it is made of.
        more: what the label goes on with where there is room.
    """

    label: str
    low: float
    high: float
    middle: float | None
    points: Sequence[float] = ()
    more: str = ""


def strip(rows: Sequence[Row], xlabel: str) -> Markup:
    """A row for each measurement: the interval as a bar, the value as a diamond, single values as rings."""
    step = 44
    height = _TOP + step * len(rows) + _BOTTOM
    ends = [end for row in rows for end in (row.low, row.high, *row.points)]
    x = Axis.over(ends, 24, WIDTH - 24, log=True)
    parts = list(_across(x, height, xlabel, number, top=_TOP))
    if x.low <= 1.0 <= x.high:
        parts.append(f'<path class="one" d="M{x(1.0)} {_TOP}V{height - _BOTTOM}"/>')
    for place, row in enumerate(rows):
        y = _TOP + step * place + 32
        more = f'<tspan class="more">{escape(row.more)}</tspan>' if row.more else ""
        parts.append(f'<text x="26" y="{y - 12}" class="label">{escape(row.label)}{more}</text>')
        ends_at = f"M{x(row.low)} {y - 5}v10m0-5H{x(row.high)}m0-5v10"
        parts.append(f'<path class="span" d="{ends_at}"/>')
        parts += [f'<circle class="ring" cx="{x(point)}" cy="{y}" r="4"/>' for point in row.points]
        if row.middle is not None:
            parts.append(f'<path class="mark" d="M{x(row.middle)} {y}m-5 0l5-5 5 5-5 5z"/>')
    return svg(height, xlabel, parts)


def heat(found: Map, value: Callable[[float], str]) -> Markup:
    """A square for each taken place, the larger the fitter; its title says of what."""
    left = 150
    size = max(10, min(132, (WIDTH - left - 8) // len(found.columns)))
    tall = max(10, min(48, 400 // len(found.rows)))
    height = _TOP + tall * len(found.rows) + 78
    fits = [spot.fitness for spot in found.spots]
    low, span = min(fits), (max(fits) - min(fits)) or 1.0
    bottom = _TOP + tall * len(found.rows)
    parts = [
        f'<rect class="ground" x="{left}" y="{_TOP}" width="{size * len(found.columns)}" height="{bottom - _TOP}"/>'
    ]
    for spot in found.spots:
        share = (spot.fitness - low) / span
        half = (0.2 + 0.3 * share) * min(size, tall)
        cx, cy = left + size * (spot.x + 0.5), bottom - tall * (spot.y + 0.5)
        title = (
            f"#{spot.n}: {value(spot.fitness)}; {found.across} {found.columns[spot.x]}; "
            f"{found.up} {found.rows[spot.y]}; {spot.cells} cell{'' if spot.cells == 1 else 's'}"
        )
        parts.append(
            f'<rect class="cell" fill-opacity="{0.25 + 0.75 * share:.2f}" x="{cx - half:.1f}" y="{cy - half:.1f}" '
            f'width="{2 * half:.1f}" height="{2 * half:.1f}"><title>{escape(title)}</title></rect>'
        )
    for at in range(0, len(found.rows), math.ceil(24 / tall)):
        y = bottom - tall * (at + 0.5) + 4
        parts.append(
            f'<text class="tick" x="{left - 6}" y="{y:.1f}" text-anchor="end">{escape(found.rows[at])}</text>'
        )
    widest = _CHARACTER * (max(map(len, found.columns)) + 1)
    for at in range(0, len(found.columns), math.ceil(widest / size)):
        x, anchor = (left + size * at, "start") if size * at < WIDTH - left - 110 else (WIDTH, "end")
        label = escape(found.columns[at])
        parts.append(f'<text class="tick" x="{x}" y="{bottom + 24}" text-anchor="{anchor}">{label}</text>')
    parts.append(f'<text class="axis" x="{left}" y="{bottom + 58}">{_named(found.across)} →</text>')
    parts.append(
        f'<text class="axis" x="{left - 6}" y="{bottom + 58}" text-anchor="end">{_named(found.up)} ↑</text>'
    )
    return svg(height, f"archive: {found.up} against {found.across}", parts)


def _named(descriptor: str) -> Markup:
    return escape(f"{descriptor}, {_UNITS[descriptor]}" if descriptor in _UNITS else descriptor)


def _frame(
    x: Axis, y: Axis, height: int, xlabel: str, ylabel: str, words: Callable[[float], str]
) -> Iterator[str]:
    yield from _across(x, height, xlabel, words, top=_TOP)
    for tick in y.ticks():
        at = y(tick)
        yield f'<path class="grid" d="M{_LEFT} {at}H{WIDTH - _RIGHT}"/>'
        yield f'<text class="tick" x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{number(tick)}</text>'
    middle = (_TOP + height - _BOTTOM) // 2
    turned = f'text-anchor="middle" transform="translate(16 {middle}) rotate(-90)"'
    yield f'<text class="axis" {turned}>{escape(ylabel)}</text>'


def _across(x: Axis, height: int, label: str, words: Callable[[float], str], *, top: int) -> Iterator[str]:
    bottom = height - _BOTTOM
    for tick in x.ticks(5):
        yield f'<path class="grid" d="M{x(tick)} {top}V{bottom}"/>'
        yield f'<text class="tick" x="{x(tick)}" y="{bottom + 18}" text-anchor="middle">{escape(words(tick))}</text>'
    middle = (x.start + x.end) / 2
    yield f'<text class="axis" x="{middle}" y="{height - 8}" text-anchor="middle">{escape(label)}</text>'


def svg(height: int, title: str, parts: Sequence[str]) -> Markup:
    """A drawing of that size; texts in its parts are escaped already."""
    body = "".join(parts)
    return Markup(  # noqa: S704 - see above
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )
