"""A run with no processes: a queue that answers its own tasks by a script, in the thread that asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from peagen_handlers.evaluate import SpeedEvaluateHandler
from peagen_handlers.execute import evaluate_id
from peagen_ray.config.model import Config
from peagen_ray.queues.stub import StubQueue
from peagen_ray.runtime.progress import Progress, Told
from peagen_ray.sandbox.measure import Interval, Verdict
from peagen_ray.task import Result, Status, Task, TaskKind
from peagen_ray.workload.fingerprint import fingerprint

CPU = frozenset({"cpu"})
EVERY = frozenset({"cpu", "llm"})

SLOW = "def f(xs: list[int]) -> int:\n    return sum(xs)\n"

FACTS = {"size": 10, "repeat": 2, "slice_s": 0.005, "reference_ms": 200.0, "calls": 9, "timed": 6}

Answer = Callable[[Task], Result | None]


class Recorder:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.details: list[str] = []
        self.notes: list[str] = []
        self.told: list[Told] = []
        self.shown: list[Progress] = []
        self.noted = threading.Event()

    def phase(self, name: str, detail: str = "") -> None:
        self.phases.append(name)
        self.details.append(detail)

    def progress(self, progress: Progress) -> None:
        self.shown.append(progress)

    def candidate(self, told: Told) -> None:
        self.told.append(told)

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.noted.set()


def ratio_by_changes(source: str, mode: str) -> float:
    """Every line that was added makes it a tenth faster."""
    return 1.0 + 0.1 * source.count("\nx")


def failure(task: Task, msg: str = "it broke", **data: Any) -> Result:
    return Result.failure(task, msg, retryable=False, **data)


def proposal(task: Task, source: str, operator: str = "genetic/add") -> Result:
    known = {"source": source, "operator": operator, "fingerprint": fingerprint(source)}
    return Result.success(task, known)


def measured(task: Task, verdict: Verdict, reference_ms: float = 200.0) -> Result:
    """What an Execute handler answers: a follow-up task that evaluates the verdict."""
    payload = {"verdict": verdict.to_data(), "reference_ms": reference_ms, "evaluator": "speed"}
    follow_up = Task(kind=TaskKind.EVALUATE, id=evaluate_id(task.id), payload=payload)
    spawn = [follow_up.model_dump(mode="json")]
    return Result.success(task, {"outcome": verdict.outcome, "evaluate": follow_up.id, "spawn": spawn})


def ok(ratio: float, mode: str = "screen") -> Verdict:
    return Verdict(
        "ok",
        speed=Interval(ratio, ratio * 0.99, ratio * 1.01, 8),
        peak_kb=4,
        inputs=9,
        confirmed=mode == "confirm",
        gain=mode == "confirm" and ratio > 1,
    )


@dataclass
class Script:
    """Answers tasks as a worker would. A field may be replaced; an answer of None leaves the task running.

    Attributes:
        speed: source and mode → the ratio, or a verdict.
    """

    speed: Callable[[str, str], float | Verdict] = ratio_by_changes
    tasks: list[Task] = field(default_factory=list)

    def __call__(self, task: Task) -> Result | None:
        self.tasks.append(task)
        match task.kind:
            case TaskKind.MUTATE:
                return self.mutate(task)
            case TaskKind.EXECUTE:
                return self.execute(task)
            case _:
                return self.evaluate(task)

    def mutate(self, task: Task) -> Result | None:
        return proposal(task, f"{task.payload['source']}x{task.payload['seed']} = 0\n")

    def execute(self, task: Task) -> Result | None:
        mode = task.payload["mode"]
        if mode == "prepare":
            return self.prepare(task)
        found = self.speed(task.payload["source"], mode)
        return measured(task, found if isinstance(found, Verdict) else ok(found, mode))

    def prepare(self, task: Task) -> Result | None:
        Path(task.payload["reference"]).write_bytes(b"reference")
        return Result.success(task, dict(FACTS))

    def evaluate(self, task: Task) -> Result | None:
        return SpeedEvaluateHandler().handle(task)

    def modes(self) -> list[str]:
        """What was asked for, in order."""
        return [str(task.payload.get("mode", task.kind)) for task in self.tasks]


class ScriptedQueue(StubQueue):
    """Every task that is enqueued is answered at once."""

    def __init__(self, script: Answer) -> None:
        super().__init__()
        self._script = script

    def enqueue(self, task: Task) -> None:
        super().enqueue(task)
        while claims := self.claim(EVERY, "script", 1):
            claim = claims[0]
            result = self._script(claim.task)
            if result is None:
                continue
            if result.status is Status.OK:
                data = dict(result.data)
                spawn = [Task.model_validate(fields) for fields in data.pop("spawn", [])]
                self.complete(claim, result.model_copy(update={"data": data}), spawn)
            else:
                self.fail(claim, result)


class ScriptedFabric:
    """Stands in for ``LocalFabric``."""

    def __init__(self, script: Answer, problems: tuple[str, ...] = ()) -> None:
        self.queue = ScriptedQueue(script)
        self.problems = problems

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.queue.close()

    def do(self, task: Task) -> Result:
        self.queue.enqueue(task)
        return self.wait(task.id)

    def wait(self, task_id: str) -> Result:
        result = self.queue.wait_for_result(task_id, 5)
        assert result is not None
        return result


def config(**evolve: Any) -> Config:
    """A configuration for a short run."""
    stop = {"max_generations": evolve.pop("max_generations", 2), **evolve.pop("stop", {})}
    table = {"entry_fn": "f", "seed": 1, "generation_size": 4, "mutator": "genetic", "stop": stop, **evolve}
    return Config.model_validate({"evolve": table, "evaluate": {"winner_s": 0.5}})
