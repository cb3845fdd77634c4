"""When a back-end is left alone, and when it may be asked again. Pure: time is an argument, in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LONGEST_PAUSE_S: Final = 900.0
_NEVER: Final = float("-inf")
_NOTHING: Final = 1e-6
"""Of a bucket's size: what rounding may leave missing."""


@dataclass
class Breaker:
    """A circuit breaker: closed; open after failures in a row; half open for one probe when its pause is over.

    Attributes:
        failures_allowed: failures in a row that open it.
        pause_s: how long it stays open at first; each failed probe doubles that, up to :data:`LONGEST_PAUSE_S`.
        until: before this time it lets nobody through.
        why: the failure that opened it.
        final: that failure was one that time does not mend.
    """

    failures_allowed: int
    pause_s: float
    until: float = field(default=_NEVER, init=False)
    why: str = field(default="", init=False)
    final: bool = field(default=False, init=False)
    _failures: int = field(default=0, init=False)
    _opened: int = field(default=0, init=False)
    _opened_at: float = field(default=_NEVER, init=False)

    @property
    def closed(self) -> bool:
        """It lets everybody through."""
        return self._opened == 0

    def take(self, now: float) -> None:
        """A call is made. Where it is a probe, no other is let through until it is told, or its pause is over."""
        if not self.closed:
            self.until = now + self._pause()

    def succeed(self) -> None:
        """A call went well: it is closed, whatever it was."""
        self.until, self.why, self.final = _NEVER, "", False
        self._failures, self._opened, self._opened_at = 0, 0, _NEVER

    def fail(self, now: float, sent: float, why: str, *, final: bool = False) -> None:
        """A call failed.

        Args:
            now: the time.
            sent: when it was made. One that was made before the breaker opened says nothing new.
            why: what happened.
            final: asking again changes nothing, so that one failure is enough.
        """
        if sent < self._opened_at:
            return
        self._failures += 1
        self.why, self.final = why, final
        if final or not self.closed or self._failures >= self.failures_allowed:
            self._opened += 1
            self._opened_at = now
            self.until = now + self._pause()

    def _pause(self) -> float:
        return min(LONGEST_PAUSE_S, self.pause_s * 2.0 ** min(self._opened - 1, 60))


@dataclass
class Bucket:
    """A token bucket: in any span of T seconds at most ``burst + T * per_s`` are taken by those who wait for it.

    One amount that is larger than the burst is let through when the bucket is full, and leaves a debt.

    Attributes:
        per_s: how many come back a second.
        burst: how many there are at most.
    """

    per_s: float
    burst: float
    _level: float = field(default=0.0, init=False)
    _at: float = field(default=_NEVER, init=False)

    def __post_init__(self) -> None:
        self._level = self.burst

    def ready_at(self, amount: float, now: float) -> float:
        """The time from which so many can be taken; where it is more than there ever are, all of them will do."""
        self._fill(now)
        missing = min(amount, self.burst) - self._level
        return now if missing <= _NOTHING * self.burst else now + missing / self.per_s

    def take(self, amount: float, now: float) -> None:
        """Take them, whether they are there or not; a negative amount puts back what was taken and not used."""
        self._fill(now)
        self._level = min(self.burst, self._level - amount)

    def _fill(self, now: float) -> None:
        if self._at > _NEVER:
            self._level = min(self.burst, self._level + max(0.0, now - self._at) * self.per_s)
        self._at = max(now, self._at)
