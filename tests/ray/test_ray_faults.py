"""Drivers die, the actor dies, there is no cluster: what becomes of the queue on Ray."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ray._private import services
from ray_bench import NAMESPACE, kill_actor, new_prefix

from peagen_ray.errors import BrokerUnavailable, ConfigError, QueueClosed
from peagen_ray.queues.base import FROM_START, Claim, Completion
from peagen_ray.queues.ray import RayQueue, link
from peagen_ray.task import Result, Status, Task, TaskKind

CPU = frozenset({"cpu"})
LONG = 60.0
OpenQueue = Callable[..., RayQueue]


def task(**payload: Any) -> Task:
    return Task(kind=TaskKind.EXECUTE, payload=payload)


def ok(claim: Claim) -> Result:
    return Result.success(claim.task, {"n": claim.task.payload.get("n")})


@contextmanager
def driver(*words: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__).with_name("ray_driver.py")), *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def heard(running: subprocess.Popen[str]) -> Any:
    assert running.stdout is not None
    return json.loads(running.stdout.readline())


def client_server_said() -> str:
    """The end of what Ray's client servers said, which start a process for each client, and may fail to."""
    logs = Path(os.environ["RAY_TMPDIR"]).glob("**/logs/ray_client_server*")
    return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-3_000:]}" for log in logs)


# ---- drivers ----------------------------------------------------------------------------------


def test_the_tasks_of_a_killed_driver_come_back_and_the_queue_stays(
    open_queue: OpenQueue, connected: Any, tmp_path: Path
) -> None:
    queue = open_queue()
    queue.enqueue_all([task(n=n) for n in range(3)])
    with driver(connected.address, open_queue.prefix, tmp_path, "hold") as doomed:  # type: ignore[attr-defined]
        held = heard(doomed)
        assert len(held) == 3
        doomed.kill()
        doomed.wait()
    queue.enqueue(task(n=3))  # which the dead driver may still be given, as one that waits
    done = set()
    while len(done) < 4:
        for claim in queue.claim(CPU, "w", 9, LONG):
            assert queue.complete(claim, ok(claim))
            done.add(claim.task.id)
    assert done > set(held)
    assert (queue.pending_count(), queue.claimed_count(), queue.dead_count()) == (0, 0, 0)


@pytest.mark.parametrize("way", ["cluster", "client"])
def test_drivers_share_a_queue_whichever_way_they_come(
    open_queue: OpenQueue, connected: Any, client_address: str, tmp_path: Path, way: str
) -> None:
    queue = open_queue()
    address = connected.address if way == "cluster" else client_address
    with driver(address, open_queue.prefix, tmp_path, "echo") as other:  # type: ignore[attr-defined]
        for _ in range(5):
            claims = queue.claim(CPU, "w", timeout=LONG)
            assert claims, client_server_said()
            assert queue.complete(claims[0], ok(claims[0]))
        assert heard(other) == [{"n": n} for n in range(5)]
        assert other.wait(LONG) == 0


def test_tasks_on_the_cluster_use_the_queue_too(
    open_queue: OpenQueue, connected: Any, tmp_path: Path
) -> None:
    import ray

    queue = open_queue()
    prefix, root = open_queue.prefix, str(tmp_path / "queue")  # type: ignore[attr-defined]

    @ray.remote
    def work() -> str:
        from peagen_ray.queues.ray import RayQueue
        from peagen_ray.task import Result

        with RayQueue.from_url("", prefix=prefix, root=root) as mine:
            (claim,) = mine.claim(frozenset(), "a task", timeout=30)
            mine.complete(claim, Result.success(claim.task, {"from": "inside"}))
            return claim.task.id

    queue.enqueue(task())
    done = ray.get(work.remote(), timeout=LONG)
    result = queue.wait_for_result(done, LONG)
    assert result is not None
    assert result.data == {"from": "inside"}


