"""Render: expand templates into texts. Nothing is written here; the producer does that."""

from __future__ import annotations

import hashlib
import json
from typing import ClassVar

from peagen_ray.errors import EnvelopeError
from peagen_ray.handler import TaskHandler
from peagen_ray.task import Result, Task, TaskKind


class RenderHandler(TaskHandler):
    """Renders some of a project's outputs; see :class:`peagen_ray.rendering.work.RenderJob`.

    A template that fails costs its own output only. Where the outputs of a task are too many for one
    Result, a follow-up task has the rest.
    """

    KIND: ClassVar[TaskKind] = TaskKind.RENDER
    PROVIDES: ClassVar[frozenset[str]] = frozenset({"cpu"})

    def dispatch(self, task: Task) -> bool:
        """Tasks of our own form, whatever its version."""
        return "render" in task.payload

    def handle(self, task: Task) -> Result:
        """``outputs`` and ``failed``; and ``rest``, the id of the follow-up task, if there is one."""
        from peagen_ray.rendering.work import RenderJob, carry_out, follow_up

        try:
            rendered = carry_out(RenderJob.read(task.payload))
        except EnvelopeError as error:
            return Result.failure(task, str(error), retryable=False)
        data = rendered.to_wire()
        if rendered.rest:
            rest = Task(
                kind=task.kind,
                id=hashlib.blake2b(f"{task.id}/rest".encode(), digest_size=16).hexdigest(),
                payload=follow_up(task.payload, rendered.rest),
                requires=task.requires,
            )
            data |= {"rest": rest.id, "spawn": [json.loads(rest.to_wire())]}
        return Result.success(task, data)
