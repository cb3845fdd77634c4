"""What is known of tasks that have run: their records in the result back-end, or what the queue still has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from peagen_ray.about import About
from peagen_ray.config.model import Config
from peagen_ray.errors import ResultBackendError, UsageError
from peagen_ray.results.base import Record
from peagen_ray.runtime.elsewhere import through_queue
from peagen_ray.runtime.local import open_queue, open_results
from peagen_ray.task import Result, Status, Task, TaskKind


@dataclass(frozen=True)
class Wanted:
    """Which tasks.

    Attributes:
        run: of this run; "" for any.
        candidate: for the candidate of this number; None for any.
        kind: of this kind; None for any.
        failed: only those whose run failed.
    """

    run: str = ""
    candidate: int | None = None
    kind: TaskKind | None = None
    failed: bool = False

    def has(self, record: Record) -> bool:
        """Whether the record's task is one of them."""
        about = About.of(record.task.payload)
        return (
            self.run in {"", about.run}
            and self.candidate in {None, about.candidate}
            and not (self.failed and record.result.status is not Status.ERROR)
        )


def found(config: Config, task_id: str) -> tuple[Task | None, Result]:
    """A task and its Result, from the result back-end, else from the queue, which may know the Result alone.

    Raises:
        UsageError: neither knows the task, or it has not ended.
        ResultBackendError: the record is damaged.
        BrokerUnavailable: the broker does not answer.
    """
    record = open_results(config).get(task_id)
    if record is not None:
        return record.task, record.result
    state = ""
    if through_queue(config):
        with closing(open_queue(config)) as queue:
            info = queue.inspect(task_id)
        if info is not None and info.result is not None:
            return info.task, info.result
        state = "" if info is None else str(info.state)
    root = config.result_backend.root
    if state:
        hint = f"peagen-ray queue peek {task_id}"
        raise UsageError(f"has no Result yet: it is {state}", subject=f"task {task_id}", hint=hint)
    raise UsageError(
        f"no record of it in {root}",
        subject=f"task {task_id}",
        hint="write its whole id, where [result_backend] root is that of the worker; `peagen-ray task list` shows ids",
    )


def records(config: Config, wanted: Wanted) -> Iterator[Record | ResultBackendError]:
    """The records of tasks, by day, kind and id; damaged files as errors in their places."""
    for each in open_results(config).list(kind=wanted.kind):
        if isinstance(each, ResultBackendError) or wanted.has(each):
            yield each
