"""Thompson sampling: a program as often as it is likely to be the best one to change."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from peagen_ray.evolution.selectors.arms import Arm, ArmSelector
from peagen_ray.evolution.selectors.base import number


class ThompsonSelector(ArmSelector):
    """The champion with the largest of one draw each from Normal(mean, (scale · spread)² / n).

    Thompson 1933, "On the likelihood that one unknown probability exceeds another", with normal distributions
    after Agrawal & Goyal 2013, "Further optimal regret bounds for Thompson sampling". ``mean`` is over the
    fitness of the champion and of its children, ``n`` is 1 + how often it was chosen, and ``spread`` is what
    separates the best mean from the middle one, for fitness has no scale of its own. See
    :class:`~peagen_ray.evolution.selectors.arms.Arms` for which arms take part.

    Args:
        scale: how much doubt counts; 0 takes the best mean.
        arms: champions that take part in one choice at most.

    Raises:
        ConfigError: an option is no number, or out of its range.
    """

    NAME: ClassVar[str] = "thompson"

    def __init__(self, *, scale: float = 0.5, arms: int = 32) -> None:
        super().__init__(arms)
        self.scale = number(self.NAME, "scale", scale, 0.0, 1e6)

    def appeal(self, spread: float) -> Callable[[Arm], float]:
        """One draw of what an arm may be worth."""
        doubt = self.scale * spread

        def drawn(arm: Arm) -> float:
            return self.rng.normalvariate(arm.mean, doubt / math.sqrt(arm.tries))

        return drawn
