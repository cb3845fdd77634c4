"""Better algorithms for patterns of code bigger than an idiom, each an operator."""

from __future__ import annotations

from peagen_ray.evolution.mutators.genetic.algorithms import memo, unrolling
from peagen_ray.evolution.mutators.genetic.base import Operator

OPERATORS: tuple[Operator, ...] = (*memo.OPERATORS, *unrolling.OPERATORS)
"""Every operator of the package."""
