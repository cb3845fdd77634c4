"""The archive of a run, built again from its ledger, as maps of two descriptors each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Final

from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.descriptors import RANGES, UNKNOWN
from peagen_ray.evolution.program import DESCRIPTORS, Binning, Program
from peagen_ray.report.story import Story, Told

MOST: Final = 40
"""Places along one side of a map; more are put together."""

_PARTS: Final = 10
"""Places that a descriptor's range is shown as, where cells have centroids."""


@dataclass(frozen=True)
class Spot:
    """Cells that share two descriptors.

    Attributes:
        x: column, from 0.
        y: row, from 0.
        fitness: of their best champion.
        n: its number.
        cells: how many there are.
    """

    x: int
    y: int
    fitness: float
    n: int
    cells: int


@dataclass(frozen=True)
class Map:
    """Two descriptors of the archive.

    Attributes:
        across: name of the descriptor along x.
        up: name of the descriptor along y.
        columns: what each column stands for, from the least on.
        rows: what each row stands for.
        spots: those that are taken.
    """

    across: str
    up: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    spots: tuple[Spot, ...]


def champions(story: Story) -> tuple[list[Program], Binning]:
    """The best program of every cell that was ever taken and not refuted, of all islands together."""
    table = story.meta["config"]["evolve"]["archive"]
    known = {name.name: table[name.name] for name in fields(Binning) if name.name in table}
    known["centroids"] = story.meta.get("centroids", ())
    binning = Binning.from_data({"edges": {}, "descriptors": DESCRIPTORS, **known})
    db = EvoDB(binning)
    for told in story.programs.values():
        if told.fitness is not None:
            db.insert(_program(story, told))
    return list(db.champions()), binning


def unmeasured(found: Sequence[Program], binning: Binning) -> tuple[str, ...]:
    """Descriptors that tell no cells apart, since nothing measured them: a score says nothing of time and memory."""
    lacking = {
        "speed": all(program.speed_ms is None for program in found),
        "memory": all(program.peak_kb is None for program in found),
    }
    return tuple(name for name in binning.descriptors if lacking.get(name))


def maps(found: Sequence[Program], binning: Binning) -> list[Map]:
    """A map for each pair of descriptors that vary, those that vary most first, the age last."""
    if not found:
        return []
    if binning.centroids:
        found, binning = _in_a_grid(found, binning)
    names, none = binning.descriptors, unmeasured(found, binning)
    places = {
        at: sorted({program.bucket[at] for program in found if program.bucket})
        for at in range(len(names))
        if names[at] not in none
    }
    varied = sorted(places, key=lambda at: (names[at] == "age", -len(places[at])))
    pairs = list(combinations(varied, 2))
    telling = [pair for pair in pairs if len(places[pair[0]]) > 1] or pairs[:1]
    return [_map(found, binning, places, *pair) for pair in telling[:6]]


def _in_a_grid(found: Sequence[Program], binning: Binning) -> tuple[list[Program], Binning]:
    """The programs with the place of their cell's middle on each descriptor, and the edges of these places."""
    ranges = [binning.ranges.get(name) or RANGES[name] for name in binning.descriptors]
    shares = [at / _PARTS for at in range(1, _PARTS)]
    edges = {
        name: tuple(low + share * (high - low) for share in shares)
        for name, (low, high) in zip(binning.descriptors, ranges, strict=True)
    }
    middles = [tuple(bisect_right(shares, each) for each in middle) for middle in binning.centroids]
    unknown = (UNKNOWN,) * len(ranges)
    placed = [
        replace(program, bucket=unknown if program.bucket == (UNKNOWN,) else middles[program.bucket[0]])
        for program in found
        if program.bucket
    ]
    return placed, replace(binning, edges=edges, centroids=())


def _map(
    found: Sequence[Program], binning: Binning, places: dict[int, list[int]], across: int, up: int
) -> Map:
    columns, column_of = _axis(binning, across, places[across])
    rows, row_of = _axis(binning, up, places[up])
    best: dict[tuple[int, int], tuple[Program, int]] = {}
    for program in found:
        assert program.bucket is not None
        at = column_of[program.bucket[across]], row_of[program.bucket[up]]
        known, count = best.get(at, (program, 0))
        better = program if (program.fitness or 0.0) > (known.fitness or 0.0) else known
        best[at] = better, count + 1
    names = binning.descriptors
    spots = (Spot(*at, each.fitness or 0.0, each.id, count) for at, (each, count) in sorted(best.items()))
    return Map(names[across], names[up], columns, rows, tuple(spots))


def _axis(binning: Binning, at: int, places: list[int]) -> tuple[tuple[str, ...], dict[int, int]]:
    """What the places along one side stand for, and where each goes; only those that are taken are shown."""
    share = -(-len(places) // MOST)
    groups = [places[start : start + share] for start in range(0, len(places), share)]
    name = binning.descriptors[at]
    labels = tuple(_label(binning, name, group) for group in groups)
    return labels, {place: number for number, group in enumerate(groups) for place in group}


def _label(binning: Binning, name: str, group: list[int]) -> str:
    first, last = group[0], group[-1]
    if first == UNKNOWN:
        return "unknown" if first == last else f"unknown, or up to {_edge(binning, name, last + 1)}"
    if name in {"age", "generation"} and name not in {*binning.edges, *binning.widths}:
        return str(first) if first == last else f"{first} to {last}"
    return f"{_edge(binning, name, first)} to {_edge(binning, name, last + 1)}"


def _edge(binning: Binning, name: str, place: int) -> str:
    edges = binning.edges.get(name)
    if edges is None:
        return f"{place * binning.width(name):g}"
    return "-∞" if place <= 0 else "∞" if place > len(edges) else f"{edges[place - 1]:g}"


def _program(story: Story, told: Told) -> Program:
    return Program(
        id=told.n,
        src=story.text(told.row),
        gen=told.gen,
        parents=told.parents,
        fitness=told.fitness,
        speed_ms=told.speed_ms,
        peak_kb=told.peak_kb,
        confirmed=told.confirmed,
        metrics=dict(told.metrics),
    )
