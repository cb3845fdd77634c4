"""Keys with a time at which each is due: set, discard and take in O(log n)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count

_SLACK = 32


class DueHeap:
    """A heap from which a key can be taken out of turn; keys due at one time keep their order.

    Entries that were overtaken stay in the heap until they surface, or until they are the larger
    part of it.
    """

    def __init__(self) -> None:
        self._due: dict[str, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: str, due: float) -> None:
        """Make ``key`` due at that time, whatever it was before."""
        self._due[key] = due, next(self._order)
        heapq.heappush(self._heap, (*self._due[key], key))
        if len(self._heap) > 2 * len(self._due) + _SLACK:
            self._compact()

    def discard(self, key: str) -> None:
        """Forget ``key``, if it is there."""
        self._due.pop(key, None)

    def next(self) -> float | None:
        """When the next key is due; None if there is none."""
        self._surface()
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> Iterator[str]:
        """Take out the keys that are due at ``now``, the earliest first."""
        while (due := self.next()) is not None and due <= now:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            yield key

    def __iter__(self) -> Iterator[str]:
        """Every key, the earliest first."""
        return iter(sorted(self._due, key=self._due.__getitem__))

    def _surface(self) -> None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)

    def _compact(self) -> None:
        self._heap = [(*when, key) for key, when in self._due.items()]
        heapq.heapify(self._heap)
