"""Handlers whose own work costs nothing, so that what is left is our machinery."""

from __future__ import annotations

from peagen_handlers.execute import evaluate_id
from peagen_ray.handler import TaskHandler
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.measure import Interval, Verdict
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import Subject, run
from peagen_ray.task import Result, Task, TaskKind


class Mutate(TaskHandler):
    """Proposes the parent with another number at its end."""

    KIND = TaskKind.MUTATE
    SHARED = True

    def handle(self, task: Task) -> Result:
        source = f"{task.payload['source'].partition('# ')[0]}# {task.payload['seed']}\n"
        fingerprint = f"{task.payload['seed']:016x}"[-16:]
        return Result.success(task, {"source": source, "operator": "number", "fingerprint": fingerprint})


class Execute(TaskHandler):
    """Starts a guest, loads the candidate and calls it once; the verdict is made up from the seed."""

    KIND = TaskKind.EXECUTE

    def handle(self, task: Task) -> Result:
        source = task.payload["source"]
        subject = Subject(**task.payload["subject"])
        with ProcessSandbox().start(GuestLimits()) as guest:
            subject.load(guest, "b", source)
            run(guest, "b", bytes.fromhex(task.payload["call"]))
        ratio = 1.0 + (len(source) + int(source.rpartition("# ")[2])) % 1000 / 1e4
        verdict = Verdict("ok", speed=Interval(ratio, ratio, ratio, 4), peak_kb=len(source) % 500)
        follow_up = Task(
            kind=TaskKind.EVALUATE,
            id=evaluate_id(task.id),
            payload={"verdict": verdict.to_data(), "reference_ms": 200.0, "evaluator": "speed"},
        )
        data = {"outcome": "ok", "evaluate": follow_up.id, "spawn": [follow_up.model_dump(mode="json")]}
        return Result.success(task, data)
