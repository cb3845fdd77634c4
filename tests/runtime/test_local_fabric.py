"""The fabric of one process: handlers are found, tasks run, records are kept, and nothing stays behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.config.model import Config
from peagen_ray.errors import ConfigError, LaunchError, PluginNotFound, QueueError, ResultBackendError
from peagen_ray.fabric.parked import Parked
from peagen_ray.fabric.warm import WarmPool
from peagen_ray.launcher.client import Launcher
from peagen_ray.metrics import Meter
from peagen_ray.queues.letters import LetterFolder
from peagen_ray.queues.stub import StubQueue
from peagen_ray.runtime import local
from peagen_ray.runtime.local import LocalFabric, open_queue, open_results
from peagen_ray.runtime.serving import registered
from peagen_ray.sandbox.measure import Verdict
from peagen_ray.task import Result, Status, Task, TaskKind

VERDICT = Verdict("incorrect", "wrong").to_data()


def evaluation() -> Task:
    """A task that our shared handler does without a process."""
    return Task(kind=TaskKind.EVALUATE, payload={"verdict": VERDICT, "reference_ms": 200.0})


def settings(**tables: Any) -> Config:
    return Config.model_validate(tables)


def test_every_installed_handler_is_registered_or_those_that_are_named() -> None:
    assert {"GeneticMutatorHandler", "ExecuteProcessHandler", "EvaluateHandler"} <= set(registered())
    only = registered(("EvaluateHandler", "ExecuteProcessHandler"))
    assert list(only) == ["EvaluateHandler", "ExecuteProcessHandler"]
    assert only["EvaluateHandler"].reference == "peagen_handlers.evaluate:EvaluateHandler"
    assert type(only["EvaluateHandler"].handler).__name__ == "EvaluateHandler"


def test_an_unknown_name_among_the_worker_plugins_is_refused_with_the_known_ones(here: Path) -> None:
    table = {"defaults": {"plugins": ["EvaluateHandler", "Nope", "Neither"]}}
    before = threading.active_count()
    with (
        pytest.raises(ConfigError, match="no such handler") as refused,
        LocalFabric(settings(worker=table), 1, ()),
    ):
        pytest.fail("it began")
    assert refused.value.subject == "Neither, Nope"
    assert "EvaluateHandler" in refused.value.hint
    assert threading.active_count() == before


@pytest.mark.parametrize(("opener", "table"), [(open_queue, "task_queue"), (open_results, "result_backend")])
def test_an_unknown_provider_is_refused_by_name(opener: Callable[[Config], Any], table: str) -> None:
    with pytest.raises(PluginNotFound, match="nope"):
        opener(settings(**{table: {"provider": "nope"}}))


def test_pools_are_counted_under_the_tags_that_are_offered(here: Path) -> None:
    meter = Meter()
    with LocalFabric(settings(), 1, (), frozenset({"llm", "cpu"}), meter=meter):
        assert meter.registry.get_sample_value("warm_spawner_launch_total", {"caps": "cpu,llm"}) is not None


def test_the_queue_is_opened_with_the_configured_options(here: Path) -> None:
    with open_queue(settings(task_queue={"max_retry": 1})) as queue:
        queue.enqueue(task := evaluation())
        (claim,) = queue.claim(frozenset({"cpu"}), "test")
        queue.fail(claim, _retryable(task))
        assert [dead.task.id for dead in queue.dead_letters()] == [task.id]


@pytest.mark.parametrize(
    ("root", "queue"),
    [("/data/r/", "/data/r/.queue"), ("s3://b/p", "s3://b/p/.queue"), (".peagen/results", ""), ("r", "")],
)
def test_a_queue_on_a_cluster_is_kept_with_the_results_where_their_root_means_the_same(
    root: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, Any] = {}

    class Provider(StubQueue):
        def __init__(self, *, root: str, prefix: str, broker_timeout: float, **rest: Any) -> None:
            super().__init__(**rest)
            opened.update(root=root, prefix=prefix, broker_timeout=broker_timeout)

    monkeypatch.setattr(local, "load", lambda *_: Provider)
    open_queue(settings(task_queue={"provider": "ray", "prefix": "mine."}, result_backend={"root": root}))
    assert (opened["root"], opened["prefix"], opened["broker_timeout"]) == (queue, "mine.", 30.0)


class Plain(StubQueue):
    """A provider that takes what the port says, and nothing else."""

    def __init__(
        self,
        *,
        max_retry: int,
        idle_ms: int,
        patience: float,
        results_kept: int,
        results_age: float,
        max_waiting: int | None,
        room_timeout: float,
    ) -> None:
        super().__init__(max_retry=max_retry)


class Away(StubQueue):
    """A provider with a broker, which passes other options on."""

    def __init__(self, *, broker_timeout: float, **rest: Any) -> None:
        super().__init__(**rest)
        self.broker_timeout = broker_timeout


def test_a_provider_of_another_wheel_is_given_the_options_that_it_names(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "load", lambda _group, name: {"plain": Plain, "away": Away}[name])
    open_queue(settings(task_queue={"provider": "plain"})).close()
    with open_queue(settings(task_queue={"provider": "away", "broker_timeout": 3.0})) as queue:
        assert queue.broker_timeout == 3.0
        queue.enqueue(task := evaluation())
        (claim,) = queue.claim(frozenset({"cpu"}), "test")
        queue.fail(claim, Result.failure(claim.task, "it broke", retryable=False))
    assert [letter.id for letter in LetterFolder(here / local.LETTERS).letters()] == [task.id]


def _retryable(task: Task) -> Any:
    return Result.failure(task, "it broke", retryable=True)


def test_tasks_are_done_and_every_record_is_kept(here: Path) -> None:
    config = settings()
    with LocalFabric(config, 2, (here,)) as fabric:
        task = evaluation()
        result = fabric.do(task)
        assert result.status is Status.OK
        assert result.data["outcome"] == "incorrect"
        assert result.data["provenance"]["handler"] == "peagen_handlers.evaluate:SpeedEvaluateHandler"
        launcher = fabric.launcher
        assert launcher.alive
    assert not launcher.alive
    with pytest.raises(QueueError):
        fabric.queue.pending_count()
    assert fabric.problems == ()
    kept = open_results(config).get(task.id)
    assert kept is not None
    assert kept.task == task.model_copy(update={"attempts": 1})
    assert kept.result.data["outcome"] == "incorrect"


def test_a_backend_that_fails_costs_no_task_and_is_told_once(
    here: Path, monkeypatch: pytest.MonkeyPatch, no_processes: None
) -> None:
    (here / "results").write_text("a file where the directory belongs")
    with LocalFabric(settings(result_backend={"root": "results"}), 1, (here,)) as fabric:
        for _ in range(3):
            assert fabric.do(evaluation()).status is Status.OK
        fabric.queue.enqueue(last := evaluation())
        fabric.queue.wait_for_result(last.id, None)
    assert len(fabric.problems) == 1
    assert "results are not kept" in fabric.problems[0]


@pytest.mark.parametrize("error", [ResultBackendError("full"), OSError("full")])
def test_whatever_a_backend_raises_is_a_problem_and_no_more(
    here: Path, monkeypatch: pytest.MonkeyPatch, no_processes: None, error: Exception
) -> None:
    class Backend:
        def put(self, record: Any) -> None:
            raise error

        put_all = put

    monkeypatch.setattr("peagen_ray.runtime.local.open_results", lambda _: Backend())
    with LocalFabric(settings(), 1, ()) as fabric:
        fabric.do(evaluation())
        fabric.do(evaluation())
    assert fabric.problems == ("results are not kept: full",)


def test_a_fabric_that_cannot_start_leaves_nothing_behind(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Launcher:
        raise LaunchError("no process can be started")

    monkeypatch.setattr(Launcher, "start", refuse)
    before = threading.active_count()
    fabric = LocalFabric(settings(), 1, ())
    with pytest.raises(LaunchError), fabric:
        pytest.fail("it began")
    assert threading.active_count() == before
    with pytest.raises(QueueError):
        fabric.queue.pending_count()


@pytest.mark.parametrize("size", [0, 1])
def test_tasks_get_processes_that_stood_ready_unless_none_should(
    here: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, taken = threading.Event(), []
    add, take = WarmPool._add, WarmPool.take

    def adding(pool: WarmPool) -> bool:
        added = add(pool)
        if not added:
            full.set()
        return added

    def taking(pool: WarmPool) -> Parked | None:
        taken.append(take(pool))
        return taken[-1]

    monkeypatch.setattr(WarmPool, "_add", adding)
    monkeypatch.setattr(WarmPool, "take", taking)
    table = {"defaults": {"warm_pool": size, "isolation": "always"}}
    with LocalFabric(settings(worker=table), 1, (here,)) as fabric:
        assert size == 0 or full.wait(20)
        assert any(thread.name == "warm-pool" for thread in threading.enumerate()) == (size > 0)
        assert fabric.do(evaluation()).status is Status.OK
    assert [parked is not None for parked in taken] == [size > 0]
    assert not any(thread.name == "warm-pool" for thread in threading.enumerate())


def test_handlers_cannot_run_in_a_worker_of_rays_where_there_is_none(here: Path) -> None:
    before = threading.active_count()
    table = {"defaults": {"isolation": "worker"}}
    with (
        pytest.raises(ConfigError, match="workers on Ray") as refused,
        LocalFabric(settings(worker=table), 1, ()),
    ):
        pytest.fail("it began")
    assert "auto" in refused.value.hint
    assert threading.active_count() == before


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations run in this process: there is no need for a launcher."""

    class Nothing:
        alive = True

        def __enter__(self) -> Nothing:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def spawn(self, spec: object) -> None:
            raise LaunchError("there is no launcher")

    monkeypatch.setattr(Launcher, "start", lambda *_: Nothing())
