"""Our queue: ``ours.py work|produce|work-singly|produce-singly URL``."""

from __future__ import annotations

import os
import sys

from protocol import serve

from peagen_ray.queues.model import FROM_NOW, Completion
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import Result, Task, TaskKind

BATCH = 100
CPU = frozenset({"cpu"})


def tasks(number: int) -> list[Task]:
    return [Task(kind=TaskKind.EXECUTE, requires=CPU, payload={"n": n}) for n in range(number)]


def work(queue: RedisQueue) -> None:
    owner = f"bench-{os.getpid()}"
    while True:
        claims = queue.claim(CPU, owner, BATCH, 60.0)
        queue.complete_all([Completion(each, Result.success(each.task, {})) for each in claims])


def produce(queue: RedisQueue, number: int) -> None:
    _, cursor = queue.results_since(FROM_NOW)
    todo = tasks(number)
    queue.enqueue_all(todo)
    left = {task.id for task in todo}
    while left:
        found, cursor = queue.results_since(cursor, 1000, 60.0)
        left.difference_update(result.task_id for result in found)


def work_singly(queue: RedisQueue) -> None:
    owner = f"bench-{os.getpid()}"
    while True:
        for claim in queue.claim(CPU, owner, 1, 60.0):
            queue.complete(claim, Result.success(claim.task, {}))


def produce_singly(queue: RedisQueue, number: int) -> None:
    todo = tasks(number)
    for task in todo:
        queue.enqueue(task)
    for task in todo:
        assert queue.wait_for_result(task.id, 60.0)


def main() -> None:
    role, url = sys.argv[1:]
    with RedisQueue.from_url(url) as queue:
        match role:
            case "work":
                work(queue)
            case "work-singly":
                work_singly(queue)
            case "produce":
                serve(lambda number: produce(queue, number))
            case "produce-singly":
                serve(lambda number: produce_singly(queue, number))


if __name__ == "__main__":
    main()
