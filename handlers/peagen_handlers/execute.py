"""Execute: run a candidate in a sandbox and measure it against the original."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from peagen_handlers.evaluators import OWN
from peagen_ray.errors import SandboxUnavailable, UsageError
from peagen_ray.evolution.evaluator import Evaluator
from peagen_ray.handler import TaskHandler, current
from peagen_ray.plugins import Group, load, names
from peagen_ray.sandbox import instructions
from peagen_ray.sandbox.base import GuestLimits, Profile, Sandbox
from peagen_ray.sandbox.confinement import confinement_of
from peagen_ray.sandbox.container import Container
from peagen_ray.sandbox.evaluation import Assignment, Covering, Evaluated, evaluate
from peagen_ray.sandbox.keeping import References, key_of
from peagen_ray.sandbox.measure import FAMILIES, Verdict, confirm, screen
from peagen_ray.sandbox.reference import Facts, Reference, Subject, prepare
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.workload.files import split

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


class Prepared(BaseModel):
    """From what a worker makes the reference again.

    Attributes:
        seed: of the inputs.
        known: what the run measured.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    seed: int
    known: Facts


class _Job(BaseModel):
    """What every payload says.

    Attributes:
        reference: the reference file; None where workers share no files, and each keeps its own.
        prepared: what a worker that has no reference makes it from.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    subject: Subject
    reference: Path | None
    prepared: Prepared | None = None
    seed: int = 0
    limits: GuestLimits = GuestLimits()
    sandbox: str = "process"
    profile: Profile = Profile.PURE
    metric: Literal["speed_ms", "instructions"] = "speed_ms"
    container: ContainerJob = ContainerJob()


class PrepareJob(_Job):
    """Payload of ``mode = "prepare"``: run the original, keep the reference.

    Attributes:
        known: what the run measured before, when only the file is missing.
    """

    known: Facts | None = None


class MeasureJob(_Job):
    """Payload of ``mode = "screen"`` and ``"confirm"``.

    Attributes:
        source: the candidate.
        rival: the ratio to rank it against (screening).
        hot: find its hot lines too (screening).
        fresh: inputs of many sizes on which outputs are compared (confirmation).
        precision: relative half-width to reach (confirmation).
        most_s: CPU seconds to spend on reaching it (confirmation).
        families: interpreters that have to agree (confirmation).
        evaluator: who scores the outcome.
    """

    source: str
    rival: float | None = None
    hot: bool = False
    fresh: int = Field(default=0, ge=0)
    precision: float = Field(default=0.01, gt=0)
    most_s: float = Field(default=5.0, gt=0)
    families: int = Field(default=FAMILIES, ge=3, le=20)
    evaluator: str = "speed"


class EvaluateJob(BaseModel):
    """Payload of ``mode = "evaluate"``: have somebody's own evaluator judge a candidate.

    Attributes:
        evaluator: a name registered in ``peagen.evaluators``, of one that has a convention.
        options: the convention's own.
        source: the candidate; several files are one text, see :mod:`peagen_ray.workload.files`.
        main: the name of its main file.
        names: the names of all its files.
        bundle: the file with the evaluator's files; None where workers share no files.
        content: these files in base 64, where there is no such file.
        digest: SHA-256 of them, in hexadecimal digits.
        timeout_s: wall time of one evaluation.
        repeats: evaluations at most.
        rival: the fitness to beat; a mean that is surely below it is not made surer.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    evaluator: str
    options: dict[str, Any] = Field(default_factory=dict)
    source: str
    main: str = "program.py"
    names: tuple[str, ...] = ()
    bundle: Path | None = None
    content: str = ""
    digest: str
    timeout_s: float = Field(default=300.0, gt=0)
    repeats: int = Field(default=1, ge=1)
    rival: float | None = None
    limits: GuestLimits = GuestLimits()
    sandbox: str = "process"
    profile: Profile = Profile.TREE
    container: ContainerJob = ContainerJob()

    def assignment(self) -> Assignment:
        """What the guest is given.

        Raises:
            UsageError: the evaluator has no convention, or its files are not what they were.
            ValueError: the candidate's files are not those of the program.
        """
        found: type[Evaluator] = load(Group.EVALUATORS, self.evaluator)
        if not found.CONVENTION:
            raise UsageError("judges no program by itself", subject=f"evaluator {self.evaluator}")
        files = split(self.source, self.main)
        missing = set(self.names) ^ set(files) if self.names else set()
        if missing:
            msg = f"its files are not those of the program: {', '.join(sorted(missing))}"
            raise ValueError(msg)
        return Assignment(found.CONVENTION, self.options, self._files(), files, self.main, self.timeout_s)

    def _files(self) -> bytes:
        content = base64.b64decode(self.content) if self.bundle is None else self.bundle.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise UsageError("are not those that the run began with", subject="the evaluator's files")
        return content


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
        if evaluates_here(task):
            return False
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
            if mode == "evaluate":
                return self._evaluate(task, EvaluateJob.model_validate(task.payload))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            return Result.failure(task, f"payload.{where}: {first['msg']}", retryable=False)
        except (UsageError, SandboxUnavailable) as error:
            facts = {"type": type(error).__name__, "what": error.what}
            facts |= {"subject": error.subject, "hint": error.hint}
            return Result.failure(task, str(error), retryable=False, error=facts)
        msg = f"payload.mode: {mode!r} is none of prepare, screen, confirm, evaluate"
        return Result.failure(task, msg, retryable=False)

    def sandbox(self, job: _Job | EvaluateJob) -> Sandbox:
        """What guests run in.

        Raises:
            SandboxUnavailable: what that takes is not installed.
            UsageError: speed cannot be measured in that profile.
        """
        return _made(_OTHER_NAMES.get(job.sandbox, job.sandbox), _checked(job))

    def _prepare(self, task: Task, job: PrepareJob) -> Result:
        reference = self._prepared(job, job.seed, job.known)
        if job.reference is not None:
            part = job.reference.with_suffix(".part")
            part.write_bytes(reference.to_bytes())
            part.replace(job.reference)
        else:
            key = key_of(job.subject, job.seed, reference.measured(), job.metric)
            _kept().put(key, reference)
        return Result.success(task, reference.facts())

    def _prepared(self, job: _Job, seed: int, known: Facts | None) -> Reference:
        reference = prepare(job.subject, self.sandbox(job), job.limits, seed, known)
        if job.metric == "instructions":
            reference = instructions.prepare(reference, self._counter(job))
        return reference

    def _reference(self, job: MeasureJob) -> Reference:
        """The run's reference: from its file, or kept by this worker, or made again.

        Raises:
            UsageError: there is none, and nothing to make it from.
        """
        if job.reference is not None:
            return Reference.from_bytes(job.reference.read_bytes())
        if job.prepared is None:
            raise UsageError("says neither reference nor prepared", subject="payload")
        seed, known = job.prepared.seed, job.prepared.known
        key = key_of(job.subject, seed, known, job.metric)
        return _kept().get(key, lambda: self._prepared(job, seed, known))

    def _measure(self, task: Task, job: MeasureJob, *, final: bool) -> Result:
        reference = self._reference(job)
        if job.metric == "instructions":
            verdict = self._count(job, reference, final=final)
        elif final:
            verdict = self._confirm(job, reference)
        else:
            what = (self.sandbox(job), job.limits, job.subject, reference, job.source)
            verdict = screen(*what, rival=job.rival, hot=job.hot)
        payload: dict[str, Any] = {
            "verdict": verdict.to_data(),
            "reference_ms": reference.reference_ms,
            "evaluator": job.evaluator,
        }
        return self._followed(task, payload, job.sandbox, verdict.outcome, verdict.layers)

    def _evaluate(self, task: Task, job: EvaluateJob) -> Result:
        try:
            assignment = job.assignment()
        except ValueError as error:
            evaluated = Evaluated("incorrect", str(error)[:500])
        except OSError as error:
            return Result.failure(task, f"the evaluator's files cannot be read: {error}", retryable=False)
        else:
            interrupted = threading.Event()
            covering = partial(_covering, current().on_interrupt, interrupted)
            sandbox = self.sandbox(job)
            sandbox.connects = True
            what = (sandbox, job.limits, assignment, job.repeats, job.rival)
            evaluated = evaluate(*what, covering=covering)
            if interrupted.is_set():
                return Result.failure(task, "interrupted", retryable=True, reason="interrupted")
        payload = {"verdict": evaluated.to_data(), "reference_ms": 0.0, "evaluator": job.evaluator}
        return self._followed(task, payload, job.sandbox, evaluated.outcome, evaluated.layers)

    def _followed(
        self, task: Task, payload: dict[str, Any], sandbox: str, outcome: str, layers: Sequence[str]
    ) -> Result:
        """The Result of a task that an Evaluate task follows."""
        follow_up = Task(kind=TaskKind.EVALUATE, id=evaluate_id(task.id), payload=payload)
        spawn = [follow_up.model_dump(mode="json")]
        kept = {"sandbox": sandbox, "layers": list(layers)}
        return Result.success(task, {"outcome": outcome, "evaluate": follow_up.id, "spawn": spawn, **kept})

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


