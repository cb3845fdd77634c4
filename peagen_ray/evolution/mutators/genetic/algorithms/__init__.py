"""Better algorithms for patterns of code bigger than an idiom, each an operator."""

from __future__ import annotations

from peagen_ray.evolution.mutators.genetic.algorithms import (
    bisection,
    combinatorics,
    graphs,
    grids,
    heap_scan,
    joins,
    memo,
    neighbours,
    ordered,
    primes,
    queues,
    ranges,
    repeats,
    subarrays,
    texts,
    unrolling,
)
from peagen_ray.evolution.mutators.genetic.base import Operator

OPERATORS: tuple[Operator, ...] = (
    *bisection.OPERATORS,
    *combinatorics.OPERATORS,
    *graphs.OPERATORS,
    *grids.OPERATORS,
    *heap_scan.OPERATORS,
    *joins.OPERATORS,
    *memo.OPERATORS,
    *neighbours.OPERATORS,
    *ordered.OPERATORS,
    *primes.OPERATORS,
    *queues.OPERATORS,
    *ranges.OPERATORS,
    *repeats.OPERATORS,
    *subarrays.OPERATORS,
    *texts.OPERATORS,
    *unrolling.OPERATORS,
)
"""Every operator of the package."""
