"""Runs every benchmark and compares what it prints with ``baseline.json``; prints one JSON line.

``baseline.json`` names for each script, or script with options (``fault_inject.py --provider ray``), further options,
and for each figure of its JSON line (a dotted key) the value to expect, which way is better, and by what share of the
value it may be worse. Figures are ratios to something that ran beside, or counts, since times alone differ by the hour.
A figure that is worse than that, or missing, or a script that fails, is a failure that is named; a script that the file
does not know, too.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "baseline.json"
OWN = {"nightly.py", "gpu_cold_start.py", "llm_smoke.py"}
"""Scripts that are not compared: this one, what needs a GPU, and what needs a model."""


@dataclass(frozen=True)
class Figure:
    """What one figure of a benchmark is to be.

    Attributes:
        value: what is expected.
        better: ``higher`` or ``lower``.
        noise: share of the value by which it may be worse.
    """

    value: float
    better: str
    noise: float

    @property
    def bound(self) -> float:
        """The worst that passes."""
        return self.value * (1 - self.noise if self.better == "higher" else 1 + self.noise)

    def met_by(self, found: float) -> bool:
        """Whether that is good enough; what is no number, or none that can be measured, is not."""
        if not math.isfinite(found):
            return False
        return found >= self.bound if self.better == "higher" else found <= self.bound


def figures_of(entry: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures of one script's entry; raises ValueError if it is none."""
    figures = {}
    for key, fields in entry["figures"].items():
        figure = Figure(float(fields["value"]), fields["better"], float(fields["noise"]))
        if figure.better not in ("higher", "lower") or not 0 <= figure.noise < 1:
            msg = f"{key}: better is higher or lower, noise from 0 to below 1"
            raise ValueError(msg)
        figures[key] = figure
    return figures


def compared(line: str, figures: Mapping[str, Figure]) -> Iterator[str]:
    """What is wrong with a benchmark's line, in words."""
    printed = read(line)
    if printed is None:
        yield f"printed no JSON line but {line[:80]!r}"
        return
    for key, figure in figures.items():
        found = looked_up(printed, key)
        if found is None:
            yield f"{key} is missing"
        elif not figure.met_by(found):
            yield (
                f"{key} is {found:g}, expected {figure.value:g}; at {'least' if figure.better == 'higher' else 'most'}"
                f" {figure.bound:g} passes"
            )


def read(line: str) -> Any:
    """What a line of JSON says; None if it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def looked_up(printed: Any, key: str) -> float | None:
    """The number, or truth as 0 or 1, under a dotted key."""
    for part in key.split("."):
        if isinstance(printed, dict):
            printed = printed.get(part)
        elif isinstance(printed, list) and part.isdecimal() and int(part) < len(printed):
            printed = printed[int(part)]
        else:
            return None
    try:
        return float(printed) if isinstance(printed, int | float) else None
    except OverflowError:
        return math.nan


def script_of(name: str) -> str:
    """The script of an entry of the baseline."""
    return name.partition(" ")[0]


def run(script: str, options: list[str], timeout: float) -> tuple[int, str]:
    """How a benchmark ended, and the last line that it printed."""
    command = [sys.executable, str(HERE / script), *options]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired:
        return 124, ""
    lines = done.stdout.strip().splitlines()
    return done.returncode, lines[-1] if lines else ""


def main() -> int:
    """Run them; 1 if one is worse than it may be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("only", nargs="*", help="entries to run, such as startup.py; by default all")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for each script")
    options = parser.parse_args()
    baseline = json.loads(BASELINE.read_text())
    known = {script.name for script in HERE.glob("[a-z]*.py")} - OWN
    usable = [name for name in baseline if script_of(name) in known]
    problems = {name: ["is not in baseline.json"] for name in sorted(known - set(map(script_of, baseline)))}
    unknown = sorted(set(options.only) - set(usable))
    if unknown:
        parser.error(f"no benchmark with a baseline: {', '.join(unknown)}")
    chosen = options.only or usable
    printed = {}
    for script in chosen:
        entry = baseline[script]
        print(f"# {script}", file=sys.stderr, flush=True)
        name, *ours = script.split()
        code, line = run(name, [*ours, *entry.get("options", [])], options.timeout)
        wrong = list(compared(line, figures_of(entry)))
        if code and not wrong:
            wrong = [f"ended with exit code {code}"]
        for each in wrong:
            print(f"  worse: {each}", file=sys.stderr, flush=True)
        if wrong:
            problems[script] = wrong
        printed[script] = {key: looked_up(read(line), key) for key in entry["figures"]}
    print(json.dumps({"benchmark": "nightly", "ok": not problems, "problems": problems, "printed": printed}))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
