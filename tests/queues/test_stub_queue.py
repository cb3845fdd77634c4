"""What the stub adds to the contract: its address, its clock, and waking in real time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from peagen_ray.errors import ConfigError, QueueError
from peagen_ray.queues.base import TaskQueue, _Popped, lane_of, tags_of
from peagen_ray.queues.model import Claim
from peagen_ray.queues.stub import StubQueue, steady_clock
from peagen_ray.task import Result, Task, TaskKind

CPU = frozenset({"cpu"})


@pytest.mark.parametrize("url", ["", "stub", "stub://"])
def test_the_stub_needs_no_address(url: str) -> None:
    with StubQueue.from_url(url, max_retry=1) as queue:
        assert isinstance(queue, TaskQueue)


@pytest.mark.parametrize("url", ["redis://x", "stub://host", "ray"])
def test_another_providers_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        StubQueue.from_url(url)


def test_the_clock_runs_from_now_and_never_backwards() -> None:
    clock = steady_clock()
    first, wall, second = clock(), time.time(), clock()
    assert abs(first - wall) < 60
    assert first <= second


def test_a_waiting_consumer_is_woken_by_time_alone() -> None:
    with StubQueue(retry_delay=0.02) as queue, ThreadPoolExecutor() as pool:
        queue.enqueue(Task(kind=TaskKind.EXECUTE))
        (lost,) = queue.claim(CPU, "lost", lease=0.02)
        (again,) = pool.submit(queue.claim, CPU, "w", timeout=60.0).result(60)
        assert (again.task.id, again.task.attempts) == (lost.task.id, 2)
        queue.fail(again, Result.failure(again.task, "later", retryable=True))
        (third,) = queue.claim(CPU, "w", timeout=60.0)
        assert third.task.attempts == 3


def test_a_waiting_consumer_learns_of_a_lease_taken_after_it_began_to_wait() -> None:
    with StubQueue() as queue, ThreadPoolExecutor() as pool:
        waiting = pool.submit(queue.claim, frozenset({"gpu"}), "waits", timeout=60.0)
        queue.enqueue(Task(kind=TaskKind.EXECUTE, requires={"gpu"}))
        queue.enqueue(Task(kind=TaskKind.EXECUTE, requires={"gpu"}))
        claims = [*waiting.result(60), *queue.claim(frozenset({"gpu"}), "lost", limit=2, lease=0.01)]
        waiting = pool.submit(queue.claim, frozenset({"gpu"}), "waits", timeout=60.0)
        assert waiting.result(60)[0].task.id == claims[1].task.id


def test_a_producer_that_waits_for_room_is_told_when_the_queue_closes() -> None:
    queue = StubQueue(max_waiting=0, room_timeout=60.0)
    began = threading.Event()

    def produce() -> None:
        began.set()
        queue.enqueue(Task(kind=TaskKind.EXECUTE))

    with ThreadPoolExecutor() as pool:
        producer = pool.submit(produce)
        began.wait(60)
        queue.close()
        with pytest.raises(QueueError, match="closed"):
            producer.result(60)


def test_lane_names_can_be_read_back() -> None:
    for tags in (set(), {"cpu"}, {"gpu", "cuda11/12", "cpu"}):
        assert tags_of(lane_of(tags)) == tags
    assert lane_of({"b", "a"}) == "a+b"


def test_only_so_many_used_claims_are_remembered() -> None:
    popped = _Popped()
    for n in range(5_000):
        task = Task(kind=TaskKind.EXECUTE)
        popped.remember(Claim(task, str(n), 0.0))
        assert popped.take(task.id) is popped.take(task.id) is not None
    assert len(popped._claims) < 1_100
    assert popped.take("f" * 32) is None


def test_a_claim_that_was_popped_again_outlives_the_used_one() -> None:
    popped, task = _Popped(), Task(kind=TaskKind.EXECUTE)
    popped.remember(Claim(task, "old", 0.0))
    popped.take(task.id)
    popped.remember(Claim(task, "new", 0.0))
    for n in range(2_000):
        other = Task(kind=TaskKind.EXECUTE)
        popped.remember(Claim(other, f"other {n}", 0.0))
        popped.take(other.id)
    claim = popped.take(task.id)
    assert claim is not None
    assert claim.token == "new"
