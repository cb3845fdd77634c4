"""Benchmarks of the fabric on Ray, each at its smallest: they end, and print the line that nightly reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
BASELINE = json.loads((FOLDER / "baseline.json").read_text())
LONGEST_S = 300


def printed(name: str, *options: str) -> dict[str, Any]:
    """The JSON line of an entry of the baseline; it may have missed its bars, as on a busy machine."""
    script, *words = name.split()
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *words, *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def has_figures(line: dict[str, Any], name: str) -> None:
    for key in BASELINE[name]["figures"]:
        found: Any = line
        for part in key.split("."):
            found = found[part]
        assert isinstance(found, int | float), key


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cold_start.py", ["--rounds", "3", "--single-use-rounds", "2"]),
        ("fabric_rate.py", ["--rounds", "1", "--scale", "0.02"]),
        ("fault_inject.py --provider ray", ["--rounds", "1"]),
    ],
)
def test_a_benchmark_on_a_cluster_prints_its_figures(name: str, options: list[str]) -> None:
    has_figures(printed(name, *options), name)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cold_start.py --from-zero", ["--rounds", "1"]),
        ("idle_cost.py", ["--rounds", "1", "--tasks", "4", "--watch", "2"]),
    ],
)
def test_a_benchmark_on_an_autoscaling_cluster_prints_its_figures(name: str, options: list[str]) -> None:
    has_figures(printed(name, *options), name)


@pytest.mark.nightly
def test_an_evolution_runs_through_a_cluster_and_prints_its_summary() -> None:
    line = printed("bad_sort.py --provider ray", "--cpus", "2", "--run-timeout", "5s")
    assert line["provider"] == "ray"
    assert line["elapsed_s"] > 0


def test_workers_without_a_cluster_cannot_serve_a_queue_on_one() -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "fault_inject.py"), "--provider", "ray", "--fabric", "inline"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "serve Redis only" in done.stderr
