"""What people do with the dead-letter queue: choose, try again, remove."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from peagen_ray.config.model import Config
from peagen_ray.errors import QueueError
from peagen_ray.queues.base import DeadTask, TaskInfo, TaskQueue
from peagen_ray.queues.letters import to_json
from peagen_ray.queues.stub import StubQueue
from peagen_ray.runtime.local import LocalFabric, open_queue
from peagen_ray.task import Result, TaskKind

_PAGE: Final = 500
_SEARCHED: Final = 10_000
SHORTEST_ID: Final = 6
"""Characters of an id that may stand for all of it."""


def opened(config: Config) -> TaskQueue:
    """The configured queue; that of this workspace with the dead letters that it kept."""
    queue = open_queue(config)
    if isinstance(queue, StubQueue):
        queue.recall()
    return queue


def letters(queue: TaskQueue, kind: TaskKind | None = None) -> Iterator[DeadTask]:
    """The dead-letter queue, oldest first, or what there is of one kind in it."""
    offset = 0
    # Each page is as long as all before it: a server finds an offset by walking there.
    while page := queue.dead_letters(max(_PAGE, offset), offset):
        offset += len(page)
        for dead in page:
            if kind is None or (dead.task is not None and dead.task.kind is kind):
                yield dead


def chosen(queue: TaskQueue, ids: Sequence[str], kind: TaskKind | None = None) -> list[DeadTask]:
    """The dead letters that the ids, or the beginnings of ids, name; all of the kind if there are no ids.

    Raises:
        QueueError: an id is not in the dead-letter queue, or stands for several; names every such one.
    """
    found = list(letters(queue, kind))
    if not ids:
        return found
    by_id = {dead.id: dead for dead in found}
    meant = {name: _meant(name, by_id) for name in ids}
    if unknown := [name for name, near in meant.items() if not near]:
        raise QueueError(
            f"{'is' if len(unknown) == 1 else 'are'} not in the dead-letter queue",
            subject=", ".join(unknown),
            hint="peagen-ray queue dlq list shows what is",
        )
    if vague := [name for name, near in meant.items() if len(near) > 1]:
        raise QueueError("may mean more than one task", subject=", ".join(vague), hint="write more of the id")
    return [by_id[task_id] for task_id in dict.fromkeys(near[0] for near in meant.values())]


def _meant(name: str, known: Mapping[str, DeadTask]) -> list[str]:
    """The ids that a name may stand for."""
    if name in known:
        return [name]
    return [task_id for task_id in known if len(name) >= SHORTEST_ID and task_id.startswith(name)]


def looked_up(queue: TaskQueue, name: str) -> tuple[str, TaskInfo]:
    """The id that a name stands for, and all that is known of the task.

    Raises:
        QueueError: the queue knows no such task.
    """
    info = queue.inspect(name)
    if info is not None:
        return name, info
    near = set()
    if len(name) >= SHORTEST_ID:
        near = {task.id for task in queue.list_tasks(_SEARCHED) if task.id.startswith(name)}
        near |= {dead.id for dead in letters(queue) if dead.id.startswith(name)}
    if len(near) == 1:
        (task_id,) = near
        info = queue.inspect(task_id)
        if info is not None:
            return task_id, info
    problem = f"stands for {len(near)} tasks" if near else "the queue knows no such task"
    raise QueueError(problem, subject=name, hint="write the whole id")


def run_again(config: Config, ids: Sequence[str]) -> Iterator[Result]:
    """Run dead tasks of this workspace's own queue again, here; yields each one's Result.

    A letter is removed when its task has ended well, so that nothing is lost if this process is killed.

    Raises:
        QueueError: somebody else retried or purged the task meanwhile.
    """
    with LocalFabric(config, 1, (Path.cwd(),)) as fabric:
        assert isinstance(fabric.queue, StubQueue)
        fabric.queue.recall()
        for task_id in ids:
            if not fabric.queue.retry([task_id]):
                raise QueueError("is no longer in the dead-letter queue", subject=task_id)
            yield fabric.wait(task_id)


def row(dead: DeadTask) -> dict[str, Any]:
    """A dead letter as one row of a table: text and numbers only; the whole of it as JSON under ``letter``."""
    task = dead.task
    return {
        "id": dead.id,
        "kind": str(task.kind) if task else "",
        "reason": dead.reason,
        "died_at": datetime.fromtimestamp(dead.died_at, UTC).isoformat(),
        "attempts": task.attempts if task else 0,
        "requires": ",".join(sorted(task.requires)) if task else "",
        "letter": to_json(dead).decode(),
    }
