"""The tasks of a run: what each asks for, under an id that is the same whenever it is asked again."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final

from peagen_ray.about import KEY, About
from peagen_ray.evolution.mutators.rounds import SPEED
from peagen_ray.runtime.evaluation import Evaluation
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.reference import Subject
from peagen_ray.task import Task, TaskKind

GRACE_S: Final = 60.0
"""Seconds that a measuring task may take beside what its guests may: starting them, the original's time."""

BUSY: Final = 4.0
"""Seconds that one second of CPU may take on a machine that is busy with other things."""

LLM_TAGS: Final = frozenset({"llm"})
"""What a worker must offer for a task that asks a model: this tag alone, so that workers claim such tasks apart."""

SCORE: Final = "score"
"""What models are told that an evaluator's fitness is called."""

SEED_BITS: Final = 53
"""Of a seed: a JSON reader of any language holds them exactly."""


class Stage(StrEnum):
    """How far a question has come."""

    MUTATE = "mutate"
    EXECUTE = "execute"
    EVALUATE = "evaluate"


def task_id(run_id: str, *parts: object) -> str:
    """A task id made from the run and what is asked."""
    text = "/".join([run_id, *map(str, parts)])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class TaskMaker:
    """Makes the tasks of one run.

    Attributes:
        run_id: the run, part of every task's id.
        subject: what is improved.
        reference: the file with what the original does; None where workers share no files with the run.
        limits: what a guest may use.
        sandbox: execution sandbox tag, or a sandbox's name.
        profile: what candidates may do beside computing.
        container: what a task may say of its container: ``image`` and ``gpus``.
        mutator: name of the mutator.
        temperature: how far from its parent a mutation may go.
        goal: a sentence of the person's own.
        secret: hexadecimal digits that no candidate and no prompt ever sees; by default fresh ones.
        metric: what is measured, see ``[evaluate]``.
        prepared: from what a worker makes the reference again: the ``seed`` of the inputs, and what is
            ``known`` of the original.
        requires: tags that a worker must offer, by kind of task.
        hot: whether candidates are to be looked at line by line, since somebody is told of it.
        evaluation: somebody's own evaluator, which judges candidates; None where speed is measured.
        bundle: the file with its files; None where workers share no files with the run.
        artifact_chars: of each of a program's artifacts, what models are told.
        trace: the run's own span, as a ``traceparent``.
        trace_of: the span of a question as a ``traceparent``, given its life of the run, its number and the candidate.
    """

    run_id: str
    subject: Subject
    reference: Path | None
    limits: GuestLimits
    sandbox: str
    profile: str
    container: Mapping[str, Any]
    mutator: str
    temperature: float
    goal: str
    secret: str = field(default_factory=partial(secrets.token_hex, 32))
    metric: str = "speed_ms"
    prepared: Mapping[str, Any] | None = None
    requires: Mapping[TaskKind, frozenset[str]] = field(default_factory=dict)
    hot: bool = False
    evaluation: Evaluation | None = None
    bundle: Path | None = None
    artifact_chars: int = 0
    trace: str = ""
    trace_of: Callable[[int, int, int], str] = lambda _epoch, _n, _candidate: ""

    @property
    def told_metric(self) -> str:
        """What models are told about."""
        return SPEED if self.evaluation is None else SCORE

    def id_of(self, *parts: object) -> str:
        """A task id made from the run and what is asked."""
        return task_id(self.run_id, *parts)

    def secret_seed(self, *parts: object) -> int:
        """A seed that is the same whenever the same is asked, and that nobody can know without the secret."""
        text = "/".join(map(str, parts))
        digest = hashlib.blake2b(text.encode(), key=bytes.fromhex(self.secret), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> (64 - SEED_BITS)

    def prepare(self, seed: int, known: Mapping[str, Any] | None = None) -> Task:
        """Run and time the original; with what is ``known`` of it, only make the reference file again."""
        return self._execute(self.id_of("prepare"), {"mode": "prepare", "seed": seed, "known": known})

    def mutate(
        self,
        key: Sequence[object],
        source: str,
        *,
        seed: int,
        inspirations: Sequence[str],
        weights: Mapping[str, float],
        exclude: Sequence[str],
        mutator: str = "",
    ) -> Task:
        """Propose a change to ``source``, with the run's mutator or another one."""
        payload = {
            "source": source,
            "entry": self.subject.entry,
            "seed": seed,
            "inspirations": list(inspirations),
            "weights": dict(weights),
            "exclude": list(exclude),
            "mutator": mutator or self.mutator,
            "temperature": self.temperature,
            "goal": self.goal,
        }
        return self._task(TaskKind.MUTATE, self.id_of(*key, Stage.MUTATE), payload)

    def consult(self, name: str, payload: Mapping[str, Any]) -> Task:
        """Have a model propose a change; see :class:`peagen_ray.runtime.models.Asking`."""
        return Task(kind=TaskKind.MUTATE, id=name, payload=dict(payload), requires=LLM_TAGS)

    def screen(self, key: Sequence[object], source: str, *, rival: float | None) -> Task:
        """Check and rank a candidate; ``rival`` is the ratio, or the fitness, that it has to beat."""
        if self.evaluation is not None:
            return self.evaluate(key, source, self.evaluation, rival=rival, bundle=self.bundle)
        payload = {"mode": "screen", "source": source, "rival": rival, "hot": self.hot}
        return self._execute(self.id_of(*key, Stage.EXECUTE), payload)

    def evaluate(
        self,
        key: Sequence[object],
        source: str,
        evaluation: Evaluation,
        *,
        rival: float | None = None,
        bundle: Path | None = None,
    ) -> Task:
        """Have an evaluator judge a candidate; raises UsageError where its files are too many to travel with it."""
        payload = {
            **evaluation.payload(bundle),
            "source": source,
            "rival": rival,
            "sandbox": self.sandbox,
            "container": dict(self.container),
            "timeout": GRACE_S + evaluation.timeout_s * evaluation.repeats,
        }
        return self._task(TaskKind.EXECUTE, self.id_of(*key, Stage.EXECUTE), payload)

    def confirm(
        self,
        key: Sequence[object],
        source: str,
        *,
        seed: int,
        fresh: int,
        precision: float,
        most_s: float,
        families: int,
    ) -> Task:
        """Measure a candidate in lock step with the original, on inputs that nobody has seen."""
        payload = {"mode": "confirm", "source": source, "seed": seed, "fresh": fresh}
        payload |= {"precision": precision, "most_s": most_s, "families": families}
        payload |= {"timeout": GRACE_S + self.limits.cpu_s + BUSY * most_s}
        return self._execute(self.id_of(*key, Stage.EXECUTE), payload)

    def _execute(self, task_id: str, payload: dict[str, Any]) -> Task:
        common = {
            "subject": asdict(self.subject),
            "reference": str(self.reference) if self.reference else None,
            "prepared": self.prepared,
            "limits": asdict(self.limits),
            "sandbox": self.sandbox,
            "metric": self.metric,
            "profile": self.profile,
            "container": dict(self.container),
            "timeout": GRACE_S + self.limits.cpu_s,
        }
        return self._task(TaskKind.EXECUTE, task_id, {**common, **payload})

    def _task(self, kind: TaskKind, task_id: str, payload: dict[str, Any]) -> Task:
        said = {**payload, KEY: About(self.run_id, trace=self.trace).to_data()}
        return Task(kind=kind, id=task_id, payload=said, requires=self.requires.get(kind, frozenset()))

    def about(self, task: Task, epoch: int, n: int, candidate: int) -> Task:
        """The task, which says that it helps to answer question ``n`` of a life of the run, about that candidate."""
        about = About(self.run_id, candidate, self.trace_of(epoch, n, candidate))
        return task.model_copy(update={"payload": {**task.payload, KEY: about.to_data()}})


def mutation_id(tasks: TaskMaker, epoch: int, n: int, tries: int = 0) -> str:
    """The id of the task that mutates for a question, asked of a model for the ``tries``-th time, from 0."""
    return tasks.id_of(epoch, n, Stage.MUTATE, *([tries] if tries else []))
