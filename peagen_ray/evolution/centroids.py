"""Centroids: the middles of an archive's cells where there are too many descriptors for a grid.

A grid of ``d`` descriptors has as many cells as the product of their places. Cells by centroids are as many as one
wants, and of nearly the same size: a centroidal Voronoi tessellation (Vassiliades, Chatzilygeroudis & Mouret 2018,
"Using centroidal Voronoi tessellations to scale up the multidimensional archive of phenotypic elites algorithm").

They are made once, when a run begins, and recorded: whoever resumes or replays the run needs no library for that, and a
cell means the same on every machine.
"""

from __future__ import annotations

import random
from typing import Final

from peagen_ray.errors import MissingExtra

_SAMPLES: Final = 20
"""Points drawn for each cell, of which the cells are the clusters."""

_FEWEST: Final = 10_000


def check() -> None:
    """Raise MissingExtra where pyribs, which makes them, is not installed."""
    try:
        import ribs.archives  # noqa: F401 - it is tried
    except ImportError as error:
        raise MissingExtra(
            "cells in place of a grid need pyribs",
            subject="[evolve.archive] cells",
            hint="install peagen-ray[qd], or take cells out",
        ) from error


def centroids(cells: int, dimensions: int, seed: int) -> tuple[tuple[float, ...], ...]:
    """So many points, spread evenly over the unit cube of so many dimensions; the same for the same seed.

    Raises:
        MissingExtra: pyribs is not installed.
    """
    check()
    from ribs.archives import k_means_centroids

    found, _ = k_means_centroids(
        centroids=cells,
        ranges=[(0.0, 1.0)] * dimensions,
        samples=max(_FEWEST, _SAMPLES * cells),
        seed=random.Random(f"{seed}:centroids").getrandbits(32),
    )
    return tuple(tuple(map(float, point)) for point in found)
