"""Mutate with a language model: prompt, answer, change; and a round of repair where an answer cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import Field, TypeAdapter, ValidationError

from peagen_handlers.calls import NO_ANSWER, SECOND_RUN, CallJob, Talk, opened, unreadable
from peagen_handlers.talking import Switchboard, switchboard
from peagen_ray.errors import MutationRejected, PeagenError, PromptRefused
from peagen_ray.evolution.answers import Rejected
from peagen_ray.evolution.moves import Move
from peagen_ray.evolution.mutators.base import Proposal
from peagen_ray.evolution.mutators.patch import PatchRequest, read
from peagen_ray.evolution.mutators.rounds import Answer, rounds
from peagen_ray.evolution.prompts import Inspiration
from peagen_ray.handler import TaskHandler, current
from peagen_ray.llm.base import FinishReason, LLMBackend, Prompt
from peagen_ray.llm.budget import Purse
from peagen_ray.llm.calling import Terms, ask
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.workload.fingerprint import fingerprint_of_any

MOVES: Final[Mapping[str, Move]] = {
    "patch": Move.DIFF,
    "rewrite": Move.REWRITE,
    "crossover": Move.CROSSOVER,
    "repair": Move.REPAIR,
}
"""The mutators that ask a model, and the move that each makes where the payload has no ``request``."""


class PatchJob(CallJob):
    """Payload: what to ask, beside whom, and what it may cost.

    Attributes:
        mutator: one of :data:`MOVES`.
        request: a :class:`~peagen_ray.evolution.mutators.patch.PatchRequest`; without one it is made of what follows.
        source, entry, seed, inspirations, goal: see :class:`~peagen_ray.evolution.mutators.base.MutationRequest`.
        exclude: fingerprints of programs that were judged already.
        prompt: the first prompt, where it was made before.
        templates: texts of templates that come before ours, by name.
        repair_rounds: how often an answer may be mended.
    """

    mutator: str
    request: dict[str, Any] | None = None
    source: str = ""
    entry: str = ""
    seed: int = 0
    inspirations: tuple[str, ...] = ()
    goal: str = ""
    exclude: frozenset[str] = frozenset()
    prompt: str = ""
    templates: dict[str, str] = Field(default_factory=dict)
    repair_rounds: int = Field(default=1, ge=0)

    def patch_request(self, scratch: Path) -> PatchRequest:
        """What is asked; templates are laid into ``scratch``.

        Raises:
            ValidationError: ``request`` is none.
        """
        if self.request is not None:
            request = _requests().validate_python(self.request)
        else:
            shown = tuple(Inspiration(text) for text in self.inspirations)
            move = MOVES[self.mutator]
            request = PatchRequest(
                self.source, self.entry, move, self.seed, shown, goal=self.goal, in_run=False
            )
        if not self.templates:
            return request
        directory = _laid_out(self.templates, scratch / "templates")
        return replace(request, settings=replace(request.settings, search_path=(directory,)))


@lru_cache(maxsize=1)
def _requests() -> TypeAdapter[PatchRequest]:
    return TypeAdapter(PatchRequest)


def _laid_out(templates: Mapping[str, str], directory: Path) -> Path:
    for name, text in templates.items():
        path = (directory / name).resolve()
        if not path.is_relative_to(directory.resolve()):
            raise MutationRejected("no site", f"template {name!r} lies outside")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


class PatchMutatorHandler(TaskHandler):
    """Serves the mutators that ask a language model. It waits for answers, and so takes no CPU slot meanwhile."""

    KIND: ClassVar[TaskKind] = TaskKind.MUTATE
    PROVIDES: ClassVar[frozenset[str]] = frozenset({"llm", "cpu"})
    SHARED: ClassVar[bool] = True
    WAITS: ClassVar[bool] = True

    def dispatch(self, task: Task) -> bool:
        """Tasks that name one of its mutators."""
        name = task.payload.get("mutator")
        return isinstance(name, str) and name in MOVES

    def handle(self, task: Task) -> Result:
        """Ask, and say what came of it.

        Returns:
            A proposal (``source``, ``operator``, ``fingerprint``); or ``rejected`` (why) and ``detail``; or, where
            nobody answered, ``reason`` (``llm``) and ``detail``. With each ``exchanges``, ``tokens``, ``usd``, and
            ``lost``, true where calls were made of which nothing is known.
        """
        talk = Talk()
        try:
            job = PatchJob.model_validate(task.payload)
            return talk.result(task, job, self._answer(task, job, talk))
        except ValidationError as error:
            return unreadable(task, error)
        except PeagenError as error:
            return Result.failure(task, str(error), retryable=False)

    def _answer(self, task: Task, job: PatchJob, talk: Talk) -> dict[str, Any]:
        if task.attempts > 1:
            return dict(SECOND_RUN)
        context = current()
        board = switchboard()
        try:
            request = job.patch_request(context.scratch)
            begun = board.begin(_conversation(job, request, board, talk, dict(context.environment)))
            with context.on_interrupt(begun.cancel):
                return _told(begun.result(), talk)
        except MutationRejected as error:
            return {"rejected": error.reason, "detail": error.detail}
        except CancelledError:
            talk.lost = True
            return {"reason": NO_ANSWER, "detail": "interrupted"}


async def _conversation(
    job: PatchJob, request: PatchRequest, board: Switchboard, talk: Talk, environment: Mapping[str, str]
) -> Proposal | Rejected | None:
    """Ask and read in rounds; what comes of it.

    Raises:
        MutationRejected: there is no prompt to make, or every back-end refuses it.
    """
    backends = opened(job.backends, board, talk, environment)
    talking = rounds(request, job.exclude, job.repair_rounds, job.prompt)
    purse, terms = job.purse(), job.terms()
    try:
        text = next(talking)
        while True:
            answer = await _answered(backends, Prompt(text), terms, purse, job, request, talk)
            text = talking.send(answer)
    except StopIteration as end:
        made: Proposal | Rejected | None = end.value
        return made


async def _answered(
    backends: list[LLMBackend],
    prompt: Prompt,
    terms: Terms,
    purse: Purse,
    job: PatchJob,
    request: PatchRequest,
    talk: Talk,
) -> Answer | None:
    """What was said, and what it makes of the parent; None if nobody answered.

    Raises:
        MutationRejected: the prompt is too long, or every back-end found fault with it.
    """
    made: dict[str, Proposal | Rejected] = {}

    def accepts(text: str) -> bool:
        made[text] = read(text, request, tried=job.exclude)
        return not isinstance(made[text], Rejected)

    try:
        asked = await ask(backends, prompt, terms, purse=purse, accepts=accepts)
    except PromptRefused as error:
        raise MutationRejected("too large", error.what) from error
    talk.exchanges += asked.exchanges
    said = asked.answer
    if said is None and asked.fault:
        raise MutationRejected("prompt refused", asked.fault)
    if said is None:
        return None
    finished = said.finish is not FinishReason.LENGTH
    return Answer(said.text, finished, made.get(said.text) if finished else None)


def _told(made: Proposal | Rejected | None, talk: Talk) -> dict[str, Any]:
    if made is None:
        return talk.silence()
    if isinstance(made, Rejected):
        return {"rejected": str(made.reason), "detail": made.detail}
    return {
        "source": made.source,
        "operator": made.operator,
        "fingerprint": fingerprint_of_any(made.source),
    }
