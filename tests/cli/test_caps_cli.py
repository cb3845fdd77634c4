"""``caps``: of this machine, of a file, and of clusters that are not there."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from peagen_ray.cli.boundary import run

CLUSTER = """
cluster_name: test
max_workers: 8
provider: {type: aws, region: us-west-2}
auth: {ssh_user: ubuntu}
head_node_type: head
available_node_types:
  head: {resources: {CPU: 0}, node_config: {}}
  cpu: {resources: {CPU: 4, llm: 16}, min_workers: 1, max_workers: 5, node_config: {}}
  gpu: {resources: {GPU: 1, cuda12: 1000000, docker: 1000000}, node_config: {}}
  silent: {max_workers: 1, node_config: {}}
"""

RAY_CLUSTER = """
apiVersion: v1
kind: Service
---
apiVersion: ray.io/v1
kind: %s
metadata: {name: test}
spec: %s
"""

SPEC = {
    "enableInTreeAutoscaling": True,
    "headGroupSpec": {
        "rayStartParams": {"num-cpus": "0"},
        "template": {
            "spec": {"containers": [{"name": "head", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]}
        },
    },
    "workerGroupSpecs": [
        {
            "groupName": "cpu",
            "replicas": 2,
            "minReplicas": 0,
            "maxReplicas": 7,
            "rayStartParams": {"resources": '"{\\"docker\\": 1000000}"'},
            "template": {
                "spec": {
                    "containers": [{"name": "worker", "resources": {"limits": {"cpu": "2", "memory": "2Gi"}}}]
                }
            },
        }
    ],
}


@pytest.fixture
def cluster_yaml(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER)
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKER_CAPS", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # tests before these may have joined a cluster


def found(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, dict[str, object]]:
    assert run(["caps", "--json", *args]) == 0
    data = json.loads(capsys.readouterr().out)
    return {offer["names"][0]: offer for offer in data["offers"]} | {"": data}


def test_this_machine_offers_its_own_tags_and_says_how_to_join(monkeypatch, capsys) -> None:
    monkeypatch.setenv("WORKER_CAPS", "cpu,docker,llm")
    said = found(capsys)
    machine = said["this machine"]
    assert machine["tags"] == ["cpu", "docker", "llm"]
    assert {"ExecuteProcessHandler", "ExecuteDockerHandler"} <= set(machine["handlers"])
    assert machine["lacks"] == {"ExecuteGPUHandler": ["cuda11/12", "gpu"]}
    assert said[""]["ray_start"] == ["--num-gpus=0", '--resources={"docker": 1000000, "llm": 16}']


def test_a_person_reads_the_same(capsys) -> None:
    assert run(["caps"]) == 0
    said = capsys.readouterr().out
    assert "this machine" in said
    assert "ExecuteDockerHandler can run nowhere: missing docker" in said
    assert "to join a cluster: ray start --address=HOST:6379 --num-gpus=0" in said


def test_node_types_are_read_as_the_autoscaler_reads_them(cluster_yaml, capsys) -> None:
    said = found(capsys, "--cluster-yaml", str(cluster_yaml))
    assert [(said[name]["least"], said[name]["most"]) for name in ("head", "cpu", "gpu")] == [
        (1, 1),
        (1, 5),
        (0, 8),
    ]
    assert said["head"]["handlers"] == []
    assert said["cpu"]["tags"] == ["cpu", "llm"]
    assert said["gpu"]["handlers"] == ["ExecuteGPUHandler"]
    assert said[""]["unserved"] == {"ExecuteDockerHandler": ["docker"]}
    assert "ray_start" not in said[""]


def test_a_node_type_that_declares_nothing_is_shown_as_such(cluster_yaml, capsys) -> None:
    assert run(["caps", "--cluster-yaml", str(cluster_yaml)]) == 0
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if "silent" in line]
    assert "it does not say" in line
    assert "cpu 4, llm 16" in said


@pytest.mark.parametrize(("kind", "inside"), [("RayCluster", False), ("RayJob", True)])
def test_kuberays_resources_are_understood(kind, inside, tmp_path, capsys) -> None:
    path = tmp_path / "ray.yaml"
    path.write_text(RAY_CLUSTER % (kind, json.dumps({"rayClusterSpec": SPEC} if inside else SPEC)))
    said = found(capsys, "--cluster-yaml", str(path))
    assert (said["cpu"]["least"], said["cpu"]["most"]) == (0, 7)
    assert said["cpu"]["tags"] == ["cpu", "docker"]
    assert "ExecuteDockerHandler" in said["cpu"]["handlers"]


def test_a_cluster_without_an_autoscaler_has_the_workers_that_its_file_says(tmp_path, capsys) -> None:
    path = tmp_path / "ray.yaml"
    path.write_text(RAY_CLUSTER % ("RayCluster", json.dumps({**SPEC, "enableInTreeAutoscaling": False})))
    said = found(capsys, "--cluster-yaml", str(path))
    assert (said["cpu"]["least"], said["cpu"]["most"]) == (2, 2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (CLUSTER.replace("min_workers", "min_workrs"), "min_workrs"),
        (CLUSTER.replace("aws", "martian"), "martian"),
        ("kind: Deployment", "describes no Ray cluster"),
        (RAY_CLUSTER % ("RayJob", '{"clusterSelector": {}}'), "describes no cluster of its own"),
        ("{", "cannot be used"),
    ],
)
def test_a_file_that_ray_would_refuse_is_refused(text, why, tmp_path, capsys) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    assert run(["caps", "--cluster-yaml", str(path)]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert str(path) in said


def test_a_file_that_is_not_there_is_named(capsys) -> None:
    assert run(["caps", "--cluster-yaml", "none.yaml"]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_a_cluster_that_is_not_there_is_found_out_at_once(capsys) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        assert run(["caps", "--address", address]) == 3
    said = capsys.readouterr().err
    assert f"Ray cluster {address}: nothing listens at {address}" in said
    assert "ray start --head" in said


@pytest.mark.parametrize("address", ["nonsense", "host:port", "ray://host", "redis://host:6379"])
def test_what_is_no_address_is_refused(address, capsys) -> None:
    assert run(["caps", "--address", address]) == 2
    assert "is no address of a Ray cluster" in capsys.readouterr().err


def test_a_dry_run_asks_no_cluster(capsys) -> None:
    assert run(["caps", "--dry-run", "--address", "127.0.0.1:1"]) == 0
    assert "would ask the Ray cluster 127.0.0.1:1" in capsys.readouterr().out
