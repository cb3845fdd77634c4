"""A run that waits for workers elsewhere says why, and never for ever in silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from runtime_script import Script

from peagen_ray.config.model import Config
from peagen_ray.errors import BrokerUnavailable, ResultExpired
from peagen_ray.queues.base import State
from peagen_ray.queues.stub import StubQueue
from peagen_ray.runtime import elsewhere
from peagen_ray.runtime.elsewhere import Elsewhere, place_of, requirements, through_queue, withdraw
from peagen_ray.runtime.waiting import Lull, state_of
from peagen_ray.task import Result, Task, TaskKind

CPU = frozenset({"cpu"})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Iterator[StubQueue]:
    with StubQueue(clock=clock) as queue:
        yield queue


def task(*requires: str) -> Task:
    return Task(kind=TaskKind.MUTATE, requires=frozenset(requires))


def test_a_lull_is_told_every_so_often_until_a_result_comes(queue: StubQueue, clock: Clock) -> None:
    said: list[str] = []
    lull = Lull(queue, said.append, every=30.0, clock=clock)
    lull.look()
    assert said == []
    for _ in range(4):
        clock.now += 15
        lull.look()
    assert [text.partition(":")[0] for text in said] == ["no result for 30 s", "no result for 60 s"]
    clock.now += 29
    lull.over()
    clock.now += 29
    lull.look()
    assert len(said) == 2


def test_it_is_said_that_no_worker_is_there(queue: StubQueue, clock: Clock) -> None:
    queue.enqueue(task())
    clock.now += 40
    words = state_of(queue)
    assert words.startswith("1 task without a worker, 0 being worked on; the oldest for 40 s")
    assert "peagen-ray worker start" in words


def test_it_is_said_which_tags_no_worker_offers(queue: StubQueue) -> None:
    for each in (task("gpu"), task("gpu"), task()):
        queue.enqueue(each)
    queue.claim(CPU, "worker", 5)
    words = state_of(queue)
    assert words == "2 tasks without a worker, 1 being worked on; no worker serves lane gpu: missing gpu"


@pytest.fixture
def away(queue: StubQueue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    monkeypatch.setattr(elsewhere, "open_queue", lambda _: queue)
    monkeypatch.setattr(elsewhere, "_WAIT_S", 0.01)
    with Elsewhere(Config(), lambda _: None) as away:
        yield away


def test_a_result_that_is_there_is_returned(queue: StubQueue, away: Elsewhere) -> None:
    asked = task()
    queue.enqueue(asked)
    (claim,) = queue.claim(CPU, "worker")
    queue.complete(claim, Result.success(claim.task, {"said": 1}))
    assert away.do(asked).data == {"said": 1}


def test_whoever_leaves_cancels_the_task_that_they_wait_for(queue: StubQueue, away: Elsewhere) -> None:
    asked = task()
    looks = iter([False, True])
    away.leaving = lambda: next(looks)
    with pytest.raises(KeyboardInterrupt):
        away.do(asked)
    info = queue.inspect(asked.id)
    assert info is not None
    assert info.state is State.CANCELLED


def test_a_result_that_expired_is_an_error(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = StubQueue(clock=clock, results_kept=1)
    monkeypatch.setattr(elsewhere, "open_queue", lambda _: queue)
    first, second = task(), task()
    with Elsewhere(Config(), lambda _: None) as away:
        for asked in (first, second):
            queue.enqueue(asked)
            (claim,) = queue.claim(CPU, "worker")
            queue.complete(claim, Result.success(claim.task, {}))
        with pytest.raises(ResultExpired):
            away.wait(first.id)


def test_a_broker_that_is_away_stops_no_leaving(queue: StubQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def cancel(task_id: str) -> bool:
        asked.append(task_id)
        raise BrokerUnavailable("no answer")

    monkeypatch.setattr(queue, "cancel", cancel)
    withdraw(queue, ["a", "b"])
    assert asked == ["a"]


def test_only_the_stub_keeps_tasks_in_this_process() -> None:
    def table(**keys: Any) -> Config:
        return Config.model_validate({"task_queue": keys})

    assert not through_queue(Config())
    assert through_queue(table(provider="redis"))
    assert place_of(table(provider="redis", url="redis://u:secret@host")) == "redis at redis://u:***@host"
    assert place_of(table(provider="ray")) == "ray"


def test_tasks_require_what_their_handler_provides() -> None:
    found = requirements({TaskKind.MUTATE: {"mutator": "genetic"}, TaskKind.EXECUTE: {"sandbox": "docker"}})
    assert found == {TaskKind.MUTATE: CPU, TaskKind.EXECUTE: frozenset({"docker", "cpu"})}
    assert requirements({TaskKind.EXECUTE: {"sandbox": "gpu"}}) == {
        TaskKind.EXECUTE: frozenset({"docker", "gpu", "cuda11/12"})
    }
    assert requirements({TaskKind.EXECUTE: {"sandbox": "of another wheel"}}) == {}


def test_a_run_through_the_queue_says_all_that_a_worker_needs_and_names_no_file(
    here: Any, observer: Any, script: Script, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runtime_script import FACTS, ScriptedQueue, config

    import peagen_ray.runtime.run as module

    made = config(max_generations=1)
    made = made.model_copy(
        update={
            "task_queue": made.task_queue.model_copy(
                update={"provider": "redis", "url": "redis://u:secret@h"}
            )
        }
    )
    monkeypatch.setattr(elsewhere, "open_queue", lambda _: ScriptedQueue(script))
    monkeypatch.setattr(script, "prepare", lambda task: Result.success(task, dict(FACTS)))
    result = module.evolve(request_of(made), observer)
    assert result.told == 4
    assert "tasks go to the workers of the queue redis at redis://u:***@h" in observer.notes
    assert not any(b"secret@" in path.read_bytes() for path in here.rglob("*") if path.is_file())
    prepared, *measured = (each for each in script.tasks if each.kind is TaskKind.EXECUTE)
    facts = {key: FACTS[key] for key in ("size", "repeat", "slice_s", "reference_ms")}
    assert prepared.payload["prepared"] is None
    for each in measured:
        assert each.payload["prepared"] == {"seed": 1, "known": facts}
        assert each.payload["reference"] is None
        assert each.requires == CPU
    resumed = module.evolve(request_of(made, resume="last", more_generations=1), observer)
    assert resumed.told == 8
    assert [each.payload.get("mode") for each in script.tasks].count("prepare") == 1
