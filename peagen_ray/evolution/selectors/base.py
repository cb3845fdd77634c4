"""The parent selector port: which program is changed next, and which others inspire the change."""

from __future__ import annotations

import difflib
import inspect
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Program

_S = TypeVar("_S", bound="ParentSelector")


class ParentSelector(ABC):
    """Chooses parents. Subclass it, register it in ``peagen.parent_selectors``, and that is all.

    The options of ``[selector.<name>]`` are the keyword arguments of its constructor.

    Every random choice is drawn from :attr:`rng` (or from the archive's, which is the same one): the
    engine sets it anew for each question, from the run's seed and the question's number, so that a
    question asked again is the same question. What a selector learns goes into :meth:`state`.
    Called by one thread at a time; it never changes the archive.
    """

    NAME: ClassVar[str]
    rng: random.Random

    def reseed(self, rng: random.Random) -> None:
        """Draw from ``rng`` from now on. The engine calls this before each question."""
        self.rng = rng

    @abstractmethod
    def select(self, db: EvoDB) -> Program:
        """The program to change.

        Raises:
            EvolutionError: the archive is empty.
        """

    def sample_inspirations(self, db: EvoDB, k: int) -> list[str]:
        """Source texts of up to ``k`` different programs, the fittest first: the best and a diverse few."""
        return [program.src for program in db.inspirations(k, self.rng)]

    def feedback(self, fitness_gain: float) -> None:  # noqa: B027 - learning is optional
        """Learn what a candidate came to, once for each that is told back.

        Args:
            fitness_gain: by how much the best fitness rose; 0.0 for whatever did not raise it.
        """

    def learn(self, parent: Program, child: Program, fitness_gain: float) -> None:  # noqa: ARG002 - see below
        """Learn what a candidate came to, and of which parent; the engine calls this one.

        Without one of its own a selector learns by :meth:`feedback` alone.

        Args:
            parent: what :meth:`select` gave.
            child: what came of it; one that failed has an outcome and no fitness.
            fitness_gain: as for :meth:`feedback`.
        """
        self.feedback(fitness_gain)

    def state(self) -> dict[str, Any]:
        """What it has learnt, JSON-able."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - learning is optional
        """Take up what :meth:`state` described."""


def build(selector: type[_S], options: Mapping[str, Any]) -> _S:
    """Make a selector with the options of its table.

    Raises:
        ConfigError: it has no such option (the nearest one is named), or refuses the value.
    """
    known = list(inspect.signature(selector).parameters)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'no options'}"
            raise ConfigError(f"unknown option {name}", subject=f"[selector.{selector.NAME}]", hint=hint)
    return selector(**options)


def number(table: str, name: str, value: object, low: float, high: float) -> float:
    """``value`` as a float within ``low`` and ``high``, else a ConfigError that names the option."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        bounds = f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
        raise ConfigError(f"{name} must be a number {bounds}, not {value!r}", subject=f"[selector.{table}]")
    return float(value)


def whole(table: str, name: str, value: object, low: int, high: int) -> int:
    """``value`` as a whole number within ``low`` and ``high``, else a ConfigError that names the option."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(
            f"{name} must be a whole number between {low} and {high}, not {value!r}",
            subject=f"[selector.{table}]",
        )
    return value
