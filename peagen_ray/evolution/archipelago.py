"""Archipelago: the archives of a run's islands, migration between them, and what becomes of dead ones."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from peagen_ray.evolution.archive import EvoDB, Insertion
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.ranking import fitness_of, order
from peagen_ray.evolution.settings import EngineSettings


class Arrival(NamedTuple):
    """What became of a program that was offered to an island.

    Attributes:
        insertion: to its archive.
        gain: by how much the best fitness of all islands rose; 0.0 if it did not, or if there was none before.
    """

    insertion: Insertion
    gain: float


class Archipelago:
    """One archive for each island of ``[evolve.islands]``; with one island, that archive and nothing else.

    Islands form a ring: every ``migrate_every`` candidates the best of each are copied to the next one
    (Whitley, Rana & Heckendorn 1999, "The island model genetic algorithm"). An island whose best has not
    risen for ``reset_after`` of its own candidates is dead: it is emptied, and starts anew from the best of
    another one (as in Romera-Paredes et al. 2024, "Mathematical discoveries from program search with large
    language models"). Of those that hold the best of all the largest is spared, and the dead come one by one,
    the worst first, ``reset_after / count`` candidates apart, so that they are not all made alike at once.

    All of it follows from the order of insertions and the seed: there is nothing more to record.

    Attributes:
        islands: the archives, in the order of the ring.
        migrations: how many there were.
        resets: how many there were.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self._table = settings.islands
        self._seed = settings.seed
        self.islands = [EvoDB(settings.binning, spread=settings.spread) for _ in range(self._table.count)]
        self.migrations = 0
        self.resets = 0
        self._stale = [0] * self._table.count
        self._since_reset = 0

    def __len__(self) -> int:
        """The number of occupied cells."""
        return sum(map(len, self.islands))

    def __contains__(self, program_id: int) -> bool:
        return any(program_id in island for island in self.islands)

    @property
    def best(self) -> Program | None:
        """The fittest champion of all islands, the older one of equals; None if all are empty."""
        found = (island.best for island in self.islands)
        return min((program for program in found if program is not None), key=order, default=None)

    def placed(self, program: Program) -> Program:
        """The program with its bucket, which is the same on every island."""
        return self.islands[0].placed(program)

    def insert(self, program: Program, at: int) -> Arrival:
        """Offer a program to one island."""
        before = self.best
        insertion = self.islands[at].insert(program)
        if insertion.new_best:
            self._stale[at] = 0
        if not insertion.accepted or before is None:
            return Arrival(insertion, 0.0)
        return Arrival(insertion, max(0.0, fitness_of(program) - fitness_of(before)))

    def insert_everywhere(self, program: Program) -> list[Arrival]:
        """Offer a program to every island."""
        return [self.insert(program, at) for at in range(len(self.islands))]

    def remeasure(self, program: Program) -> list[Arrival]:
        """Offer a program, measured anew, to the islands that hold it; to all, if none does any more."""
        holders = [at for at, island in enumerate(self.islands) if program.id in island]
        arrivals = [self.insert(program, at) for at in holders or range(len(self.islands))]
        self._settle()
        return arrivals

    def evict(self, program_id: int) -> None:
        """Take a program out, wherever it is."""
        for island in self.islands:
            island.evict(program_id)
        self._settle()

    def _settle(self) -> None:
        """An island that lost its last program gets the best one of all."""
        best = self.best
        for at, island in enumerate(self.islands):
            if best is not None and not len(island):
                self.insert(best, at)

    def turn(self, at: int, told: int) -> bool:
        """A candidate of an island was told back: time may have come to migrate, or for a dead island to go.

        Args:
            at: the island.
            told: candidates told back, of all islands, this one included.

        Returns:
            Whether an island's programs were exchanged or dropped.
        """
        if len(self.islands) == 1:
            return False
        self._stale[at] += 1
        self._since_reset += 1
        migrates = self._table.migrate_every and told % self._table.migrate_every == 0
        if migrates:
            self._migrate()
        dead = self._dead()
        if dead is not None:
            self._reset(dead, told)
        return bool(migrates) or dead is not None

    def _migrate(self) -> None:
        leaving = [island.leaders(self._table.migrants) for island in self.islands]
        self.migrations += 1
        for at, programs in enumerate(leaving):
            there = (at + 1) % len(self.islands)
            for program in programs:
                if program.id not in self.islands[there]:
                    self.insert(program, there)

    def _dead(self) -> int | None:
        """The island that is to start anew; None if there is none."""
        after, count = self._table.reset_after, len(self.islands)
        if not after or self._since_reset * count < after:
            return None
        best = self.best
        holders = [at for at, island in enumerate(self.islands) if best is not None and best.id in island]
        spared = max(holders, key=lambda at: len(self.islands[at]), default=None)
        dead = [at for at in range(count) if self._stale[at] >= after and at != spared]
        return max(dead, key=self._worse, default=None)

    def _worse(self, at: int) -> tuple[float, int, int]:
        best = self.islands[at].best
        return (float("inf"), 0, at) if best is None else (*order(best), at)

    def _reset(self, at: int, told: int) -> None:
        others = [island for other, island in enumerate(self.islands) if other != at and len(island)]
        self.islands[at] = self.islands[at].emptied()
        self._stale[at] = self._since_reset = 0
        self.resets += 1
        if others:
            donor = random.Random(f"{self._seed}:reset:{told}").choice(others)
            self.insert(donor.ranked(0), at)

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {
            "islands": [island.state() for island in self.islands],
            "stale": list(self._stale),
            "since_reset": self._since_reset,
            "migrations": self.migrations,
            "resets": self.resets,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` described."""
        self.islands = [EvoDB.from_state(island) for island in state["islands"]]
        self._stale = list(state["stale"])
        self._since_reset = int(state["since_reset"])
        self.migrations = int(state["migrations"])
        self.resets = int(state["resets"])
