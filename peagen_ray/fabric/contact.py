"""Whether the broker serves: said once when it stops and once when it begins again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from peagen_ray.errors import BrokerUnavailable, ConfigError, QueueFull

_T = TypeVar("_T")


class Contact:
    """What a worker knows of its broker. Any thread may use it.

    Args:
        say: told once of every change.
        pause: seconds until a broker that did not answer is asked again.
    """

    def __init__(self, say: Callable[[str], None], pause: float) -> None:
        self.pause = pause
        self._say = say
        self._away = False
        self._lock = threading.Lock()

    def lost(self, error: Exception) -> None:
        """It did not answer, or refused."""
        with self._lock:
            before, self._away = self._away, True
        if not before:
            what = "does not answer" if isinstance(error, BrokerUnavailable) else "refuses"
            self._say(f"the broker {what}; what is finished is kept, and it is asked again: {error}")

    def found(self) -> None:
        """It answered."""
        if not self._away:
            return
        with self._lock:
            before, self._away = self._away, False
        if before:
            self._say("the broker answers again")

    def insist(self, step: Callable[[], _T], enough: threading.Event) -> _T:
        """What ``step`` returns, tried until the broker answers.

        Raises:
            PeagenError: it does not answer, has no memory left or does not let us in, and ``enough`` is
                set; anything else that ``step`` raises at once.
        """
        while True:
            try:
                found = step()
            except (BrokerUnavailable, QueueFull, ConfigError) as error:
                self.lost(error)
                if enough.wait(self.pause):
                    raise
            else:
                self.found()
                return found
