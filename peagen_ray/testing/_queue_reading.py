"""The queue suite on subscribers and on people's tools."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from peagen_ray.errors import QueueError, ResultExpired
from peagen_ray.queues.base import FROM_NOW, FROM_START, State, TaskQueue
from peagen_ray.task import Status, Task, TaskKind
from peagen_ray.testing._queue_kit import LONG, MakeQueue, QueueKit, a_task, error, ok


class Reading(QueueKit):
    """Subscribing, dead letters, cancelling, inspecting."""

    # ---- subscribing --------------------------------------------------------------------------

    def test_results_are_read_once_and_in_order(self, queue: TaskQueue) -> None:
        _, now = queue.results_since(FROM_NOW)
        ids = [self.finish(queue).task_id for _ in range(7)]
        head, cursor = queue.results_since(FROM_START, limit=3)
        tail, end = queue.results_since(cursor)
        assert [result.task_id for result in head + tail] == ids
        assert queue.results_since(end) == ([], end)
        assert [result.task_id for result in queue.results_since(now)[0]] == ids
        assert queue.results_since(FROM_NOW)[0] == []

    def test_a_subscriber_waits_for_the_next_result(self, queue: TaskQueue) -> None:
        _, cursor = queue.results_since(FROM_NOW)
        with ThreadPoolExecutor() as pool:
            awaited = pool.submit(queue.results_since, cursor, timeout=LONG)
            result = self.finish(queue)
            assert awaited.result(LONG)[0] == [result]

    @pytest.mark.parametrize("cursor", ["", "-1", "x", "9" * 5000, "99999", "\u0661"])
    def test_a_cursor_of_another_queue_is_refused(self, queue: TaskQueue, cursor: str) -> None:
        with pytest.raises(QueueError):
            queue.results_since(cursor)

    def test_what_expired_is_said_to_have_expired(self, make_queue: MakeQueue) -> None:
        queue = make_queue(results_kept=3)
        _, cursor = queue.results_since(FROM_NOW)
        first = self.finish(queue)
        _, after_first = queue.results_since(cursor)
        kept = [self.finish(queue).task_id for _ in range(3)]
        with pytest.raises(ResultExpired):
            queue.wait_for_result(first.task_id, LONG)
        with pytest.raises(ResultExpired):
            queue.results_since(cursor)
        assert [result.task_id for result in queue.results_since(after_first)[0]] == kept
        assert [result.task_id for result in queue.results_since(FROM_START)[0]] == kept
        info = queue.inspect(first.task_id)
        assert info is not None
        assert info.state is State.EXPIRED

    def test_results_expire_by_age(self, make_queue: MakeQueue) -> None:
        queue = make_queue(results_age=5 * self.UNIT)
        result = self.finish(queue)
        self.advance(2)
        assert queue.wait_for_result(result.task_id, 0) == result
        self.advance(4)
        with pytest.raises(ResultExpired):
            queue.wait_for_result(result.task_id, 0)
        queue.enqueue(Task(kind=TaskKind.EXECUTE, id=result.task_id))
        assert queue.pending_count() == 0

    # ---- people's tools -----------------------------------------------------------------------

    def test_a_retried_task_has_a_new_life_whose_result_supersedes(self, queue: TaskQueue) -> None:
        task = self.bury(queue)
        _, cursor = queue.results_since(FROM_START)
        assert queue.retry([task.id, task.id, "f" * 32]) == 1
        assert queue.dead_letters() == []
        assert queue.wait_for_result(task.id, 0) is None
        claim = self.take(queue)
        assert claim.task.attempts == 1
        queue.complete(claim, ok(claim.task))
        assert [result.status for result in queue.results_since(cursor)[0]] == [Status.OK]
        assert len(queue.results_since(FROM_START)[0]) == 1

    def test_purging_removes_dead_tasks_and_keeps_their_results(self, queue: TaskQueue) -> None:
        old = [self.bury(queue).id for _ in range(3)]
        self.advance(3)
        new = [self.bury(queue).id for _ in range(2)]
        assert [dead.id for dead in queue.dead_letters(2, 2)] == [old[2], new[0]]
        assert queue.purge(older_than=2 * self.UNIT) == 3
        assert queue.purge([new[0], old[0], "f" * 32]) == 1
        assert [dead.id for dead in queue.dead_letters()] == [new[1]]
        assert queue.retry([old[0]]) == 0
        assert queue.wait_for_result(old[0], 0) is not None
        assert queue.purge() == 1

    def test_dead_letters_stay_when_their_results_expire(self, make_queue: MakeQueue) -> None:
        queue = make_queue(results_kept=1)
        dead = [self.bury(queue).id for _ in range(3)]
        assert [entry.id for entry in queue.dead_letters()] == dead
        with pytest.raises(ResultExpired):
            queue.wait_for_result(dead[0], 0)
        assert queue.purge([dead[1]]) == 1
        with pytest.raises(ResultExpired):
            queue.wait_for_result(dead[1], 0)
        assert queue.retry(dead) == 2
        assert queue.wait_for_result(dead[0], 0) is None

    @pytest.mark.parametrize("state", [State.WAITING, State.DELAYED, State.CLAIMED, State.RELEASED])
    def test_cancelling_ends_a_task_wherever_it_is(self, queue: TaskQueue, state: State) -> None:
        task = self.enqueue(queue)
        claim = None if state is State.WAITING else self.take(queue)
        if claim and state is State.DELAYED:
            queue.give_back(claim, 1000)
        if claim and state is State.RELEASED:
            queue.release(claim)
        assert queue.cancel(task.id)
        assert not queue.cancel(task.id)
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert (result.status, result.data["msg"], result.retryable) == (Status.ERROR, "cancelled", False)
        assert (queue.pending_count(), queue.dead_letters()) == (0, [])
        if claim is not None:
            assert not queue.extend(claim)
            assert not queue.complete(claim, ok(task), [a_task()])
        assert self.none(queue)
        assert not queue.cancel("f" * 32)

    def test_what_a_stream_holds_is_weighed(self, queue: TaskQueue) -> None:
        if type(queue).held_bytes is TaskQueue.held_bytes:
            pytest.skip("this provider does not say what it holds")
        assert not {"tasks", "tasks.cpu"} & queue.held_bytes().keys()
        for _ in range(100):
            queue.enqueue(Task(kind=TaskKind.EXECUTE, payload={"source": "x" * 2000}))
        before = queue.held_bytes()
        assert not any(name.endswith(".") for name in before)
        assert 100_000 < sum(n for name, n in before.items() if name.startswith("tasks")) < 2_000_000
        self.bury(queue)
        after = queue.held_bytes()
        assert 0 < after["dead"] < 100_000
        assert 0 < after["results"] < 100_000

    def test_inspect_tells_where_a_task_is(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        claim = self.take(queue, owner="me")
        info = queue.inspect(task.id)
        assert info is not None
        assert (info.task, info.state, info.owner, info.due) == (
            claim.task,
            State.CLAIMED,
            "me",
            claim.lease_until,
        )
        queue.fail(claim, error(claim.task, retryable=True, msg="x" * 100_000))
        info = queue.inspect(task.id)
        assert info is not None
        assert (info.state, info.owner, info.result) == (State.DELAYED, "", None)
        assert info.due is not None
        assert len(info.history[0].msg) < 10_000
        assert queue.inspect("f" * 32) is None
