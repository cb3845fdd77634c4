"""The simulated cluster at its smallest: what the benchmark says to the planner is what the planner understands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scale_sim.py"


def test_the_planner_and_the_engine_keep_ten_workers_busy() -> None:
    command = [sys.executable, str(SCRIPT), "--largest", "10", "--candidates", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks_per_s"]["10"] > 0
