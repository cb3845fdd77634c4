"""How general the offline mutator is: evolves every function of a folder, prints one JSON line.

Each file holds one slow function of the same name, with type hints and no workload file. The functions are as
different people would write them; none of them is known to the mutator.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent / "artifacts" / "slow_functions"


def gain(path: Path, run_timeout: str, seed: int) -> float:
    """The confirmed ratio of one function, 1.0 where nothing was gained."""
    command = [sys.executable, "-m", "peagen_ray", "evolve", "run", "--sync", "--json", "--seed", str(seed)]
    command += ["--target-file", str(path.resolve()), "--entry-fn", path.stem, "--run-timeout", run_timeout]
    with tempfile.TemporaryDirectory() as workspace:
        done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{path.stem}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 1.0
    ratio = float(json.loads(done.stdout)["ratio"])
    print(f"{path.stem}: {ratio:.2f}x", file=sys.stderr)
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--run-timeout", default="30s")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    ratios = {
        path.stem: gain(path, options.run_timeout, options.seed)
        for path in sorted(options.folder.glob("*.py"))
        if not path.stem.endswith("_workload")
    }
    line = {
        "benchmark": "generality",
        "functions": len(ratios),
        "at_least_2x": sum(ratio >= 2 for ratio in ratios.values()),
        "at_least_10x": sum(ratio >= 10 for ratio in ratios.values()),
        "median": round(statistics.median(ratios.values()), 2),
        "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "run_timeout": options.run_timeout,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
