"""A prompt of bounded length: what is left out first."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from peagen_ray.errors import MutationRejected
from peagen_ray.evolution.answers.source import Source
from peagen_ray.evolution.answers.tree import Definition, end_of, first_line, parsed
from peagen_ray.evolution.prompts.context import PromptContext

_SHORTEST: Final = 400
_NOT_SHOWN: Final = "lines that are not shown; they stay as they are]"


def fitted(context: PromptContext, limit: int, draw: Callable[[PromptContext], str]) -> str:
    """What ``draw`` makes of a context, with as much of it left out as it takes to fit.

    Left out are, in this order, step by step: see :data:`ORDER`. The entry, the form and the goal always stay.

    Args:
        context: what there is to tell.
        limit: characters that the prompt may have.
        draw: makes a prompt.

    Raises:
        MutationRejected: ``too large`` when it does not fit with all of that left out.
    """
    text = draw(context)
    while len(text) > limit:
        less = next((made for _, step in _STEPS if (made := step(context)) is not None), None)
        if less is None:
            raise MutationRejected("too large", f"the prompt has {len(text)} characters, it may have {limit}")
        context, text = less, draw(less)
    return text


def _worst_inspiration(context: PromptContext) -> PromptContext | None:
    some = context.inspirations
    return replace(context, inspirations=some[:-1]) if len(some) > 1 else None


def _oldest_attempt(context: PromptContext) -> PromptContext | None:
    some = context.attempts
    return replace(context, attempts=some[1:]) if len(some) > 1 else None


def _oldest_scores(context: PromptContext) -> PromptContext | None:
    some = context.history
    return replace(context, history=some[-(len(some) // 2) :]) if len(some) > 1 else None


def _coldest_lines(context: PromptContext) -> PromptContext | None:
    some = context.profile
    return replace(context, profile=some[: len(some) // 2]) if some else None


def _last_inspiration(context: PromptContext) -> PromptContext | None:
    return replace(context, inspirations=()) if context.inspirations else None


def _last_attempt(context: PromptContext) -> PromptContext | None:
    return replace(context, attempts=()) if context.attempts else None


def _longest_remark(context: PromptContext) -> PromptContext | None:
    some = context.remarks
    if not some:
        return None
    longest = max(some, key=lambda each: len(each.text))
    return replace(context, remarks=tuple(each for each in some if each is not longest))


def _half_of_what_failed(context: PromptContext) -> PromptContext | None:
    if context.failed is None or len(context.failed.text) <= _SHORTEST:
        return None
    half = context.failed.text[: len(context.failed.text) // 2]
    return replace(context, failed=replace(context.failed, text=f"{half}\n[...]"))


def _rest_of_the_partner(context: PromptContext) -> PromptContext | None:
    if context.partner is None:
        return None
    source, hidden = outlined(context.partner.source, context.entry)
    return replace(context, partner=replace(context.partner, source=source)) if hidden else None


def _rest_of_the_parent(context: PromptContext) -> PromptContext | None:
    if context.hidden:
        return None
    source, hidden = outlined(context.source, context.entry)
    return replace(context, source=source, hidden=hidden, profile=()) if hidden else None


_STEPS: Final[tuple[tuple[str, Callable[[PromptContext], PromptContext | None]], ...]] = (
    ("inspirations but the best, the last first", _worst_inspiration),
    ("attempts but the latest, the oldest first", _oldest_attempt),
    ("values of the metric but the latest, the older half first", _oldest_scores),
    ("hot lines, the colder half first", _coldest_lines),
    ("what the evaluator said, the longest first", _longest_remark),
    ("the best inspiration", _last_inspiration),
    ("the latest attempt", _last_attempt),
    ("the second half of what is to be repaired, down to 400 characters", _half_of_what_failed),
    ("what the second parent has beside imports and the entry", _rest_of_the_partner),
    ("what the parent has beside imports and the entry", _rest_of_the_parent),
)
ORDER: Final = tuple(name for name, _ in _STEPS)
"""What is left out of a prompt that is too long, in this order."""


def outlined(source: str, entry: str) -> tuple[str, int]:
    """A program with nothing but its imports and the statement that has the entry, and how many lines went.

    Where lines went, a comment says how many. Nothing goes from a whole module, from one that does not parse, and
    from an outline.
    """
    if _NOT_SHOWN in source:
        return source, 0
    tree = parsed(source.removeprefix("\ufeff"))
    if not entry or isinstance(tree, str):
        return source, 0
    lines = Source(source).lines
    shown: list[str] = []
    at = hidden = 0
    for start, end in [*_shown(tree, entry.partition(".")[0]), (len(lines), len(lines))]:
        gone = sum(1 for line in lines[at:start] if line.strip())
        shown += ["", f"# [{gone} {_NOT_SHOWN}", ""] if gone else lines[at:start]
        shown += lines[start:end]
        hidden += gone
        at = end
    return "\n".join(shown).strip("\n") + "\n", hidden


def _shown(tree: ast.Module, name: str) -> list[tuple[int, int]]:
    return [
        (first_line(node) - 1, end_of(node))
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, Definition) and node.name == name)
    ]
