"""What becomes of tasks while whoever does them is killed: what is predicted, and the checks. Not a test."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from peagen_ray.queues.base import FROM_START, TaskQueue
from peagen_ray.task import Result, Status, Task, TaskKind

CPU = frozenset({"cpu"})
LONG_S = 200.0


def what(number: int) -> str:
    """What the task of that number does: a fixed share of each sort."""
    if number % 700 == 7:
        return "poison"
    if number % 100 == 9:
        return "bad"
    if number % 50 == 3:
        return "flaky"
    return "slow" if number % 500 == 11 else "plain"


def tasks_of(seed: int, number: int, kind: TaskKind = TaskKind.EXECUTE) -> list[Task]:
    """So many tasks, the same for the same seed but for their time."""
    return [
        Task(kind=kind, id=f"{seed:08x}{n:08x}", requires=CPU, payload={"what": what(n)})
        for n in range(number)
    ]


def collected(
    queue: TaskQueue, wanted: int, look_after: Callable[[], object], calm: threading.Event
) -> list[Result]:
    """The Results, as a subscriber sees them; the last tenth comes in calm."""
    found: list[Result] = []
    cursor = FROM_START
    waited = 0.0
    while len(found) < wanted and waited < LONG_S:
        new, cursor = queue.results_since(cursor, 500, 0.5)
        waited += 0.5 * (not new)
        found += new
        if len(found) > 0.9 * wanted:
            calm.set()
        look_after()
    return found


def check_outcome(
    queue: TaskQueue, accepted: Path, tasks: list[Task], results: list[Result], max_retry: int
) -> None:
    """Every accepted task has one Result, of the status that was predicted; the dead letters are those predicted."""
    ids = {task.id for task in tasks}
    assert set(accepted.read_text().split()) == ids
    assert {n: c for n, c in Counter(result.task_id for result in results).items() if c > 1} == {}
    assert {result.task_id for result in results} == ids
    doomed = {task.id for task in tasks if task.payload["what"] in ("bad", "poison")}
    assert {result.task_id for result in results if result.status is not Status.OK} == doomed
    dead = queue.dead_letters(len(tasks))
    assert {each.id for each in dead} == doomed
    poison = [each.task for each in dead if each.task and each.task.payload["what"] == "poison"]
    assert {task.attempts for task in poison} == {max_retry}
