"""The queue suite on back-pressure, closing, and many at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from peagen_ray.errors import QueueError, QueueFull
from peagen_ray.queues.base import FROM_START, Claim, TaskQueue
from peagen_ray.task import Result, Task
from peagen_ray.testing._queue_kit import CPU, LONG, MakeQueue, QueueKit, a_task, error, ok


class Crowd(QueueKit):
    """Room, closing, and many threads."""

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
