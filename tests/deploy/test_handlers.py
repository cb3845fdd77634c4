"""On each of our clusters every built-in handler can run somewhere, or is left out on purpose, and the guide says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from manifests import ROOT, containers, with_engines

from peagen_ray.config.model import FabricTable
from peagen_ray.fabric.capabilities import Cluster
from peagen_ray.fabric.node_types import node_types, types_in
from peagen_ray.handler import TaskHandler
from peagen_ray.runtime.offers import of_cluster
from peagen_ray.runtime.serving import registered
from peagen_ray.task import missing_tags

TABLE = FabricTable()
GUIDE = (ROOT / "docs/clusters.md").read_text()
ENGINES = {"ExecuteDockerHandler", "ExecuteGPUHandler"}
"""What measures in containers."""

SPAWNERS = ["deploy/k8s/spawner-cpu.yaml", "deploy/k8s/spawner-gpu.yaml"]
LEFT_OUT = {
    "cluster.yaml": set(),
    "deploy/kuberay": ENGINES,
    "deploy/kuberay-docker": set(),
    "deploy/k8s": ENGINES,
}
"""On purpose: a pod of these has no container engine."""


def handlers() -> Mapping[str, TaskHandler]:
    """The built-in ones."""
    found = {name: each.handler for name, each in registered(()).items()}
    ours = {name: each for name, each in found.items() if type(each).__module__.startswith("peagen_handlers")}
    assert len(ours) >= len(ENGINES) + 3
    return ours


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("cluster.yaml", node_types(ROOT / "cluster.yaml")),
        ("deploy/kuberay", node_types(ROOT / "deploy/kuberay/raycluster.yaml")),
        ("deploy/kuberay-docker", types_in(with_engines(), "peagen", "deploy/kuberay-docker")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_handler_can_run_on_the_cluster_or_is_left_out_on_purpose(name, types):
    found = of_cluster(Cluster(types=types), handlers(), TABLE)
    assert set(found.unserved) == LEFT_OUT[name]
    heads = [offer for offer in found.offers if offer.names[0] in {"head", "headgroup"}]
    assert [offer.runs for offer in heads] == [()]


def test_every_handler_can_run_in_some_spawner_or_is_left_out_on_purpose():
    offered = []
    for path in SPAWNERS:
        (container,) = containers(path)
        caps = {each["name"]: each.get("value", "") for each in container["env"]}["WORKER_CAPS"]
        offered.append(frozenset(caps.split(",")))
    unserved = {
        name
        for name, each in handlers().items()
        if all(missing_tags(each.PROVIDES, caps) for caps in offered)
    }
    assert unserved - LLM == LEFT_OUT["deploy/k8s"]


LLM = {name for name, each in handlers().items() if "llm" in each.PROVIDES}
"""What asks a language model: a spawner has its keys only where somebody gives them to it, and the tag with them."""


def test_the_guide_names_what_is_left_out_and_where():
    for name, left_out in LEFT_OUT.items():
        (row,) = [line for line in GUIDE.splitlines() if line.startswith(f"| `{name}`")]
        said = {handler for handler in ENGINES if handler in row}
        assert said == left_out, name


def test_a_cluster_that_lacks_a_tag_is_found_out(tmp_path: Path):
    document = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    for node_type in document["available_node_types"].values():
        node_type["resources"].pop("docker", None)
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(document))
    assert set(of_cluster(Cluster(types=node_types(path)), handlers(), TABLE).unserved) == ENGINES
