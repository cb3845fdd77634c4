"""EvoDB: the MAP-Elites archive, which keeps the best program of every kind that was seen."""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from peagen_ray.errors import EvolutionError
from peagen_ray.evolution import checkpoint
from peagen_ray.evolution.program import Binning, Bucket, Outcome, Program

HISTORY: Final = 4
"""Former champions that a cell remembers."""

_LEADERS = 16


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


def fitness_of(program: Program) -> float:
    """Its fitness, which every program in an archive has."""
    if program.fitness is None:
        raise EvolutionError("the program has no fitness", subject=f"program {program.id}")
    return program.fitness


def _rank(program: Program) -> tuple[float, int]:
    """Sorts the fitter first, and of equals the older."""
    return -fitness_of(program), program.id


class EvoDB:
    """MAP-Elites (Mouret & Clune 2015, "Illuminating search spaces by mapping elites").

    A program enters if its cell is empty or its champion less fit. Inserting, drawing a champion and
    naming the best take the same time at any size. Not safe for concurrent use; the engine owns it.

    Attributes:
        grid: each occupied cell; to be read, not written.
        rng: what :meth:`sample` and :meth:`inspirations` draw from; the engine sets it for each question.
    """

    def __init__(self, binning: Binning | None = None) -> None:
        self.binning = binning or Binning()
        self.grid: dict[Bucket, Island] = {}
        self.rng = random.Random(0)
        self._cells: list[Bucket] = []
        self._homes: dict[int, Bucket] = {}
        self._ids: dict[str, int] = {}
        # The fittest champions in order: a true prefix of the whole ranking, refilled when it runs short.
        self._leaders: list[Program] = []

    def __len__(self) -> int:
        """The number of occupied cells."""
        return len(self._cells)

    def __contains__(self, program_id: int) -> bool:
        return program_id in self._homes

    def champions(self) -> Iterator[Program]:
        """The champion of every cell, in the order of the cells."""
        return (self.grid[bucket].champion for bucket in self._cells)

    @property
    def best(self) -> Program | None:
        """The fittest champion, the older one of equals; None in an empty archive."""
        return next(iter(self.leaders(1)), None)

    def leaders(self, k: int) -> list[Program]:
        """The ``k`` fittest champions, the fittest first."""
        if len(self._leaders) < min(k, len(self)):
            self._leaders = heapq.nsmallest(max(k, _LEADERS), self.champions(), key=_rank)
        return self._leaders[:k]

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
        if not self._cells:
            raise EvolutionError("the archive is empty", hint="seed it with a program that is correct")
        place = (rng or self.rng).randrange(len(self._cells))
        return self.grid[self._cells[place]].champion

    def inspirations(self, k: int, rng: random.Random | None = None) -> list[Program]:
        """Up to ``k`` different champions, the fittest first: half of them the best, the rest of any cell."""
        chosen = {program.id: program for program in self.leaders((k + 1) // 2)}
        cells = len(self._cells)
        for place in (rng or self.rng).sample(range(cells), min(cells, 2 * k)):
            if len(chosen) >= k:
                break
            champion = self.grid[self._cells[place]].champion
            chosen.setdefault(champion.id, champion)
        return sorted(chosen.values(), key=_rank)

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
        """The program with its bucket; a failed one has none."""
        if program.bucket is not None or program.outcome is not Outcome.OK:
            return program
        bucket = self.binning.bucket(
            speed_ms=program.speed_ms or 0.0,
            peak_kb=program.peak_kb or 0.0,
            size=len(program.src),
            gen=program.gen,
        )
        return program.with_(bucket=bucket)

    def _crown(self, program: Program, bucket: Bucket, island: Island | None) -> int | None:
        dropped: Program | None = None
        if island is None:
            self.grid[bucket] = Island(program, deque(maxlen=HISTORY), len(self._cells))
            self._cells.append(bucket)
        else:
            self._remove_leader(island.champion)
            if len(island.former) == HISTORY:
                dropped = island.former[0]
                self._forget(dropped)
            island.former.append(island.champion)
            island.champion = program
        self._homes[program.id] = bucket
        self._ids[program.src] = program.id
        self._add_leader(program)
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
        self._remove_leader(program)
        if island.former:
            island.champion = island.former.pop()
            self._add_leader(island.champion)
        else:
            self._vacate(bucket, island.place)
        return True

    def _vacate(self, bucket: Bucket, place: int) -> None:
        del self.grid[bucket]
        last = self._cells.pop()
        if last != bucket:
            self._cells[place] = last
            self.grid[last].place = place

    def _forget(self, program: Program) -> None:
        del self._homes[program.id]
        if self._ids.get(program.src) == program.id:
            del self._ids[program.src]

    def _add_leader(self, program: Program) -> None:
        complete = len(self._leaders) == len(self._cells) - 1
        if complete or (self._leaders and _rank(program) < _rank(self._leaders[-1])):
            insort(self._leaders, program, key=_rank)
            del self._leaders[_LEADERS:]

    def _remove_leader(self, program: Program) -> None:
        at = bisect_left(self._leaders, _rank(program), key=_rank)
        if at < len(self._leaders) and self._leaders[at].id == program.id:
            del self._leaders[at]

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        islands = (self.grid[bucket] for bucket in self._cells)
        return {
            "binning": asdict(self.binning),
            "cells": [[program.to_data() for program in island.members()] for island in islands],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The archive that :meth:`state` described."""
        db = cls(Binning(**state["binning"]))
        for members in state["cells"]:
            champion, *former = (Program.from_data(data) for data in members)
            assert champion.bucket is not None
            db.grid[champion.bucket] = Island(champion, deque(former, maxlen=HISTORY), len(db._cells))
            db._cells.append(champion.bucket)
            for program in (*former, champion):
                db._homes[program.id] = champion.bucket
                db._ids[program.src] = program.id
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
