"""Honesty of confirmation: false claims, power, repeatability (PT-7); prints one JSON line.

False claims: a program that is the same as the original is confirmed again and again, on little CPU each; how often a
gain of more than 1 % is claimed. Power: a loop that runs so many per cent fewer times is confirmed within a
budget of CPU seconds, on a machine where every core is kept busy; how often a gain is claimed, and how
wide the interval is. Repeatability: one winner is confirmed three times.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peagen_ray.config.model import EvaluateTable
from peagen_ray.launcher.client import Launcher
from peagen_ray.runtime.finish import FAMILIES, PRECISION
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.measure import Interval, Verdict, confirm
from peagen_ray.sandbox.process import GUEST, ProcessSandbox
from peagen_ray.sandbox.reference import Reference, Subject, prepare

LIMITS = GuestLimits(cpu_s=120.0)
ARTIFACTS = Path(__file__).parent / "artifacts"

LOOP = """
def f(numbers: list[int]) -> int:
    total = 0
    for number in numbers:
        for _ in range({times}):
            total = total + number
    return total % 7 - total % 7
"""
"""Its time is proportional to ``times``, and its result is not."""

NUMBERS = "def inputs(rng, size):\n    return ([rng.randrange(100) for _ in range(size)],)\n"
TIMES = 10_000


class Bench:
    """Confirms candidates for one original.

    Args:
        sandbox: where guests run.
        subject: the original.
        load: whether every core is kept busy meanwhile.
    """

    def __init__(self, sandbox: ProcessSandbox, subject: Subject) -> None:
        self._sandbox = sandbox
        self._subject = subject
        self._reference: Reference = prepare(subject, sandbox, LIMITS, seed=1)

    def confirm(self, source: str, precision: float, most_s: float, families: int) -> Verdict:
        """One confirmation, on inputs of its own."""
        return confirm(
            self._sandbox,
            LIMITS,
            self._subject,
            self._reference,
            source,
            seed=random.SystemRandom().getrandbits(53),
            precision=precision,
            most_s=most_s,
            families=families,
        )


def false_claims(bench: Bench, number: int, most_s: float) -> dict[str, object]:
    """Confirm the original against itself."""
    verdicts = [bench.confirm(LOOP.format(times=TIMES), 0.02, most_s, 3) for _ in range(number)]
    ratios = [speed(verdict).ratio for verdict in verdicts]
    inside = [speed(verdict).low <= 1 <= speed(verdict).high for verdict in verdicts]
    return {
        "trials": number,
        "most_s": most_s,
        "claimed": sum(verdict.gain for verdict in verdicts),
        "claimed_over_1_percent": sum(v.gain and speed(v).ratio > 1.01 for v in verdicts),
        "largest_percent": round(100 * (max(ratios) - 1), 2),
        "intervals_with_1": round(sum(inside) / number, 3),
        "overhead": round(statistics.median(verdict.overhead for verdict in verdicts), 4),
    }


def power(bench: Bench, gains: list[float], budgets: list[float], trials: int, many: int) -> list[object]:
    """How often a true gain is claimed within a budget."""
    found: list[object] = []
    for gain in gains:
        candidate = LOOP.format(times=round(TIMES / (1 + gain / 100)))
        for budget in budgets:
            number = many if (gain, budget) == (3, 30) else trials
            start = time.monotonic()
            precision = min(0.01, gain / 300)
            verdicts = [bench.confirm(candidate, precision, budget, FAMILIES) for _ in range(number)]
            claimed = [speed(verdict) for verdict in verdicts if verdict.gain]
            row = {"gain_percent": gain, "most_s": budget, "trials": number, "claimed": len(claimed)}
            row["half_width_percent"] = percent(speed(verdict).half_width for verdict in verdicts)
            row["measured_percent"] = percent(speed(verdict).ratio - 1 for verdict in verdicts)
            row["wall_s"] = round((time.monotonic() - start) / number, 1)
            found.append(row)
            print(row, file=sys.stderr, flush=True)
    return found


def repeatability(sandbox: ProcessSandbox, run_timeout: str) -> dict[str, object]:
    """Let a run find a winner, and confirm it three times as the end of a run does."""
    target = ARTIFACTS / "bad_sort.py"
    subject = Subject(target.read_text(), "bad_sort", (ARTIFACTS / "bad_sort_workload.py").read_text())
    command = [sys.executable, "-m", "peagen_ray", "evolve", "run", "--sync", "--json", "--seed", "1"]
    command += [
        "--target-file",
        str(target.resolve()),
        "--entry-fn",
        "bad_sort",
        "--run-timeout",
        run_timeout,
    ]
    with tempfile.TemporaryDirectory() as workspace:
        done = subprocess.run(command, cwd=workspace, stdout=subprocess.PIPE, text=True, check=True)
        winner = (Path(workspace) / json.loads(done.stdout)["winner"]).read_text()
    bench = Bench(sandbox, subject)
    verdicts = [bench.confirm(winner, PRECISION, EvaluateTable().winner_s, FAMILIES) for _ in range(3)]
    found = [speed(verdict) for verdict in verdicts]
    return {
        "ratios": [[round(each.low, 3), round(each.ratio, 3), round(each.high, 3)] for each in found],
        "overlap": max(each.low for each in found) <= min(each.high for each in found),
        "half_widths_percent": [round(100 * each.half_width, 2) for each in found],
        "overhead": [round(verdict.overhead, 4) for verdict in verdicts],
    }


def speed(verdict: Verdict) -> Interval:
    """What was measured; these candidates are right, so there is something."""
    if verdict.speed is None:
        raise SystemExit(f"{verdict.outcome}: {verdict.reason}")
    return verdict.speed


def percent(values: Iterator[float]) -> float:
    """Their median, in per cent."""
    return round(100 * statistics.median(values), 2)


def burn() -> None:
    """Keep a core busy."""
    while True:
        pass


@contextmanager
def load(busy: int) -> Iterator[None]:
    """So many busy processes beside us, ended for certain: they are daemons of ours."""
    processes = [multiprocessing.get_context("spawn").Process(target=burn, daemon=True) for _ in range(busy)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--null-trials", type=int, default=200)
    parser.add_argument("--null-seconds", type=float, default=0.4)
    parser.add_argument("--trials", type=int, default=4, help="of each cell of the power table")
    parser.add_argument(
        "--many", type=int, default=10, help="of the cell of 3 %% at 30 s; the bar asks for 100"
    )
    parser.add_argument("--gains", type=float, nargs="*", default=[1, 2, 3, 5, 10])
    parser.add_argument("--budgets", type=float, nargs="*", default=[5, 10, 30])
    parser.add_argument(
        "--busy", type=int, default=len(os.sched_getaffinity(0)), help="busy processes beside it"
    )
    parser.add_argument("--run-timeout", default="25s", help="of the run that finds a winner for PT-7")
    options = parser.parse_args()
    line: dict[str, object] = {"benchmark": "measurement", "busy": options.busy}
    with Launcher.start([GUEST]) as launcher:
        sandbox = ProcessSandbox(launcher)
        loop = Bench(sandbox, Subject(LOOP.format(times=TIMES), "f", NUMBERS))
        if options.null_trials:
            line["false_claims"] = false_claims(loop, options.null_trials, options.null_seconds)
            print(line["false_claims"], file=sys.stderr, flush=True)
        with load(options.busy):
            line["power"] = power(loop, options.gains, options.budgets, options.trials, options.many)
        line["PT-7"] = repeatability(sandbox, options.run_timeout)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
