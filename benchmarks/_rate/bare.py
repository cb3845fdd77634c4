"""The floor: the same JSON through Redis Streams in batches, with no queue at all: ``bare.py work|produce URL``."""

from __future__ import annotations

import json
import os
import sys
import uuid
from contextlib import suppress

import redis
from protocol import serve

TASKS, RESULTS, GROUP = "bare.tasks", "bare.results", "bare"
BATCH = 100
MADE = "2026-01-01T00:00:00.000000Z"


def task(n: int) -> dict[str, object]:
    """The same fields as of our own tasks."""
    return {
        "kind": "execute",
        "id": uuid.uuid4().hex,
        "payload": {"n": n},
        "requires": ["cpu"],
        "attempts": 0,
        "created_at": MADE,
        "schema_v": 1,
    }


def work(client: redis.Redis) -> None:
    owner = f"bench-{os.getpid()}"
    while True:
        found = client.xreadgroup(GROUP, owner, {TASKS: ">"}, count=BATCH, block=60_000)
        if not found:
            continue
        ((_, entries),) = found
        pipeline = client.pipeline(transaction=False)
        for _, fields in entries:
            one = json.loads(fields[b"data"])
            result = {"task_id": one["id"], "status": "ok", "data": {}, "created_at": MADE, "attempts": 1}
            pipeline.xadd(RESULTS, {"data": json.dumps(result)})
        pipeline.xack(TASKS, GROUP, *(entry for entry, _ in entries))
        pipeline.xdel(TASKS, *(entry for entry, _ in entries))
        pipeline.execute()


def produce(client: redis.Redis, number: int) -> None:
    todo = [task(n) for n in range(number)]
    cursor = client.xinfo_stream(RESULTS)["last-generated-id"] if client.exists(RESULTS) else "0-0"
    for start in range(0, number, BATCH):
        pipeline = client.pipeline(transaction=False)
        for one in todo[start : start + BATCH]:
            pipeline.xadd(TASKS, {"data": json.dumps(one)})
        pipeline.execute()
    left = {one["id"] for one in todo}
    while left:
        for _, entries in client.xread({RESULTS: cursor}, count=1000, block=60_000):
            left.difference_update(json.loads(fields[b"data"])["task_id"] for _, fields in entries)
            cursor = entries[-1][0]


def main() -> None:
    role, url = sys.argv[1:]
    with redis.Redis.from_url(url, socket_timeout=90.0) as client:
        with suppress(redis.ResponseError):  # the other one was first
            client.xgroup_create(TASKS, GROUP, "0", mkstream=True)
        if role == "work":
            work(client)
        serve(lambda number: produce(client, number))


if __name__ == "__main__":
    main()
