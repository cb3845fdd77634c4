"""PT-1: how long until a confirmed tenfold gain on bad_sort, and until the best; prints one JSON line.

The run is the one that ``make demo`` makes: offline, no broker, one process a task. Every figure comes from the
run's own summary; the ratio is measured against the original in turns, on inputs that no candidate has seen.
With ``--provider ray`` the tasks go to a Ray cluster of this machine, a node that declares ``--cpus`` of them however
many there are, and each of the 32 in flight has a Ray worker.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ARTIFACTS = Path(__file__).parent / "artifacts"


def command_of(options: argparse.Namespace) -> list[str]:
    """The command of the run."""
    command = [sys.executable, "-m", "peagen_ray", "evolve", "run", "--json", "--seed", str(options.seed)]
    command += ["--provider", "ray"] if options.provider == "ray" else ["--sync"]
    command += ["--target-file", str((ARTIFACTS / f"{options.artifact}.py").resolve())]
    command += ["--entry-fn", options.artifact, "--run-timeout", options.run_timeout]
    concurrency = options.concurrency or (options.cpus if options.provider == "ray" else None)
    return command + (["--concurrency", str(concurrency)] if concurrency else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifact", default="bad_sort", choices=["bad_sort", "slow_shortest"])
    parser.add_argument("--run-timeout", default="60s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--concurrency", type=int, help="candidates in flight (with ray: as many as CPUs)")
    parser.add_argument("--provider", choices=["stub", "ray"], default="stub")
    parser.add_argument("--cpus", type=int, default=32, help="CPUs that the cluster declares (default 32)")
    options = parser.parse_args()
    with ExitStack() as stack:
        workspace = stack.enter_context(tempfile.TemporaryDirectory())
        environment = dict(os.environ)
        if options.provider == "ray":
            from _fabric import cluster

            environment["RAY_ADDRESS"] = stack.enter_context(cluster(options.cpus)).address
            environment["RAY_AUTH_MODE"] = "disabled"
        done = subprocess.run(
            command_of(options),
            cwd=workspace,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    summary = json.loads(done.stdout)
    line = {
        "benchmark": "PT-1",
        "artifact": options.artifact,
        "provider": options.provider,
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
