"""The queue suite on the end of a run: completed, failed, skipped or given back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from peagen_ray.errors import QueueError
from peagen_ray.lifecycle import DeadLetter, GiveBack, Retry
from peagen_ray.queues.base import FROM_START, TaskQueue
from peagen_ray.task import Status, TaskKind
from peagen_ray.testing._queue_kit import CPU, LONG, MakeQueue, QueueKit, a_task, error, ok, skip


class Ending(QueueKit):
    """Completing and failing."""

    # ---- completing ---------------------------------------------------------------------------

    def test_completing_publishes_spawns_and_acknowledges_in_one_step(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        claim = self.take(queue)
        spawned = [a_task("cpu"), a_task("gpu")]
        assert queue.complete(claim, ok(claim.task, n=1), [*spawned, spawned[0]])
        assert queue.list_tasks() == spawned
        result = queue.wait_for_result(claim.task.id, 0)
        assert result is not None
        assert result.data == {"n": 1}
        assert not queue.extend(claim)

    def test_a_second_completion_changes_nothing_and_is_counted(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        claim = self.take(queue)
        queue.complete(claim, ok(claim.task, n=1))
        assert not queue.complete(claim, ok(claim.task, n=2), [a_task()])
        assert queue.fail(claim, error(claim.task, retryable=False)) is None
        queue.push_result(ok(claim.task, n=3))
        result = queue.wait_for_result(claim.task.id, 0)
        assert result is not None
        assert result.data == {"n": 1}
        assert queue.pending_count() == 0
        assert len(queue.results_since(FROM_START)[0]) == 1
        assert queue.counters()["stale", TaskKind.EXECUTE] == 3

    def test_the_first_to_finish_wins_even_if_its_lease_lapsed(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        slow = self.take(queue)
        self.advance(4)
        quick = self.take(queue)
        assert queue.complete(slow, ok(slow.task, by="slow"))
        assert not queue.extend(quick)
        assert not queue.complete(quick, ok(quick.task, by="quick"))
        self.advance(4)
        assert self.none(queue)

    def test_failures_and_acknowledgements_are_fenced_by_their_claim(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        stale = self.take(queue)
        self.advance(4)
        current = self.take(queue)
        assert queue.fail(stale, error(stale.task, retryable=False)) is None
        assert not queue.give_back(stale)
        assert not queue.release(stale)
        assert not queue.extend(stale)
        assert not queue.publish(error(stale.task, retryable=False), stale)
        assert queue.extend(current)
        assert queue.wait_for_result(current.task.id, 0) is None
        assert queue.counters()["stale", TaskKind.EXECUTE] == 4

    def test_a_result_must_fit_its_claim(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        claim = self.take(queue)
        with pytest.raises(QueueError):
            queue.complete(claim, ok(a_task()))
        with pytest.raises(QueueError):
            queue.complete(claim, error(claim.task, retryable=True))
        with pytest.raises(QueueError):
            queue.fail(claim, ok(claim.task))
        assert queue.extend(claim)

    # ---- failing ------------------------------------------------------------------------------

    def test_a_retryable_error_runs_again_after_a_delay_that_doubles(self, make_queue: MakeQueue) -> None:
        queue = make_queue(retry_delay=2 * self.UNIT, max_retry=4)
        task = self.enqueue(queue)
        for run, delay in enumerate((2, 4, 8), start=1):
            claim = self.take(queue)
            action = queue.fail(claim, error(claim.task, retryable=True, msg=f"failure {run}"))
            assert action == Retry(delay * self.UNIT)
            self.advance(delay - 1)
            assert self.none(queue)
            assert (queue.pending_count(), queue.wait_for_result(task.id, 0)) == (1, None)
            self.advance(1.5)
        claim = self.take(queue)
        assert isinstance(queue.fail(claim, error(claim.task, retryable=True, msg="failure 4")), DeadLetter)
        (dead,) = queue.dead_letters()
        assert [run.msg for run in dead.history] == [f"failure {run}" for run in (1, 2, 3, 4)]
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert (result.data["msg"], result.retryable, result.attempts) == ("failure 4", False, 4)

    def test_waiting_workers_learn_of_a_delay_without_a_message(self, make_queue: MakeQueue) -> None:
        queue = make_queue(retry_delay=self.UNIT / 20)
        self.enqueue(queue)
        claim = self.take(queue)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(queue.claim, CPU, "w", timeout=LONG)
            queue.fail(claim, error(claim.task, retryable=True))
            self.advance(0.1)
            assert len(waiting.result(LONG)) == 1

    def test_an_error_that_is_not_retryable_dies_at_once(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        claim = self.take(queue)
        assert queue.fail(claim, error(claim.task, retryable=False)) == DeadLetter("it broke")
        assert self.none(queue)
        (dead,) = queue.dead_letters()
        assert (dead.task, dead.reason) == (claim.task, "it broke")
        assert queue.wait_for_result(task.id, 0) is not None
        assert queue.counters()["dead", TaskKind.EXECUTE] == 1

    def test_a_skipped_task_is_given_back_and_the_run_does_not_count(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        claim = self.take(queue)
        assert queue.fail(claim, skip(claim.task)) == GiveBack(self.UNIT)
        assert queue.wait_for_result(task.id, 0) is None
        self.advance(1.5)
        assert self.take(queue).task.attempts == 1

    def test_skipping_is_bounded_by_patience(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        for _ in range(30):
            for claim in queue.claim(CPU, "w"):
                queue.fail(claim, skip(claim.task))
            self.advance(1)
        (dead,) = queue.dead_letters()
        assert "not mine" in dead.reason
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert (result.status, result.retryable) == (Status.ERROR, False)

    def test_giving_back_offers_the_task_at_once_or_later(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        for _ in range(5):
            claim = self.take(queue)
            assert queue.give_back(claim)
            assert not queue.give_back(claim)
        assert queue.give_back(self.take(queue), delay=2 * self.UNIT)
        assert self.none(queue)
        self.advance(2.5)
        assert self.take(queue).task.attempts == 1
