"""Execute: run a candidate in a sandbox and measure it against the original."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from peagen_ray.errors import UsageError
from peagen_ray.handler import TaskHandler
from peagen_ray.plugins import load
from peagen_ray.sandbox.base import GuestLimits, Sandbox
from peagen_ray.sandbox.measure import FAMILIES, Verdict, confirm, screen
from peagen_ray.sandbox.reference import Facts, Reference, Subject, prepare
from peagen_ray.task import Result, Task, TaskKind


class _Job(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    subject: Subject
    reference: Path
    seed: int = 0
    limits: GuestLimits = GuestLimits()


class PrepareJob(_Job):
    """Payload of ``mode = "prepare"``: run the original, write the reference file.

    Attributes:
        known: what the run measured before, when only the file is missing.
    """

    known: Facts | None = None


class MeasureJob(_Job):
    """Payload of ``mode = "screen"`` and ``"confirm"``.

    Attributes:
        source: the candidate.
        rival: the ratio to rank it against (screening).
        fresh: inputs of many sizes on which outputs are compared (confirmation).
        precision: relative half-width to reach (confirmation).
        most_s: CPU seconds to spend on reaching it (confirmation).
        families: interpreters that have to agree (confirmation).
        evaluator: who scores the outcome.
    """

    source: str
    rival: float | None = None
    fresh: int = Field(default=0, ge=0)
    precision: float = Field(default=0.01, gt=0)
    most_s: float = Field(default=5.0, gt=0)
    families: int = Field(default=FAMILIES, ge=3, le=20)
    evaluator: str = "speed"


def evaluate_id(execute_id: str) -> str:
    """The id of the Evaluate task that an Execute task spawns: the same whenever the task runs again."""
    return hashlib.blake2b(f"{execute_id}/evaluate".encode(), digest_size=16).hexdigest()


class ExecuteProcessHandler(TaskHandler):
    """Measures candidates in processes of this machine: no container engine, nothing to install."""

    KIND: ClassVar[TaskKind] = TaskKind.EXECUTE
    PROVIDES: ClassVar[frozenset[str]] = frozenset({"cpu"})
    SANDBOXES: ClassVar[frozenset[str]] = frozenset({"process", "cpu"})

    def dispatch(self, task: Task) -> bool:
        """Tasks that name no sandbox, or this one (``cpu`` is what ``--backend`` calls it)."""
        return task.payload.get("sandbox", "process") in self.SANDBOXES

    def handle(self, task: Task) -> Result:
        """Do the job that ``payload["mode"]`` names."""
        mode = task.payload.get("mode")
        try:
            if mode == "prepare":
                return self._prepare(task, PrepareJob.model_validate(task.payload))
            if mode in {"screen", "confirm"}:
                return self._measure(task, MeasureJob.model_validate(task.payload), final=mode == "confirm")
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            return Result.failure(task, f"payload.{where}: {first['msg']}", retryable=False)
        except UsageError as error:
            facts = {"type": type(error).__name__, "what": error.what}
            facts |= {"subject": error.subject, "hint": error.hint}
            return Result.failure(task, str(error), retryable=False, error=facts)
        msg = f"payload.mode: {mode!r} is none of prepare, screen, confirm"
        return Result.failure(task, msg, retryable=False)

    def sandbox(self) -> Sandbox:
        """What guests run in."""
        made: Sandbox = load("peagen.sandboxes", "process")()
        return made

    def _prepare(self, task: Task, job: PrepareJob) -> Result:
        reference = prepare(job.subject, self.sandbox(), job.limits, job.seed, job.known)
        part = job.reference.with_suffix(".part")
        part.write_bytes(reference.to_bytes())
        part.replace(job.reference)
        return Result.success(task, reference.facts())

    def _measure(self, task: Task, job: MeasureJob, *, final: bool) -> Result:
        reference = Reference.from_bytes(job.reference.read_bytes())
        if final:
            verdict = self._confirm(job, reference)
        else:
            verdict = screen(self.sandbox(), job.limits, job.subject, reference, job.source, rival=job.rival)
        payload: dict[str, Any] = {
            "verdict": verdict.to_data(),
            "reference_ms": reference.reference_ms,
            "evaluator": job.evaluator,
        }
        follow_up = Task(kind=TaskKind.EVALUATE, id=evaluate_id(task.id), payload=payload)
        spawn = [follow_up.model_dump(mode="json")]
        return Result.success(task, {"outcome": verdict.outcome, "evaluate": follow_up.id, "spawn": spawn})

    def _confirm(self, job: MeasureJob, reference: Reference) -> Verdict:
        return confirm(
            self.sandbox(),
            job.limits,
            job.subject,
            reference,
            job.source,
            seed=job.seed,
            precision=job.precision,
            most_s=job.most_s,
            fresh=job.fresh,
            families=job.families,
        )
