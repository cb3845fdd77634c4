"""What one ask, one proposal and one tell cost while the archive grows from 10² to 10⁶ programs.

Prints one JSON line. ``ratio`` is the median time at the largest archive over that at the smallest; at most
1.3 is wanted. The archives take turns, one candidate each, so that a busy machine slows all alike. Every
program of an archive has its own cell, source and fingerprint, so the largest needs about 2 GB. ``cpu_ms`` is
the mean of processor time, collections of garbage included.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time

from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.program import Binning, Bucket, Outcome, Program
from peagen_ray.evolution.questions import Mutate, Observation
from peagen_ray.evolution.settings import EngineSettings
from peagen_ray.evolution.stopping import StopRules
from peagen_ray.plugins import Group, load

BODY = "".join(f"    total += items[{n}] * {n}\n" for n in range(40))
BOUND = 1.3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=10**6, help="programs in the largest archive")
    parser.add_argument("--rounds", type=int, default=1500, help="candidates told to each archive")
    parser.add_argument(
        "--selector", default="epsilon", help="what chooses the parents, with its own options"
    )
    options = parser.parse_args()
    sizes = [size for size in (10**2, 10**3, 10**4, 10**5, 10**6) if size <= options.largest]
    engines = {size: grown(size, options.selector) for size in sizes}
    wall: dict[int, list[float]] = {size: [] for size in sizes}
    cpu = dict.fromkeys(sizes, 0.0)
    order = random.Random(1)
    for number in range(options.rounds):
        for size in order.sample(sizes, len(sizes)):
            began, used = time.perf_counter(), time.process_time()
            candidate(engines[size], number)
            wall[size].append(time.perf_counter() - began)
            cpu[size] += time.process_time() - used
    medians = {size: statistics.median(times) for size, times in wall.items()}
    ratio = medians[sizes[-1]] / medians[sizes[0]]
    line = {
        "benchmark": "engine_scaling",
        "selector": options.selector,
        "median_us": {size: round(1e6 * median, 1) for size, median in medians.items()},
        "cpu_ms": {size: round(1e3 * cpu[size] / options.rounds, 3) for size in sizes},
        "cells": {size: len(engines[size].db) for size in sizes},
        "rounds": options.rounds,
        "ratio": round(ratio, 3),
        "bound": BOUND,
        "ok": ratio <= BOUND,
    }
    print(json.dumps(line))
    return 0 if ratio <= BOUND else 1


def grown(size: int, name: str) -> Engine:
    """An engine whose archive holds that many champions."""
    selector = load(Group.PARENT_SELECTORS, name)(**{"eps_init": 0.5} if name == "epsilon" else {})
    engine = Engine(EngineSettings(1, 10, binning=Binning()), selector, StopRules())
    for n in range(size):
        engine.seed(
            Program(
                n,
                f"def f_{n}(items):\n    return items\n",
                fitness=n / size,
                speed_ms=100.0,
                peak_kb=10.0,
                bucket=Bucket(n // 1000, n % 1000, 0, 0),
                confirmed=True,
                fingerprint=f"{n:016x}",
            ),
            0.0,
        )
        if n % 1000 == 0:
            engine.take_events()
            engine.take_news()
    engine.take_events()
    return engine


def candidate(engine: Engine, number: int) -> None:
    """One candidate from question to verdict: now and then it enters the archive, or fails."""
    question = engine.ask(float(number))
    assert isinstance(question, Mutate)
    found = f"{number:08x}{number:08x}"
    engine.proposed(question.n, found, float(number), epoch=question.epoch, operator=f"op{number % 40}")
    outcome = Outcome.OK if number % 3 else Outcome.INCORRECT
    engine.tell(
        question.n,
        Observation(
            outcome,
            fitness=0.5,
            speed_ms=float(number % 5000),
            peak_kb=40.0,
            source=f"def g_{number}(items):\n    total = 0\n{BODY}    return total\n",
            operator=f"op{number % 40}",
            fingerprint=found,
        ),
        float(number),
        epoch=question.epoch,
    )
    engine.take_events()
    engine.take_news()


if __name__ == "__main__":
    sys.exit(main())
