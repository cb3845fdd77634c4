"""Dispatchers on a real cluster: tasks find their nodes, and come through whatever dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray_fabric_bench import (
    PLUGINS,
    SMALL,
    Fabric,
    extra_node,
    hear,
    kill,
    node_ids,
    place_of,
    ray_worker_of,
    status_of,
    task,
    wait_for,
)

from peagen_ray.fabric.host import Hosted
from peagen_ray.queues.base import FROM_START, State
from peagen_ray.runtime.dispatching import own_dispatcher
from peagen_ray.runtime.local import open_results
from peagen_ray.task import Status, Task, TaskKind
from peagen_ray.testing.servers import RedisServer, need

pytestmark = pytest.mark.timeout(180)

GPU_NODE = {"num_cpus": 1, "num_gpus": 2, "resources": {"cuda12": 1_000_000, "docker": 1_000_000}}
OTHER_NODE = {"num_cpus": 1, "resources": {"docker": 1_000_000, "llm": 2}}


@pytest.fixture(scope="module")
def nodes(connected: Any) -> Iterator[Any]:
    """The session's cluster with a node that declares GPUs, and one that declares docker and llm."""
    added = [connected.add_node(**node, **SMALL) for node in (GPU_NODE, OTHER_NODE)]
    yield connected
    for node in added:
        connected.remove_node(node)


@pytest.fixture(scope="module")
def _fabric(nodes: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fabric]:
    """A queue on the cluster, with a dispatcher."""
    with Fabric(tmp_path_factory.mktemp("fabric"), task_queue={"patience": 3.0}) as fabric:
        fabric.hosted = fabric.serve()  # type: ignore[attr-defined]
        yield fabric


@pytest.fixture
def fabric(_fabric: Fabric) -> Fabric:
    """It, and a telephone that no other test has."""
    _fabric.new_phone()
    return _fabric


@pytest.fixture
def hosted(fabric: Fabric) -> Hosted:
    """The dispatcher."""
    found: Hosted = fabric.hosted  # type: ignore[attr-defined]
    return found


# ---- where tasks go ---------------------------------------------------------------------------


def test_a_task_runs_in_a_fresh_process_on_a_node_that_has_cpus_and_its_record_is_kept(
    fabric: Fabric,
) -> None:
    tasks = [fabric.add(task()) for _ in range(4)]
    results = [fabric.result(one) for one in tasks]
    assert {result.status for result in results} == {Status.OK}
    assert len({result.data["pid"] for result in results}) == 4
    for result in results:
        node, worker = place_of(result)
        assert node in node_ids(CPU=1)
        assert worker != result.data["pid"]
        assert result.data["provenance"]["handler"] == "ray_doers:Doer"
    kept = open_results(fabric.config)
    for one, result in zip(tasks, results, strict=True):
        record = wait_for(lambda one=one: kept.get(one.id), "the record")
        assert record.result.data["pid"] == result.data["pid"]


def test_a_shared_handler_runs_in_the_ray_worker(fabric: Fabric) -> None:
    result = fabric.do(**{"for": "SharedDoer"})
    assert place_of(result)[1] == result.data["pid"]


@pytest.mark.parametrize(
    ("handler", "tag", "declared"), [("GpuDoer", "gpu", {"GPU": 1}), ("LlmDoer", "llm", {"llm": 1})]
)
def test_a_task_goes_to_a_node_that_declares_what_its_handler_asks_for(
    fabric: Fabric, handler: str, tag: str, declared: dict[str, float]
) -> None:
    for requires in ((), (tag,)):
        result = fabric.do("nothing", *requires, **{"for": handler})
        assert result.status is Status.OK
        assert place_of(result)[0] in node_ids(**declared)


@pytest.mark.parametrize(
    ("sandbox", "handler", "declared"),
    [
        ("docker", "ExecuteDockerHandler", {"docker": 1}),
        ("gpu", "ExecuteGPUHandler", {"docker": 1, "GPU": 1, "cuda12": 1}),
    ],
)
def test_execute_tasks_go_to_the_nodes_that_their_handlers_need(
    fabric: Fabric, sandbox: str, handler: str, declared: dict[str, float]
) -> None:
    """The payload is no job, so that no engine is needed to hear from whom the refusal comes."""
    one = Task(kind=TaskKind.EXECUTE, requires=frozenset({sandbox}), payload={"sandbox": sandbox})
    result = fabric.result(fabric.add(one))
    assert result.data["provenance"]["handler"] == f"peagen_handlers.execute:{handler}"
    assert place_of(result)[0] in node_ids(**declared)


def test_a_task_on_a_gpu_node_is_given_a_device_of_its_own(fabric: Fabric) -> None:
    one = fabric.add(fabric.calling("gpu", **{"for": "SharedGpuDoer"}))
    call = fabric.call()
    assert call.words["devices"] in {"0", "1"}
    call.say()
    assert fabric.result(one).status is Status.OK


