"""A run whose evaluator and programs meet in containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.evolution.ledger import read
from peagen_ray.evolution.program import Outcome
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.sandbox.container import Container

PROGRAM = "# EVOLVE-BLOCK-START\ndef answer():\n    return 3 + 4 * 10\n# EVOLVE-BLOCK-END\n"
EVALUATOR = """
import subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from helper import GOAL

def answer(path):
    return float(subprocess.check_output([sys.executable, "-c", open(path).read() + "print(answer())"]))

def evaluate(path):
    with ProcessPoolExecutor(1) as pool:
        return {"combined_score": -abs(pool.submit(answer, path).result() - GOAL)}
"""
CONFIG = """
[evolve]
backend = "docker"
seed = 3
[evolve.stop]
max_candidates = 2
[execute.container]
image = "{image}"
engine_options = {options}
"""


@pytest.mark.slow
def test_a_program_is_scored_in_containers_and_verified_in_them(
    container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = CONFIG.format(image=container.image, options=list(container.engine_options))
    texts = {"program.py": PROGRAM, "evaluator.py": EVALUATOR, "helper.py": "GOAL = 7.0\n"}
    for name, text in {**texts, ".peagen.toml": config}.items():
        (tmp_path / name).write_text(text)
    command = ["evolve", "run", "--sync", "--program", "program.py", "--evaluator", "evaluator.py"]
    assert run([*command, "--concurrency", "1"]) == 0
    told = [event for event in read(RunPaths.find("last").ledger) if event.source]
    assert (told[0].fitness, told[0].outcome) == (-36.0, Outcome.OK)
    assert max(event.fitness or -36.0 for event in told) > -36.0
    assert "cgroup" in told[0].metrics["layers"]
    assert run(["runs", "verify", "last"]) == 0
    assert "the recorded scores are reproduced" in capsys.readouterr().out
