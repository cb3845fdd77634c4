"""EvoDB: the MAP-Elites archive, which keeps the best program of every kind that was seen."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from peagen_ray.errors import EvolutionError
from peagen_ray.evolution import checkpoint
from peagen_ray.evolution.descriptors import Places
from peagen_ray.evolution.diversity import unlike
from peagen_ray.evolution.program import Binning, Cell, Outcome, Program
from peagen_ray.evolution.ranking import Ranking, fitness_of, order

HISTORY: Final = 4
"""Former champions that a cell remembers."""


@dataclass(slots=True)
class Island:
    """One cell of the grid.

    Attributes:
        champion: the fittest program of the cell.
        former: the champions before it, the newest last.
        place: where the archive lists the cell, for drawing one at random.
    """

    champion: Program
    former: deque[Program]
    place: int

    def members(self) -> Iterator[Program]:
        """The champion, then the former champions."""
        yield self.champion
        yield from self.former


@dataclass(frozen=True, slots=True)
class Insertion:
    """What became of a program that was offered to the archive.

    Attributes:
        accepted: it is now the champion of its cell.
        new_cell: nothing was in that cell before.
        new_best: it is now the fittest of all.
        gain: by how much the best fitness rose; 0.0 if it did not, or if there was none before.
        dropped: id of a program that left the archive for good, if one did.
    """

    accepted: bool
    new_cell: bool = False
    new_best: bool = False
    gain: float = 0.0
    dropped: int | None = None


class EvoDB:
    """MAP-Elites (Mouret & Clune 2015, "Illuminating search spaces by mapping elites").

    A program enters if its cell is empty or its champion less fit. Inserting, drawing a champion and
    naming that of a rank take nearly the same time at any size. Not safe for concurrent use; the engine
    owns it.

    Args:
        binning: descriptors and edges of the cells.
        spread: the diverse half of the inspirations are champions unlike the others; else any champions.

    Attributes:
        grid: each occupied cell; to be read, not written.
        rng: what :meth:`sample` and :meth:`inspirations` draw from; the engine sets it for each question.
    """

    def __init__(self, binning: Binning | None = None, *, spread: bool = True) -> None:
        self.grid: dict[Cell, Island] = {}
        self.rng = random.Random(0)
        self._places = Places(binning or Binning())
        self._spread = spread
        self._cells: list[Island] = []
        self._homes: dict[int, Cell] = {}
        self._ids: dict[str, int] = {}
        self._ranking = Ranking()

    def __len__(self) -> int:
        """The number of occupied cells."""
        return len(self._cells)

    def __contains__(self, program_id: int) -> bool:
        return program_id in self._homes

    def champions(self) -> Iterator[Program]:
        """The champion of every cell, in the order of the cells."""
        return (cell.champion for cell in self._cells)

    @property
    def best(self) -> Program | None:
        """The fittest champion, the older one of equals; None in an empty archive."""
        return next(iter(self.leaders(1)), None)

    def leaders(self, k: int) -> list[Program]:
        """The ``k`` fittest champions, the fittest first."""
        return self._ranking.top(k)

    def ranked(self, rank: int) -> Program:
        """The champion of that rank: 0 is the fittest, -1 the least fit.

        Raises:
            EvolutionError: the archive is empty.
        """
        self._check_filled()
        return self._ranking[rank]

    def get(self, program_id: int) -> Program | None:
        """The program of that id, if a cell still remembers it."""
        bucket = self._homes.get(program_id)
        if bucket is None:
            return None
        return next(program for program in self.grid[bucket].members() if program.id == program_id)

    def id_of(self, src: str) -> int | None:
        """The id of the program with that very source, if a cell still remembers it."""
        return self._ids.get(src)

    def sample(self, rng: random.Random | None = None) -> Program:
        """The champion of a cell drawn evenly, in constant time.

        Raises:
            EvolutionError: the archive is empty.
        """
        self._check_filled()
        place = (rng or self.rng).randrange(len(self._cells))
        return self._cells[place].champion

    def draw(self, k: int, rng: random.Random | None = None) -> list[Program]:
        """``k`` different champions drawn evenly, in the order of drawing; all if there are no more."""
        cells = len(self._cells)
        places = (rng or self.rng).sample(range(cells), min(cells, k))
        return [self._cells[place].champion for place in places]

    def inspirations(self, k: int, rng: random.Random | None = None) -> list[Program]:
        """Up to ``k`` different champions, the fittest first.

        Half of them are the best. The others are drawn from all cells, and of those drawn the ones are taken
        that lie far from the best and from one another, unless ``spread`` is off.
        """
        best = self.leaders((k + 1) // 2)
        drawn = self.draw(2 * k, rng)
        if not self._spread:
            known = {program.id for program in best}
            others = [program for program in drawn if program.id not in known][: k - len(best)]
        else:
            others = unlike(best, drawn, k - len(best))
        return sorted([*best, *others], key=order)

    def _check_filled(self) -> None:
        if not self._cells:
            raise EvolutionError("the archive is empty", hint="seed it with a program that is correct")

    def insert(self, program: Program) -> Insertion:
        """Offer a program. One that is in the archive already, by its id, is measured anew.

        A program that failed, or whose fitness is not a finite number, is never accepted.
        """
        if program.outcome is not Outcome.OK or program.fitness is None or not math.isfinite(program.fitness):
            return Insertion(accepted=False)
        best = self.best
        known = self.evict(program.id)
        program = self.placed(program)
        assert program.bucket is not None
        island = self.grid.get(program.bucket)
        if island is not None and fitness_of(program) <= fitness_of(island.champion):
            return Insertion(accepted=False, dropped=program.id if known else None)
        dropped = self._crown(program, program.bucket, island)
        before = -math.inf if best is None else fitness_of(best)
        rose = fitness_of(program) > before
        gain = fitness_of(program) - before if rose and best is not None else 0.0
        return Insertion(True, new_cell=island is None, new_best=rose, gain=gain, dropped=dropped)

    def placed(self, program: Program) -> Program:
        """The program with its bucket; a failed one has none. The first one is the original of novelty."""
        if program.bucket is not None or program.outcome is not Outcome.OK:
            return program
        self._places.origin = self._places.origin or program.src
        return program.with_(bucket=self._places.cell(program))

    def emptied(self) -> EvoDB:
        """A new archive with the same descriptors and the same original, and nothing in it."""
        db = EvoDB(self._places.binning, spread=self._spread)
        db._places.origin = self._places.origin
        return db

    def _crown(self, program: Program, bucket: Cell, island: Island | None) -> int | None:
        dropped: Program | None = None
        if island is None:
            self._found(bucket, Island(program, deque(maxlen=HISTORY), len(self._cells)))
        else:
            self._ranking.remove(island.champion)
            if len(island.former) == HISTORY:
                dropped = island.former[0]
                self._forget(dropped)
            island.former.append(island.champion)
            island.champion = program
        self._homes[program.id] = bucket
        self._ids[program.src] = program.id
        self._ranking.add(program)
        return dropped.id if dropped else None

    def evict(self, program_id: int) -> bool:
        """Take a program out; its cell falls back to the champion before it. False if it was not in."""
        bucket = self._homes.get(program_id)
        if bucket is None:
            return False
        island = self.grid[bucket]
        program = next(member for member in island.members() if member.id == program_id)
        self._forget(program)
        if program is not island.champion:
            island.former.remove(program)
            return True
        self._ranking.remove(program)
        if island.former:
            island.champion = island.former.pop()
            self._ranking.add(island.champion)
        else:
            self._vacate(bucket, island)
        return True

    def _found(self, bucket: Cell, island: Island) -> None:
        self.grid[bucket] = island
        self._cells.append(island)

    def _vacate(self, bucket: Cell, island: Island) -> None:
        del self.grid[bucket]
        last = self._cells.pop()
        if last is not island:
            self._cells[island.place] = last
            last.place = island.place

    def _forget(self, program: Program) -> None:
        del self._homes[program.id]
        if self._ids.get(program.src) == program.id:
            del self._ids[program.src]

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {
            "binning": asdict(self._places.binning),
            "origin": self._places.origin,
            "spread": self._spread,
            "cells": [[program.to_data() for program in island.members()] for island in self._cells],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The archive that :meth:`state` described."""
        db = cls(Binning.from_data(state["binning"]), spread=state["spread"])
        db._places.origin = state["origin"]
        for members in state["cells"]:
            champion, *former = (Program.from_data(data) for data in members)
            assert champion.bucket is not None
            db._found(champion.bucket, Island(champion, deque(former, maxlen=HISTORY), len(db._cells)))
            for program in (*former, champion):
                db._homes[program.id] = champion.bucket
                db._ids[program.src] = program.id
        db._ranking = Ranking(db.champions())
        return db

    def save_checkpoint(self, path: Path) -> None:
        """Write the archive to a file, in one step: a reader finds the old one or the new one."""
        checkpoint.save(path, {"archive": self.state()})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save_checkpoint` wrote.

        Raises:
            EvolutionError: the file is missing or is no archive.
        """
        saved = checkpoint.load(path)
        try:
            return cls.from_state((saved or {})["archive"])
        except (KeyError, TypeError, ValueError) as error:
            raise EvolutionError("the file holds no archive", subject=str(path)) from error
