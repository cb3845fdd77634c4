"""Generate: have a language model write a file; the prompt is made, and the file written, by the producer."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import CancelledError
from typing import Any, ClassVar, Literal

from pydantic import ValidationError

from peagen_handlers.calls import NO_ANSWER, SECOND_RUN, CallJob, Talk, opened, unreadable
from peagen_handlers.talking import Switchboard, switchboard
from peagen_ray.errors import PeagenError, PromptRefused
from peagen_ray.handler import TaskHandler, current
from peagen_ray.llm.base import FinishReason, Prompt
from peagen_ray.llm.calling import ask
from peagen_ray.task import Result, Task, TaskKind


class GenerateJob(CallJob):
    """Payload.

    Attributes:
        generate: the version of this form.
        prompt: what is asked.
    """

    generate: Literal[1] = 1
    prompt: str


class GenerateHandler(TaskHandler):
    """Has a language model answer a prompt. It waits for answers, and so takes no CPU slot meanwhile."""

    KIND: ClassVar[TaskKind] = TaskKind.RENDER
    PROVIDES: ClassVar[frozenset[str]] = frozenset({"llm", "cpu"})
    SHARED: ClassVar[bool] = True
    WAITS: ClassVar[bool] = True

    def dispatch(self, task: Task) -> bool:
        """Tasks of our own form, whatever its version."""
        return "generate" in task.payload

    def handle(self, task: Task) -> Result:
        """Ask, and say what came of it.

        Returns:
            ``text``, the answer; or ``rejected``, why there is none that is of use; or, where nobody answered,
            ``reason`` (``llm``) and ``detail``. With each what the calls cost, see :meth:`Talk.result`.
        """
        talk = Talk()
        try:
            job = GenerateJob.model_validate(task.payload)
            return talk.result(task, job, self._answer(task, job, talk))
        except ValidationError as error:
            return unreadable(task, error)
        except PeagenError as error:
            return Result.failure(task, str(error), retryable=False)

    def _answer(self, task: Task, job: GenerateJob, talk: Talk) -> Mapping[str, Any]:
        if task.attempts > 1:
            return SECOND_RUN
        context = current()
        board = switchboard()
        begun = board.begin(_answered(job, board, talk, dict(context.environment)))
        try:
            with context.on_interrupt(begun.cancel):
                return begun.result()
        except PromptRefused as error:
            return {"rejected": error.what}
        except CancelledError:
            talk.lost = True
            return {"reason": NO_ANSWER, "detail": "interrupted"}


async def _answered(
    job: GenerateJob, board: Switchboard, talk: Talk, environment: Mapping[str, str]
) -> Mapping[str, Any]:
    """What was said; raises PromptRefused if the prompt is too long."""
    backends = opened(job.backends, board, talk, environment)
    asked = await ask(backends, Prompt(job.prompt), job.terms(), purse=job.purse(), accepts=_has_text)
    talk.exchanges += asked.exchanges
    said = asked.answer
    if said is None and asked.fault:
        return {"rejected": asked.fault}
    if said is None:
        return talk.silence()
    if said.finish is FinishReason.LENGTH:
        return {"rejected": f"the answer was cut off at {job.max_tokens} tokens; raise [mutate] max_tokens"}
    if said.finish is FinishReason.REFUSAL or not _has_text(said.text):
        return {"rejected": f"{said.backend} declined, or answered nothing"}
    return {"text": said.text}


def _has_text(text: str) -> bool:
    return bool(text.strip())
