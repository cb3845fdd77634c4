"""The terminal Results in the order of publication, for as long as they are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from peagen_ray.errors import QueueError, ResultExpired
from peagen_ray.queues.model import FROM_NOW, FROM_START
from peagen_ray.task import Result

_DIGITS = 20


class ResultLog:
    """Results by number, from 1, without reuse.

    Args:
        kept: how many are kept at most.
        age: seconds for which each is kept.
    """

    def __init__(self, kept: int, age: float) -> None:
        self._kept = kept
        self._age = age
        self._entries: dict[int, tuple[Result, float]] = {}
        self._first = 1
        self._expired = 0
        self.last = 0

    def bound(self, kept: int, age: float) -> None:
        """Keep so many, for so long, from now on."""
        self._kept, self._age = kept, age

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, result: Result, now: float) -> int:
        """Publish a Result; returns its number."""
        self.last += 1
        self._entries[self.last] = result, now
        return self.last

    def get(self, number: int) -> Result:
        """A Result that is kept."""
        return self._entries[number][0]

    def kept(self) -> Collection[tuple[Result, float]]:
        """The Results that are kept, each with the time when it was published."""
        return self._entries.values()

    def supersede(self, number: int) -> None:
        """Take a Result back: it does not count as expired."""
        del self._entries[number]

    def expire(self, now: float) -> Iterator[Result]:
        """Drop, and name, the Results that are too old or too many."""
        while self._first <= self.last:
            entry = self._entries.get(self._first)
            if entry is not None:
                if len(self._entries) <= self._kept and entry[1] + self._age > now:
                    return
                del self._entries[self._first]
                self._expired = self._first
            self._first += 1
            if entry is not None:
                yield entry[0]

    def since(self, cursor: str, limit: int) -> tuple[list[Result], str]:
        """Results after the cursor, and the cursor after them; errors as in the port."""
        after = self._after(cursor)
        found: list[Result] = []
        while after < self.last and len(found) < limit:
            after += 1
            if after in self._entries:
                found.append(self.get(after))
        return found, str(after)

    def _after(self, cursor: str) -> int:
        if cursor == FROM_NOW:
            return self.last
        if cursor == FROM_START:
            return self._first - 1
        number = cursor.isascii() and cursor.isdigit() and len(cursor) < _DIGITS
        if not number or int(cursor) > self.last:
            raise QueueError("no cursor of this queue", subject=repr(cursor[:_DIGITS]))
        if int(cursor) < self._expired:
            raise ResultExpired(
                "some results are kept no longer and were not read",
                subject=f"cursor {cursor}",
                hint="read more often, keep more results, or start again from FROM_START",
            )
        return int(cursor)

    def dump(self) -> dict[str, Any]:
        """The JSON form; the inverse of :meth:`load`."""
        entries = [[n, result.to_wire().decode(), at] for n, (result, at) in self._entries.items()]
        return {"entries": entries, "first": self._first, "expired": self._expired, "last": self.last}

    def load(self, dumped: dict[str, Any]) -> None:
        """Fill this log, which is empty, from a JSON form."""
        self._entries = {n: (Result.from_wire(result), at) for n, result, at in dumped["entries"]}
        self._first, self._expired, self.last = dumped["first"], dumped["expired"], dumped["last"]
