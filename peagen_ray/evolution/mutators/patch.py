"""The pure half of the mutator ``patch``: what to ask a model, and what its answer makes of the parent."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from peagen_ray.errors import MutationRejected
from peagen_ray.evolution.answers import Reason, Rejected, read_answer
from peagen_ray.evolution.moves import Move
from peagen_ray.evolution.mutators.base import Proposal
from peagen_ray.evolution.prompts import (
    EVOLVE,
    MUTATE,
    Attempt,
    Failed,
    Form,
    HotLine,
    Inspiration,
    PromptContext,
    Remark,
    Score,
    Templates,
    fitted,
)

NAME: Final = "patch"
"""The mutator's name in ``peagen.mutators``."""
HINTS: Final = (
    "Look for another algorithm first.",
    "Look for a data structure that makes the commonest step cheap.",
    "Look for a function of the standard library that does it.",
    "Look for work that is done more than once, and do it once.",
    "Look for steps whose result is not needed, and leave them out.",
    "Look for a loop that a built-in function or a comprehension can replace.",
)
"""Directions; the seed of a request chooses one, so that the same parent is not changed in the same way each time."""
_MENDABLE: Final = frozenset({Reason.NO_DIFF, Reason.NOT_APPLICABLE, Reason.SYNTAX, Reason.SIGNATURE})


@dataclass(frozen=True, slots=True)
class PatchSettings:
    """How prompts are made.

    Attributes:
        form: what the move ``diff`` asks for.
        search_path: directories of templates that come before ours.
        max_chars: characters that a prompt may have.
        inspirations: programs that are shown beside the parent; the best one, and those least like what is shown.
    """

    form: Form = Form.DIFF
    search_path: tuple[Path, ...] = ()
    max_chars: int = 24_000
    inspirations: int = 3


@dataclass(frozen=True, slots=True)
class PatchRequest:
    """What a proposal is asked for with.

    Attributes:
        parent: its source text.
        entry: ``name``, ``Class.method``, or "" for the whole module.
        move: how to change it.
        seed: of every choice; the same request makes the same prompt.
        inspirations: other programs, the best first.
        partner: the second parent of a crossover; the best inspiration if it is left out.
        history: values of the metric, oldest first, the parent's last.
        metric: what is measured.
        is_lower_better: which way the metric is good.
        profile: where the parent spends its time, hottest first.
        attempts: what was tried from this parent, latest last.
        failed: what to repair, for the move ``repair``.
        goal: a sentence of the person's own.
        remarks: what an evaluator said of the parent.
        in_run: it is a step of a run; otherwise nothing is told but the parent.
        settings: how prompts are made.
    """

    parent: str
    entry: str
    move: Move = Move.DIFF
    seed: int = 0
    inspirations: tuple[Inspiration, ...] = ()
    partner: Inspiration | None = None
    history: tuple[Score, ...] = ()
    metric: str = "speed_ms"
    is_lower_better: bool = True
    profile: tuple[HotLine, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    failed: Failed | None = None
    goal: str = ""
    remarks: tuple[Remark, ...] = ()
    in_run: bool = True
    settings: PatchSettings = field(default_factory=PatchSettings)


def prompt(request: PatchRequest) -> str:
    """The prompt of a request.

    Raises:
        MutationRejected: ``too large`` when it does not fit, ``no site`` when the move lacks what it is about: a
            second parent, or something to repair.
        ConfigError: a template is missing or broken.
    """
    templates = Templates(request.settings.search_path)
    name = EVOLVE if request.in_run else MUTATE
    return fitted(
        _context(request), request.settings.max_chars, lambda context: templates.render(name, context)
    )


def read(
    answer: str, request: PatchRequest, *, tried: Collection[str] = frozenset(), finished: bool = True
) -> Proposal | Rejected:
    """What an answer makes of the parent.

    Args:
        answer: what the model said.
        request: what it was asked.
        tried: fingerprints of programs that were judged already.
        finished: False if the model was stopped before its end.
    """
    said = read_answer(answer, request.parent, request.entry, tried=tried, finished=finished)
    return said if isinstance(said, Rejected) else Proposal(said.source, str(request.move))


def can_repair(rejected: Rejected) -> bool:
    """Whether asking once more is likely to help: the answer had a fault, and was no change that is known."""
    return rejected.reason in _MENDABLE


def repair(request: PatchRequest, answer: str, rejected: Rejected) -> PatchRequest:
    """The request to mend an answer that was rejected."""
    failed = Failed(answer, str(rejected.reason), rejected.detail)
    return replace(request, move=Move.REPAIR, failed=failed)


def repair_prompt(request: PatchRequest, answer: str, rejected: Rejected) -> str:
    """The prompt to mend an answer that was rejected; raises what :func:`prompt` raises."""
    return prompt(repair(request, answer, rejected))


def diverse(parent: str, programs: tuple[Inspiration, ...], count: int) -> tuple[Inspiration, ...]:
    """The best program and those that have least in common with the parent and with each other, by their lines.

    Ties go to the better one. Programs that are like one that is chosen, line by line, are left out.
    """
    chosen: list[Inspiration] = []
    shown = [_lines(parent)]
    left = list(programs)
    while left and len(chosen) < count:
        likeness = [max(_likeness(_lines(each.source), one) for one in shown) for each in left]
        best = min(range(len(left)), key=lambda n: (likeness[n] == 1.0, bool(chosen) and likeness[n], n))
        if likeness[best] == 1.0:
            break
        shown.append(_lines(left[best].source))
        chosen.append(left.pop(best))
    return tuple(chosen)


def _context(request: PatchRequest) -> PromptContext:
    partner = _partner(request)
    if request.move is Move.REPAIR and request.failed is None:
        raise MutationRejected("no site", "there is nothing to repair")
    others = tuple(each for each in request.inspirations if partner is None or each.source != partner.source)
    return PromptContext(
        source=request.parent,
        entry=request.entry,
        move=request.move,
        form=_form(request),
        metric=request.metric,
        is_lower_better=request.is_lower_better,
        history=request.history,
        profile=request.profile,
        inspirations=diverse(request.parent, others, request.settings.inspirations),
        attempts=request.attempts,
        goal=request.goal,
        partner=partner,
        failed=request.failed if request.move is Move.REPAIR else None,
        hint=_hint(request),
        remarks=request.remarks,
    )


def _hint(request: PatchRequest) -> str:
    """A direction; none for a repair, nor where it is not speed that counts."""
    if request.move is Move.REPAIR or not request.is_lower_better:
        return ""
    return random.Random(request.seed).choice(HINTS)


def _partner(request: PatchRequest) -> Inspiration | None:
    if request.move is not Move.CROSSOVER:
        return None
    partner = request.partner or next(iter(diverse(request.parent, request.inspirations, 1)), None)
    if partner is None:
        raise MutationRejected("no site", "there is no second parent")
    return partner


def _form(request: PatchRequest) -> Form:
    """The move ``diff`` asks for what is set; the others ask for whole functions, which always have a place."""
    return request.settings.form if request.move is Move.DIFF else Form.REWRITE


def _lines(source: str) -> frozenset[str]:
    return frozenset(text for line in source.split("\n") if (text := line.strip()))


def _likeness(left: frozenset[str], right: frozenset[str]) -> float:
    """Jaccard's index: 1 for the same lines, 0 for none in common."""
    return len(left & right) / len(left | right) if left or right else 1.0
