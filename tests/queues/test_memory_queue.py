"""What the state machine adds to the contract: retention, moving house, and its cost."""

from __future__ import annotations

import json

import pytest

from peagen_ray.errors import QueueError, ResultExpired
from peagen_ray.queues._places import IDS_PER_RESULT
from peagen_ray.queues.memory import MemoryQueue
from peagen_ray.queues.model import FROM_NOW, FROM_START, Claim, State
from peagen_ray.task import Result, Task, TaskKind

CPU = frozenset({"cpu"})


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def claimed(queue: MemoryQueue) -> Claim:
    queue.enqueue(Task(kind=TaskKind.EXECUTE))
    (claim,) = queue.claim(CPU, "w")
    return claim


def finished(queue: MemoryQueue) -> str:
    claim = claimed(queue)
    queue.complete(claim, Result.success(claim.task, {}))
    return claim.task.id


def released(queue: MemoryQueue) -> str:
    claim = claimed(queue)
    assert queue.release(claim)
    return claim.task.id


def test_only_so_many_ids_are_remembered(clock: Clock) -> None:
    queue = MemoryQueue(clock, results_kept=2)
    ids = [finished(queue) for _ in range(2 + 2 * IDS_PER_RESULT + 1)]
    assert queue.inspect(ids[0]) is None
    assert queue.result(ids[0]) is None
    with pytest.raises(ResultExpired):
        queue.result(ids[-3])
    assert queue.result(ids[-1]) is not None


def test_a_result_for_an_expired_id_changes_nothing(clock: Clock) -> None:
    queue = MemoryQueue(clock, results_kept=1)
    first, second = finished(queue), finished(queue)
    assert not queue.publish(Result(task_id=first, status="ok"))
    assert queue.result(second) is not None


def test_released_tasks_are_forgotten_by_age_and_by_number(clock: Clock) -> None:
    queue = MemoryQueue(clock, results_kept=2, results_age=10)
    first, second = released(queue), released(queue)
    clock.now += 5
    third = released(queue)
    assert queue.inspect(first) is None
    clock.now += 6
    assert queue.result(third) is None
    assert queue.inspect(second) is None
    assert queue.inspect(third).state is State.RELEASED
    assert queue.publish(Result(task_id=second, status="ok")), "a late result is kept all the same"


def test_a_claim_whose_task_is_forgotten_may_still_be_completed(clock: Clock) -> None:
    before, after = MemoryQueue(clock), MemoryQueue(clock)
    claim = claimed(before)
    assert after.fail(claim, Result.failure(claim.task, "no", retryable=True)) is None
    assert after.complete(claim, Result.success(claim.task, {}))
    assert after.result(claim.task.id) is not None
    assert after.pending_count() == 0


def test_a_final_error_of_an_unknown_task_is_kept(clock: Clock) -> None:
    queue, task = MemoryQueue(clock), Task(kind=TaskKind.EXECUTE)
    assert queue.publish(Result.failure(task, "no", retryable=False))
    assert queue.result(task.id).data["msg"] == "no"
    assert not queue.publish(Result.failure(task, "again", retryable=False))
    assert dict(queue.counters()) == {}


def test_everything_survives_moving_house(clock: Clock) -> None:
    queue = MemoryQueue(clock, results_kept=3)
    expired = [finished(queue) for _ in range(5)][:2]
    _, cursor = queue.results_since(FROM_NOW)
    dead = claimed(queue)
    queue.fail(dead, Result.failure(dead.task, "final", retryable=False))
    delayed, held, open_ = claimed(queue), claimed(queue), released(queue)
    queue.fail(delayed, Result.failure(delayed.task, "later", retryable=True))
    queue.enqueue(Task(kind=TaskKind.RENDER, requires={"gpu", "cpu"}, payload={"ü": [1.5, None]}))
    queue.claim(CPU, "meets the gpu lane")
    queue.pop()
    saved = queue.snapshot()
    moved = MemoryQueue(clock, results_kept=3)
    moved.restore(json.loads(json.dumps(saved)))
    assert json.dumps(moved.snapshot()) == json.dumps(saved)
    assert [result.task_id for result in moved.results_since(cursor)[0]] == [dead.task.id]
    assert moved.next_due() == queue.next_due()
    with pytest.raises(ResultExpired):
        moved.result(expired[0])
    assert moved.publish(Result(task_id=open_, status="ok"))
    assert moved.complete(held, Result.success(held.task, {}))


def test_leases_start_afresh_in_a_new_life(clock: Clock) -> None:
    queue = MemoryQueue(clock)
    claim = claimed(queue)
    saved = queue.snapshot()
    clock.now += 1_000
    moved = MemoryQueue(clock)
    moved.restore(saved)
    moved.refresh()
    assert moved.requeue_orphans(0, 10) == 0
    assert moved.extend(claim)


def test_tokens_of_two_houses_differ(clock: Clock) -> None:
    queue = MemoryQueue(clock)
    queue.enqueue(Task(kind=TaskKind.EXECUTE))
    saved = queue.snapshot()
    moved = MemoryQueue(clock)
    moved.restore(saved)
    moved.refresh()
    assert queue.claim(CPU, "a")[0].token != moved.claim(CPU, "b")[0].token


def test_only_a_new_queue_can_be_restored_and_only_from_its_own_format(clock: Clock) -> None:
    queue = MemoryQueue(clock)
    saved = queue.snapshot()
    finished(queue)
    with pytest.raises(QueueError, match="new queue"):
        queue.restore(saved)
    with pytest.raises(QueueError, match="format"):
        MemoryQueue(clock).restore({"format": 99})


def test_a_lane_that_nobody_serves_wakes_a_waiting_consumer_when_patience_ends(clock: Clock) -> None:
    queue = MemoryQueue(clock)
    queue.enqueue(Task(kind=TaskKind.EXECUTE, requires={"gpu"}))
    assert queue.next_due() is None
    assert queue.claim(CPU, "w") == []
    due = queue.next_due()
    assert due is not None
    clock.now = due
    queue.claim(CPU, "w")
    assert [dead.reason for dead in queue.dead_letters()] == ["no worker offers gpu"]
    assert queue.next_due() is None


def test_a_reader_far_behind_is_told_and_one_at_the_end_is_not(clock: Clock) -> None:
    queue = MemoryQueue(clock, results_kept=100, results_age=10)
    _, cursor = queue.results_since(FROM_NOW)
    finished(queue)
    _, end = queue.results_since(cursor)
    clock.now += 11
    assert queue.results_since(end) == ([], end)
    assert queue.results_since(FROM_START)[0] == []
    with pytest.raises(ResultExpired):
        queue.results_since(cursor)


def test_delayed_tasks_that_could_run_count_as_idle(clock: Clock) -> None:
    queue = MemoryQueue(clock)
    queue.give_back(claimed(queue), delay=5)
    assert queue.oldest_idle() == 0.0
    clock.now += 7
    assert queue.oldest_idle() == 2.0


def test_the_cost_of_a_task_does_not_grow_with_the_queue(clock: Clock) -> None:
    """Counts, instead of timing, what the heaps hold for ten thousand tasks that came and went."""
    queue = MemoryQueue(clock, results_kept=100)
    for _ in range(10_000):
        clock.now += 0.001
        finished(queue)
    assert len(queue._at.leases._heap) < 100
    assert len(queue._at._records) == 100
    assert len(queue._at.lanes._lanes) == 0
