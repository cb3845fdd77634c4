"""The shipped queue suite over every provider."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from peagen_ray.queues.base import TaskQueue
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.queues.stub import StubQueue
from peagen_ray.testing.queue_suite import MakeQueue, TaskQueueSuite
from peagen_ray.testing.servers import FLAVOURS, RedisServer, need

_NUMBERS = itertools.count()


@pytest.fixture(scope="module", params=FLAVOURS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    need(request.param)
    with RedisServer(request.param) as running:
        yield running


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


class TestRedisQueue(TaskQueueSuite):
    @pytest.fixture
    def make_queue(self, server: RedisServer) -> Iterator[MakeQueue]:
        self.now = 1_700_000_000.0
        with ExitStack() as stack:

            def make(**options: Any) -> TaskQueue:
                prefix = f"contract{next(_NUMBERS)}."
                queue = RedisQueue.from_url(server.url, prefix=prefix, clock=lambda: self.now, **options)
                return stack.enter_context(queue)

            yield make

    def advance(self, units: float) -> None:
        self.now += units * self.UNIT
