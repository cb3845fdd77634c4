"""The shipped queue suite over the queue on Ray."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from peagen_ray.queues.base import TaskQueue
from peagen_ray.testing.queue_suite import MakeQueue, TaskQueueSuite


class TestRayQueue(TaskQueueSuite):
    @pytest.fixture
    def make_queue(self, pool: Any) -> Iterator[MakeQueue]:
        self.now = 1_700_000_000.0
        with ExitStack() as stack:

            def make(**options: Any) -> TaskQueue:
                return stack.enter_context(pool.queue(clock=lambda: self.now, **options))

            yield make
        pool.take_back()

    def advance(self, units: float) -> None:
        self.now += units * self.UNIT
