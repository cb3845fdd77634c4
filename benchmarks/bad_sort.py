"""PT-1: how long until a confirmed tenfold gain on bad_sort, and until the best; prints one JSON line.

The run is the one that ``make demo`` makes: offline, no broker, one process a task. Every figure comes from the
run's own summary; the ratio is measured against the original in turns, on inputs that no candidate has seen.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ARTIFACTS = Path(__file__).parent / "artifacts"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifact", default="bad_sort", choices=["bad_sort", "slow_shortest"])
    parser.add_argument("--run-timeout", default="60s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--concurrency", type=int)
    options = parser.parse_args()
    command = [sys.executable, "-m", "peagen_ray", "evolve", "run", "--sync", "--json"]
    command += ["--target-file", str((ARTIFACTS / f"{options.artifact}.py").resolve())]
    command += [
        "--entry-fn",
        options.artifact,
        "--seed",
        str(options.seed),
        "--run-timeout",
        options.run_timeout,
    ]
    command += ["--concurrency", str(options.concurrency)] if options.concurrency else []
    with tempfile.TemporaryDirectory() as workspace:
        done = subprocess.run(command, cwd=workspace, stdout=subprocess.PIPE, text=True, check=True)
    summary = json.loads(done.stdout)
    line = {
        "benchmark": "PT-1",
        "artifact": options.artifact,
        "first_10x_s": summary["first_10x_s"],
        "best_s": summary["best_s"],
        "best_speed_ms": summary["speed_ms"],
        "reference_ms": summary["reference_ms"],
        "ratio": summary["ratio"],
        "ratio_95": [summary["ratio_low"], summary["ratio_high"]],
        "fresh_inputs": summary["fresh_inputs"],
        "candidates": summary["candidates"],
        "candidates_per_s": round(summary["candidates"] / summary["elapsed_s"], 2),
        "elapsed_s": summary["elapsed_s"],
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
