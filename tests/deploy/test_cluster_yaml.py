import copy
from typing import Any

import pytest
from manifests import ROOT, Wrong, check_cluster, cluster

from peagen_ray.config.model import FabricTable
from peagen_ray.fabric.capabilities import PLENTY, tags_offered
from peagen_ray.task import check_tag

OWN = {"CPU", "GPU"}


def test_ray_accepts_cluster_yaml():
    check_cluster(cluster())


def test_the_head_has_no_cpus_for_tasks_and_every_worker_type_starts_from_zero():
    prepared = check_cluster(cluster())
    types = prepared["available_node_types"]
    head = types.pop(prepared["head_node_type"])
    assert head["resources"] == {"CPU": 0}
    assert head["max_workers"] == 0
    assert types
    assert all(each["min_workers"] == 0 and each["max_workers"] > 0 for each in types.values())
    assert prepared["idle_timeout_minutes"] <= 10


def test_every_custom_resource_is_a_tag_with_the_capacity_of_its_sort():
    slots = FabricTable().consumable
    for node_type in cluster()["available_node_types"].values():
        for name, amount in node_type["resources"].items():
            assert isinstance(amount, int)
            if name not in OWN:
                assert check_tag(name) == name
                assert amount == slots.get(name, PLENTY)


def test_what_built_in_handlers_need_is_offered():
    types = cluster()["available_node_types"]
    assert {"cpu", "docker", "llm"} <= tags_offered(types["cpu"]["resources"])
    assert {"cpu", "docker", "gpu", "cuda12"} <= tags_offered(types["gpu"]["resources"])


def test_stopped_machines_are_not_kept_and_paid_for():
    assert cluster()["provider"]["cache_stopped_nodes"] is False


def test_the_versions_are_those_of_the_constraints():
    installs = [line for line in cluster()["setup_commands"] if " install " in line and "peagen-ray" in line]
    assert installs
    assert all("-c ~/peagen-ray/constraints.txt" in line for line in installs)
    assert "ray==" in (ROOT / "constraints.txt").read_text()


def _misspelt(mapping: dict[str, Any], key: str) -> None:
    mapping[f"{key}s"] = mapping.pop(key)


@pytest.mark.parametrize(
    "path",
    [
        ("idle_timeout_minutes",),
        ("max_workers",),
        ("setup_commands",),
        ("auth", "ssh_user"),
        ("provider", "region"),
        ("provider", "cache_stopped_nodes"),
        ("available_node_types", "cpu", "max_workers"),
        ("available_node_types", "gpu", "resources"),
        ("available_node_types", "cpu", "node_config", "InstanceType"),
        ("available_node_types", "cpu", "node_config", "InstanceMarketOptions", "MarketType"),
    ],
    ids=".".join,
)
def test_a_misspelt_key_is_found(path):
    planted = copy.deepcopy(cluster())
    *parents, last = path
    inside = planted
    for key in parents:
        inside = inside[key]
    _misspelt(inside, last)
    with pytest.raises(Wrong):
        check_cluster(planted)


@pytest.mark.parametrize(
    ("key", "value"),
    [("head_node_type", "haed"), ("max_workers", "12"), ("available_node_types", {})],
)
def test_a_wrong_value_is_found(key, value):
    with pytest.raises(Wrong):
        check_cluster({**cluster(), key: value})
