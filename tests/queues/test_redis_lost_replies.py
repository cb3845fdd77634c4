"""The lock-step machine, with replies that get lost on the way: the queue agrees with the model all the same."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from peagen_ray.queues.redis import RedisQueue
from peagen_ray.testing.queue_machine import OPTIONS, QueueMachine
from peagen_ray.testing.relay import Relay
from peagen_ray.testing.servers import RedisServer

SAFE = {"enqueue", "claim", "_pop", "extend", "give_back", "complete", "fail", "release"}
"""Calls of producers and workers, whose answers are right although a reply was lost."""

_NUMBERS = itertools.count()


class Lossy:
    """A queue behind a relay, which loses as many replies of the next safe call as it is told."""

    def __init__(self, queue: RedisQueue, relay: Relay) -> None:
        self._queue, self._relay, self.losing = queue, relay, 0

    def __getattr__(self, name: str) -> Any:
        if name in SAFE and self.losing:
            self._relay.lose_replies(self.losing)
            self.losing = 0
        elif name != "close":
            self._relay.lose_replies(0)
        return getattr(self._queue, name)


class LossyMachine(QueueMachine):
    relay: ClassVar[Relay]

    def new_queue(self) -> Any:
        options = {"prefix": f"lossy{next(_NUMBERS)}.", "clock": lambda: self.now, **OPTIONS}
        return Lossy(RedisQueue.from_url(self.relay.url, **options), self.relay)

    @rule(times=st.integers(1, 2))
    def lose_replies(self, times: int) -> None:
        self.queue.losing = times


@pytest.mark.parametrize(
    "server", ["valkey", pytest.param("redis", marks=pytest.mark.nightly)], indirect=True
)
def test_a_queue_whose_replies_get_lost_agrees_with_the_model(server: RedisServer) -> None:
    with Relay(server.socket) as relay:
        machine = type("Machine", (LossyMachine,), {"relay": relay})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=40,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
