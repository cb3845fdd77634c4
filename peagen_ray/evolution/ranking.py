"""Ranking: the champions of an archive in order, the fittest first, reached by their rank."""

from __future__ import annotations

from collections.abc import Iterable

from sortedcontainers import SortedKeyList

from peagen_ray.errors import EvolutionError
from peagen_ray.evolution.program import Program


def fitness_of(program: Program) -> float:
    """Its fitness, which every program in an archive has."""
    if program.fitness is None:
        raise EvolutionError("the program has no fitness", subject=f"program {program.id}")
    return program.fitness


def order(program: Program) -> tuple[float, int]:
    """Sorts the fitter first, and of equals the older."""
    return -fitness_of(program), program.id


class Ranking:
    """Different programs in the order of :func:`order`.

    Adding, removing and reaching one by its rank take a time that hardly grows with their number.
    """

    def __init__(self, programs: Iterable[Program] = ()) -> None:
        self._sorted = SortedKeyList(programs, key=order)

    def __len__(self) -> int:
        return len(self._sorted)

    def __getitem__(self, rank: int) -> Program:
        """The program of that rank, 0 for the fittest; -1 is the least fit."""
        program: Program = self._sorted[rank]
        return program

    def top(self, k: int) -> list[Program]:
        """The ``k`` fittest, the fittest first; all of them if there are no more."""
        programs: list[Program] = self._sorted[:k]
        return programs

    def add(self, program: Program) -> None:
        """Take a program in."""
        self._sorted.add(program)

    def remove(self, program: Program) -> None:
        """Take it out again; it must be in, with the fitness that it had when it was added."""
        self._sorted.remove(program)
