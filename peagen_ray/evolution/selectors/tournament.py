"""Tournament selection: the fittest of a few champions drawn evenly."""

from __future__ import annotations

from typing import ClassVar

from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.ranking import order
from peagen_ray.evolution.selectors.base import ParentSelector, whole


class TournamentSelector(ParentSelector):
    """The fittest of ``size`` champions, each drawn evenly from all, so that one may be drawn twice.

    After Goldberg & Deb 1991, "A comparative analysis of selection schemes used in genetic algorithms": of n
    champions the one of rank r (1 is the fittest) is chosen with the probability
    ((n - r + 1)^size - (n - r)^size) / n^size.

    Args:
        size: how many take part; 1 draws evenly, more of them favour the fitter.

    Raises:
        ConfigError: an option is no number, or out of its range.
    """

    NAME: ClassVar[str] = "tournament"

    def __init__(self, *, size: int = 4) -> None:
        self.size = whole(self.NAME, "size", size, 1, 10_000)

    def select(self, db: EvoDB) -> Program:
        """The winner of one tournament."""
        return min((db.sample(self.rng) for _ in range(self.size)), key=order)
