"""Epsilon-greedy selection: mostly the best program, at times any champion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.selectors.base import ParentSelector, number


class EpsilonSelector(ParentSelector):
    """With probability ε a champion drawn evenly, else the best.

    After Watkins 1989 (ε-greedy), with an ε that adapts: it shrinks while gains come and grows while
    none do.

    Args:
        eps_init: ε at the start.
        decay: ε is multiplied by this after a gain ...
        floor: ... but is never less than this.
        growth: ε is multiplied by this after no gain ...
        cap: ... but is never more than this.

    Raises:
        ConfigError: an option is no number, or out of its range.
    """

    NAME: ClassVar[str] = "epsilon"

    def __init__(
        self,
        *,
        eps_init: float = 0.15,
        decay: float = 0.96,
        floor: float = 0.02,
        growth: float = 1.05,
        cap: float = 0.5,
    ) -> None:
        self.decay = number(self.NAME, "decay", decay, 0.0, 1.0)
        self.growth = number(self.NAME, "growth", growth, 1.0, math.inf)
        self.floor = number(self.NAME, "floor", floor, 0.0, 1.0)
        self.cap = number(self.NAME, "cap", cap, self.floor, 1.0)
        self.eps = number(self.NAME, "eps_init", eps_init, self.floor, self.cap)

    def select(self, db: EvoDB) -> Program:
        """The best, or with probability ε a champion drawn evenly."""
        best = db.best
        if best is None or self.rng.random() < self.eps:
            return db.sample(self.rng)
        return best

    def feedback(self, fitness_gain: float) -> None:
        """Explore less after a gain, more after none."""
        if fitness_gain > 0:
            self.eps = max(self.floor, self.eps * self.decay)
        else:
            self.eps = min(self.cap, self.eps * self.growth)

    def state(self) -> dict[str, Any]:
        """The present ε."""
        return {"eps": self.eps}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from that ε."""
        self.eps = float(state["eps"])
