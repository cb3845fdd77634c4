"""The contract of every task queue, as a test suite.

Prove a provider by subclassing::

    class TestMyQueue(TaskQueueSuite):
        UNIT = 0.2                      # its clock is real; see below

        @pytest.fixture
        def make_queue(self):
            with contextlib.ExitStack() as stack:
                yield lambda **options: stack.enter_context(MyQueue.from_url(an_empty_one(), **options))

A provider whose clock can be moved overrides :meth:`TaskQueueSuite.advance` and keeps ``UNIT``.
"""
# ruff: noqa: D102 -- the names of the tests say what they prove

from __future__ import annotations

import inspect
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from peagen_ray.errors import QueueError, QueueFull, ResultExpired
from peagen_ray.lifecycle import DeadLetter, GiveBack, Retry
from peagen_ray.queues.base import FROM_NOW, FROM_START, Claim, State, TaskQueue
from peagen_ray.task import Result, Status, Task, TaskKind

MakeQueue = Callable[..., TaskQueue]

CPU = frozenset({"cpu"})
LONG = 30.0
"""Seconds after which a test gives up waiting for what must come at once."""


def a_task(*requires: str, kind: TaskKind = TaskKind.EXECUTE, **payload: Any) -> Task:
    """A new task that requires those tags."""
    return Task(kind=kind, requires=frozenset(requires), payload=payload)


def ok(task: Task, **data: Any) -> Result:
    """An ``ok`` Result."""
    return Result.success(task, data)


def error(task: Task, *, retryable: bool, msg: str = "it broke") -> Result:
    """An ``error`` Result."""
    return Result.failure(task, msg, retryable=retryable)


def skip(task: Task) -> Result:
    """A ``skip`` Result."""
    return Result(task_id=task.id, status=Status.SKIP, data={"msg": "not mine"}, attempts=task.attempts)


