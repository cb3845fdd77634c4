"""Tasks that do nothing, a second, through queue, dispatcher and Ray; prints one JSON line.

In turns on one cluster: tasks in the Ray worker (``shared``), tasks each in a process of its own (``fresh``), and Ray's
own tasks with arguments and answers of the same size, asking for the same (``bare``). Ours count from the call that
enqueues all of them until the last Result is read, Ray's from the first submission until the last answer is. The bar
is half of Ray's rate for ``shared``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from _fabric import cluster, configured, connected, served, work
from _processes import say

from peagen_ray.queues.base import FROM_START, TaskQueue

CPUS = 2
BAR = 0.5
PATIENCE_S = 120.0
TASKS = {"bare": 3000, "shared": 2000, "fresh": 200}


def echo(task: bytes) -> bytes:
    """Answers with what it is given; runs in a Ray worker."""
    return task


class Fabric:
    """A queue that a dispatcher serves."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._cursor = FROM_START

    def rate(self, name: str, number: int) -> float:
        """Tasks a second of that handler."""
        tasks = [work(name) for _ in range(number)]
        begun = time.monotonic()
        self._queue.enqueue_all(tasks)
        left = {task.id for task in tasks}
        while left:
            results, self._cursor = self._queue.results_since(self._cursor, 500, 1.0)
            left -= {result.task_id for result in results}
            if time.monotonic() > begun + PATIENCE_S:
                raise SystemExit(f"{len(left)} of {number} tasks were not done in {PATIENCE_S:g} s")
        return number / (time.monotonic() - begun)


def bare_rate(ray: Any, function: Any, number: int) -> float:
    """Tasks a second of Ray's own."""
    wires = [work("Here").to_wire() for _ in range(number)]
    begun = time.monotonic()
    ray.get([function.remote(wire) for wire in wires], timeout=PATIENCE_S)
    return number / (time.monotonic() - begun)


def measured(rounds: int, scale: float, max_parallel: int | None) -> dict[str, list[float]]:
    """The rates of each, in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ray = stack.enter_context(connected(stack.enter_context(cluster(CPUS)).address))
        config = configured(folder)
        if max_parallel:
            config = config.model_copy(
                update={"fabric": config.fabric.model_copy(update={"max_parallel": max_parallel})}
            )
        fabric = Fabric(stack.enter_context(served(config)))
        function = ray.remote(max_retries=0, num_cpus=1)(echo)
        runs: dict[str, Callable[[int], float]] = {
            "bare": lambda number: bare_rate(ray, function, number),
            "shared": lambda number: fabric.rate("Here", number),
            "fresh": lambda number: fabric.rate("Fresh", number),
        }
        for name, run in runs.items():
            say(f"{name}: {run(20):.0f}/s to begin with")
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(rounds):
            for name, run in runs.items():
                rates[name].append(run(max(1, int(TASKS[name] * scale))))
                say(f"round {number + 1}: {name} {rates[name][-1]:.0f}/s")
    return rates


def main() -> int:
    """Measure in turns; 1 if the bar is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the tasks of a turn (default 1)")
    parser.add_argument("--max-parallel", type=int, help="[fabric] max_parallel")
    options = parser.parse_args()
    rates = measured(options.rounds, options.scale, options.max_parallel)
    rate = {name: statistics.median(each) for name, each in rates.items()}
    ratio = {
        name: statistics.median(ours / rays for ours, rays in zip(rates[name], rates["bare"], strict=True))
        for name in ("shared", "fresh")
    }
    printed = {
        "benchmark": "fabric_rate",
        "provider": "ray",
        "tasks_per_s": {name: round(value) for name, value in rate.items()},
        "shared_to_bare": round(ratio["shared"], 3),
        "fresh_to_bare": round(ratio["fresh"], 3),
        "rounds": options.rounds,
        "bar": BAR,
        "ok": ratio["shared"] >= BAR,
    }
    print(json.dumps(printed))
    return 0 if printed["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
