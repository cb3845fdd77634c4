"""Which handler a task gets on a cluster, or what is missing for it."""

import pytest

from peagen_ray.config.model import FabricTable
from peagen_ray.fabric.capabilities import A_TRACE, Cluster, Demand, Node, NodeType, Placement
from peagen_ray.fabric.routing import Refused, Route, Router, Stuck
from peagen_ray.handler import TaskHandler
from peagen_ray.task import Result, Task, TaskKind


class Plain(TaskHandler):
    KIND = TaskKind.EXECUTE
    PROVIDES = frozenset({"cpu"})

    def dispatch(self, task):
        return task.payload.get("sandbox", "cpu") == "cpu"

    def handle(self, task):
        return Result.success(task, {})


class Contained(Plain):
    PROVIDES = frozenset({"cpu", "docker"})

    def dispatch(self, task):
        return task.payload.get("sandbox", "cpu") in {"cpu", "docker"}


class Graphic(Plain):
    PROVIDES = frozenset({"gpu", "cuda11/12", "docker"})

    def dispatch(self, task):
        return task.payload.get("sandbox") == "gpu"


class Broken(Plain):
    KIND = TaskKind.RENDER

    def dispatch(self, task):
        raise OSError("disk")


class Twin(Plain):
    KIND = TaskKind.EVALUATE

    def dispatch(self, task):
        return True


HANDLERS = {"Plain": Plain(), "Contained": Contained(), "Graphic": Graphic(), "Broken": Broken()}
CPU = Node("one", {"CPU": 4.0})
ENGINE = Node("two", {"CPU": 4.0, "docker": 1e6})
GPU = NodeType("gpu-worker", {"CPU": 4.0, "GPU": 1.0, "cuda12": 1e6, "docker": 1e6})


def router(*places, handlers=HANDLERS, **options) -> Router:
    nodes = tuple(place for place in places if isinstance(place, Node))
    types = tuple(place for place in places if isinstance(place, NodeType))
    return Router(handlers, Placement(Cluster(nodes, types), FabricTable()), **options)


def execute(sandbox: str = "cpu", *requires: str, **payload) -> Task:
    return Task(kind=TaskKind.EXECUTE, payload={"sandbox": sandbox, **payload}, requires=frozenset(requires))


def test_a_task_gets_the_handler_that_provides_least_and_what_both_ask_for():
    assert router(CPU, ENGINE).route(execute("cpu", "cpu")) == Route("Plain", Demand(1), 600.0)
    assert router(CPU, ENGINE).route(execute("docker")) == Route(
        "Contained", Demand(1, custom=(("docker", A_TRACE),)), 600.0
    )


def test_what_only_a_node_to_be_started_can_serve_names_its_type():
    route = router(CPU, GPU).route(execute("gpu"))
    assert isinstance(route, Route)
    assert (route.handler, route.node_type) == ("Graphic", "gpu-worker")
    assert route.demand.custom == (("cuda12", A_TRACE), ("docker", A_TRACE))


def test_software_tags_need_only_be_offered():
    assert router(CPU).route(execute("cpu", "gcc13")) == Stuck(TaskKind.EXECUTE, "Plain", ("gcc13",), "one")
    route = router(Node("g", {"CPU": 1.0, "gcc13": 1e6})).route(execute("cpu", "gcc13"))
    assert route == Route("Plain", Demand(1, custom=(("gcc13", A_TRACE),)), 600.0)


def test_a_stuck_task_names_the_handler_that_asks_and_the_tag_that_is_missing():
    stuck = router(CPU).route(execute("docker"))
    assert stuck == Stuck(TaskKind.EXECUTE, "Contained", ("docker",), "one")
    assert str(stuck) == (
        "Contained asks for docker: no node offers it, and none that does can be started; one comes nearest"
    )


def test_a_handler_that_the_cluster_cannot_serve_gives_way_to_one_that_it_can():
    only_docker = Node("d", {"CPU": 1.0, "docker": 1e6})
    greedy = {"Plain": Plain(), "Contained": Contained()}
    greedy["Plain"].PROVIDES = frozenset({"gcc13"})  # type: ignore[misc]
    route = router(only_docker, handlers=greedy).route(execute("cpu"))
    assert isinstance(route, Route)
    assert route.handler == "Contained"


@pytest.mark.parametrize("place", [CPU, GPU])
def test_a_task_that_no_handler_is_for_is_stuck_wherever_it_is(place):
    task = Task(kind=TaskKind.MUTATE)
    assert router(place).route(task) == Stuck(TaskKind.MUTATE, "", ("a handler for mutate",))
    assert str(router(place).route(execute("none"))) == "there is not a handler for execute"


def test_reserved_tags_that_no_handler_provides_are_told_as_such():
    stuck = router(Node("i", {"CPU": 1.0, "internet": 1e6})).route(execute("cpu", "internet"))
    assert stuck == Stuck(TaskKind.EXECUTE, "", ("a handler for execute that provides internet",))


def test_a_tie_and_a_handler_that_raises_and_a_bad_timeout_are_refused():
    twins = {"A": Twin(), "B": Twin()}
    refused = router(CPU, handlers=twins).route(Task(kind=TaskKind.EVALUATE))
    assert isinstance(refused, Refused)
    assert "both Twin and Twin qualify" in refused.result.data["msg"]
    assert not refused.result.retryable
    broken = router(CPU).route(Task(kind=TaskKind.RENDER))
    assert isinstance(broken, Refused)
    assert broken.result.data["error_type"] == "OSError"
    late = router(CPU).route(execute("cpu", timeout="soon"))
    assert isinstance(late, Refused)
    assert "timeout" in late.result.data["msg"]


def test_a_handler_that_raises_is_refused_where_nothing_can_be_served_too():
    assert isinstance(router().route(Task(kind=TaskKind.RENDER)), Refused)


def test_the_payload_may_say_how_long_a_task_may_take():
    routes = router(CPU, timeout=30.0)
    assert routes.route(execute("cpu", timeout=5)).timeout == 5.0
    assert routes.route(execute("cpu")).timeout == 30.0


def test_lanes_are_judged_without_their_payloads():
    routes = router(CPU)
    assert routes.lacks(TaskKind.EXECUTE, frozenset()) is None
    assert routes.lacks(TaskKind.EXECUTE, frozenset({"docker"})) == Stuck(
        TaskKind.EXECUTE, "Contained", ("docker",), "one"
    )
    assert routes.lacks(TaskKind.EXECUTE, frozenset({"gpu"})) == Stuck(
        TaskKind.EXECUTE, "Graphic", ("cuda11/12", "docker", "gpu"), "one"
    )
    assert routes.lacks(TaskKind.MUTATE, frozenset()) == Stuck(TaskKind.MUTATE, "", ("a handler for mutate",))
