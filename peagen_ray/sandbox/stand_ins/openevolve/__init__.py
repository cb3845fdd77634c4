"""Stands in for OpenEvolve: the result that evaluators return, and nothing else."""

from .evaluation_result import EvaluationResult

__all__ = ["EvaluationResult"]
