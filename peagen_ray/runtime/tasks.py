"""The tasks of a run: what each asks for, under an id that is the same whenever it is asked again."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final

from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.reference import Subject
from peagen_ray.task import Task, TaskKind

GRACE_S: Final = 60.0
"""Seconds that a measuring task may take beside what its guests may: starting them, the original's time."""


SEED_BITS: Final = 53
"""Of a seed: a JSON reader of any language holds them exactly."""


class Stage(StrEnum):
    """How far a question has come."""

    MUTATE = "mutate"
    EXECUTE = "execute"
    EVALUATE = "evaluate"


@dataclass(frozen=True)
class TaskMaker:
    """Makes the tasks of one run.

    Attributes:
        run_id: the run, part of every task's id.
        subject: what is improved.
        reference: the file with what the original does.
        limits: what a guest may use.
        sandbox: execution sandbox tag, or a sandbox's name.
        profile: what candidates may do beside computing.
        container: what a task may say of its container: ``image`` and ``gpus``.
        mutator: name of the mutator.
        temperature: how far from its parent a mutation may go.
        goal: a sentence of the person's own.
        secret: hexadecimal digits that no candidate and no prompt ever sees; by default fresh ones.
        metric: what is measured, see ``[evaluate]``.
    """

    run_id: str
    subject: Subject
    reference: Path
    limits: GuestLimits
    sandbox: str
    profile: str
    container: Mapping[str, Any]
    mutator: str
    temperature: float
    goal: str
    secret: str = field(default_factory=partial(secrets.token_hex, 32))
    metric: str = "speed_ms"

    def id_of(self, *parts: object) -> str:
        """A task id made from the run and what is asked."""
        text = "/".join([self.run_id, *map(str, parts)])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

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
    ) -> Task:
        """Propose a change to ``source``."""
        payload = {
            "source": source,
            "entry": self.subject.entry,
            "seed": seed,
            "inspirations": list(inspirations),
            "weights": dict(weights),
            "exclude": list(exclude),
            "mutator": self.mutator,
            "temperature": self.temperature,
            "goal": self.goal,
        }
        return Task(kind=TaskKind.MUTATE, id=self.id_of(*key, Stage.MUTATE), payload=payload)

    def screen(self, key: Sequence[object], source: str, *, rival: float | None) -> Task:
        """Check and rank a candidate."""
        return self._execute(
            self.id_of(*key, Stage.EXECUTE), {"mode": "screen", "source": source, "rival": rival}
        )

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
        return self._execute(self.id_of(*key, Stage.EXECUTE), payload)

    def _execute(self, task_id: str, payload: dict[str, Any]) -> Task:
        common = {
            "subject": asdict(self.subject),
            "reference": str(self.reference),
            "limits": asdict(self.limits),
            "sandbox": self.sandbox,
            "metric": self.metric,
            "profile": self.profile,
            "container": dict(self.container),
            "timeout": GRACE_S + self.limits.cpu_s,
        }
        return Task(kind=TaskKind.EXECUTE, id=task_id, payload={**common, **payload})
