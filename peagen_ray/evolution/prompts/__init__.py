"""Prompts: what a model is told about a program, and in what form it is to answer. Pure and deterministic."""

from __future__ import annotations

from peagen_ray.evolution.prompts.context import (
    Attempt,
    Failed,
    Form,
    HotLine,
    Inspiration,
    PromptContext,
    Remark,
    Score,
)
from peagen_ray.evolution.prompts.fit import ORDER, fitted
from peagen_ray.evolution.prompts.render import EVOLVE, MUTATE, Templates

__all__ = [
    "EVOLVE",
    "MUTATE",
    "ORDER",
    "Attempt",
    "Failed",
    "Form",
    "HotLine",
    "Inspiration",
    "PromptContext",
    "Remark",
    "Score",
    "Templates",
    "fitted",
]
