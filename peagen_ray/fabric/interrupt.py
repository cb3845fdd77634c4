"""Ending a run from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol


class Interruptible(Protocol):
    """What can be ended from another thread, such as a process."""

    def interrupt(self) -> None:
        """End it; returns at once."""


class _Call(NamedTuple):
    """A function that ends something."""

    interrupt: Callable[[], object]


class Interrupt:
    """Ends what it covers, such as a process, now or as soon as there is something. Any thread may fire it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Interruptible | _Call | None = None
        self._fired = False

    @property
    def fired(self) -> bool:
        """Whether :meth:`fire` was called."""
        return self._fired

    def fire(self) -> None:
        """End what is covered, and whatever will be."""
        with self._lock:
            self._fired = True
            if self._child is not None:
                self._child.interrupt()

    @contextmanager
    def covering(self, child: Interruptible | _Call) -> Iterator[None]:
        """Within the block, :meth:`fire` ends ``child``."""
        with self._lock:
            self._child = child
            if self._fired:
                child.interrupt()
        try:
            yield
        finally:
            with self._lock:
                self._child = None

    @contextmanager
    def calling(self, end: Callable[[], object]) -> Iterator[None]:
        """Within the block, :meth:`fire` calls ``end``."""
        with self.covering(_Call(end)):
            yield
