"""Which parent selector finds the most: seeds x selectors x both workloads; prints a table and one JSON line.

Every run is one of ``peagen-ray evolve run``, offline, with the same number of candidates; selectors take turns, seed
by seed, so that a busy machine slows all alike. ``gain`` is the natural logarithm of the confirmed speed-up, averaged
over the seeds of a workload, then over the workloads; ``first`` is how often no other selector had a larger gain with
the same seed; ``beyond`` is by how much its gain exceeds the default's, run by run of the same seed and workload, with
the 95 % interval. ``favoured`` is the default, unless the interval of another lies above zero: then the best.
A run that fails counts as no gain and is named. The table goes to stderr; ``--plot FILE`` draws it, with
``peagen-ray[plot]``. In full (``--seeds 10 --generations 40``) it takes hours; with ``--minutes`` no seed is begun
that would not be done in time, the line says how many were, and ``--continue`` goes on from it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from peagen_ray.config.model import EvolveTable
from peagen_ray.sandbox.statistics import student

ARTIFACTS = Path(__file__).resolve().parent / "artifacts"
WORKLOADS = ("bad_sort", "slow_shortest")
DEFAULT = EvolveTable().selector
_IMAGES = (".png", ".svg", ".pdf")
SELECTORS = ("epsilon", "ucb", "tournament", "rank", "thompson", "lexicase", "legacy")

Gains = Mapping[str, Mapping[str, Sequence[float]]]
"""By workload, then by selector: the gain of each seed."""


def main() -> int:
    options = arguments()
    gains = options.earlier or {
        workload: {selector: list[float]() for selector in options.selectors}
        for workload in options.workloads
    }
    failed: list[str] = []
    seeds = first = len(next(iter(next(iter(gains.values())).values())))
    begun = time.monotonic()
    while seeds < options.seeds and _in_time(time.monotonic() - begun, seeds - first, options.minutes):
        seeds += 1
        for workload, found in gains.items():
            for selector, of_seeds in found.items():
                gain = measured(workload, selector, seeds, options)
                if gain is None:
                    failed.append(f"{workload} {selector} {seeds}")
                of_seeds.append(gain or 0.0)
    print(table(gains), file=sys.stderr)
    line = {"benchmark": "selectors", "seeds": seeds, "generations": options.generations}
    print(json.dumps({**line, **summary(gains), "gains": gains, "failed": failed}), flush=True)
    if options.plot:
        plot(gains, options.plot)
    return 1 if failed else 0


def _in_time(elapsed_s: float, seeds: int, minutes: float | None) -> bool:
    """Whether one more seed would be done in time; the first one is always begun."""
    return not seeds or minutes is None or elapsed_s * (seeds + 1) / seeds <= 60 * minutes


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="runs of each selector on each workload")
    parser.add_argument("--generations", type=int, default=5, help="of ten candidates, in each run")
    parser.add_argument("--run-timeout", default="5m", help="no run takes longer")
    parser.add_argument("--concurrency", type=int, default=2, help="tasks at a time in each run")
    parser.add_argument("--selectors", nargs="+", default=SELECTORS, metavar="NAME")
    parser.add_argument("--workloads", nargs="+", default=WORKLOADS, choices=WORKLOADS)
    parser.add_argument("--minutes", type=float, help="begin no seed that would not be done in this time")
    parser.add_argument(
        "--continue",
        dest="earlier",
        type=earlier,
        metavar="FILE",
        help="an earlier line: its seeds count, and are not run again",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="an image of the table: .png, .svg or .pdf")
    options = parser.parse_args()
    if options.seeds < 1 or options.generations < 1:
        parser.error("one seed and one generation at least")
    if options.plot and (options.plot.suffix not in _IMAGES or not options.plot.absolute().parent.is_dir()):
        parser.error(f"--plot names a file in a directory that is there, and ends in {', '.join(_IMAGES)}")
    if options.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: install peagen-ray[plot]")
    return options


def earlier(file: str) -> dict[str, dict[str, list[float]]]:
    """The gains of a line that was printed before; ArgumentTypeError if the file has none."""
    try:
        gains: dict[str, dict[str, list[float]]] = json.loads(Path(file).read_text(encoding="utf-8"))["gains"]
        if len({len(found) for of_seeds in gains.values() for found in of_seeds.values()}) == 1:
            return gains
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise argparse.ArgumentTypeError(f"{file} has no line of this benchmark: {error!r}") from error
    raise argparse.ArgumentTypeError(f"{file} has not as many seeds of each selector")


def measured(workload: str, selector: str, seed: int, options: argparse.Namespace) -> float | None:
    """The gain of one run; None if it failed."""
    command = [sys.executable, "-m", "peagen_ray", "evolve", "run", "--sync", "--json"]
    command += ["--target-file", str(ARTIFACTS / f"{workload}.py"), "--entry-fn", workload]
    command += ["--selector", selector, "--seed", str(seed), "--generations", str(options.generations)]
    command += ["--run-timeout", options.run_timeout, "--concurrency", str(options.concurrency)]
    with tempfile.TemporaryDirectory() as workspace:
        done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    try:
        gain = max(0.0, math.log(json.loads(done.stdout)["ratio"]))
    except (ValueError, KeyError, TypeError):
        said = " ".join(done.stderr.strip().splitlines()[-2:])
        print(f"{workload} {selector} {seed}: {said or 'no answer'}", file=sys.stderr)
        return None
    print(f"{workload} {selector} {seed}: {math.exp(gain):.2f}x", file=sys.stderr)
    return gain


def summary(gains: Gains) -> dict[str, object]:
    """The best selector, and for each one its gain, how often it was first, and its spread."""
    found = {}
    for selector in next(iter(gains.values())):
        means = [statistics.fmean(of_seeds[selector]) for of_seeds in gains.values()]
        found[selector] = {
            "gain": round(statistics.fmean(means), 4),
            "first": sum(_firsts(of_seeds, selector) for of_seeds in gains.values()),
            "workloads": {
                workload: {"gain": round(mean, 4), "sd": round(statistics.pstdev(of_seeds[selector]), 4)}
                for (workload, of_seeds), mean in zip(gains.items(), means, strict=True)
            },
        }
    best = max(found, key=lambda selector: found[selector]["gain"])
    beyond = {selector: _beyond(gains, selector) for selector in found} if DEFAULT in found else {}
    clearly = {selector: middle for selector, (middle, half) in beyond.items() if middle - half > 0}
    return {
        "best": best,
        "favoured": max(clearly, key=lambda selector: clearly[selector], default=DEFAULT),
        "beyond": {
            selector: {"mean": round(middle, 4), "half_width": None if math.isinf(half) else round(half, 4)}
            for selector, (middle, half) in beyond.items()
        },
        "selectors": found,
    }


def _beyond(gains: Gains, selector: str) -> tuple[float, float]:
    """By how much its gain exceeds the default's, and half of the 95 % interval; infinite for two runs of each."""
    pairs = [
        own - default
        for of_seeds in gains.values()
        for own, default in zip(of_seeds[selector], of_seeds[DEFAULT], strict=True)
    ]
    if len(pairs) < 3:
        return statistics.fmean(pairs), math.inf
    error = statistics.stdev(pairs) / math.sqrt(len(pairs))
    return statistics.fmean(pairs), student(len(pairs) - 1) * error


