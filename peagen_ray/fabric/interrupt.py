"""Ending a run from another thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from peagen_ray.launcher.client import Child


class Interrupt:
    """Kills the process that it covers, now or as soon as there is one. Any thread may fire it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._fired = False

    @property
    def fired(self) -> bool:
        """Whether :meth:`fire` was called."""
        return self._fired

    def fire(self) -> None:
        """Kill what is covered, and whatever will be."""
        with self._lock:
            self._fired = True
            if self._child is not None:
                self._child.interrupt()

    @contextmanager
    def covering(self, child: Child) -> Iterator[None]:
        """Within the block, :meth:`fire` kills ``child``."""
        with self._lock:
            self._child = child
            if self._fired:
                child.interrupt()
        try:
            yield
        finally:
            with self._lock:
                self._child = None