class ExecuteEvaluationHandler(ExecuteProcessHandler):
    """Has candidates judged by our own kinds of evaluators in processes of this machine.

    It only reads files and talks to guests, which hold all that is foreign: so it needs no process of its own.
    """

    SHARED: ClassVar[bool] = True

    def dispatch(self, task: Task) -> bool:
        """Tasks that want that."""
        return evaluates_here(task)


def evaluates_here(task: Task) -> bool:
    """Whether it takes no more than a guest of this machine's and a convention of ours to do a task."""
    payload = task.payload
    own = {each.NAME for each in OWN}
    return (
        payload.get("mode") == "evaluate"
        and payload.get("sandbox", "process") in ("process", "cpu")
        and payload.get("evaluator") in own
    )


@contextmanager
def _covering(covering: Covering, interrupted: threading.Event, kill: Callable[[], object]) -> Iterator[None]:
    """Let an interrupt kill what would be waited for, and be remembered."""

    def interrupt() -> None:
        interrupted.set()
        kill()

    with covering(interrupt):
        yield


class ExecuteDockerHandler(ExecuteProcessHandler):
    """Measures candidates in containers of a Docker-compatible engine."""

    PROVIDES: ClassVar[frozenset[str]] = frozenset({"docker", "cpu"})
    SANDBOXES: ClassVar[frozenset[str]] = frozenset({"docker", "container"})

    def dispatch(self, task: Task) -> bool:
        """Tasks that name one of its sandboxes."""
        return task.payload.get("sandbox") in list(self.SANDBOXES)

    def sandbox(self, job: _Job | EvaluateJob) -> Sandbox:
        """See :meth:`ExecuteProcessHandler.sandbox`."""
        return _made(
            "container",
            _checked(job),
            container=Container.of(confinement_of(None), job.container.image),
        )