def test_the_connection_that_there_is_is_used_whatever_the_address(open_queue: OpenQueue) -> None:
    with open_queue() as queue:
        queue.enqueue(task())
    elsewhere = RayQueue.from_url("ray://192.0.2.1:10001", prefix=open_queue.prefix)  # type: ignore[attr-defined]
    with elsewhere:
        assert elsewhere.pending_count() == 1


# ---- the actor --------------------------------------------------------------------------------


def test_actors_are_on_the_head_after_a_restart_too_and_hold_no_resource(open_queue: OpenQueue) -> None:
    import ray
    from ray._private.state import actors

    before = ray.available_resources()
    (head,) = [node["NodeID"] for node in ray.nodes() if "node:__internal_head__" in node["Resources"]]
    prefixes = [f"{new_prefix()}{n}." for n in range(3)]
    try:
        queues = [open_queue(prefix=prefix) for prefix in prefixes]
        for restart in (False, True):
            for prefix, queue in zip(prefixes, queues, strict=True):
                if restart:
                    kill_actor(prefix, restart=True)
                queue.enqueue(task())
            names = {f"{prefix}queue" for prefix in prefixes}
            places = [each["Address"]["NodeID"] for each in actors().values() if each["Name"] in names]
            assert places == [head] * 3
        assert ray.available_resources() == before
    finally:
        for prefix in prefixes:
            kill_actor(prefix)


def test_an_actor_that_is_gone_for_good_is_made_again_with_its_state(open_queue: OpenQueue) -> None:
    queue = open_queue()
    queue.enqueue_all([task(n=n) for n in range(3)])
    (claim,) = queue.claim(CPU, "w")
    kill_actor(open_queue.prefix)  # type: ignore[attr-defined]
    assert queue.complete(claim, ok(claim))
    assert [each.payload["n"] for each in queue.list_tasks()] == [1, 2]


def test_who_waits_goes_on_waiting_through_a_restart(open_queue: OpenQueue) -> None:
    queue = open_queue()
    queue.enqueue(task())
    (first,) = queue.claim(CPU, "w")
    with ThreadPoolExecutor() as pool:
        claiming = pool.submit(queue.claim, CPU, "w", timeout=LONG)
        awaiting = pool.submit(queue.wait_for_result, first.task.id, LONG)
        kill_actor(open_queue.prefix, restart=True)  # type: ignore[attr-defined]
        queue.enqueue(task())
        assert len(claiming.result(LONG)) == 1
        queue.complete(first, ok(first))
        assert awaiting.result(LONG) is not None


class Crew:
    """Producers and workers of one queue, as threads; what they were told is written down."""

    TASKS = 900

    def __init__(self, queue: RayQueue, dice: random.Random) -> None:
        self.queue, self.dice = queue, dice
        self.tasks = [task(n=n) for n in range(self.TASKS)]
        self.accepted: set[str] = set()
        self.completed: Counter[str] = Counter()
        self.over = threading.Event()

    def produce(self, part: int) -> None:
        mine = self.tasks[part::2]
        for start in range(0, len(mine), 15):
            batch = mine[start : start + 15]
            self.queue.enqueue_all(batch)
            self.accepted.update(each.id for each in batch)

    def work(self, name: str) -> None:
        while not self.over.is_set():
            claims = self.queue.claim(CPU, name, 5, 0.2)
            rest = [claim for claim in claims if not self.stumbles(claim)]
            said = self.queue.complete_all([Completion(claim, ok(claim)) for claim in rest])
            self.completed.update(claim.task.id for claim, won in zip(rest, said, strict=True) if won)

    def stumbles(self, claim: Claim) -> bool:
        """Fail some of the first runs, give some back; each has its effect once."""
        if claim.task.attempts == 1 and claim.task.payload["n"] % 10 == 3:
            failure = Result.failure(claim.task, "flaky", retryable=True)
            assert self.queue.fail(claim, failure) is not None
            return True
        return claim.task.payload["n"] % 10 == 7 and self.dice.random() < 0.5 and self.queue.give_back(claim)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_an_actor_killed_at_random_moments_loses_and_doubles_nothing(
    open_queue: OpenQueue, seed: int
) -> None:
    dice = random.Random(seed)
    queue = open_queue(broker_timeout=LONG, max_retry=5, retry_delay=0.01)
    crew = Crew(queue, dice)
    results: list[Result] = []
    cursor, kills = FROM_START, 0
    with ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(crew.work, f"w{n}") for n in range(3)]
        producers = [pool.submit(crew.produce, part) for part in range(2)]
        try:
            while len(results) < crew.TASKS and not any(each.done() for each in workers):
                new, cursor = queue.results_since(cursor, dice.randrange(20, 200), 5.0)
                results += new
                if kills < 5 and len(results) > kills * crew.TASKS / 6:
                    kill_actor(open_queue.prefix, restart=True)  # type: ignore[attr-defined]
                    kills += 1
        finally:
            crew.over.set()
        for each in (*workers, *producers):
            each.result(LONG)
    ids = {each.id for each in crew.tasks}
    assert kills == 5
    assert crew.accepted == ids
    assert Counter(result.task_id for result in results) == Counter(ids)
    assert {result.status for result in results} == {Status.OK}
    assert crew.completed == Counter(ids)
    assert (queue.pending_count(), queue.claimed_count(), queue.dead_count()) == (0, 0, 0)
    counted = {event: n for (event, _), n in queue.counters().items()}
    assert counted["acked"] == crew.TASKS
    assert counted["retried"] == crew.TASKS / 10
    assert not {"stale", "reclaimed"} & set(counted)