def _firsts(of_seeds: Mapping[str, Sequence[float]], selector: str) -> int:
    return sum(
        own == max(all_)
        for own, all_ in zip(of_seeds[selector], zip(*of_seeds.values(), strict=True), strict=True)
    )


def table(gains: Gains) -> str:
    """The speed-up of each selector on each workload: the geometric mean over the seeds, the worst and the best one."""
    rows = [
        f"{'selector':<12}"
        + "".join(f"{workload:>26}" for workload in gains)
        + f"{'ln beyond ' + DEFAULT:>24}"
    ]
    for selector in next(iter(gains.values())):
        row = f"{selector:<12}"
        for of_seeds in gains.values():
            found = of_seeds[selector]
            low, mean, high = (math.exp(x) for x in (min(found), statistics.fmean(found), max(found)))
            row += f"{f'{mean:.2f}x ({low:.2f} to {high:.2f})':>26}"
        if selector != DEFAULT and DEFAULT in next(iter(gains.values())):
            middle, half = _beyond(gains, selector)
            doubt = "?" if math.isinf(half) else f"{half:.2f}"
            row += f"{f'{middle:+.2f} ± {doubt}':>24}"
        rows.append(row)
    return "\n".join(rows)


def plot(gains: Gains, path: Path) -> None:
    """A dot for each seed's speed-up, and a bar at their geometric mean; one panel for each workload."""
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot, ticker = (importlib.import_module(f"matplotlib.{name}") for name in ("pyplot", "ticker"))
    figure, panels = pyplot.subplots(1, len(gains), figsize=(6 * len(gains), 4), squeeze=False)
    for panel, (workload, of_seeds) in zip(panels[0], gains.items(), strict=True):
        for place, found in enumerate(of_seeds.values()):
            panel.plot([place] * len(found), [math.exp(gain) for gain in found], "o", alpha=0.5, color="C0")
            panel.plot(place, math.exp(statistics.fmean(found)), "_", markersize=24, color="C1")
        panel.set_xticks(range(len(of_seeds)), of_seeds.keys(), rotation=30)
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.yaxis.set_major_formatter("{x:g}x")
        panel.yaxis.set_minor_formatter("")
        panel.set_title(workload)
        panel.set_ylabel("speed-up")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
