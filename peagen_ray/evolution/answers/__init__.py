"""From a language model's answer to a changed program: reading, placing, grafting, checking. Pure."""

from __future__ import annotations

from peagen_ray.evolution.answers.change import Changed, apply_edit, read_answer
from peagen_ray.evolution.answers.edit import LIMIT, Edit, EditKind, Hunk, Line, Mark, Reason, Rejected
from peagen_ray.evolution.answers.parse import parse

__all__ = [
    "LIMIT",
    "Changed",
    "Edit",
    "EditKind",
    "Hunk",
    "Line",
    "Mark",
    "Reason",
    "Rejected",
    "apply_edit",
    "parse",
    "read_answer",
]
