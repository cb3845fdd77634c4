"""``caps`` on a cluster that really runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.slow

SECONDS = 120


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of a head without CPUs, a node with an engine, and two that are alike."""
    folder = tempfile.mkdtemp(prefix="pr")  # sockets lie under it: its name must be short
    before = {name: os.environ.get(name) for name in ("RAY_AUTH_MODE", "RAY_TMPDIR")}
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": folder}
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 80_000_000, "include_dashboard": False, "num_gpus": 0}
    cluster = Cluster()
    try:
        cluster.add_node(num_cpus=0, **small)
        cluster.add_node(num_cpus=1, resources={"docker": 1_000_000, "llm": 4}, **small)
        cluster.add_node(num_cpus=2, **small)
        cluster.add_node(num_cpus=2, **small)
        yield cluster.address
    finally:
        cluster.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


def test_live_nodes_are_shown_with_what_they_offer_and_can_run(address, tmp_path) -> None:
    command = [sys.executable, "-m", "peagen_ray", "caps", "--address", address, "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    offers = {tuple(offer["tags"]): offer for offer in said["offers"]}
    assert offers.keys() == {(), ("cpu", "docker", "llm"), ("cpu",)}
    assert [len(offer["names"]) for offer in (offers[()], offers["cpu",])] == [1, 2]
    assert "ExecuteDockerHandler" in offers["cpu", "docker", "llm"]["handlers"]
    assert "ExecuteDockerHandler" not in offers["cpu",]["handlers"]
    assert said["unserved"] == {"ExecuteGPUHandler": ["cuda11/12", "gpu"]}


def test_doctor_says_how_many_nodes_the_cluster_has(address: str) -> None:
    looked = (
        "from peagen_ray.config.load import load\n"
        "from peagen_ray.runtime.checkup import checks\n"
        "print(next(each for each in checks(load().config) if each.name == 'ray'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", looked],
        env={**os.environ, "PEAGEN__FABRIC__ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert f"the cluster at {address} has 4 nodes" in done.stdout
    assert "Verdict.OK" in done.stdout
