"""The queue suite on lanes and leases: who gets which task, and for how long."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from peagen_ray.queues.base import TaskQueue
from peagen_ray.task import Status, TaskKind
from peagen_ray.testing._queue_kit import CPU, LONG, MakeQueue, QueueKit, error, ok


class Serving(QueueKit):
    """Lanes and leases."""

    # ---- lanes --------------------------------------------------------------------------------

    def test_a_lane_is_first_in_first_out(self, queue: TaskQueue) -> None:
        ids = [self.enqueue(queue, "cpu").id for _ in range(20)]
        assert [task.id for task in queue.list_tasks(7, 3)] == ids[3:10]
        first = [claim.task.id for claim in queue.claim(CPU, "a", limit=12)]
        rest = [claim.task.id for claim in queue.claim(CPU, "b", limit=12)]
        assert first + rest == ids
        assert queue.list_tasks() == []

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
        assert [dead.id for dead in queue.dead_letters()] == [task.id]
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
        assert dead.task is not None
        assert (dead.id, dead.task.attempts) == (task.id, 3)
        assert "worker vanished" in dead.reason
        assert [(run.number, run.owner, run.ended) for run in dead.history] == [
            (n, f"worker-{n}", "vanished") for n in (1, 2, 3)
        ]
        result = queue.wait_for_result(task.id, 0)
        assert result is not None
        assert (result.status, result.retryable, result.attempts) == (Status.ERROR, False, 3)
        assert "worker vanished" in result.data["msg"]

    def test_a_claim_that_never_began_costs_no_run(self, make_queue: MakeQueue) -> None:
        queue = make_queue(max_retry=2)
        task = self.enqueue(queue)
        for _ in range(5):
            (claim,) = queue.claim(CPU, "ahead", lease=3 * self.UNIT, begin=False)
            assert (claim.task.id, claim.task.attempts) == (task.id, 0)
            self.advance(4)
        (claim,) = queue.claim(CPU, "w", lease=3 * self.UNIT, begin=False)
        begun = queue.begin(claim)
        assert begun is not None
        assert begun.task.attempts == 1
        again = queue.begin(claim)
        assert again is not None
        assert again.task == begun.task
        assert queue.give_back(claim)
        assert self.take(queue).task.attempts == 1

    def test_a_run_that_ends_without_having_begun_counts(self, make_queue: MakeQueue) -> None:
        queue = make_queue(max_retry=2, retry_delay=self.UNIT)
        task = self.enqueue(queue)
        for _ in range(2):
            (claim,) = queue.claim(CPU, "w", begin=False)
            queue.fail(claim, error(claim.task, retryable=True))
            self.advance(1.5)
        assert [dead.id for dead in queue.dead_letters()] == [task.id]

    def test_waiting_workers_learn_of_a_lapsed_lease_without_a_message(self, make_queue: MakeQueue) -> None:
        queue = make_queue()
        self.enqueue(queue)
        queue.claim(CPU, "lost", lease=self.UNIT / 20)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(queue.claim, CPU, "w", timeout=LONG)
            self.advance(0.1)
            assert len(waiting.result(LONG)) == 1
