"""Upper confidence bounds: the program that might be the best one to change."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from peagen_ray.evolution.selectors.arms import Arm, ArmSelector
from peagen_ray.evolution.selectors.base import number


class UcbSelector(ArmSelector):
    """The champion with the largest mean + c · spread · sqrt(2 ln N / n).

    UCB1 (Auer, Cesa-Bianchi & Fischer 2002, "Finite-time analysis of the multiarmed bandit problem"), with the
    champions of the cells for arms (Sfikas, Liapis & Yannakakis 2021, "Monte Carlo Elites"). ``mean`` is over
    the fitness of the champion and of its children, ``n`` is 1 + how often it was chosen, ``N`` is 1 + the
    choices in all, and ``spread`` is what separates the best mean from the middle one, for fitness has no
    scale of its own. See :class:`~peagen_ray.evolution.selectors.arms.Arms` for which arms take part.

    Args:
        c: how much doubt counts; 0 takes the best mean.
        arms: champions that take part in one choice at most.

    Raises:
        ConfigError: an option is no number, or out of its range.
    """

    NAME: ClassVar[str] = "ucb"

    def __init__(self, *, c: float = 0.25, arms: int = 32) -> None:
        super().__init__(arms)
        self.c = number(self.NAME, "c", c, 0.0, 1e6)

    def appeal(self, spread: float) -> Callable[[Arm], float]:
        """The upper confidence bound of an arm."""
        doubt = self.c * spread * math.sqrt(2.0 * math.log(1 + self.arms.total))

        def bound(arm: Arm) -> float:
            return arm.mean + doubt / math.sqrt(arm.tries)

        return bound
