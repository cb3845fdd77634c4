"""The same task under OpenEvolve and under peagen-ray: rate, CPU per candidate, and what hostile candidates cost.

OpenEvolve is installed into an environment of its own, below the user's cache directory. Both ask the same scripted
model (200 ms) over HTTP and evaluate with the same evaluator (50 ms), one after the other in one go. The rate is taken
in the middle of a run; the ideal is in flight / (model + evaluation). CPU is that of everything a run starts, less that
of a run of two candidates.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from _processes import say
from _scripted import scripted

from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.ledger import read

PEER: Final = "openevolve==0.4.0"
MODEL_S, EVALUATION_S = 0.2, 0.05
PATIENCE_S: Final = 2
"""Seconds of one evaluation, where some of them never end."""

PROGRAM: Final = (
    "# EVOLVE-BLOCK-START\nNUMBER = 0\n\n\ndef answer():\n    return NUMBER\n# EVOLVE-BLOCK-END\n"
)
EVALUATOR: Final = f"""
import importlib.util
import time


def evaluate(path):
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    value = module.answer()
    time.sleep({EVALUATION_S})
    return {{"combined_score": 1.0 + value * 7919 % 1000 / 1000}}
"""
HOSTILE: Final = {0: "    while True:\n        pass\n", 5: "    import os\n\n    os._exit(1)\n"}
"""By the remainder of a candidate's number by ten, what its function does instead."""

LONGEST_S: Final = 600


@dataclass(frozen=True)
class Ran:
    """A run that came to its end, or was ended.

    Attributes:
        times: when each candidate was told, seconds.
        healthy: candidates that scored.
        cpu_s: of everything that it started.
        code: its exit code; None if it took too long.
    """

    times: list[float]
    healthy: int
    cpu_s: float
    code: int | None


def answer(number: int, *, hostile: bool) -> str:
    body = HOSTILE.get(number % 10, "    return NUMBER\n") if hostile else "    return NUMBER\n"
    program = PROGRAM.replace("NUMBER = 0", f"NUMBER = {number}").replace("    return NUMBER\n", body)
    return f"```python\n{program}```"


