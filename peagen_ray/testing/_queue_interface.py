"""The queue suite on the documented interface, which knows a task by its id."""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest

from peagen_ray.queues.base import FROM_START, State, TaskQueue
from peagen_ray.testing._queue_kit import CPU, LONG, QueueKit, a_task, error, ok, skip


class Interface(QueueKit):
    """The documented methods."""

    # ---- the documented interface -------------------------------------------------------------

    def test_the_documented_methods_keep_their_signatures(self, queue: TaskQueue) -> None:
        documented = {
            "enqueue": "(task)",
            "pop": "(block=True, timeout=1)",
            "ack": "(task_id)",
            "push_result": "(result)",
            "wait_for_result": "(task_id, timeout)",
            "requeue_orphans": "(idle_ms, max_batch)",
            "pending_count": "()",
            "list_tasks": "(limit=10, offset=0)",
        }
        for name, expected in documented.items():
            signature = inspect.signature(getattr(queue, name))
            bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
            assert str(inspect.Signature(bare)) == expected, name

    def test_a_task_goes_round(self, queue: TaskQueue) -> None:
        task = a_task("cpu", text="ünïcödé \u0000 \U0001f600", deep={"list": [1, 2.5, None, True]})
        queue.enqueue(task)
        popped = queue.pop(block=False)
        assert popped == task.model_copy(update={"attempts": 1})
        queue.push_result(ok(popped, answer=[{}, "\U0001f600"]))
        queue.ack(task.id)
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert result.data == {"answer": [{}, "\U0001f600"]}
        assert (queue.pending_count(), queue.pop(block=False)) == (0, None)

    def test_pop_waits_for_a_task(self, queue: TaskQueue) -> None:
        with ThreadPoolExecutor() as pool:
            popped = pool.submit(queue.pop, True, LONG)
            task = a_task()
            queue.enqueue(task)
            found = popped.result(LONG)
        assert found is not None
        assert found.id == task.id

    def test_pop_and_claim_end_empty_handed(self, queue: TaskQueue) -> None:
        assert queue.pop(True, 0.01) is None
        assert queue.pop(block=False, timeout=LONG) is None
        assert queue.claim(CPU, "w", timeout=0.01) == []

    def test_wait_for_result_waits_until_it_is_published(self, queue: TaskQueue) -> None:
        task = a_task()
        with ThreadPoolExecutor() as pool:
            awaited = pool.submit(queue.wait_for_result, task.id, LONG)
            queue.enqueue(task)
            claim = self.take(queue)
            queue.complete(claim, ok(claim.task))
            assert awaited.result(LONG) == queue.wait_for_result(task.id, None)
        assert queue.wait_for_result("f" * 32, 0.01) is None

    @pytest.mark.parametrize("state", [State.WAITING, State.DELAYED, State.CLAIMED, State.DONE, State.DEAD])
    def test_enqueueing_a_known_id_changes_nothing(self, queue: TaskQueue, state: State) -> None:
        task = a_task()
        queue.enqueue(task)
        claims = [] if state is State.WAITING else queue.claim(CPU, "w")
        for claim in claims:
            if state is State.DONE:
                queue.complete(claim, ok(task))
            elif state in (State.DEAD, State.DELAYED):
                queue.fail(claim, error(task, retryable=state is State.DELAYED))
        pending, before = queue.pending_count(), queue.inspect(task.id)
        queue.enqueue(task.model_copy(update={"payload": {"other": 1}}))
        assert (queue.pending_count(), queue.inspect(task.id)) == (pending, before)
        assert before is not None
        assert before.state is state

    def test_runs_are_counted_by_the_queue_when_they_start(self, queue: TaskQueue) -> None:
        queue.enqueue(a_task().model_copy(update={"attempts": 2}))
        assert [task.attempts for task in queue.list_tasks()] == [0]
        claim = self.take(queue)
        assert claim.task.attempts == 1
        queue.give_back(claim)
        assert self.take(queue).task.attempts == 1

    # ---- results by task id -------------------------------------------------------------------

    def test_push_result_completes_and_a_later_ack_is_a_no_op(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        queue.pop(block=False)
        queue.push_result(ok(task))
        queue.ack(task.id)
        queue.ack(task.id)
        info = queue.inspect(task.id)
        assert info is not None
        assert info.state is State.DONE
        self.advance(7)
        assert queue.pop(block=False) is None

    def test_push_result_fails_a_task_as_lifecycle_decides(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        queue.pop(block=False)
        queue.push_result(error(task, retryable=True))
        queue.ack(task.id)
        assert (queue.pending_count(), queue.wait_for_result(task.id, 0)) == (1, None)
        self.advance(2.5)
        assert queue.pop(block=False) is not None
        queue.push_result(error(task, retryable=False))
        assert [dead.id for dead in queue.dead_letters()] == [task.id]

    def test_ack_alone_releases_and_leaves_the_task_open_to_one_result(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        queue.pop(block=False)
        queue.ack(task.id)
        self.advance(7)
        assert (queue.requeue_orphans(0, 10), queue.pop(block=False)) == (0, None)
        assert queue.wait_for_result(task.id, 0) is None
        queue.push_result(ok(task, n=1))
        queue.push_result(ok(task, n=2))
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert result.data == {"n": 1}

    def test_a_failure_after_ack_goes_to_the_dead_letter_queue(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        queue.pop(block=False)
        queue.ack(task.id)
        queue.push_result(error(task, retryable=True))
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert not result.retryable
        assert [dead.id for dead in queue.dead_letters()] == [task.id]

    def test_ack_of_an_orphaned_pop_does_not_touch_the_new_one(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        queue.pop(block=False)
        queue.requeue_orphans(0, 10)
        with ThreadPoolExecutor(1) as other:
            assert other.submit(queue.pop, False).result(LONG) is not None
            queue.ack(task.id)
            queue.push_result(error(task, retryable=False))
            queue.ack(task.id)
            info = queue.inspect(task.id)
            assert info is not None
            assert info.state is State.CLAIMED
            other.submit(queue.ack, task.id).result(LONG)
        info = queue.inspect(task.id)
        assert info is not None
        assert info.state is State.RELEASED

    def test_a_failure_by_id_binds_no_worker_that_renews_its_lease(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        claim = self.take(queue)
        queue.push_result(error(claim.task, retryable=False))
        queue.ack(claim.task.id)
        assert queue.extend(claim)
        assert queue.wait_for_result(claim.task.id, 0) is None

    def test_a_result_by_id_is_accepted_from_whoever_finishes_first(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        claim = self.take(queue)
        queue.push_result(ok(claim.task, by="another"))
        assert not queue.complete(claim, ok(claim.task, by="us"))
        waiting = self.enqueue(queue)
        queue.push_result(ok(waiting))
        assert queue.pending_count() == 0

    def test_a_result_of_an_unknown_task_is_kept(self, queue: TaskQueue) -> None:
        task = a_task()
        queue.push_result(skip(task.model_copy(update={"attempts": 1})))
        queue.push_result(error(task, retryable=True))
        assert queue.wait_for_result(task.id, 0) is None
        queue.push_result(ok(task))
        assert queue.wait_for_result(task.id, 0) == queue.results_since(FROM_START)[0][0]
        queue.enqueue(task)
        assert queue.pending_count() == 0
