"""How a run's questions become tasks that ask a model, and what their Results mean to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from peagen_ray.evolution.events import Event
from peagen_ray.evolution.moves import Move
from peagen_ray.evolution.mutators.patch import PatchRequest, PatchSettings
from peagen_ray.evolution.mutators.rounds import request_of
from peagen_ray.evolution.questions import Mutate
from peagen_ray.llm.base import Prompt
from peagen_ray.llm.budget import NOTHING, Amount
from peagen_ray.llm.exchange import Exchange
from peagen_ray.llm.recording import Recording, Round
from peagen_ray.runtime.models import (
    Asking,
    Broke,
    Heard,
    Later,
    Models,
    credits_of,
    exchanges_of,
    leased,
    record,
)
from peagen_ray.runtime.tasks import TaskMaker, mutation_id
from peagen_ray.task import Result, Status, Task

NO_ANSWER = "llm"
"""The ``reason`` of a Result that says that nobody answered, so that the question is asked again later."""


@dataclass
class Consultation:
    """A question on its way to a model.

    Attributes:
        question: the question.
        request: what is asked.
        prompt: its first prompt.
        tries: how often it was sent off.
        asking: it as it was sent off; None while it waits.
        cost: what it was charged so far.
        backend: whose answer was kept; "" while none was.
    """

    question: Mutate
    request: PatchRequest
    prompt: Prompt
    tries: int = 0
    asking: Asking | None = None
    cost: Amount = field(default=NOTHING)
    backend: str = ""


class Consultant:
    """Sends questions to models. Used by one thread.

    Args:
        models: whom to ask, and what that may cost.
        recording: keeps what was asked and answered.
        tasks: makes the tasks.
        settings: how prompts are made.
        say: told when the run has to wait for models, and when it goes on.
    """

    def __init__(
        self,
        models: Models,
        recording: Recording,
        tasks: TaskMaker,
        settings: PatchSettings,
        say: Callable[[str], None],
    ) -> None:
        self._models = models
        self._recording = recording
        self._tasks = tasks
        self._settings = settings
        self._say = say
        self._waits_for = ""

    @staticmethod
    def wanted(question: Mutate) -> bool:
        """Whether the question is one for a model."""
        return question.briefing is not None and question.briefing.move is not Move.GENETIC

    def consultation(self, question: Mutate) -> Consultation:
        """A question, with its prompt.

        Raises:
            MutationRejected: there is no prompt to make of it.
            ConfigError: a template is missing or broken.
        """
        tasks = self._tasks
        request = request_of(question, tasks.subject.entry, tasks.goal, self._settings, tasks.told_metric)
        return Consultation(question, request, self._models.prompt(request))

    def send(self, about: Consultation, now: float) -> tuple[Task, Event] | Later | Broke:
        """The task, and what must be on disk before it leaves; or why there is none."""
        question = about.question
        name = self._name(question, about.tries)
        asked = self._models.ask(name, about.prompt, about.request, question.exclude)
        if isinstance(asked, Later):
            self._must_wait(asked.why)
        if not isinstance(asked, Asking):
            return asked
        about.tries += 1
        about.asking = asked
        worst = about.cost + asked.lease.amount
        return self._tasks.consult(name, asked.payload), leased(question.n, question.epoch, now, worst)

    def heard(self, about: Consultation, result: Result) -> bool:
        """Take in a Result, and write down what was said. False if the question is to be asked again."""
        known = exchanges_of(result.data)
        lost = known is None or bool(result.data.get("lost"))
        record(self._recording, self._name(about.question, 0), known or ())
        self._settle(about, known or (), lost=lost, attempts=result.attempts)
        answered = result.status is not Status.OK or result.data.get("reason") != NO_ANSWER
        if about.backend and self._waits_for:
            self._waits_for = ""
            self._say("a language model answers again")
        return answered

    def sync(self) -> None:
        """Return when all that was said so far is on disk, so that the ledger may build on it; raises LedgerError."""
        self._recording.sync()

    def forfeit(self, about: Consultation) -> None:
        """Nobody waits for its answer any more: all that it may cost counts as spent."""
        if about.asking is not None:
            self._settle(about, (), lost=True, attempts=1)

    def remember(self, ledger: Iterable[Event], rounds: Iterable[Round]) -> None:
        """Take up what back-ends have gained in earlier lives of the run, from what is on disk."""
        for backend, gain, usd in credits_of(ledger, rounds, partial(mutation_id, self._tasks)):
            self._models.credit(backend, gain, usd)

    def credit(self, about: Consultation, gain: float) -> None:
        """Say what its candidate gained over its parent, in fitness."""
        self._models.credit(about.backend, gain, about.cost.usd)

    def _settle(self, about: Consultation, calls: tuple[Exchange, ...], *, lost: bool, attempts: int) -> None:
        assert about.asking is not None
        heard: Heard = self._models.heard(about.asking, calls, lost=lost, attempts=attempts)
        about.asking = None
        about.cost += heard.cost
        about.backend = heard.backend

    def _must_wait(self, why: str) -> None:
        if why and why != self._waits_for:
            if not self._waits_for:
                self._say(f"waiting for {why}")
            self._waits_for = why

    def _name(self, question: Mutate, tries: int) -> str:
        return mutation_id(self._tasks, question.epoch, question.n, tries)
