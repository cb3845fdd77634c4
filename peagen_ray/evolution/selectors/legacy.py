"""The selection of old: always the best program."""

from __future__ import annotations

from typing import ClassVar

from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.selectors.base import ParentSelector


class LegacySelector(ParentSelector):
    """Always the current best: what to roll back to when another selector is in doubt."""

    NAME: ClassVar[str] = "legacy"

    def select(self, db: EvoDB) -> Program:
        """The best."""
        best = db.best
        return db.sample(self.rng) if best is None else best
