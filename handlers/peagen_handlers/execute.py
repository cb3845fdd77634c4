"""Execute: run a candidate in a sandbox and measure it against the original."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from peagen_ray.errors import SandboxUnavailable, UsageError
from peagen_ray.handler import TaskHandler
from peagen_ray.plugins import Group, load, names
from peagen_ray.sandbox import instructions
from peagen_ray.sandbox.base import GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.confinement import confinement_of
from peagen_ray.sandbox.container import Container
from peagen_ray.sandbox.measure import FAMILIES, Verdict, confirm, screen
from peagen_ray.sandbox.reference import Facts, Reference, Subject, prepare
from peagen_ray.task import Result, Task, TaskKind

_BUILT_IN: Final = frozenset({"process", "cpu", "bubblewrap", "docker", "container", "gpu"})
"""What ``payload["sandbox"]`` may say that is none of another wheel's."""

_OTHER_NAMES: Final = {"cpu": "process"}
"""What ``--backend`` calls a sandbox."""


class ContainerJob(BaseModel):
    """What a task may say of its container; the engine and what is mounted are the worker's own.

    Attributes:
        image: an image that is there already; by default the worker's.
        gpus: GPUs to use, as the engine names them, where the task is for a GPU.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: str = ""
    gpus: str = "all"


class _Job(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    subject: Subject
    reference: Path
    seed: int = 0
    limits: GuestLimits = GuestLimits()
    sandbox: str = "process"
    profile: Profile = Profile.PURE
    metric: Literal["speed_ms", "instructions"] = "speed_ms"
    container: ContainerJob = ContainerJob()


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
    """Measures candidates in processes of this machine: no container engine, nothing to install.

    Attributes:
        SANDBOXES: what ``payload["sandbox"]`` may say; ``--backend`` does.
    """

    KIND: ClassVar[TaskKind] = TaskKind.EXECUTE
    PROVIDES: ClassVar[frozenset[str]] = frozenset({"cpu"})
    SANDBOXES: ClassVar[frozenset[str]] = frozenset({"process", "cpu", "bubblewrap"})

    def dispatch(self, task: Task) -> bool:
        """Tasks that name one of its sandboxes, that of another wheel, or none."""
        wanted = str(task.payload.get("sandbox", "process"))
        return wanted in self.SANDBOXES or (wanted not in _BUILT_IN and wanted in names(Group.SANDBOXES))

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
        except (UsageError, SandboxUnavailable) as error:
            facts = {"type": type(error).__name__, "what": error.what}
            facts |= {"subject": error.subject, "hint": error.hint}
            return Result.failure(task, str(error), retryable=False, error=facts)
        msg = f"payload.mode: {mode!r} is none of prepare, screen, confirm"
        return Result.failure(task, msg, retryable=False)

    def sandbox(self, job: _Job) -> Sandbox:
        """What guests run in.

        Raises:
            SandboxUnavailable: what that takes is not installed.
            UsageError: speed cannot be measured in that profile.
        """
        return _made(_OTHER_NAMES.get(job.sandbox, job.sandbox), _checked(job.profile))

    def _prepare(self, task: Task, job: PrepareJob) -> Result:
        reference = prepare(job.subject, self.sandbox(job), job.limits, job.seed, job.known)
        if job.metric == "instructions":
            reference = instructions.prepare(reference, self._counter(job))
        part = job.reference.with_suffix(".part")
        part.write_bytes(reference.to_bytes())
        part.replace(job.reference)
        return Result.success(task, reference.facts())

    def _measure(self, task: Task, job: MeasureJob, *, final: bool) -> Result:
        reference = Reference.from_bytes(job.reference.read_bytes())
        if job.metric == "instructions":
            verdict = self._count(job, reference, final=final)
        elif final:
            verdict = self._confirm(job, reference)
        else:
            verdict = screen(
                self.sandbox(job), job.limits, job.subject, reference, job.source, rival=job.rival
            )
        payload: dict[str, Any] = {
            "verdict": verdict.to_data(),
            "reference_ms": reference.reference_ms,
            "evaluator": job.evaluator,
        }
        follow_up = Task(kind=TaskKind.EVALUATE, id=evaluate_id(task.id), payload=payload)
        spawn = [follow_up.model_dump(mode="json")]
        kept = {"sandbox": job.sandbox, "layers": list(verdict.layers)}
        return Result.success(
            task, {"outcome": verdict.outcome, "evaluate": follow_up.id, "spawn": spawn, **kept}
        )

    def _confirm(self, job: MeasureJob, reference: Reference) -> Verdict:
        return confirm(
            self.sandbox(job),
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

    def _count(self, job: MeasureJob, reference: Reference, *, final: bool) -> Verdict:
        counter = self._counter(job)
        if not reference.counted:  # it was prepared for another metric
            reference = instructions.prepare(reference, counter)
        what = (counter, self.sandbox(job), job.limits, job.subject, reference, job.source)
        return (
            instructions.confirm(*what, seed=job.seed, fresh=job.fresh)
            if final
            else instructions.screen(*what)
        )

    def _counter(self, job: _Job) -> instructions.Counter:
        """What counts instructions; raises UsageError where the sandbox is another than ``process``."""
        if _OTHER_NAMES.get(job.sandbox, job.sandbox) != "process":
            raise UsageError(
                "instructions are counted on this machine, within the sandbox process",
                subject=f"sandbox {job.sandbox}",
                hint='use --backend cpu, or metric = "speed_ms"',
            )
        return instructions.Counter(job.subject, job.limits)


class ExecuteDockerHandler(ExecuteProcessHandler):
    """Measures candidates in containers of a Docker-compatible engine."""

    PROVIDES: ClassVar[frozenset[str]] = frozenset({"docker", "cpu"})
    SANDBOXES: ClassVar[frozenset[str]] = frozenset({"docker", "container"})

    def dispatch(self, task: Task) -> bool:
        """Tasks that name one of its sandboxes."""
        return task.payload.get("sandbox") in list(self.SANDBOXES)

    def sandbox(self, job: _Job) -> Sandbox:
        """See :meth:`ExecuteProcessHandler.sandbox`."""
        return _made(
            "container",
            _checked(job.profile),
            container=Container.of(confinement_of(None), job.container.image),
        )


class ExecuteGPUHandler(ExecuteDockerHandler):
    """Measures candidates in containers that have GPUs: containment only, and slower to start."""

    PROVIDES: ClassVar[frozenset[str]] = frozenset({"docker", "gpu", "cuda11/12"})
    SANDBOXES: ClassVar[frozenset[str]] = frozenset({"gpu"})

    def sandbox(self, job: _Job) -> Sandbox:
        """See :meth:`ExecuteProcessHandler.sandbox`."""
        container = Container.of(confinement_of(None), job.container.image, job.container.gpus)
        return _made("container", Profile.GPU, container=container)


def _made(name: str, profile: Profile, **options: Any) -> Sandbox:
    sandbox: Sandbox = load(Group.SANDBOXES, name)(**options)
    sandbox.profile = profile
    return sandbox


def _checked(profile: Profile) -> Profile:
    """The profile, if speed can be measured in it.

    Raises:
        UsageError: processes of a candidate's own would work outside of the clock that is read.
    """
    if profile.forks:
        raise UsageError(
            "speed is the CPU time of one process, which such a candidate could leave",
            subject=f"profile {profile}",
            hint="use pure or threads",
        )
    return profile
