"""Arms: what the children of each program came to, for selectors that take programs for a bandit's arms."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.ranking import fitness_of
from peagen_ray.evolution.selectors.base import ParentSelector, whole

_SLACK: Final = 1024


class Arm(NamedTuple):
    """A champion that may be chosen.

    Attributes:
        program: it.
        tries: 1 for itself, and 1 for each time that it was chosen, answered or not.
        mean: fitness, of itself and of those of its children that have one.
    """

    program: Program
    tries: int
    mean: float


@dataclass(slots=True)
class _Record:
    tries: int = 0
    children: int = 0
    fitness: float = 0.0


class Arms:
    """The record of every program that was ever chosen and is still in the archive.

    A child that failed has no fitness: it makes its parent no worse, only more tried. A choice counts when
    it is made, so that several in flight are spread (the virtual loss of Chaslot, Winands & van den Herik
    2008, "Parallel Monte-Carlo tree search").

    Attributes:
        total: choices made.
    """

    def __init__(self) -> None:
        self.total = 0
        self._records: dict[int, _Record] = {}
        self._bound = _SLACK

    def drawn(self, db: EvoDB, most: int, rng: random.Random) -> list[Arm]:
        """At most that many arms: the fittest champions, and as many others drawn evenly from all.

        With more arms than can be tried, a subset is as good as all of them, or better (Bayati, Hamidi, Johari &
        Khosravi 2020, "Unreasonable effectiveness of greedy algorithms in multi-armed bandit with many arms").

        Raises:
            EvolutionError: the archive is empty.
        """
        db.ranked(0)
        if len(db) <= most:
            return [self._arm(program) for program in db.leaders(most)]
        programs = {program.id: program for program in db.leaders((most + 1) // 2)}
        programs |= {program.id: program for program in db.draw(most // 2, rng)}
        return [self._arm(program) for program in programs.values()]

    def choose(self, program: Program, db: EvoDB) -> None:
        """Count a choice."""
        self.total += 1
        self._records.setdefault(program.id, _Record()).tries += 1
        if len(self._records) > self._bound:
            self._records = {n: record for n, record in self._records.items() if n in db}
            self._bound = 2 * len(self._records) + _SLACK

    def learn(self, parent: Program, child: Program) -> None:
        """Take note of what a child came to."""
        record = self._records.get(parent.id)
        if record is not None and child.fitness is not None:
            record.children += 1
            record.fitness += child.fitness

    def _arm(self, program: Program) -> Arm:
        record = self._records.get(program.id)
        own = fitness_of(program)
        if record is None:
            return Arm(program, 1, own)
        return Arm(program, 1 + record.tries, (own + record.fitness) / (1 + record.children))

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        records = [[n, each.tries, each.children, each.fitness] for n, each in self._records.items()]
        return {"total": self.total, "bound": self._bound, "records": records}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` described."""
        self.total = int(state["total"])
        self._bound = int(state["bound"])
        self._records = {n: _Record(*record) for n, *record in state["records"]}


class ArmSelector(ParentSelector):
    """Takes champions for arms; a subclass says what it makes of one.

    Args:
        most: champions that take part in one choice at most.

    Raises:
        ConfigError: ``most`` is no number, or out of its range.
    """

    def __init__(self, most: int) -> None:
        self.most = whole(self.NAME, "arms", most, 1, 10_000)
        self.arms = Arms()

    @abstractmethod
    def appeal(self, spread: float) -> Callable[[Arm], float]:
        """What decides between arms, where ``spread`` is the unit of doubt: the largest value is chosen."""

    def select(self, db: EvoDB) -> Program:
        """The champion with the largest appeal; of equals the fitter."""
        arms = self.arms.drawn(db, self.most, self.rng)
        chosen = max(arms, key=self.appeal(_spread(arms))).program
        self.arms.choose(chosen, db)
        return chosen

    def learn(self, parent: Program, child: Program, fitness_gain: float) -> None:
        """Take note of what a child came to."""
        self.arms.learn(parent, child)
        super().learn(parent, child, fitness_gain)

    def state(self) -> dict[str, Any]:
        """What it knows of each arm."""
        return self.arms.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from that."""
        self.arms.restore(state)


def _spread(arms: list[Arm]) -> float:
    """Between the best mean and the middle one; 1.0 where they do not differ."""
    means = sorted(arm.mean for arm in arms)
    return means[-1] - means[len(means) // 2] or 1.0
