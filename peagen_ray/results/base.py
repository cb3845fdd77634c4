"""The port of every result back-end: one record a task, kept after the queue has let go of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Self

from peagen_ray.errors import EnvelopeError, ResultBackendError
from peagen_ray.task import Result, Task, TaskKind


@dataclass(frozen=True)
class Record:
    """A task and its terminal Result.

    Raises:
        ResultBackendError: the Result is of another task.
    """

    task: Task
    result: Result

    def __post_init__(self) -> None:
        if self.result.task_id != self.task.id:
            raise ResultBackendError(
                f"the result is of task {self.result.task_id[:80]}", subject=f"task {self.task.id}"
            )

    @property
    def day(self) -> date:
        """The day in UTC on which the task was created; it does not change when a task is retried."""
        return self.task.created_at.astimezone(UTC).date()

    def to_json(self) -> bytes:
        """UTF-8 JSON: ``{"task": …, "result": …}``, both in their wire form; raises EnvelopeError."""
        return b'{"task":%b,"result":%b}\n' % (self.task.to_wire(), self.result.to_wire())

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            EnvelopeError: it is no such JSON.
        """
        try:
            fields = json.loads(raw.decode())
            task, result = json.dumps(fields["task"]), json.dumps(fields["result"])
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise EnvelopeError(f"no record of a task and its result: {error}") from error
        return cls(Task.from_wire(task), Result.from_wire(result))


class ResultBackend(ABC):
    """Keeps records, by task id.

    A record is there whole or not at all, whatever happens to the process or the machine while it is
    written; putting it again replaces it.

    Concurrency: every method may be called from any thread and any process; the last ``put`` of a task
    wins.

    Errors: ``ResultBackendError``, which names the file, from every method.

    Args:
        root: where the records are; what it may be is up to the back-end.
        compress: keep them compressed; records of both sorts are read.
    """

    @abstractmethod
    def __init__(self, root: str, *, compress: bool) -> None: ...

    @abstractmethod
    def put(self, record: Record) -> None:
        """Keep a record; once this returns it survives a crash, as far as the storage keeps it."""

    def put_all(self, records: Sequence[Record]) -> None:
        """Keep several; when one cannot be kept, some of the others may be."""
        for record in records:
            self.put(record)

    @abstractmethod
    def get(self, task_id: str) -> Record | None:
        """The record of a task, or None if there is none.

        Raises:
            ResultBackendError: it is damaged.
        """

    @abstractmethod
    def list(
        self, day: date | None = None, kind: TaskKind | None = None
    ) -> Iterator[Record | ResultBackendError]:
        """The records, by day, kind and id.

        A file that is damaged, or that is none of ours, is an error value in its place, which names it,
        and the listing goes on.

        Args:
            day: only tasks created on that day, in UTC.
            kind: only tasks of that kind.
        """
