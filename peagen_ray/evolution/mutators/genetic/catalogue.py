"""The catalogue: every operator of the genetic mutator."""

from __future__ import annotations

from functools import cache
from typing import Final

from peagen_ray.evolution.mutators.genetic import (
    algorithms,
    edits,
    idioms_accumulators,
    idioms_arithmetic,
    idioms_bisect,
    idioms_builtins,
    idioms_comprehensions,
    idioms_containers,
    idioms_counting,
    idioms_extremes,
    idioms_index,
    idioms_inline,
    idioms_iteration,
    idioms_join,
    idioms_local,
    idioms_loops,
    idioms_membership,
    idioms_precompute,
    idioms_scanning,
    idioms_sorting,
    idioms_strings,
    idioms_tables,
)
from peagen_ray.evolution.mutators.genetic.base import Operator

_SOURCES: Final = (
    edits,
    idioms_accumulators,
    idioms_arithmetic,
    idioms_bisect,
    idioms_builtins,
    idioms_comprehensions,
    idioms_containers,
    idioms_counting,
    idioms_extremes,
    idioms_index,
    idioms_inline,
    idioms_iteration,
    idioms_join,
    idioms_local,
    idioms_loops,
    idioms_membership,
    idioms_precompute,
    idioms_scanning,
    idioms_sorting,
    idioms_strings,
    idioms_tables,
    algorithms,
)


@cache
def operators() -> tuple[Operator, ...]:
    """Every operator, each ``NAME`` once; they are stateless, so everybody may have the same ones."""
    return tuple(operator for source in _SOURCES for operator in source.OPERATORS)
