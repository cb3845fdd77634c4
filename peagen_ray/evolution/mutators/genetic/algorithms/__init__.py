"""Better algorithms for patterns of code bigger than an idiom, each an operator."""

from __future__ import annotations

from peagen_ray.evolution.mutators.genetic.algorithms import (
    bisection,
    caching,
    combinatorics,
    divisors,
    fixpoint,
    graphs,
    grids,
    halving,
    heap_scan,
    joins,
    memo,
    neighbours,
    ordered,
    pairs,
    primes,
    queues,
    ranges,
    relevant,
    repeats,
    subarrays,
    texts,
    unrolling,
)
from peagen_ray.evolution.mutators.genetic.base import Operator

OPERATORS: tuple[Operator, ...] = (
    *bisection.OPERATORS,
    *caching.OPERATORS,
    *combinatorics.OPERATORS,
    *divisors.OPERATORS,
    *fixpoint.OPERATORS,
    *graphs.OPERATORS,
    *grids.OPERATORS,
    *halving.OPERATORS,
    *heap_scan.OPERATORS,
    *joins.OPERATORS,
    *memo.OPERATORS,
    *neighbours.OPERATORS,
    *ordered.OPERATORS,
    *pairs.OPERATORS,
    *primes.OPERATORS,
    *queues.OPERATORS,
    *ranges.OPERATORS,
    *relevant.OPERATORS,
    *repeats.OPERATORS,
    *subarrays.OPERATORS,
    *texts.OPERATORS,
    *unrolling.OPERATORS,
)
"""Every operator of the package."""
