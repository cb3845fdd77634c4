"""The real autoscaler with local processes as nodes; drivers are processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from peagen_ray.testing import autoscaling
from peagen_ray.testing.autoscaling import NODE_TYPES, AutoscalingCluster

DRIVER = """
import json, os, sys, time
import ray

wanted = json.loads(sys.argv[2])
ray.init(address=sys.argv[1], log_to_driver=False)

def workers():
    return sum(node["Alive"] for node in ray.nodes()) - 1

@ray.remote(num_cpus=1, max_retries=0)
def where():
    return os.environ["RAY_NODE_TYPE_NAME"], ray.get_gpu_ids()

before = workers()
ran = {name: where.options(**options).remote() for name, options in wanted.items()}
ran = {name: ray.get(reference, timeout=60) for name, reference in ran.items()}
during = workers()
deadline = time.monotonic() + 60
while workers() and time.monotonic() < deadline:
    time.sleep(0.1)
print(json.dumps({"before": before, "ran": ran, "during": during, "after": workers()}))
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[AutoscalingCluster]:
    with AutoscalingCluster() as running:
        yield running
    assert running.processes() == []
    assert not running.folder.exists()


def drive(cluster: AutoscalingCluster, **wanted: dict[str, Any]) -> dict[str, Any]:
    """Run each task that is wanted, then wait for every worker node to leave."""
    driver = subprocess.run(
        [sys.executable, "-c", DRIVER, cluster.address, json.dumps(wanted)],
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert driver.returncode == 0, driver.stderr + cluster.log
    return json.loads(driver.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_tag_starts_a_node_of_its_type_from_zero_and_idle_nodes_leave(cluster):
    said = drive(cluster, docker={"resources": {"docker": 0.0001}})
    assert said["before"] == 0
    assert said["ran"]["docker"] == ["docker", []]
    assert said["during"] == 1
    assert said["after"] == 0


@pytest.mark.nightly  # test_picture.py has tasks of all tags start nodes of their types in every run
def test_llm_and_gpu_tasks_run_on_nodes_that_declare_them(cluster):
    said = drive(
        cluster,
        llm={"resources": {"llm": 1}},
        gpu={"num_gpus": 1, "resources": {"cuda12": 0.0001, "docker": 0.0001}},
    )
    assert said["ran"] == {"llm": ["llm", []], "gpu": ["gpu", [0]]}
    assert said["after"] == 0


def test_every_node_type_declares_a_cpu_and_whole_numbers_of_its_tags():
    for declared in NODE_TYPES.values():
        resources = declared["resources"]
        assert resources["CPU"] == 1
        assert all(isinstance(amount, int) for amount in resources.values())
        assert declared["min_workers"] == 0


def test_a_cluster_that_does_not_start_in_time_says_what_it_printed_and_leaves_nothing(monkeypatch):
    monkeypatch.setattr(autoscaling, "_START_S", 0.0)
    cluster = AutoscalingCluster()
    with pytest.raises(RuntimeError, match="does not start"):
        cluster.start()
    assert cluster.processes() == []
    assert not cluster.folder.exists()
