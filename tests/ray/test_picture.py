"""Pictures of clusters that really run: what lives, what can be started, and what is on its way out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.config.model import FabricTable
from peagen_ray.fabric.capabilities import (
    Cluster,
    Demand,
    Live,
    Missing,
    Node,
    NodeType,
    Placement,
    Startable,
    demand_of,
)
from peagen_ray.task import TaskKind
from peagen_ray.testing.autoscaling import NODE_TYPES, AutoscalingCluster

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).with_name("cluster_driver.py")
TABLE = FabricTable()
SECONDS = 200
ON_HEAD = {"num_cpus": 0, "resources": {"node:__internal_head__": 0.0001}}

TASKS = {
    name: demand_of(TaskKind.EXECUTE, tags, TABLE)
    for name, tags in {
        "cpu": {"cpu"},
        "docker": {"cpu", "docker"},
        "llm": {"cpu", "llm"},
        "gpu": {"cpu", "docker", "gpu", "cuda12"},
    }.items()
}


@pytest.fixture(scope="module")
def autoscaled() -> Iterator[AutoscalingCluster]:
    with AutoscalingCluster(idle_minutes=1) as running:
        yield running


def drive(address: str, **wanted: Any) -> dict[str, Any]:
    """What a driver of its own says."""
    command = [sys.executable, str(DRIVER), address, json.dumps(wanted)]
    environ = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    for _ in range(3):
        done = subprocess.run(
            command,
            env=environ,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=tempfile.gettempdir(),
        )
        if (
            "Starting Ray client server failed" not in done.stderr
        ):  # Ray gives it half a minute, busy cores or not
            break
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def as_cluster(said: dict[str, Any]) -> Cluster:
    nodes, types = said["nodes"], said["types"]
    return Cluster(tuple(Node(**each) for each in nodes), tuple(NodeType(**each) for each in types))


def place(said: dict[str, Any], *tags: str) -> Any:
    return Placement(as_cluster(said), TABLE).place(TaskKind.EXECUTE, frozenset(tags))


def check_types(said: dict[str, Any]) -> None:
    """They are those that the autoscaler was started with."""
    found = {each["name"]: each for each in said["types"] if each["name"] != "ray.head.default"}
    assert found.keys() == NODE_TYPES.keys()
    for name, declared in NODE_TYPES.items():
        assert found[name]["resources"] == declared["resources"]
        assert (found[name]["least"], found[name]["most"]) == (0, declared["max_workers"])


def test_from_zero_the_autoscalers_types_say_what_can_be_started_and_nodes_say_their_type(autoscaled):
    said = drive(
        autoscaled.address,
        tasks={name: demand.options() for name, demand in TASKS.items()},
        actors={"on_head": ON_HEAD, "on_worker": {"num_cpus": 0, "resources": {"llm": 1}}},
    )
    check_types(said["before"])
    assert len(said["before"]["nodes"]) == 1
    assert isinstance(place(said["before"], "cpu"), Startable)
    for name, tags in {"docker": {"docker"}, "llm": {"llm"}, "gpu": {"gpu", "cuda11/12", "docker"}}.items():
        assert place(said["before"], "cpu", *tags) == Startable(TASKS[name], name)
    assert isinstance(place(said["before"], "cpu", "rust"), Missing)

    started = {each["type"] for each in said["after"]["nodes"]} - {""}
    assert (
        {"llm", "gpu"} <= started <= NODE_TYPES.keys()
    )  # what needs docker may have run on either that has it
    assert place(said["after"], "gpu", "cuda11/12", "docker", "cpu") == Live(TASKS["gpu"])
    for place_of_actor in ("on_head", "on_worker"):
        assert said[place_of_actor]["types"] == said["before"]["types"]
        assert {each["type"] for each in said[place_of_actor]["nodes"]} - {""} <= NODE_TYPES.keys()


def test_what_no_node_type_has_is_said_to_be_stuck(autoscaled):
    impossible = Demand(1.0, 0.5, 123_456_789, (("llm", 1.0), ("rust", 0.0001)))
    said = drive(autoscaled.address, impossible=impossible.options())
    (stuck,) = said["stuck"]
    assert Demand(**{**stuck, "custom": tuple(map(tuple, stuck["custom"]))}) == impossible


def test_through_ray_client_the_types_are_known_too(autoscaled):
    direct = drive(autoscaled.address)["before"]
    host = direct["nodes"][0]["name"].rpartition("-")[0]
    said = drive(f"ray://{host}:{autoscaled.client_port}")["before"]
    check_types(said)
    assert len(said["nodes"]) >= 1


def test_types_that_are_given_are_taken_in_place_of_the_autoscalers(autoscaled):
    given = NodeType("own", {"CPU": 2.0, "rust": 1.0}, 0, 7)
    said = drive(autoscaled.address, types=[vars(given)])["before"]
    assert [NodeType(**each) for each in said["types"]] == [given]
    assert place(said, "rust") == Startable(demand_of(TaskKind.EXECUTE, {"rust"}, TABLE), "own")


def test_caps_shows_the_types_of_a_running_cluster_without_its_file(autoscaled, tmp_path):
    command = [sys.executable, "-m", "peagen_ray", "caps", "--address", autoscaled.address, "--json"]
    environ = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = json.loads(done.stdout)
    offers = {offer["names"][0]: offer for offer in said["offers"] if offer["source"] == "node type"}
    assert {"ExecuteGPUHandler", "ExecuteDockerHandler"} <= set(offers["gpu"]["handlers"])
    assert "ExecuteDockerHandler" not in offers["cpu"]["handlers"]
    assert said["unserved"] == {}


# ---- nodes that leave ----------------------------------------------------------------------------


def offered() -> list[Node]:
    """The live nodes with a tag."""
    import ray

    from peagen_ray.fabric.cluster import picture

    seen = picture(ray)
    assert seen.types == ()
    return [each for each in seen.nodes if "docker" in each.resources]


def until_nothing_is_offered() -> None:
    end = time.monotonic() + 60
    while offered():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_node_that_is_drained_or_dead_offers_nothing(connected):
    import ray
    from ray._private.worker import global_worker
    from ray.core.generated import autoscaler_pb2

    gate = ray.remote(num_cpus=0)(Gate).options(max_concurrency=2).remote()
    node = connected.add_node(num_cpus=1, resources={"docker": 1000}, object_store_memory=80_000_000)
    assert len(offered()) == 1
    busy = ray.remote(max_retries=0)(lambda gate: ray.get(gate.wait.remote())).options(
        resources={"docker": 1}
    )
    running = busy.remote(gate)
    ray.get(gate.entered.remote(), timeout=60)
    reason = autoscaler_pb2.DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION
    accepted, why = global_worker.gcs_client.drain_node(node.node_id, reason, "is taken away", 2**62)
    assert accepted, why
    until_nothing_is_offered()  # the node has to tell the cluster's store
    assert [row["Alive"] for row in ray.nodes() if row["NodeID"] == node.node_id] == [True]
    gate.open.remote()
    ray.get(running, timeout=60)

    other = connected.add_node(num_cpus=1, resources={"docker": 1000}, object_store_memory=80_000_000)
    assert len(offered()) == 1
    connected.remove_node(other)
    until_nothing_is_offered()
    assert [row["Alive"] for row in ray.nodes() if row["NodeID"] == other.node_id] == [False]
    connected.remove_node(node)


class Gate:
    """Holds a task until it is opened."""

    def __init__(self) -> None:
        import asyncio

        self._entered, self._open = asyncio.Event(), asyncio.Event()

    async def wait(self) -> None:
        self._entered.set()
        await self._open.wait()

    async def entered(self) -> None:
        await self._entered.wait()

    async def open(self) -> None:
        self._open.set()
