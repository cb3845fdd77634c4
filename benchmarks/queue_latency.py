"""Round trip of one no-op task on an idle queue; prints one JSON line.

Seconds from before the producer enqueues until it has the Result, with one consumer process that waits for work.
Beside it, in turns, the least that Streams can do: XADD, XREADGROUP in the consumer, XADD of the answer, XREAD.
The bar is three times that.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.testing.servers import RedisServer

CPU = frozenset({"cpu"})
BAR = 3.0
BODY = Task(kind=TaskKind.EXECUTE, requires=CPU).to_wire()


def consume_bare(server: Any) -> None:
    """Answer each entry of a bare stream."""
    while True:
        for _, entries in server.xreadgroup("bare", "c", {"bare.tasks": ">"}, count=1, block=60_000):
            for entry, fields in entries:
                server.xadd("bare.results", {"data": fields[b"data"]})
                server.xack("bare.tasks", "bare", entry)


def consume_ours(queue: RedisQueue) -> None:
    """Complete each task of a queue."""
    while True:
        for claim in queue.claim(CPU, "c", 1, None):
            queue.complete(claim, Result.success(claim.task, {}))


def bare(server: Any) -> float:
    """Seconds of one round trip through bare streams."""
    newest = server.xrevrange("bare.results", count=1)
    last = newest[0][0] if newest else "0-0"
    begun = time.perf_counter()
    server.xadd("bare.tasks", {"data": BODY})
    assert server.xread({"bare.results": last}, block=5_000)
    return time.perf_counter() - begun


def ours(queue: RedisQueue) -> float:
    """Seconds of one round trip through the queue."""
    task = Task(kind=TaskKind.EXECUTE, requires=CPU)
    begun = time.perf_counter()
    queue.enqueue(task)
    assert queue.wait_for_result(task.id, 5.0)
    return time.perf_counter() - begun


def consumer(stack: ExitStack, role: str, url: str) -> None:
    """Start a consumer, which ends with the stack."""
    process = subprocess.Popen([sys.executable, __file__, "--consume", role, "--url", url])
    stack.callback(process.wait)
    stack.callback(process.kill)


def main() -> int:
    """Measure in turns; 1 if the bar is not met."""
    import redis

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000, help="round trips of each (default 1000)")
    parser.add_argument("--consume", choices=["bare", "ours"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.consume == "bare":
        consume_bare(redis.Redis.from_url(options.url, protocol=2, socket_timeout=90))
    if options.consume == "ours":
        consume_ours(RedisQueue.from_url(options.url))
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer("valkey"))
        client = stack.enter_context(server.client(protocol=2))
        queue = stack.enter_context(RedisQueue.from_url(server.url))
        client.xgroup_create("bare.tasks", "bare", "0", mkstream=True)
        for role in ("bare", "ours"):
            consumer(stack, role, server.url)
        for _ in range(20):
            bare(client)
            ours(queue)
        times = [(bare(client), ours(queue)) for _ in range(options.rounds)]
    medians = [statistics.median(each) for each in zip(*times, strict=True)]
    ratio = medians[1] / medians[0]
    line = {
        "benchmark": "queue_latency",
        "p50_ms": {"bare": round(1e3 * medians[0], 3), "ours": round(1e3 * medians[1], 3)},
        "p95_ms": {
            name: round(1e3 * statistics.quantiles(each, n=20)[-1], 3)
            for name, each in zip(("bare", "ours"), zip(*times, strict=True), strict=True)
        },
        "ratio": round(ratio, 3),
        "bar": BAR,
        "rounds": options.rounds,
        "ok": ratio <= BAR,
    }
    print(json.dumps(line))
    return 0 if line["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
