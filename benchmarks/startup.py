"""How long ``peagen-ray --help`` takes against importing typer and pydantic: at most twice as long.

Prints one JSON line. The two are started in turns, so that a busy machine slows both alike, and medians are
compared; ``spread`` is half the distance between the quartiles of the single ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

BASELINE = [sys.executable, "-c", "import typer, pydantic"]
COMMANDS = {
    "help": [sys.executable, "-m", "peagen_ray", "--help"],
    "import": [sys.executable, "-c", "import peagen_ray"],
    "config_show": [sys.executable, "-m", "peagen_ray", "config", "show"],
}
BOUND = 2.0


def seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def measure(rounds: int) -> dict[str, object]:
    for command in (BASELINE, *COMMANDS.values()):
        seconds(command)  # fills the disk cache and writes the byte code
    taken: dict[str, list[float]] = {name: [] for name in ("baseline", *COMMANDS)}
    for _ in range(rounds):
        taken["baseline"].append(seconds(BASELINE))
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    single = [ours / base for ours, base in zip(taken["help"], taken["baseline"], strict=True)]
    low, _, high = statistics.quantiles(single, n=4)
    ratio = statistics.median(taken["help"]) / statistics.median(taken["baseline"])
    return {
        "benchmark": "startup",
        "ratio": round(ratio, 3),
        "spread": round((high - low) / 2, 3),
        "bound": BOUND,
        "ok": ratio <= BOUND,
        "rounds": rounds,
        "ms": {name: round(1000 * statistics.median(times), 1) for name, times in taken.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each is started (default 15)")
    found = measure(max(2, parser.parse_args().rounds))
    print(json.dumps(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
