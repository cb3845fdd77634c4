"""From a question to a proposal in rounds of prompt and answer, whoever answers: a model, or a recording."""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import dataclass
from typing import Final

from peagen_ray.evolution.answers import Rejected
from peagen_ray.evolution.briefing import Briefing
from peagen_ray.evolution.mutators.base import Proposal
from peagen_ray.evolution.mutators.patch import (
    PatchRequest,
    PatchSettings,
    can_repair,
    prompt,
    read,
    repair_prompt,
)
from peagen_ray.evolution.prompts import Inspiration
from peagen_ray.evolution.questions import Mutate


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said.

    Attributes:
        text: its words.
        finished: False if it was stopped before its end.
        made: what it makes of the parent, where that is known.
    """

    text: str
    finished: bool = True
    made: Proposal | Rejected | None = None


SPEED: Final = "speed_ms"
"""The metric of runs that measure speed."""

Rounds = Generator[str, Answer | None, Proposal | Rejected | None]
"""Yields prompts and is sent the answer to each, None where nobody answered; returns what came of it, None where
nobody answered the first one."""


def rounds(request: PatchRequest, tried: Collection[str], repairs: int, first: str = "") -> Rounds:
    """Ask for a change, and have an answer mended that cannot be used.

    Args:
        request: what is asked.
        tried: fingerprints of programs that were judged already.
        repairs: how often an answer may be mended.
        first: the first prompt, where it was made before.

    Raises:
        MutationRejected: there is no prompt to make of the request.
        ConfigError: a template is missing or broken.
    """
    answer = yield first or prompt(request)
    if answer is None:
        return None
    made = _made(answer, request, tried)
    for _ in range(repairs):
        if not isinstance(made, Rejected) or not can_repair(made):
            break
        answer = yield repair_prompt(request, answer.text, made)
        if answer is None:
            break
        made = _made(answer, request, tried)
    return made


def _made(answer: Answer, request: PatchRequest, tried: Collection[str]) -> Proposal | Rejected:
    return answer.made or read(answer.text, request, tried=tried, finished=answer.finished)


def request_of(
    question: Mutate, entry: str, goal: str, settings: PatchSettings, metric: str = SPEED
) -> PatchRequest:
    """What a question of a run asks a model for.

    Args:
        question: the question; it has a briefing.
        entry: ``name``, ``Class.method``, or "" for the whole module.
        goal: a sentence of the person's own.
        settings: how prompts are made.
        metric: ``speed_ms``, or the name of a score, of which more is better.
    """
    briefing = question.briefing
    assert briefing is not None
    return PatchRequest(
        parent=question.parent.src,
        entry=entry,
        move=briefing.move,
        seed=question.seed,
        inspirations=_inspirations(question, briefing),
        history=briefing.history,
        profile=briefing.profile,
        attempts=briefing.attempts,
        failed=briefing.failed,
        goal=goal,
        remarks=briefing.remarks,
        metric=metric,
        is_lower_better=metric == SPEED,
        settings=settings,
    )


def _inspirations(question: Mutate, briefing: Briefing) -> tuple[Inspiration, ...]:
    pairs = zip(question.inspirations, briefing.values, strict=True)
    return tuple(Inspiration(source, value) for source, value in pairs)
