"""The selector ``youngest``: the newest of the few best programs is changed next."""

from __future__ import annotations

from typing import ClassVar

from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.selectors.base import ParentSelector, whole


class YoungestSelector(ParentSelector):
    """Of the fittest champions the one that was made last.

    Args:
        among: how many champions it looks at; an option of ``[selector.youngest]``.
    """

    NAME: ClassVar[str] = "youngest"

    def __init__(self, *, among: int = 4) -> None:
        self.among = whole(self.NAME, "among", among, 1, 1000)

    def select(self, db: EvoDB) -> Program:
        """The program to change; raises EvolutionError if there is none."""
        db.ranked(0)
        return max(db.leaders(self.among), key=lambda program: program.id)
