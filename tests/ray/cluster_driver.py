"""Looks at a cluster from where it is told to, does what it is told, and prints what it saw as JSON.

cluster_driver.py ADDRESS {"from": "driver" | "actor" | "node", "tasks": {name: options}, "types": [...]}
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import Any

import ray

from peagen_ray.fabric.capabilities import NodeType
from peagen_ray.fabric.cluster import picture, stuck


def seen(types: list[dict[str, Any]]) -> dict[str, Any]:
    """A picture, and how long a second one takes."""
    first = picture(ray, [NodeType(**each) for each in types])
    start = time.perf_counter()
    for _ in range(20):
        picture(ray, [NodeType(**each) for each in types])
    each_ms = 1000 * (time.perf_counter() - start) / 20
    return {**asdict(first), "ms": each_ms}


class Looker:
    """What an actor sees."""

    def look(self, types: list[dict[str, Any]]) -> dict[str, Any]:
        return seen(types)


def main(address: str, wanted: dict[str, Any]) -> dict[str, Any]:
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    types = wanted.get("types", [])
    said: dict[str, Any] = {"before": seen(types)}
    where = ray.remote(max_retries=0)(lambda: ray.get_runtime_context().get_node_id())
    running = {name: where.options(**options).remote() for name, options in wanted.get("tasks", {}).items()}
    said["ran"] = {name: ray.get(each, timeout=60) for name, each in running.items()}
    said["after"] = seen(types)
    for name, options in wanted.get("actors", {}).items():
        actor = ray.remote(Looker).options(**options).remote()
        said[name] = ray.get(actor.look.remote(types), timeout=90)
        ray.kill(actor)
    return said | _stuck(wanted.get("impossible", {}))


def _stuck(options: dict[str, Any]) -> dict[str, Any]:
    """What the autoscaler says of a task that no node can run, once it says anything."""
    if not options:
        return {}
    waits = ray.remote(max_retries=0)(lambda: None).options(**options).remote()
    end = time.monotonic() + 60
    while not (found := stuck(ray)) and time.monotonic() < end:
        time.sleep(0.1)
    ray.cancel(waits)
    return {"stuck": [asdict(each) for each in found]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))) + "\n")
