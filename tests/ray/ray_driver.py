"""A driver of its own, to share a queue with, or to kill. Not a test.

Usage: ray_driver.py ADDRESS PREFIX ROOT hold|echo
"""

from __future__ import annotations

import json
import sys

from peagen_ray.queues.ray import RayQueue
from peagen_ray.task import Task, TaskKind

CPU = frozenset({"cpu"})


def hold(queue: RayQueue) -> None:
    """Claim all there is, say so, and wait for more."""
    claims = queue.claim(CPU, "doomed", 9, None, lease=1.0)
    say([claim.task.id for claim in claims])
    queue.claim(CPU, "doomed", 9, None, lease=1.0)
    raise SystemExit(1)


def echo(queue: RayQueue) -> None:
    """Enqueue tasks, and say what becomes of them."""
    tasks = [Task(kind=TaskKind.EXECUTE, payload={"n": n}) for n in range(5)]
    queue.enqueue_all(tasks)
    results = [queue.wait_for_result(task.id, 60) for task in tasks]
    say([result and result.data for result in results])


def say(words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main() -> None:
    address, prefix, root, what = sys.argv[1:]
    with RayQueue.from_url(address, prefix=prefix, root=root) as queue:
        {"hold": hold, "echo": echo}[what](queue)


if __name__ == "__main__":
    main()