def lay_out(directory: Path, url: str, in_flight: int) -> None:
    """The task, as it lies on disk."""
    config = {
        "diff_based_evolution": False,
        "random_seed": 1,
        "checkpoint_interval": 10_000,
        "llm": {"primary_model": "scripted", "api_base": url, "api_key": "${OPENAI_API_KEY}"},
        "database": {
            "population_size": 5000,
            "num_islands": 1,
            "feature_dimensions": ["complexity", "diversity"],
        },
        "evaluator": {"timeout": PATIENCE_S, "cascade_evaluation": False, "parallel_evaluations": in_flight},
    }
    (directory / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    (directory / "initial_program.py").write_text(PROGRAM)
    (directory / "evaluator.py").write_text(EVALUATOR)


def ended(command: list[str], directory: Path, **environment: str) -> tuple[str, float, int | None]:
    """What a command printed, its CPU seconds, and its exit code; None if it took too long."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, "OPENAI_API_KEY": "none", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    code: int | None
    try:
        printed, _ = process.communicate(timeout=LONGEST_S)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        printed, _ = process.communicate()
        code = None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return printed, spent, code


def ours(directory: Path, candidates: int, in_flight: int) -> Ran:
    files = ["--program", "initial_program.py", "--evaluator", "evaluator.py", "-c", "config.yaml"]
    command = [sys.executable, "-m", "peagen_ray", "evolve", "run", *files, "-i", str(candidates)]
    printed, cpu_s, code = ended(command, directory, PEAGEN__EVOLVE__MAX_IN_FLIGHT=str(in_flight))
    ledgers = list(directory.glob(".peagen/runs/*/ledger.arrow"))
    if not ledgers:
        raise SystemExit(printed[-2000:])
    told = [event for event in read(ledgers[0]) if event.event is Kind.TELL]
    healthy = sum(event.fitness is not None for event in told)
    return Ran([event.time_s for event in told], healthy, cpu_s, code)


def theirs(python: Path, directory: Path, candidates: int, _in_flight: int) -> Ran:
    command = [str(python), "-m", "openevolve.cli", "initial_program.py", "evaluator.py", "-c", "config.yaml"]
    printed, cpu_s, code = ended([*command, "-i", str(candidates)], directory)
    times, healthy = [], 0
    for line in printed.splitlines():
        found = re.match(
            r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}).*Iteration \d+: Program .* completed in", line
        )
        if found:
            times.append(datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f").timestamp())
        score = re.search(r"Metrics: .*combined_score=([0-9.]+)", line)
        healthy += bool(score) and float(score[1]) >= 1.0 if score else 0
    if not times:
        say(printed[-2000:])
    return Ran(times, min(healthy, len(times)), cpu_s, code)


def rate(ran: Ran, in_flight: int) -> float:
    """Candidates a second in the middle of a run."""
    start = 2 * in_flight - 1
    if len(ran.times) < start + 2:
        return 0.0
    return (len(ran.times) - 1 - start) / max(ran.times[-1] - ran.times[start], 1e-9)


def peer(cache: Path) -> Path:
    """The interpreter of the environment that OpenEvolve is installed in; made when it is first asked for."""
    root = cache / "openevolve"
    python = root / "bin" / "python"
    if not (root / "complete").exists():
        say(f"installing {PEER} into {root}")
        shutil.rmtree(root, ignore_errors=True)
        venv.create(root, with_pip=True)
        subprocess.run([python, "-I", "-m", "pip", "install", "-q", PEER], check=True)
        (root / "complete").touch()
    return python


class Comparison:
    """Runs both, and tells what came of it."""

    def __init__(self, python: Path) -> None:
        self._python = python

    def both(self, candidates: int, in_flight: int, *, hostile: bool = False) -> dict[str, Ran]:
        """A run of each."""
        found = {}
        answers = [answer(number, hostile=hostile) for number in range(1, candidates + 2 * in_flight + 1)]
        for name in ("openevolve", "peagen-ray"):
            with (
                tempfile.TemporaryDirectory() as root,
                scripted(answers, MODEL_S) as url,
            ):
                directory = Path(root)
                lay_out(directory, url, in_flight)
                run = ours if name == "peagen-ray" else lambda *its: theirs(self._python, *its)
                found[name] = run(directory, candidates, in_flight)
            say(f"{name}: {len(found[name].times)} of {candidates} candidates, {in_flight} in flight")
        return found

    def rates(self, in_flight: int, candidates: int, bar: float) -> dict[str, Any]:
        """Candidates a second; ours have to be so many times theirs, and with few in flight near the ideal."""
        both = self.both(candidates, in_flight)
        per_s = {name: rate(ran, in_flight) for name, ran in both.items()}
        ideal = in_flight / (MODEL_S + EVALUATION_S)
        times = per_s["peagen-ray"] / max(per_s["openevolve"], 1e-9)
        share = per_s["peagen-ray"] / ideal
        enough = times >= bar and (in_flight > 4 or share >= 0.9)
        return {
            "per_s": {name: round(value, 2) for name, value in per_s.items()},
            "ideal_per_s": ideal,
            "times": round(times, 2),
            "ok": enough,
        }

    def cpu(self, candidates: int, idle: dict[str, Ran], bar: float) -> dict[str, Any]:
        """Milliseconds of CPU for a candidate, beyond those of a run that has next to none."""
        both = self.both(candidates, 4)
        ms = {
            name: 1000 * (ran.cpu_s - idle[name].cpu_s) / max(len(ran.times) - len(idle[name].times), 1)
            for name, ran in both.items()
        }
        share = ms["peagen-ray"] / ms["openevolve"]
        return {
            "cpu_ms": {k: round(v, 1) for k, v in ms.items()},
            "share": round(share, 3),
            "ok": share <= bar,
        }

    def hostile(self) -> dict[str, Any]:
        """Sixty candidates, of which six never end and six end their process."""
        both = self.both(60, 4, hostile=True)
        healthy = {name: ran.healthy for name, ran in both.items()}
        return {
            "healthy_of_48": healthy,
            "exit": {name: ran.code for name, ran in both.items()},
            "ok": healthy["peagen-ray"] >= 48,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the run of a thousand candidates")
    parser.add_argument("--no-bar", action="store_true", help="print only")
    options = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "peagen-ray"
    compare = Comparison(peer(cache))
    idle = compare.both(2, 4)
    found: dict[str, Any] = {
        "in_flight_4": compare.rates(4, 60, 1.0),
        "in_flight_16": compare.rates(16, 240, 2.0),
        "cpu_60": compare.cpu(60, idle, 0.5),
        "hostile": compare.hostile(),
    }
    if not options.quick:
        found["cpu_1000"] = compare.cpu(1000, idle, 0.25)
    kept = all(each["ok"] for each in found.values())
    facts = {"benchmark": "vs_openevolve", "peer": PEER, "cores": len(os.sched_getaffinity(0))}
    print(json.dumps({**facts, **found, "ok": kept}))
    return 0 if kept or options.no_bar else 1


if __name__ == "__main__":
    sys.exit(main())
