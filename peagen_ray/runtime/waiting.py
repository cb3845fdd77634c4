"""What a person is told when nothing comes back from the queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from peagen_ray.queues.base import TaskQueue

EVERY_S: Final = 30.0
"""Seconds without a result after which a person is told why, and again after so many more."""


class Lull:
    """Notices that no result came for a while, and says what the queue knows of it.

    Args:
        queue: is asked what waits and what is missing.
        say: told.
        every: seconds.
        clock: seconds of any origin.
    """

    def __init__(
        self,
        queue: TaskQueue,
        say: Callable[[str], None],
        *,
        every: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._say = say
        self._every = every
        self._clock = clock
        self.over()

    def over(self) -> None:
        """A result came, or the wait begins."""
        self._since = self._clock()
        self._next = self._since + self._every

    def look(self) -> None:
        """Say something if it is time; raises BrokerUnavailable."""
        now = self._clock()
        if now >= self._next:
            self._next = now + self._every
            self._say(f"no result for {now - self._since:.0f} s: {state_of(self._queue)}")


def state_of(queue: TaskQueue) -> str:
    """What waits in a queue, what runs, and which tags are missing; for a person."""
    waiting, running = queue.pending_count(), queue.claimed_count()
    words = [f"{_tasks(waiting)} without a worker, {running} being worked on"]
    words += [
        f"no worker serves lane {lane or '(no tags)'}: missing {', '.join(missing)}"
        for lane, missing in sorted(queue.unserved().items())
    ]
    if waiting and not running and len(words) == 1:
        words.append(
            f"the oldest for {queue.oldest_idle():.0f} s; is there a worker? start one with "
            "`peagen-ray worker start`"
        )
    return "; ".join(words)


def _tasks(count: int) -> str:
    return f"{count} task{'' if count == 1 else 's'}"
