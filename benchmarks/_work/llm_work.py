"""A handler for benchmarks of runs with models: an evaluation that takes 50 ms and finds every candidate as fast."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from peagen_handlers.execute import evaluate_id
from peagen_ray.handler import TaskHandler
from peagen_ray.sandbox.measure import Interval, Verdict
from peagen_ray.task import Result, Task, TaskKind

FACTS = {"size": 10, "repeat": 2, "slice_s": 0.005, "reference_ms": 200.0, "calls": 9, "timed": 6}
EVALUATION_S = 0.05


class SleepingExecuteHandler(TaskHandler):
    """Sleeps in place of measuring."""

    KIND: ClassVar[TaskKind] = TaskKind.EXECUTE
    SHARED: ClassVar[bool] = True

    def handle(self, task: Task) -> Result:
        """A verdict after 50 ms."""
        if task.payload["mode"] == "prepare":
            Path(task.payload["reference"]).write_bytes(b"reference")
            return Result.success(task, dict(FACTS))
        time.sleep(EVALUATION_S)
        verdict = Verdict("ok", speed=Interval(1.0, 0.99, 1.01, 8), peak_kb=4, inputs=9)
        payload: dict[str, Any] = {"verdict": verdict.to_data(), "reference_ms": 200.0, "evaluator": "speed"}
        follow_up = Task(kind=TaskKind.EVALUATE, id=evaluate_id(task.id), payload=payload)
        spawn = [follow_up.model_dump(mode="json")]
        return Result.success(task, {"outcome": verdict.outcome, "evaluate": follow_up.id, "spawn": spawn})
