"""The catalogue: every operator of the genetic mutator."""

from __future__ import annotations

from importlib import import_module

from peagen_ray.evolution.mutators.genetic import edits
from peagen_ray.evolution.mutators.genetic.base import Operator

_MODULES = (
    "arithmetic",
    "bisect",
    "builtins",
    "comprehensions",
    "containers",
    "counting",
    "extremes",
    "index",
    "inline",
    "iteration",
    "join",
    "local",
    "loops",
    "membership",
    "sorting",
    "strings",
    "tables",
)


def operators() -> tuple[Operator, ...]:
    """Every operator, each ``NAME`` once."""
    found = list(edits.OPERATORS)
    for name in _MODULES:
        module = import_module(f"peagen_ray.evolution.mutators.genetic.idioms_{name}")
        found += module.OPERATORS
    algorithms = import_module("peagen_ray.evolution.mutators.genetic.algorithms")
    found += algorithms.OPERATORS
    return tuple(found)