class TaskQueueSuite:
    """Guarantees of every provider; the fixture ``make_queue(**options)`` opens a new empty queue.

    Attributes:
        UNIT: seconds that one unit of the suite's time lasts.
    """

    UNIT: ClassVar[float] = 1.0

    def advance(self, units: float) -> None:
        """Let time pass."""
        time.sleep(units * self.UNIT)

    @pytest.fixture
    def queue(self, make_queue: MakeQueue) -> TaskQueue:
        """A queue whose leases, delays and patience are measured in units."""
        return make_queue(
            idle_ms=int(6000 * self.UNIT),
            patience=8 * self.UNIT,
            retry_delay=2 * self.UNIT,
            skip_delay=1 * self.UNIT,
        )

    def take(self, queue: TaskQueue, offered: frozenset[str] = CPU, owner: str = "w") -> Claim:
        """The one task that is there to claim, with a lease of three units."""
        claims = queue.claim(offered, owner, lease=3 * self.UNIT)
        assert len(claims) == 1
        return claims[0]

    def none(self, queue: TaskQueue, offered: frozenset[str] = CPU) -> bool:
        """Whether there is nothing to claim."""
        return queue.claim(offered, "w", limit=9) == []

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
        queue.push_result(ok(popped, answer=[{}, "\ud83d\ude00"]))
        queue.ack(task.id)
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert result.data == {"answer": [{}, "\ud83d\ude00"]}
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

    # ---- lanes --------------------------------------------------------------------------------

    def test_a_lane_is_first_in_first_out(self, queue: TaskQueue) -> None:
        ids = [self.enqueue(queue, "cpu").id for _ in range(20)]
        assert [task.id for task in queue.list_tasks(7, 3)] == ids[3:10]
        first = [claim.task.id for claim in queue.claim(CPU, "a", limit=12)]
        rest = [claim.task.id for claim in queue.claim(CPU, "b", limit=12)]
        assert first + rest == ids
        assert queue.list_tasks() == []

    def enqueue(self, queue: TaskQueue, *requires: str, kind: TaskKind = TaskKind.EXECUTE) -> Task:
        """Enqueue a new task that requires those tags."""
        task = a_task(*requires, kind=kind)
        queue.enqueue(task)
        return task

    def test_a_claim_takes_only_what_it_can_serve(self, queue: TaskQueue) -> None:
        gpu, either = self.enqueue(queue, "cpu", "gpu"), self.enqueue(queue, "cuda11/12")
        cpu, anywhere = self.enqueue(queue, "cpu"), self.enqueue(queue)
        served = {claim.task.id for claim in queue.claim(CPU, "w", limit=9)}
        assert served == {cpu.id, anywhere.id}
        served = {claim.task.id for claim in queue.claim(frozenset({"cpu", "gpu", "cuda12"}), "w", limit=9)}
        assert served == {gpu.id, either.id}

    def test_a_claim_takes_turns_between_lanes(self, queue: TaskQueue) -> None:
        for requires in [("cpu",)] * 6 + [("pandas",)] * 3 + [("cpu", "pandas")] * 3:
            self.enqueue(queue, *requires)
        both = frozenset({"cpu", "pandas"})
        claims = [claim for _ in range(3) for claim in queue.claim(both, "w", limit=3)]
        assert Counter(claim.task.requires for claim in claims) == {CPU: 3, frozenset({"pandas"}): 3, both: 3}

    def test_depth_and_age_are_reported(self, queue: TaskQueue) -> None:
        assert (queue.oldest_idle(), dict(queue.depth())) == (0.0, {})
        for kind in (TaskKind.EXECUTE, TaskKind.EXECUTE, TaskKind.MUTATE):
            self.enqueue(queue, "gpu", "cpu", kind=kind)
        self.enqueue(queue)
        self.advance(2)
        claim = self.take(queue)
        queue.fail(claim, error(claim.task, retryable=True))
        depth = {("cpu+gpu", TaskKind.EXECUTE): 2, ("cpu+gpu", TaskKind.MUTATE): 1, ("", TaskKind.EXECUTE): 1}
        assert dict(queue.depth()) == depth
        assert queue.pending_count() == len(queue.list_tasks()) == 4
        assert queue.oldest_idle() >= 2 * self.UNIT

    def test_a_task_that_nobody_can_serve_dies_and_names_what_is_missing(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue, "gpu", "cpu", "rust")
        self.advance(9)
        assert self.none(queue, CPU)
        assert self.none(queue, frozenset({"cpu", "gpu"}))
        assert dict(queue.unserved()) == {"cpu+gpu+rust": ("rust",)}
        assert queue.wait_for_result(task.id, 0) is None
        self.advance(9)
        assert self.none(queue)
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert (result.status, result.retryable) == (Status.ERROR, False)
        assert "rust" in result.data["msg"]
        assert [dead.task.id for dead in queue.dead_letters()] == [task.id]
        assert dict(queue.unserved()) == {}

    def test_a_consumer_that_is_busy_still_covers_its_lane(self, queue: TaskQueue) -> None:
        gpu = frozenset({"gpu"})
        self.enqueue(queue, "gpu")
        busy = self.take(queue, gpu)
        self.enqueue(queue, "gpu")
        for _ in range(12):
            assert self.none(queue)
            self.advance(1)
            assert queue.extend(busy)
        assert dict(queue.unserved()) == {}
        assert self.take(queue, gpu)

    def test_a_lane_waits_for_its_consumer_while_nobody_comes(self, queue: TaskQueue) -> None:
        self.enqueue(queue, "gpu")
        self.advance(30)
        assert self.take(queue, frozenset({"gpu"}))

    # ---- leases -------------------------------------------------------------------------------

    def test_the_task_of_a_vanished_worker_comes_back(self, queue: TaskQueue) -> None:
        task = self.enqueue(queue)
        self.take(queue, owner="lost")
        assert self.none(queue)
        self.advance(4)
        claim = self.take(queue)
        assert (claim.task.id, claim.task.attempts) == (task.id, 2)

    def test_a_renewed_lease_is_never_taken_away(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        claim = self.take(queue)
        for _ in range(10):
            self.advance(1)
            assert queue.extend(claim)
            assert self.none(queue)
            assert queue.requeue_orphans(0, 10) == 0
        assert queue.complete(claim, ok(claim.task))

    def test_requeue_orphans_takes_back_lapsed_leases(self, queue: TaskQueue) -> None:
        for _ in range(5):
            self.enqueue(queue)
        claims = queue.claim(CPU, "w", limit=5, lease=3 * self.UNIT)
        assert queue.requeue_orphans(0, 10) == 0
        self.advance(4)
        assert queue.requeue_orphans(60_000, 2) == 2
        assert queue.requeue_orphans(60_000, 10) == 3
        assert queue.requeue_orphans(60_000, 10) == 0
        assert queue.pending_count() == 5
        assert not any(queue.extend(claim) for claim in claims)

    def test_requeue_orphans_takes_back_popped_tasks_that_are_idle(self, queue: TaskQueue) -> None:
        for _ in range(3):
            self.enqueue(queue)
            queue.pop(block=False)
        self.advance(2)
        assert queue.requeue_orphans(int(4000 * self.UNIT), 10) == 0
        assert queue.requeue_orphans(int(1000 * self.UNIT), 2) == 2
        assert queue.requeue_orphans(0, 2) == 1

    def test_a_popped_task_comes_back_by_itself_after_idle_ms(self, queue: TaskQueue) -> None:
        self.enqueue(queue)
        queue.pop(block=False)
        self.advance(5)
        assert queue.pop(block=False) is None
        self.advance(2)
        again = queue.pop(block=False)
        assert again is not None
        assert again.attempts == 2

    def test_a_task_that_kills_its_workers_dies_after_max_retry_runs(self, make_queue: MakeQueue) -> None:
        queue = make_queue(max_retry=3)
        task = self.enqueue(queue)
        for run in (1, 2, 3):
            assert self.take(queue, owner=f"worker-{run}").task.attempts == run
            self.advance(4)
        assert self.none(queue)
        (dead,) = queue.dead_letters()
        assert (dead.task.id, dead.task.attempts) == (task.id, 3)
        assert "worker vanished" in dead.reason
        assert [(run.number, run.owner, run.ended) for run in dead.history] == [
            (n, f"worker-{n}", "vanished") for n in (1, 2, 3)
        ]
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert (result.status, result.retryable, result.attempts) == (Status.ERROR, False, 3)
        assert "worker vanished" in result.data["msg"]

    def test_waiting_workers_learn_of_a_lapsed_lease_without_a_message(self, make_queue: MakeQueue) -> None:
        queue = make_queue()
        self.enqueue(queue)
        queue.claim(CPU, "lost", lease=self.UNIT / 20)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(queue.claim, CPU, "w", timeout=LONG)
            self.advance(0.1)
            assert len(waiting.result(LONG)) == 1

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
        assert [dead.task.id for dead in queue.dead_letters()] == [task.id]

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
        assert [dead.task.id for dead in queue.dead_letters()] == [task.id]

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

    def finish(self, queue: TaskQueue) -> Result:
        """Enqueue a task and complete it."""
        self.enqueue(queue)
        claim = self.take(queue)
        result = ok(claim.task)
        assert queue.complete(claim, result)
        return result

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

    def bury(self, queue: TaskQueue) -> Task:
        """A task in the dead-letter queue."""
        task = self.enqueue(queue)
        claim = self.take(queue)
        queue.fail(claim, error(claim.task, retryable=False))
        return task

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
        assert [dead.task.id for dead in queue.dead_letters(2, 2)] == [old[2], new[0]]
        assert queue.purge(older_than=2 * self.UNIT) == 3
        assert queue.purge([new[0], old[0], "f" * 32]) == 1
        assert [dead.task.id for dead in queue.dead_letters()] == [new[1]]
        assert queue.retry([old[0]]) == 0
        assert queue.wait_for_result(old[0], 0) is not None
        assert queue.purge() == 1

    def test_dead_letters_stay_when_their_results_expire(self, make_queue: MakeQueue) -> None:
        queue = make_queue(results_kept=1)
        dead = [self.bury(queue).id for _ in range(3)]
        assert [entry.task.id for entry in queue.dead_letters()] == dead
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

    # ---- room ---------------------------------------------------------------------------------

    def test_a_full_queue_refuses_producers_but_never_follow_ups(self, make_queue: MakeQueue) -> None:
        queue = make_queue(max_waiting=2)
        known = self.enqueue(queue)
        self.enqueue(queue)
        with pytest.raises(QueueFull):
            self.enqueue(queue)
        queue.enqueue(known)
        claim = self.take(queue)
        assert queue.complete(claim, ok(claim.task), [a_task(), a_task()])
        assert queue.pending_count() == 3

    def test_a_producer_may_wait_for_room(self, make_queue: MakeQueue) -> None:
        queue = make_queue(max_waiting=1, room_timeout=LONG)
        self.enqueue(queue)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(self.enqueue, queue)
            self.take(queue)
            waiting.result(LONG)
        assert queue.pending_count() == 1

    def test_a_closed_queue_wakes_whoever_waits_and_takes_nothing_more(self, queue: TaskQueue) -> None:
        with ThreadPoolExecutor() as pool:
            waiting = [
                pool.submit(_until_closed, wait)
                for wait in (
                    lambda: queue.claim(CPU, "w", timeout=None),
                    lambda: queue.pop(True, None),
                    lambda: queue.wait_for_result("f" * 32, None),
                    lambda: queue.results_since(FROM_START, timeout=None)[0],
                )
            ]
            queue.close()
            assert not any(future.result(LONG) for future in waiting)
        queue.close()
        with pytest.raises(QueueError):
            queue.enqueue(a_task())

    # ---- many at once -------------------------------------------------------------------------

    def test_many_producers_and_consumers_lose_and_double_nothing(self, make_queue: MakeQueue) -> None:
        queue = make_queue(retry_delay=0.001, max_retry=20)
        tasks = [a_task(*(("cpu",) if n % 3 else ()), n=n) for n in range(300)]
        stop = threading.Event()
        completed: Counter[str] = Counter()

        def produce(mine: list[Task]) -> None:
            for task in mine:
                queue.enqueue(task)
                queue.enqueue(task)

        def consume(seed: int) -> None:
            while not stop.is_set():
                for step, claim in enumerate(queue.claim(CPU, f"w{seed}", limit=3, timeout=0.05)):
                    self.handle(queue, claim, seed + step, completed)

        with ThreadPoolExecutor(10) as pool:
            consumers = [pool.submit(consume, seed) for seed in range(5)]
            for n in range(3):
                pool.submit(produce, tasks[n::3])
            try:
                results = self.collect(queue, 400)
            finally:
                stop.set()
            for consumer in consumers:
                consumer.result(LONG)
        assert Counter(result.task_id for result in results) == Counter(completed)
        assert set(completed) >= {task.id for task in tasks}
        assert set(completed.values()) == {1}
        assert (queue.pending_count(), queue.dead_letters()) == (0, [])

    def handle(self, queue: TaskQueue, claim: Claim, dice: int, completed: Counter[str]) -> None:
        """Fail, give back or complete, a hundred of the tasks with a follow-up."""
        task, n = claim.task, claim.task.payload["n"]
        if task.attempts == 1 and (n + dice) % 4 == 0:
            assert queue.fail(claim, error(task, retryable=True))
        elif task.attempts == 1 and (n + dice) % 7 == 0:
            assert queue.give_back(claim)
        else:
            spawn = [a_task("cpu", n=n + 1)] if 0 <= n < 300 and n % 3 == 0 else []
            spawn = [task.model_copy(update={"payload": {"n": -1}}) for task in spawn]
            if queue.complete(claim, ok(task), spawn):
                completed[task.id] += 1

    def collect(self, queue: TaskQueue, wanted: int) -> list[Result]:
        """The Results, as a subscriber sees them."""
        results: list[Result] = []
        cursor, deadline = FROM_START, time.monotonic() + 2 * LONG
        while len(results) < wanted and time.monotonic() < deadline:
            self.advance(0.01)
            found, cursor = queue.results_since(cursor, limit=17, timeout=0.05)
            results += found
        return results


def _until_closed(wait: Callable[[], Any]) -> Any:
    """What the call returns; nothing if the queue was closed before it began."""
    try:
        return wait()
    except QueueError:
        return None