class ExecuteGPUHandler(ExecuteDockerHandler):
    """Measures candidates in containers that have GPUs: containment only, and slower to start."""

    PROVIDES: ClassVar[frozenset[str]] = frozenset({"docker", "gpu", "cuda11/12"})
    SANDBOXES: ClassVar[frozenset[str]] = frozenset({"gpu"})

    def sandbox(self, job: _Job | EvaluateJob) -> Sandbox:
        """See :meth:`ExecuteProcessHandler.sandbox`."""
        container = Container.of(confinement_of(None), job.container.image, job.container.gpus)
        return _made("container", Profile.GPU, container=container)


def _kept() -> References:
    """The references that this worker keeps."""
    cache = current().cache
    return References(cache and cache / "references")


def _made(name: str, profile: Profile, **options: Any) -> Sandbox:
    sandbox: Sandbox = load(Group.SANDBOXES, name)(**options)
    sandbox.profile = profile
    return sandbox


def _checked(job: _Job | EvaluateJob) -> Profile:
    """The profile, if the job can be done in it.

    Raises:
        UsageError: speed is to be measured, and processes of a candidate's own would work outside of the clock that
            is read.
    """
    profile = job.profile
    if profile.forks and isinstance(job, _Job):
        raise UsageError(
            "speed is the CPU time of one process, which such a candidate could leave",
            subject=f"profile {profile}",
            hint="use pure or threads",
        )
    return profile