def test_a_handlers_own_process_sees_the_devices_of_its_task(fabric: Fabric) -> None:
    assert fabric.do(**{"for": "GpuDoer"}).data["devices"] in {"0", "1"}


def test_a_task_that_asks_for_no_device_is_shown_none(fabric: Fabric) -> None:
    assert fabric.do(**{"for": "Doer"}).data["devices"] == ""


def test_with_a_worker_for_each_task_no_two_tasks_share_one(nodes: Any, tmp_path: Path) -> None:
    own = {"defaults": {"plugins": list(PLUGINS), "isolation": "worker"}}
    with Fabric(tmp_path, worker=own) as fabric:
        fabric.serve()
        tasks = [fabric.add(task()) for _ in range(2)]
        results = [fabric.result(one) for one in tasks]
    assert {result.status for result in results} == {Status.OK}
    assert len({place_of(result)[1] for result in results}) == 2
    for result in results:
        assert place_of(result)[1] == result.data["pid"]


def test_tasks_of_a_queue_in_redis_are_done_by_the_clusters_nodes(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its password is known to this process alone."""
    need("valkey")
    monkeypatch.setenv("PEAGEN_REDIS_PASSWORD", "sesame")
    with (
        RedisServer("valkey", keep=True, options=["--requirepass", "sesame"]) as server,
        Fabric(tmp_path, "redis", server.url, task_queue=AWAY) as fabric,
    ):
        hosted = fabric.serve()
        results = [fabric.do(), fabric.do("nothing", "gpu", **{"for": "GpuDoer"})]
        assert {result.status for result in results} == {Status.OK}
        assert place_of(results[0])[0] in node_ids(CPU=1)
        assert place_of(results[1])[0] in node_ids(GPU=1)
        a_dispatcher_that_is_restarted_while_the_broker_is_away_goes_on(fabric, hosted, server)


AWAY = {"broker_timeout": 1.0}


def a_dispatcher_that_is_restarted_while_the_broker_is_away_goes_on(
    fabric: Fabric, hosted: Hosted, server: RedisServer
) -> None:
    before = hosted.status()["pid"]
    server.kill()
    kill(before)
    hear(hosted, "was restarted")
    hear(hosted, "cannot begin")
    server.start()
    assert fabric.do().status is Status.OK


# ---- who dies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("handler", ["Doer", "SharedDoer"])
def test_the_task_of_a_killed_worker_runs_again_and_nothing_of_the_first_run_stays(
    fabric: Fabric, handler: str
) -> None:
    one = fabric.add(fabric.calling(**{"for": handler}))
    first = fabric.call()
    kill(ray_worker_of(first.pid))
    first.hung_up()
    again = fabric.call()
    again.say()
    assert fabric.result(one).data["attempts"] == again.words["attempts"] == 2


def test_a_killed_one_shot_process_costs_a_run_and_not_its_worker(fabric: Fabric) -> None:
    one = fabric.add(fabric.calling())
    first = fabric.call()
    worker = ray_worker_of(first.pid)
    kill(first.pid)
    again = fabric.call()
    assert Path(f"/proc/{worker}").exists()
    again.say()
    assert fabric.result(one).attempts == 2


def test_the_words_of_every_run_are_in_the_dead_letter(fabric: Fabric) -> None:
    one = fabric.add(fabric.calling(**{"for": "SharedDoer"}))
    for _ in range(3):
        kill(fabric.call().pid)
    assert fabric.result(one).status is Status.ERROR
    (dead,) = [dead for dead in fabric.queue.dead_letters() if dead.id == one.id]
    assert ["the Ray worker died" in run.msg for run in dead.history] == [True] * 3


def test_a_task_that_takes_too_much_memory_is_ended_and_the_dead_letter_says_so(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node's monitor lets it have some hundred megabytes beyond what the machine uses already."""
    used, total = _memory_mb()
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{(used + 700) / total:.6f}")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "50")
    if total - used < 7000:
        (pytest.fail if "CI" in os.environ else pytest.skip)("less than 7 GB of memory are free")
    with (
        Fabric(tmp_path, task_queue={"max_retry": 1}) as fabric,
        extra_node(nodes, resources={"cramped": 1_000_000}),
    ):
        fabric.serve()
        one = fabric.add(task("hog", "cramped", mb=5000))
        result = fabric.result(one)
        assert (result.status, result.data["reason"]) == (Status.ERROR, "out-of-memory")
        (dead,) = fabric.queue.dead_letters()
        assert "the node ran out of memory" in dead.history[-1].msg


def _memory_mb() -> tuple[float, float]:
    """What the machine uses and has, as its kernel says."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    found = {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines)}
    return found["MemTotal"] - found["MemAvailable"], found["MemTotal"]


@pytest.mark.nightly  # in every run the chaos test removes a node, and each task ends once all the same
def test_the_task_of_a_removed_node_runs_on_another(fabric: Fabric, nodes: Any) -> None:
    tag = {"resources": {"doomed": 1_000_000}}
    with extra_node(nodes, **tag) as doomed:
        one = fabric.add(fabric.calling("doomed"))
        first = fabric.call()
        before = node_ids(doomed=1)
        nodes.remove_node(doomed, allow_graceful=False)
        first.hung_up()
        with extra_node(nodes, **tag):
            again = fabric.call()
            again.say()
            result = fabric.result(one)
            assert place_of(result)[0] in node_ids(doomed=1) - before


def test_a_killed_dispatcher_is_restarted_and_what_it_held_comes_back(fabric: Fabric, hosted: Hosted) -> None:
    held = fabric.add(fabric.calling())
    first = fabric.call()
    before = hosted.status()["pid"]
    kill(before)
    first.hung_up()
    hear(hosted, "was restarted")
    assert wait_for(lambda: status_of(hosted).get("pid")) != before
    assert fabric.do().status is Status.OK
    again = fabric.call()  # when the lease of the one that died has lapsed
    again.say()
    assert fabric.result(held).status is Status.OK


@pytest.mark.parametrize(
    ("handler", "words"), [("Doer", "timed out after 0.5 s"), ("SharedDoer", "did not end by itself")]
)
def test_a_handler_that_ignores_its_timeout_is_ended(fabric: Fabric, handler: str, words: str) -> None:
    one = fabric.add(fabric.calling(timeout=0.5, **{"for": handler}))
    call = fabric.call()
    result = fabric.result(one)
    call.hung_up()
    assert (result.status, result.data["reason"]) == (Status.ERROR, "timeout")
    assert words in result.data["msg"]
    assert fabric.do().status is Status.OK


def test_a_task_that_is_cancelled_in_the_queue_ends_in_the_cluster(fabric: Fabric) -> None:
    one = fabric.add(fabric.calling())
    call = fabric.call()
    assert fabric.queue.cancel(one.id)
    call.hung_up()
    assert fabric.result(one).status is Status.ERROR


def test_what_runs_for_a_run_that_ends_is_ended_and_given_back(nodes: Any, tmp_path: Path) -> None:
    with Fabric(tmp_path) as fabric:
        with own_dispatcher(fabric.config, nodes.address, lambda _: None):
            one = fabric.add(fabric.calling())
            call = fabric.call()
        call.hung_up()
        info = fabric.queue.inspect(one.id)
        assert info is not None
        assert info.state is State.WAITING


# ---- what cannot be served --------------------------------------------------------------------


def test_what_no_node_offers_is_reported_by_tag_and_handler_and_ends_in_the_dead_letter_queue(
    fabric: Fabric, hosted: Hosted
) -> None:
    one = fabric.add(task("nothing", "cobol"))
    assert "Doer asks for cobol: no node offers it" in hear(hosted, "cobol")
    assert fabric.result(one).status is Status.ERROR
    (dead,) = [dead for dead in fabric.queue.dead_letters() if dead.id == one.id]
    assert "cobol" in dead.reason


def test_a_handler_whose_own_tags_no_node_offers_is_reported_too(nodes: Any, tmp_path: Path) -> None:
    """The task asks for nothing: what it lacks is its handler's, and only what is left of the cluster counts."""
    with Fabric(tmp_path, task_queue={"patience": 1.0}) as fabric:
        hosted = fabric.serve(caps=frozenset({"cpu"}))
        one = fabric.add(task(**{"for": "LlmDoer"}))
        assert "LlmDoer asks for llm" in hear(hosted, "llm")
        assert fabric.do().status is Status.OK
        assert fabric.result(one).status is Status.ERROR


# ---- several dispatchers, and none of them at work --------------------------------------------


def test_two_dispatchers_share_a_queue(nodes: Any, tmp_path: Path) -> None:
    with Fabric(tmp_path, fabric={"max_parallel": 4}) as fabric:
        both = [fabric.serve(), fabric.serve()]
        tasks = [task(**{"for": "SharedDoer"}) for _ in range(6)]
        fabric.queue.enqueue_all(tasks)
        for one in tasks:
            assert fabric.result(one).status is Status.OK
        published, _ = fabric.queue.results_since(FROM_START, 100)
        assert len(published) == 6
        wait_for(lambda: sum(each.status()["counts"].get("done", 0) for each in both) == 6)


def test_nothing_is_held_when_there_is_nothing_to_do(fabric: Fabric, hosted: Hosted, nodes: Any) -> None:
    import ray
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address

    assert len(fabric.do("much").data["value"]) == 2_000_000
    wait_for(lambda: status_of(hosted).get("in_flight") == 0, "idle")
    wait_for(lambda: ray.available_resources() == ray.cluster_resources(), "all resources free")
    state = get_state_from_address(nodes.address)
    wait_for(lambda: get_memory_info_reply(state).store_stats.num_local_objects == 0, "no objects")
