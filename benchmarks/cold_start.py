"""PT-2: from the call that enqueues a task to its handler running in a process of its own; prints one JSON line.

On a node that has served such a task before. In turns with it, on the same cluster, what Ray itself has: a task that
gets a process of its own (``max_calls=1``, which a driver of its own submits, so that it takes no worker from the
others), and a plain task, each from the call that submits it to its first line. Bars: the median is at most a tenth of
that of ``max_calls=1``, at most ten times that of a plain task, and the 95th percentile is at most 2 s.

With ``--from-zero`` Ray's real autoscaler has to start the node first, for each task anew; in turns with it for a plain
task of Ray's that asks for the same. What that takes is Ray's share, and the bar is 2 s for the rest.
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

from _fabric import autoscaling, cluster, configured, connected, seconds_to_zero, served, startable, work
from _processes import end, line, say, start

from peagen_ray.queues.base import TaskQueue

CPUS = 4
BARS = {"to_max_calls_1": 0.1, "to_plain": 10.0, "p95_s": 2.0}
IDLE_S = 3.0
"""Seconds after which the autoscaler stops a node."""

PATIENCE_S = 120.0


def now() -> float:
    """When this was called, by the machine's monotonic clock; runs in a Ray worker."""
    return time.monotonic()


def ours(queue: TaskQueue) -> float:
    """Seconds until a handler runs in a process of its own."""
    task = work("Fresh")
    begun = time.monotonic()
    queue.enqueue(task)
    result = queue.wait_for_result(task.id, PATIENCE_S)
    if result is None or "at" not in result.data:
        raise SystemExit(f"the task was not done: {result}")
    return float(result.data["at"]) - begun


def rays(ray: Any, function: Any) -> float:
    """Seconds until a task of Ray's runs."""
    begun = time.monotonic()
    return float(ray.get(function.remote(), timeout=PATIENCE_S)) - begun


def be_single_use(address: str) -> None:
    """Answer each line with the seconds of a task that has a process of its own."""
    with connected(address) as ray:
        function = ray.remote(max_calls=1, max_retries=0)(now)
        print("ready", flush=True)
        for _ in sys.stdin:
            print(rays(ray, function), flush=True)


def contestants(stack: ExitStack, warm_pool: int) -> dict[str, Callable[[], float]]:
    """Ways to run something, each of which returns its seconds; they end with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    address = stack.enter_context(cluster(CPUS)).address
    single = start([sys.executable, __file__, "--single-use", address], talks=True)
    stack.callback(end, single)
    assert line(single) == "ready"
    ray = stack.enter_context(connected(address))
    queue = stack.enter_context(served(configured(folder, warm_pool=warm_pool)))
    plain = ray.remote(max_retries=0)(now)

    def max_calls_1() -> float:
        assert single.stdin
        single.stdin.write("\n")
        single.stdin.flush()
        return float(line(single))

    return {"ours": lambda: ours(queue), "max_calls_1": max_calls_1, "plain": lambda: rays(ray, plain)}


def measured(each: dict[str, Callable[[], float]], rounds: int, single_use: int) -> dict[str, list[float]]:
    """Seconds of each, in turns; the slow one takes part in so many rounds only."""
    times: dict[str, list[float]] = {name: [] for name in each}
    every = max(1, rounds // single_use)
    for number in range(rounds):
        for name, run in each.items():
            if name != "max_calls_1" or number % every == 0:
                times[name].append(run())
    return times


def from_zero(rounds: int, warm_pool: int) -> dict[str, list[float]]:
    """Seconds of a task of ours and of a plain one of Ray's, each on a node that has to be started for it."""
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(autoscaling(1, 1, idle_s=IDLE_S)).address
        ray = stack.enter_context(connected(address))
        queue = stack.enter_context(served(configured(folder, warm_pool=warm_pool), startable(1, 1)))
        plain = ray.remote(max_retries=0, num_cpus=1)(now)
        for _ in range(rounds):
            for name, run in {"ours": lambda: ours(queue), "plain": lambda: rays(ray, plain)}.items():
                if seconds_to_zero(ray, PATIENCE_S) is None:
                    raise SystemExit(f"an idle node still lives after {PATIENCE_S:g} s")
                times[name].append(run())
                say(f"{name} from zero: {times[name][-1]:.2f} s")
    return times


def zero_line(times: dict[str, list[float]], warm_pool: int) -> dict[str, Any]:
    """What is printed of the way from zero."""
    median = {name: statistics.median(taken) for name, taken in times.items()}
    share = median["ours"] - median["plain"]
    return {
        "benchmark": "PT-2 from zero",
        "warm_pool": warm_pool,
        "p50_s": {name: round(value, 2) for name, value in median.items()},
        "worst_s": {name: round(max(taken), 2) for name, taken in times.items()},
        "our_share_s": round(share, 2),
        "ratio": round(median["ours"] / median["plain"], 3),
        "rounds": len(times["ours"]),
        "bar_s": BARS["p95_s"],
        "ok": share <= BARS["p95_s"],
    }


def quantiles(times: list[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    return statistics.median(times), statistics.quantiles(times, n=20, method="inclusive")[-1]


def warm_line(rounds: int, single_use: int, warm_pool: int) -> dict[str, Any]:
    """What is printed of tasks on a warm node."""
    with ExitStack() as stack:
        each = contestants(stack, warm_pool)
        for name, run in each.items():
            say(f"{name}: the first takes {run():.3f} s, the second {run():.3f} s")
        times = measured(each, rounds, single_use)
    found = {name: quantiles(taken) for name, taken in times.items()}
    p50 = {name: each[0] for name, each in found.items()}
    reached = {
        "to_max_calls_1": p50["ours"] / p50["max_calls_1"],
        "to_plain": p50["ours"] / p50["plain"],
        "p95_s": found["ours"][1],
    }
    missed = [name for name, bar in BARS.items() if reached[name] > bar]
    return {
        "benchmark": "PT-2",
        "warm_pool": warm_pool,
        "p50_ms": {name: round(1e3 * each[0], 2) for name, each in found.items()},
        "p95_ms": {name: round(1e3 * each[1], 2) for name, each in found.items()},
        **{name: round(value, 3) for name, value in reached.items()},
        "rounds": rounds,
        "bars": BARS,
        "missed": missed,
        "ok": not missed,
    }


def main() -> int:
    """Measure in turns; 1 if a bar is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, help="tasks of ours, and plain ones (default 100; 3 from zero)")
    parser.add_argument("--single-use-rounds", type=int, default=20, help="tasks of max_calls=1 (default 20)")
    parser.add_argument("--warm-pool", type=int, default=2, help="[worker.defaults] warm_pool (default 2)")
    parser.add_argument("--from-zero", action="store_true", help="let the autoscaler start the node first")
    parser.add_argument("--single-use", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.single_use:
        be_single_use(options.single_use)
        return 0
    if options.from_zero:
        printed = zero_line(from_zero(options.rounds or 3, options.warm_pool), options.warm_pool)
    else:
        printed = warm_line(options.rounds or 100, options.single_use_rounds, options.warm_pool)
    print(json.dumps(printed))
    return 0 if printed["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
