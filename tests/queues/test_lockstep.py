"""Every provider against the model of the contract, in lock step, to the microsecond."""

from __future__ import annotations

import atexit
import functools
import itertools
import json

from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule

from peagen_ray.queues.memory import MemoryQueue
from peagen_ray.queues.model import Claim, State
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.queues.stub import StubQueue
from peagen_ray.task import Result
from peagen_ray.testing.queue_machine import IDLE_MS, OPTIONS, POLICY, QueueMachine
from peagen_ray.testing.servers import Flavour, RedisServer, need

_NUMBERS = itertools.count()


class MemoryMachine(QueueMachine):
    """The state machine itself; it also moves house now and then."""

    def new_queue(self) -> MemoryQueue:
        return MemoryQueue(lambda: self.now, POLICY, idle_ms=IDLE_MS)

    def pop(self) -> Claim | None:
        return self.queue.pop()

    def result(self, task_id: str) -> Result | None:
        return self.queue.result(task_id)

    def teardown(self) -> None:
        pass

    @rule()
    def move_house(self) -> None:
        moved = self.new_queue()
        moved.restore(json.loads(json.dumps(self.queue.snapshot())))
        assert moved.snapshot() == self.queue.snapshot()
        self.queue = moved

    @rule()
    def refresh(self) -> None:
        self.queue.refresh()
        for entry in sorted(self.in_state(State.CLAIMED), key=lambda entry: entry.lapses):
            entry.heard = self.now, self.click()


class StubMachine(QueueMachine):
    def new_queue(self) -> StubQueue:
        return StubQueue.from_url("", clock=lambda: self.now, **OPTIONS)


@functools.cache
def server(flavour: Flavour) -> RedisServer:
    need(flavour)
    running = RedisServer(flavour).start()
    atexit.register(running.stop)
    return running


class RedisMachine(QueueMachine):
    flavour: Flavour = "valkey"

    def new_queue(self) -> RedisQueue:
        prefix = f"lockstep{next(_NUMBERS)}."
        return RedisQueue.from_url(server(self.flavour).url, prefix=prefix, clock=lambda: self.now, **OPTIONS)


class OldRedisMachine(RedisMachine):
    flavour: Flavour = "redis"


def case_of(machine: type[QueueMachine], examples: int, steps: int) -> type:
    case = machine.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    return case


TestMemory = case_of(MemoryMachine, 100, 50)
TestStub = case_of(StubMachine, 20, 50)
TestValkey = case_of(RedisMachine, 30, 50)
TestRedis = case_of(OldRedisMachine, 15, 50)
