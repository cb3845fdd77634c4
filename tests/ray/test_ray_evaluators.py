"""Runs that an evaluator scores, on a cluster: the scores are those of one machine, the requests are Ray's resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray_fabric_bench import extra_node, wait_for

import peagen_ray
from peagen_ray.cli.boundary import run
from peagen_ray.runtime.progress import Silent
from peagen_ray.runtime.result import RunResult

PROGRAM = "# EVOLVE-BLOCK-START\ndef answer():\n    return 3 + 4 * 10\n# EVOLVE-BLOCK-END\n"
EVALUATOR = """
import importlib.util, helper
def evaluate(path):
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {"combined_score": -abs(module.answer() - helper.GOAL)}
"""
CONFIG = """
[evolve]
seed = 3
ordered = true
generation_size = 2
[evolve.stop]
max_candidates = 4
[evaluate]
evaluator = "module"
file = "evaluator.py"
[evaluate.requests]
cpus = 0.5
memory_mb = 64
tags = ["licence"]
[fabric.consumable]
licence = 2
"""


@pytest.fixture
def workspace(connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    texts = {
        "program.py": PROGRAM,
        "evaluator.py": EVALUATOR,
        "helper.py": "GOAL = 7.0\n",
        ".peagen.toml": CONFIG,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def requested(handler: str, address: str) -> list[dict[str, float]]:
    """What the tasks of a handler asked Ray for, of which it knows; the workers tell of them once a second."""
    import grpc
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        gcs = gcs_service_pb2_grpc.TaskInfoGcsServiceStub(channel)
        events = gcs.GetTaskEvents(gcs_service_pb2.GetTaskEventsRequest(), timeout=30).events_by_task
    return [dict(each.task_info.required_resources) for each in events if each.task_info.name == handler]


def evolved(**settings: Any) -> RunResult:
    result = peagen_ray.evolve("program.py", observer=Silent(), concurrency=2, **settings)
    assert result.told == 4
    return result


@pytest.mark.slow
def test_a_scored_run_finds_the_same_on_a_cluster_and_its_requests_are_resources_of_its_tasks(
    connected: Any, workspace: Path
) -> None:
    here = evolved(provider="stub").scores
    with extra_node(connected, resources={"licence": 2}):
        there = evolved()
        asked = wait_for(lambda: requested("ExecuteEvaluationHandler", connected.address))
    assert asked == [{"CPU": 0.5, "memory": 64 * 2.0**20, "licence": 1.0}] * len(asked)
    assert here is not None
    assert there.scores is not None
    assert there.scores.after > there.scores.before
    assert (there.scores.before, there.scores.after) == (here.before, here.after)
    assert run(["runs", "verify", there.paths.id]) == 0
