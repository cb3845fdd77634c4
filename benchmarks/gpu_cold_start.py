"""PT-2 on a machine with a GPU: from the call that enqueues a task to its handler running on it; prints one JSON line.

The node declares the GPU; Ray gives it to the task's worker, and the handler's fresh process sees it and no other.
``first_number`` goes on to PyTorch's first number from the GPU: PyTorch is imported and CUDA begun anew each time.
A task that asks for no GPU must see none. Bar: the 95th percentile of the first number is at most 8 s. Needs PyTorch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from _fabric import cluster, configured, connected, served, work

from peagen_ray.queues.base import TaskQueue
from peagen_ray.task import Task

BAR_S = 8.0
PATIENCE_S = 180.0
STEPS = {"handler": "at", "imported": "imported", "first_number": "counted"}


def done(queue: TaskQueue, task: Task) -> tuple[float, dict[str, Any]]:
    """When a task was enqueued, and what its handler says."""
    begun = time.monotonic()
    queue.enqueue(task)
    result = queue.wait_for_result(task.id, PATIENCE_S)
    if result is None or result.data.get("msg"):
        raise SystemExit(f"the task was not done: {result}")
    return begun, dict(result.data)


def measured(rounds: int, warm_pool: int) -> dict[str, Any]:
    """What is printed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(cluster(4, gpus=1)).address
        stack.enter_context(connected(address))
        queue = stack.enter_context(served(configured(folder, warm_pool=warm_pool)))
        begun, data = done(queue, work("OnGpu", "gpu"))
        first = data["counted"] - begun
        times: dict[str, list[float]] = {name: [] for name in STEPS}
        for _ in range(rounds):
            begun, data = done(queue, work("OnGpu", "gpu"))
            for name, key in STEPS.items():
                times[name].append(data[key] - begun)
        _, blind = done(queue, work("Blind"))
    p95 = {name: statistics.quantiles(taken, n=20, method="inclusive")[-1] for name, taken in times.items()}
    return {
        "benchmark": "PT-2 GPU",
        "gpu": data["seen"],
        "devices": data["devices"],
        "right": data["total"] == 64.0**3,
        "seen_without_asking": blind["count"],
        "warm_pool": warm_pool,
        "first_ever_s": round(first, 2),
        "p50_s": {name: round(statistics.median(taken), 3) for name, taken in times.items()},
        "p95_s": {name: round(taken, 3) for name, taken in p95.items()},
        "rounds": rounds,
        "bar_s": BAR_S,
        "ok": p95["first_number"] <= BAR_S and not blind["count"] and len(data["seen"]) == 1,
    }


def main() -> int:
    """Measure; 1 if the bar is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="tasks (default 20)")
    parser.add_argument("--warm-pool", type=int, default=2, help="[worker.defaults] warm_pool (default 2)")
    options = parser.parse_args()
    printed = measured(options.rounds, options.warm_pool)
    print(json.dumps(printed))
    return 0 if printed["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
