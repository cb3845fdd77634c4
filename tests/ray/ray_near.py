"""The queue's actor in this process, without Ray, and a way to it that loses replies and lives. Not a test."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.queues import ray as provider
from peagen_ray.queues.ray import RayQueue
from peagen_ray.queues.ray.actor import QueueActor
from peagen_ray.queues.ray.wire import to_json, understood


class NearLink:
    """Calls an actor that a test can end, and calls it again as the real one does.

    Attributes:
        losing: replies of the next steps that get lost.
        dying: whether the actor ends after each reply that gets lost.
        tearing: whether the journal then ends with half a step.
    """

    closed = False

    def __init__(self, url: str, name: str, arguments: dict[str, Any], *, broker_timeout: float) -> None:
        self.losing, self.dying, self.tearing = 0, False, False
        self._name, self._arguments = name, arguments
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self.compact_bytes = 4_000
        self.actor: QueueActor
        self.live()

    def live(self) -> None:
        """A new life of the actor begins."""
        self.actor = QueueActor(self._name, **self._arguments, compact_bytes=self.compact_bytes)

    def die(self, *, torn: bool = False) -> None:
        """The actor ends, and lives again."""
        if self.actor._keeper is not None:
            self._loop.run_until_complete(self.actor._keeper.stop())
            if torn:
                self._tear()
        before = self.state()
        self.live()
        if self.actor._keeper is not None:
            assert self.state() == before

    def state(self) -> Any:
        """All of it, but for the time of the last step, which may have been a look."""
        return {**self.actor._steps.snapshot(), "now": None}

    def _tear(self) -> None:
        assert self.actor._keeper is not None
        journal = self.actor._keeper._journal
        for path in Path(journal.folder).glob(f"{journal._stem}.journal"):
            with path.open("ab") as file:
                file.write(b'0badc0de [1.5,"enqueue","x",3][')

    def call(self, step: str, *args: Any, wait: float = 0.0, now: float | None = None) -> Any:
        number, body = next(self._numbers), to_json(args)
        while True:
            reply = self._loop.run_until_complete(self.actor.call(step, "me.1", number, body, wait, now))
            if not self.losing:
                return understood(reply)
            self.losing -= 1
            if self.dying:
                self.die(torn=self.tearing)

    def close(self) -> None:
        if self.actor._keeper is not None:
            self._loop.run_until_complete(self.actor._keeper.stop())
        self._loop.close()


def near_queue(root: Path, **options: Any) -> RayQueue:
    """A queue whose actor is in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider, "Link", NearLink)
        return RayQueue.from_url("", root=str(root), **options)