def test_storage_that_cannot_be_used_is_named(open_queue: OpenQueue) -> None:
    queue = open_queue(root="/proc/nowhere", broker_timeout=1.0)
    with pytest.raises(BrokerUnavailable, match="/proc/nowhere"):
        queue.enqueue(task())


# ---- no cluster -------------------------------------------------------------------------------


@pytest.fixture
def unconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is connected to no cluster, and must not be."""
    monkeypatch.setattr(link.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(link.ray, "init", lambda *_, **__: pytest.fail("connects"))


@pytest.mark.parametrize("form", ["ray://127.0.0.1:{}", "127.0.0.1:{}"])
def test_an_address_where_nothing_listens_is_a_broker_that_is_away(unconnected: None, form: str) -> None:
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        url = form.format(taken.getsockname()[1])
        with RayQueue.from_url(url, broker_timeout=0.1) as queue, pytest.raises(BrokerUnavailable) as raised:
            queue.pending_count()
    assert raised.value.exit_code == 3
    assert url in str(raised.value)
    assert "ray start --head" in raised.value.hint


@pytest.mark.parametrize("url", ["", "auto", "ray", "ray://", "ray://auto"])
def test_no_cluster_is_ever_started(unconnected: None, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(services, "get_ray_address_from_environment", _no_cluster)
    with RayQueue.from_url(url, broker_timeout=0.1) as queue, pytest.raises(BrokerUnavailable) as raised:
        queue.enqueue(task())
    assert "ray start --head" in raised.value.hint


def _no_cluster(*_: object) -> str:
    raise ConnectionError("Could not find any running Ray instance")


def test_closing_ends_the_search_for_a_cluster(unconnected: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def ask(*_: object) -> str:
        asked.set()
        raise ConnectionError

    monkeypatch.setattr(services, "get_ray_address_from_environment", ask)
    queue = RayQueue.from_url("", broker_timeout=10 * LONG)
    with ThreadPoolExecutor() as pool:
        searching = pool.submit(queue.claim, CPU, "w", timeout=None)
        enqueueing = pool.submit(queue.enqueue, task())
        assert asked.wait(LONG)
        queue.close()
        assert searching.result(LONG) == []
        with pytest.raises(QueueClosed):
            enqueueing.result(LONG)


@pytest.mark.parametrize(
    "url", ["redis://localhost:1", "ray://host", "host", "ray://host:x", "ray://h:1/path"]
)
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        RayQueue.from_url(url)


def test_the_namespace_is_the_documented_one() -> None:
    assert link.NAMESPACE == NAMESPACE == "peagen"
