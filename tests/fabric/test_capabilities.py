"""Tags as resources of Ray nodes, and where tasks fit."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.config.model import Config, FabricTable
from peagen_ray.fabric.capabilities import (
    A_TRACE,
    PLENTY,
    WAITING_CPUS,
    Cluster,
    Demand,
    Live,
    Missing,
    Node,
    NodeType,
    Placement,
    Startable,
    choices,
    demand_of,
    node_resources,
    ray_start_arguments,
    tags_offered,
)
from peagen_ray.task import TaskKind, missing_tags

TABLE = FabricTable()
EXECUTE = TaskKind.EXECUTE
TAGS = ["cpu", "gpu", "docker", "llm", "cuda11", "cuda12", "cuda11/12", "gcc13"]
tag_sets = st.frozensets(st.sampled_from(TAGS))


def table(**fabric) -> FabricTable:
    return Config.model_validate({"fabric": fabric}).fabric


def node(name: str = "n", **resources: float) -> Node:
    return Node(name, resources)


def placed(*tags: str, nodes=(), types=(), fabric: FabricTable = TABLE):
    return Placement(Cluster(tuple(nodes), tuple(types)), fabric).place(EXECUTE, frozenset(tags))


def test_cpu_and_gpu_ask_for_one_labels_for_a_trace_and_consumables_for_a_slot():
    demand = demand_of(EXECUTE, ["cpu", "gpu", "docker", "llm"], TABLE)
    assert demand == Demand(1, 1, 0, (("docker", A_TRACE), ("llm", 1.0)))
    assert demand.options() == {"num_cpus": 1, "num_gpus": 1, "resources": {"docker": A_TRACE, "llm": 1.0}}


def test_a_task_that_waits_for_a_model_takes_a_slot_of_llm_and_next_to_no_cpu() -> None:
    assert demand_of(TaskKind.MUTATE, ["cpu", "llm"], TABLE) == Demand(WAITING_CPUS, 0, 0, (("llm", 1.0),))
    assert demand_of(TaskKind.MUTATE, ["cpu"], TABLE).cpus == 1
    whole = table(requests={"mutate": {"cpus": 1.0}})
    assert demand_of(TaskKind.MUTATE, ["cpu", "llm"], whole).cpus == 1


def test_what_no_tag_names_is_not_asked_for():
    assert demand_of(EXECUTE, [], TABLE).options() == {"num_cpus": 0, "num_gpus": 0, "resources": {}}


def test_a_kind_of_task_may_ask_for_other_amounts():
    fabric = table(requests={"execute": {"cpus": 2, "gpus": 0.5, "memory_mb": 3}}, consumable={"licence": 2})
    assert demand_of(EXECUTE, ["gpu", "licence"], fabric) == Demand(2, 0.5, 3 * 2**20, (("licence", 1.0),))
    assert demand_of(EXECUTE, ["cpu"], fabric).options()["memory"] == 3 * 2**20
    assert demand_of(EXECUTE, ["cpu"], fabric).gpus == 0
    assert demand_of(TaskKind.RENDER, ["cpu"], fabric) == Demand(1)


def test_a_kind_of_task_may_need_further_tags_of_its_node():
    fabric = table(requests={"execute": {"tags": ["licence", "gcc12/13"]}}, consumable={"licence": 2})
    nodes = [node("plain", CPU=2), node("able", CPU=2, licence=2, gcc13=PLENTY)]
    asked = Demand(1, custom=(("gcc13", A_TRACE), ("licence", 1.0)))
    assert placed("cpu", nodes=nodes, fabric=fabric) == Live(asked)
    assert placed("cpu", nodes=nodes[:1], fabric=fabric) == Missing(("gcc12/13", "licence"), "plain")
    other = Placement(Cluster((nodes[0],)), fabric).place(TaskKind.MUTATE, frozenset({"cpu"}))
    assert other == Live(Demand(1)), "other kinds of task do not need them"


def test_alternatives_are_choices_the_newest_first():
    assert choices(["gpu", "cuda11/12"]) == [{"gpu", "cuda12"}, {"gpu", "cuda11"}]
    assert choices([]) == [frozenset()]


def test_a_node_offers_the_tags_of_its_resources_and_none_of_rays_own():
    resources = {
        "CPU": 4.0,
        "GPU": 0.0,
        "memory": 1e9,
        "object_store_memory": 1e9,
        "node:10.0.0.1": 1.0,
        "node:__internal_head__": 1.0,
        "accelerator_type:A100": 1.0,
        "docker": 1e6,
        "llm": 0.0,
        "NoTag": 1.0,
    }
    assert tags_offered(resources) == {"cpu", "docker"}


@given(tag_sets)
def test_a_node_started_for_tags_offers_them(caps):
    resources = {**node_resources(caps, TABLE), "CPU": 2.0 * ("cpu" in caps), "GPU": 1.0 * ("gpu" in caps)}
    assert missing_tags(caps, tags_offered(resources)) == ()


@given(tag_sets, tag_sets)
def test_a_node_started_for_tags_serves_exactly_the_tasks_whose_tags_it_offers(caps, wanted):
    resources = {**node_resources(caps, TABLE), "CPU": 2.0 * ("cpu" in caps), "GPU": 1.0 * ("gpu" in caps)}
    place = placed(*wanted, nodes=[node(**resources)])
    assert isinstance(place, Missing) == bool(missing_tags(wanted, tags_offered(resources)))
    if isinstance(place, Missing):
        assert place.tags == missing_tags(wanted, tags_offered(resources))


def test_a_machine_joins_with_its_tags_as_resources():
    assert ray_start_arguments({"cpu", "gpu"}, TABLE) == []
    zero, resources = ray_start_arguments({"cpu", "docker", "llm", "cuda11/12"}, TABLE)
    assert zero == "--num-gpus=0"
    assert json.loads(resources.removeprefix("--resources=")) == {
        "cuda11": PLENTY,
        "cuda12": PLENTY,
        "docker": PLENTY,
        "llm": 16,
    }
    assert ray_start_arguments({"llm"}, table(consumable={"llm": 3}))[:2] == ["--num-cpus=0", "--num-gpus=0"]
    assert ray_start_arguments({"llm"}, table(consumable={"llm": 3}))[2] == '--resources={"llm": 3}'


def test_a_live_node_comes_before_one_that_must_be_started():
    types = [NodeType("big", {"CPU": 64.0})]
    assert placed("cpu", nodes=[node(CPU=1.0)], types=types) == Live(Demand(1))
    assert placed("cpu", nodes=[node(CPU=0.0)], types=types) == Startable(Demand(1), "big")


def test_a_node_type_of_which_none_may_be_started_serves_nothing():
    assert placed("cpu", types=[NodeType("head", {"CPU": 8.0}, 0, 0)]) == Missing(("cpu",))


def test_what_is_missing_is_named_by_its_tag_beside_the_node_that_comes_nearest():
    nodes = [node("bare", CPU=4.0)]
    types = [NodeType("gpu", {"CPU": 4.0, "GPU": 1.0, "cuda12": 1e6})]
    assert placed("gpu", "cuda11/12", "docker", nodes=nodes, types=types) == Missing(("docker",), "gpu")
    assert placed("gpu", "cuda11/13", "docker", nodes=nodes, types=types) == Missing(
        ("cuda11/13", "docker"), "gpu"
    )
    assert placed("cpu", "docker", nodes=nodes, types=types) == Missing(("docker",), "bare")
    assert placed("gpu", "cpu") == Missing(("cpu", "gpu"))


def test_tags_that_no_single_node_has_together_are_missing():
    nodes = [node("a", CPU=1.0, docker=1e6), node("b", CPU=1.0, llm=16.0)]
    assert placed("docker", "llm", nodes=nodes) == Missing(("llm",), "a")


def test_too_little_of_a_resource_is_told_with_the_amounts():
    fabric = table(requests={"execute": {"cpus": 8, "memory_mb": 2048}})
    nodes = [node("small", CPU=2.0, memory=2.0**30)]
    assert placed("cpu", nodes=nodes, fabric=fabric) == Missing(
        ("cpu (8 asked, 2 there)", "memory (2048 MiB asked, 1024 MiB there)"), "small"
    )


def test_of_nodes_that_differ_in_memory_the_largest_decides():
    fabric = table(requests={"execute": {"memory_mb": 1500}})
    nodes = [node(f"n{gib}", CPU=2.0, memory=gib * 2.0**30) for gib in (1, 2, 1)]
    assert placed("cpu", nodes=nodes, fabric=fabric) == Live(Demand(1, 0, 1500 * 2**20))
    assert isinstance(placed("cpu", nodes=nodes[:1], fabric=fabric), Missing)


def test_the_alternative_is_the_one_that_a_node_has():
    asked = "gpu", "cuda11/12"
    assert placed(*asked, nodes=[node(GPU=1.0, cuda11=1e6)]) == Live(Demand(0, 1, 0, (("cuda11", A_TRACE),)))
    assert placed(*asked, nodes=[node(GPU=1.0, cuda11=1e6, cuda12=1e6)]) == Live(
        Demand(0, 1, 0, (("cuda12", A_TRACE),))
    )


@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 1), (3000, 1000)])
def test_alternatives_take_turns_in_proportion_to_the_nodes_that_have_them(old, new):
    nodes = [node(f"o{n}", GPU=1.0, cuda11=1e6) for n in range(old)]
    nodes += [node(f"n{n}", GPU=1.0, cuda12=1e6) for n in range(new)]
    placement = Placement(Cluster(tuple(nodes)), TABLE)
    found = Counter()
    for _ in range(100):
        place = placement.place(EXECUTE, frozenset({"gpu", "cuda11/12"}))
        assert isinstance(place, Live)
        found[place.demand.custom[0][0]] += 1
    assert found["cuda11"] / found["cuda12"] == pytest.approx(old / new, rel=0.1)


def test_whether_something_is_to_be_had_is_told_apart_from_whether_it_lives():
    placement = Placement(Cluster((node(CPU=1.0),), (NodeType("gpu", {"GPU": 1.0}),)), TABLE)
    assert placement.lives(Demand(1))
    assert placement.has(Demand(0, 1))
    assert not placement.lives(Demand(0, 1))
    assert not placement.has(Demand(2))
    assert placement.tags == {"cpu", "gpu"}
