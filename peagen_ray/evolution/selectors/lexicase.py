"""Lexicase selection: a program that is best at what is looked at first, whatever that is this time."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Final

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.descriptors import number as finite
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.selectors.base import ParentSelector, whole

_OWN: Final[Mapping[str, Callable[[Program], float | None]]] = {
    "fitness": lambda program: program.fitness,
    "speed_ms": lambda program: program.speed_ms,
    "peak_kb": lambda program: program.peak_kb,
    "size": lambda program: len(program.src),
    "gen": lambda program: program.gen,
}


class LexicaseSelector(ParentSelector):
    """Of a pool of champions, those that are nearly the best in one case after the other, in a random order.

    Spector 2012, "Assessment of problem modality by differential performance of lexicase selection", with the
    tolerance of La Cava, Spector & Danai 2016, "Epsilon-lexicase selection for regression": in each case those
    remain that are no worse than the pool's best by more than the median absolute deviation of those that remain
    (the dynamic variant). If several are left at the end, one of them is drawn. The pool is the fittest champion
    and others drawn evenly, so that the time does not grow with the archive.

    Args:
        cases: what is looked at: fitness, speed_ms, peak_kb, size, gen, or a metric of the evaluator; a minus
            before it means that less is better. A program without that metric is left out, if any has it.
        pool: champions that take part in one choice at most.

    Raises:
        ConfigError: an option is of another type, or out of its range.
    """

    NAME: ClassVar[str] = "lexicase"

    def __init__(self, *, cases: Sequence[str] = ("fitness", "-peak_kb", "-size"), pool: int = 32) -> None:
        self.cases = _cases(cases)
        self.pool = whole(self.NAME, "pool", pool, 1, 10_000)

    def select(self, db: EvoDB) -> Program:
        """One of those that are left after all cases, or as soon as there is one left."""
        best = db.ranked(0)
        others = (program for program in db.draw(self.pool - 1, self.rng) if program.id != best.id)
        left = [best, *others]
        for case in self.rng.sample(self.cases, len(self.cases)):
            if len(left) == 1:
                break
            left = _nearly_best(left, case)
        return left[self.rng.randrange(len(left))]


def _nearly_best(programs: list[Program], case: str) -> list[Program]:
    """Those that are as good as the best in one case, but for its tolerance; all, if none has that metric."""
    values = {program.id: value for program, value in _values(programs, case)}
    if not values:
        return programs
    middle = statistics.median(values.values())
    tolerance = statistics.median(abs(value - middle) for value in values.values())
    bar = max(values.values()) - tolerance
    return [program for program in programs if program.id in values and values[program.id] >= bar]


def _values(programs: Iterable[Program], case: str) -> Iterable[tuple[Program, float]]:
    name, sign = case.removeprefix("-"), -1.0 if case.startswith("-") else 1.0
    reader = _OWN.get(name)
    for program in programs:
        value = finite(reader(program) if reader else program.metrics.get(name))
        if value is not None:
            yield program, sign * value


def _cases(cases: object) -> tuple[str, ...]:
    """The cases, checked; raises ConfigError."""
    if isinstance(cases, str) or not isinstance(cases, Sequence) or not cases:
        raise ConfigError(f"cases must be a list of names, not {cases!r}", subject="[selector.lexicase]")
    for case in cases:
        if not isinstance(case, str) or not case.removeprefix("-"):
            raise ConfigError(f"cases must be names, not {case!r}", subject="[selector.lexicase]")
    names = [case.removeprefix("-") for case in cases]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"cases names {twice} twice", subject="[selector.lexicase]")
    return tuple(cases)
