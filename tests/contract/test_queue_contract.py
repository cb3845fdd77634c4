"""The shipped queue suite over every provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from peagen_ray.queues.base import TaskQueue
from peagen_ray.queues.stub import StubQueue
from peagen_ray.testing.queue_suite import MakeQueue, TaskQueueSuite


class TestStubQueue(TaskQueueSuite):
    @pytest.fixture
    def make_queue(self) -> Iterator[MakeQueue]:
        self.now = 1_700_000_000.0
        with ExitStack() as stack:

            def make(**options: Any) -> TaskQueue:
                return stack.enter_context(StubQueue.from_url("", clock=lambda: self.now, **options))

            yield make

    def advance(self, units: float) -> None:
        self.now += units * self.UNIT
