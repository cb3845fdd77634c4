"""The offline mutator: genetic improvement on the syntax tree, and the operators that it draws from."""

from __future__ import annotations

from peagen_ray.evolution.mutators.genetic.mutator import GeneticMutator

__all__ = ["GeneticMutator"]
