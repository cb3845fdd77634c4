"""A producer that enqueues the tasks of a file, and writes down which were accepted. Not a test.

Usage: chaos_producer.py URL TASKS LOG OPTIONS-AS-JSON [PROVIDER]
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from peagen_ray.plugins import Group, load
from peagen_ray.task import Task

BATCH = 40


def main() -> None:
    url, tasks, path, options, provider = [*sys.argv[1:], "redis"][:5]
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    accepted = set(Path(path).read_text().split())
    left = [Task.from_wire(line) for line in Path(tasks).read_bytes().splitlines()]
    left = [task for task in left if task.id not in accepted]
    with load(Group.TASK_QUEUES, provider).from_url(url, **json.loads(options)) as queue:
        for start in range(0, len(left), BATCH):
            batch = left[start : start + BATCH]
            queue.enqueue_all(batch)
            os.write(log, "".join(f"{task.id}\n" for task in batch).encode())


if __name__ == "__main__":
    main()
