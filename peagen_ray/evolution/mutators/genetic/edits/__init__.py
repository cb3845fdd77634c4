"""General edits: what any program allows, whether or not it makes sense there."""

from __future__ import annotations

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.edits import (
    bounds,
    control,
    crossover,
    expressions,
    statements,
    variables,
)

OPERATORS: tuple[Operator, ...] = (
    *crossover.OPERATORS,
    *statements.OPERATORS,
    *control.OPERATORS,
    *bounds.OPERATORS,
    *expressions.OPERATORS,
    *variables.OPERATORS,
)
"""Every general edit; each ``NAME`` once."""
