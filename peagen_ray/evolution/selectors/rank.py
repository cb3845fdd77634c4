"""Rank selection: a champion's rank, and not by how much it is fitter, decides how often it is chosen."""

from __future__ import annotations

import math
import random
from typing import ClassVar

from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.selectors.base import ParentSelector, number


class RankSelector(ParentSelector):
    """The champion of rank r (1 is the fittest) with a probability in proportion to r^-alpha.

    Ranks in place of fitness: Baker 1985, "Adaptive selection methods for genetic algorithms". The power law:
    Lange, Imajuku & Cetin 2025, "ShinkaEvolve: towards open-ended and sample-efficient program evolution".

    Args:
        alpha: 0 draws evenly; the larger, the more the fittest are favoured.

    Raises:
        ConfigError: an option is no number, or out of its range.
    """

    NAME: ClassVar[str] = "rank"

    def __init__(self, *, alpha: float = 1.0) -> None:
        self.alpha = number(self.NAME, "alpha", alpha, 0.0, 100.0)

    def select(self, db: EvoDB) -> Program:
        """A champion by its rank."""
        if not len(db):
            return db.ranked(0)  # an error that says so
        return db.ranked(PowerLaw(self.alpha, len(db)).draw(self.rng) - 1)


class PowerLaw:
    """Whole numbers from 1 to ``n``, each with a probability in proportion to its power ``-alpha``.

    Rejection-inversion (Hörmann & Derflinger 1996, "Rejection-inversion to generate variates from monotone
    discrete distributions"): exact, and in constant time for any ``n``.
    """

    def __init__(self, alpha: float, n: int) -> None:
        self._alpha = alpha
        self._n = n
        self._low = self._area(1.5) - 1.0
        self._high = self._area(n + 0.5)
        self._sure = 2.0 - self._inverse(self._area(2.5) - self._height(2.0))

    def draw(self, rng: random.Random) -> int:
        """One of the numbers."""
        while True:
            area = self._high + rng.random() * (self._low - self._high)
            x = self._inverse(area)
            k = min(max(int(x + 0.5), 1), self._n)
            if k - x <= self._sure or area >= self._area(k + 0.5) - self._height(k):
                return k

    def _height(self, x: float) -> float:
        return math.exp(-self._alpha * math.log(x))

    def _area(self, x: float) -> float:
        """The integral of the height from 1 to ``x``."""
        log = math.log(x)
        power = (1.0 - self._alpha) * log
        return log * (math.expm1(power) / power if power else 1.0)

    def _inverse(self, area: float) -> float:
        power = max(-1.0, area * (1.0 - self._alpha))
        if power == -1.0:
            return float(self._n)
        return math.exp(area * (math.log1p(power) / power if power else 1.0))
