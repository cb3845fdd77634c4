"""The queue on Ray against the model of the contract, in lock step; its actor dies, and replies get lost."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from ray_near import near_queue

from peagen_ray.queues.model import State
from peagen_ray.testing.queue_machine import OPTIONS, QueueMachine

SAFE = {
    "enqueue",
    "claim",
    "_pop",
    "extend",
    "give_back",
    "complete",
    "fail",
    "release",
    "cancel",
    "retry",
    "purge",
}
"""Calls whose answers are right although a reply was lost."""


class Lossy:
    """A queue that loses as many replies of the next safe call as it is told."""

    def __init__(self, queue: Any) -> None:
        self._queue, self.losing = queue, 0

    def __getattr__(self, name: str) -> Any:
        self._queue._link.losing = self.losing if name in SAFE else 0
        if name in SAFE:
            self.losing = 0
        return getattr(self._queue, name)


class NearMachine(QueueMachine):
    """The actor without Ray. Its deaths, and its snapshots, come as they please."""

    def new_queue(self) -> Any:
        self.root = Path(tempfile.mkdtemp(prefix="pl"))
        return Lossy(near_queue(self.root, clock=lambda: self.now, **OPTIONS))

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.root)

    @rule(torn=st.booleans())
    def die(self, torn: bool) -> None:
        self.queue._link.die(torn=torn)
        for entry in sorted(self.in_state(State.CLAIMED), key=lambda entry: entry.lapses):
            entry.heard = self.now, self.click()

    @rule(times=st.integers(1, 2))
    def lose_replies(self, times: int) -> None:
        self.queue.losing = times


class FarMachine(QueueMachine):
    """The actor on a cluster."""

    pool: ClassVar[Any]

    def new_queue(self) -> Any:
        return self.pool.queue(clock=lambda: self.now, **OPTIONS)

    def teardown(self) -> None:
        super().teardown()
        self.pool.take_back()


def run(machine: type[QueueMachine], examples: int, steps: int, **options: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            **options,
        ),
    )


def test_a_queue_whose_actor_dies_and_whose_replies_get_lost_agrees_with_the_model() -> None:
    run(NearMachine, 25, 40)


def test_a_queue_on_a_cluster_agrees_with_the_model(pool: Any) -> None:
    run(type("Machine", (FarMachine,), {"pool": pool}), 4, 30, phases=[Phase.generate])
