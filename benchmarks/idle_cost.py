"""PT-5: how long worker nodes stay after the last task, and what they cost from then on; prints one JSON line.

On a cluster with Ray's real autoscaler, whose nodes are processes of this machine, some of which say that they have a
GPU: nodes are started from zero for a burst of tasks, and have to be gone again within the autoscaler's
``idle_timeout`` and 30 s, while dispatcher and queue go on. From then on the seconds of worker nodes are counted, and
those of nodes with a GPU apart; the bar is none. Whatever a node still has then (actors, objects, placement groups)
is named, and so is what is alive on the head, which stays.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from _fabric import (
    autoscaling,
    configured,
    connected,
    gpu_workers,
    seconds_to_zero,
    served,
    startable,
    work,
    workers,
)
from _processes import say
from ray._private import state
from ray._private.internal_api import memory_summary

from peagen_ray.queues.base import TaskQueue
from peagen_ray.task import Status

CPUS = 2
MOST = 2
GPU_NODES = 1
GRACE_S = 30.0
PATIENCE_S = 240.0
LOOK_S = 0.1


def burst(queue: TaskQueue, ray: Any, number: int) -> tuple[int, int]:
    """Do tasks of all sorts; returns how many worker nodes there were at most, and how many of them had a GPU."""
    tasks = [work("Fresh" if n % 2 else "Here") for n in range(number)]
    tasks += [work("NeedsGpu", "cpu", "gpu") for _ in range(max(1, number // 10))]
    queue.enqueue_all(tasks)
    most, end = (0, 0), time.monotonic() + PATIENCE_S
    for task in tasks:
        while (result := queue.wait_for_result(task.id, 0.5)) is None:
            most = max(most[0], workers(ray)), max(most[1], gpu_workers(ray))
            if time.monotonic() > end:
                raise SystemExit(f"the burst is not done after {PATIENCE_S:g} s")
        if result.status is not Status.OK:
            raise SystemExit(f"a task of the burst failed: {result.data.get('msg')}")
    return max(most[0], workers(ray)), max(most[1], gpu_workers(ray))


def worker_seconds(ray: Any, watch: float) -> tuple[float, float]:
    """Seconds of worker nodes in the next ``watch`` seconds, and of those of them that have a GPU."""
    total, gpus, last = 0.0, 0.0, time.monotonic()
    end = last + watch
    while last < end:
        time.sleep(LOOK_S)
        now = time.monotonic()
        total += workers(ray) * (now - last)
        gpus += gpu_workers(ray) * (now - last)
        last = now
    return total, gpus


def alive(ray: Any) -> dict[str, Any]:
    """What lives: worker nodes, actors by name and sort of node, placement groups, and objects in the store."""
    head = next(node["NodeID"] for node in ray.nodes() if "node:__internal_head__" in node["Resources"])
    actors = [
        f"{each['Name'] or each['ActorClassName']} on {'the head' if each['Address']['NodeID'] == head else 'a worker'}"
        for each in state.actors(actor_state_name="ALIVE").values()
    ]
    groups = ray.util.placement_group_table().values()
    stored = re.search(
        r"(\d+) objects", memory_summary(address=ray.get_runtime_context().gcs_address, stats_only=True)
    )
    return {
        "nodes": workers(ray),
        "actors": sorted(actors),
        "placement_groups": sum(group["state"] != "REMOVED" for group in groups),
        "objects": int(stored[1]) if stored else None,
    }


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Bursts, and what comes after each."""
    zero: list[float | None] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ray = stack.enter_context(
            connected(
                stack.enter_context(
                    autoscaling(CPUS, MOST, idle_s=options.idle_timeout, gpus=GPU_NODES)
                ).address
            )
        )
        config = configured(folder, warm_pool=options.warm_pool)
        queue = stack.enter_context(served(config, startable(CPUS, MOST, GPU_NODES)))
        for number in range(options.rounds):
            started, gpus = burst(queue, ray, options.tasks)
            zero.append(seconds_to_zero(ray, options.idle_timeout + GRACE_S))
            say(
                f"burst {number + 1}: {started} nodes, {gpus} with a GPU, none after {zero[-1] or float('nan'):.1f} s"
            )
            if zero[-1] is None:
                break
        left = alive(ray)
        idle, idle_gpus = worker_seconds(ray, options.watch)
    return {
        "seconds_to_zero": [each and round(each, 1) for each in zero],
        "gpu_nodes": gpus,
        "worker_seconds_after": round(idle, 1),
        "gpu_worker_seconds_after": round(idle_gpus, 1),
        "left": left,
    }


def main() -> int:
    """Measure; 1 if nodes stay too long, or come back for nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2, help="bursts (default 2)")
    parser.add_argument("--tasks", type=int, default=40, help="tasks of a burst (default 40)")
    parser.add_argument(
        "--idle-timeout", type=float, default=6.0, help="the autoscaler's, in seconds (default 6)"
    )
    parser.add_argument(
        "--watch", type=float, default=30.0, help="seconds to look on afterwards (default 30)"
    )
    parser.add_argument("--warm-pool", type=int, default=2, help="[worker.defaults] warm_pool (default 2)")
    options = parser.parse_args()
    found = measured(options)
    zero = found["seconds_to_zero"]
    ok = all(zero) and not found["worker_seconds_after"] and found["gpu_nodes"] > 0
    printed = {
        "benchmark": "PT-5",
        "idle_timeout_s": options.idle_timeout,
        "bar_s": options.idle_timeout + GRACE_S,
        "worst_s": max(zero) if all(zero) else None,
        "beyond_idle_timeout_s": round(max(zero) - options.idle_timeout, 1) if all(zero) else None,
        **found,
        "watched_s": options.watch,
        "ok": ok,
    }
    print(json.dumps(printed))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
