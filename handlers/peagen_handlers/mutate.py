"""Mutate: propose a change to a program with a mutator that needs no model."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from peagen_ray.errors import MutationRejected, PeagenError
from peagen_ray.evolution.mutators.base import MutationRequest, Mutator
from peagen_ray.evolution.mutators.genetic import GeneticMutator
from peagen_ray.handler import TaskHandler
from peagen_ray.plugins import Group, load, names
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.workload.fingerprint import fingerprint

_OWN_NAMES = frozenset({None, "auto", GeneticMutator.NAME})
_PROMPTING = frozenset({"patch", "rewrite", "crossover", "repair"})
"""Mutators that ask a model; another handler serves them."""


_PARSING = threading.Lock()
"""Held by whoever proposes in a process that others propose in, too."""


class MutateJob(BaseModel):
    """Payload: a :class:`~peagen_ray.evolution.mutators.base.MutationRequest`, and who is to answer it.

    Attributes:
        mutator: a name registered in ``peagen.mutators``; ``genetic`` when left out.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    source: str
    entry: str = ""
    seed: int = 0
    inspirations: tuple[str, ...] = ()
    weights: dict[str, float] = Field(default_factory=dict)
    exclude: frozenset[str] = frozenset()
    goal: str = ""
    temperature: float = Field(default=0.7, ge=0, le=2)
    mutator: str | None = None

    def request(self) -> MutationRequest:
        """What the mutator is given."""
        return MutationRequest(
            source=self.source,
            entry=self.entry,
            seed=self.seed,
            inspirations=self.inspirations,
            weights=self.weights,
            exclude=self.exclude,
            goal=self.goal,
            temperature=self.temperature,
        )


class PluginMutatorHandler(TaskHandler):
    """Serves every registered mutator that asks no model, each task in a process of its own."""

    KIND: ClassVar[TaskKind] = TaskKind.MUTATE
    PROVIDES: ClassVar[frozenset[str]] = frozenset({"cpu"})

    def dispatch(self, task: Task) -> bool:
        """Tasks that name a mutator of another wheel."""
        name = task.payload.get("mutator")
        return isinstance(name, str) and name not in _OWN_NAMES | _PROMPTING and name in names(Group.MUTATORS)

    def handle(self, task: Task) -> Result:
        """A proposal (``source``, ``operator``, ``fingerprint``), or ``rejected`` (why) and ``detail``."""
        try:
            job = MutateJob.model_validate(task.payload)
            proposal = self.mutator(job).propose(job.request())
            known = fingerprint(proposal.source)
        except MutationRejected as error:
            return Result.success(task, {"rejected": error.reason, "detail": error.detail})
        except SyntaxError as error:
            return Result.success(task, {"rejected": "syntax", "detail": str(error)})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            return Result.failure(task, f"payload.{where}: {first['msg']}", retryable=False)
        except PeagenError as error:
            return Result.failure(task, str(error), retryable=False, error=_facts(error))
        data = {"source": proposal.source, "operator": proposal.operator, "fingerprint": known}
        return Result.success(task, data)

    def mutator(self, job: MutateJob) -> Mutator:
        """The mutator that the payload names."""
        made: Mutator = load(Group.MUTATORS, str(job.mutator))()
        return made


class GeneticMutatorHandler(PluginMutatorHandler):
    """Serves our own offline mutator, which edits syntax trees and runs nothing: it needs no own process."""

    SHARED: ClassVar[bool] = True

    def handle(self, task: Task) -> Result:
        """As for any mutator, one at a time: threads that parse at once disturb each other in CPython 3.11.

        Its ``ast`` counts how deep it is for all threads together, and raises SystemError where they mix: an operator
        would lose its turn, and a replay, which has one thread, propose something else.
        """
        with _PARSING:
            return super().handle(task)

    def dispatch(self, task: Task) -> bool:
        """Tasks that name no mutator, or ours; and those whose name is none, to say so."""
        name = task.payload.get("mutator")
        return name in _OWN_NAMES if name is None or isinstance(name, str) else True

    def mutator(self, job: MutateJob) -> Mutator:  # noqa: ARG002
        """Ours."""
        return GeneticMutator()


def _facts(error: PeagenError) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "what": error.what,
        "subject": error.subject,
        "hint": error.hint,
    }
