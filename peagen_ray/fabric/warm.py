"""The warm pool: one-shot processes that stand ready, so that a task need not wait for its own."""

from __future__ import annotations

import logging
import math
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from peagen_ray.errors import LaunchError
from peagen_ray.fabric.parked import Parked, Slots, park
from peagen_ray.launcher.client import Launcher

_LONGEST: Final = 86_400.0
"""Seconds of one wait; more than that poll(2) may not take."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Counts:
    """What a pool has, and had.

    Attributes:
        live: processes of its that live: those that stand ready, and those that were taken.
        idle: those that stand ready.
        launched: those that it has started so far.
        gone_at: when the last of those that stand ready leaves if nothing comes, in seconds since the
            epoch; None if there are none.
        left_idle: how many have left so far because nobody took them.
    """

    live: int
    idle: int
    launched: int
    gone_at: float | None
    left_idle: int = 0


@dataclass(frozen=True, eq=False)
class _Standing:
    """One that nobody has taken yet.

    Attributes:
        parked: the process.
        slot: the number of its slot.
        leaves: when it leaves, on the clock of the pool.
    """

    parked: Parked
    slot: int
    leaves: float


class WarmPool:
    """Processes that were started beforehand and wait for their orders; each is used for one task.

    No more stand ready at a time than there are slots, whichever of the processes that share the
    directory they belong to; one that is taken holds no slot. Those that nobody takes leave. The pool
    starts none by itself, but only when :meth:`refill` is called.

    Concurrency: any thread may use it. One thread of its own, begun by the first :meth:`refill`, starts
    processes, buries those that died and ends those whose time has come; it sleeps in between. With
    ``size`` 0 there is none.

    Args:
        launcher: starts them.
        size: how many stand ready at most, over all processes that share ``slots``.
        slots: a directory of lock files that all pools of a node share; None for one that shares with nobody.
        idle_timeout: seconds after which one that was not taken leaves.
        keep: directories that they must see although they lie under ``/tmp``.
        scratch_root: where scratch directories are made; by default where temporary files go.
        clock: seconds that never go back.
        on_idle: told, from the pool's thread, of each that leaves because nobody took it in time.
    """

    def __init__(
        self,
        launcher: Launcher,
        size: int,
        slots: Path | None,
        idle_timeout: float,
        *,
        keep: tuple[Path, ...] = (),
        scratch_root: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.keep = keep
        self.scratch_root = scratch_root
        self._launcher = launcher
        self._size = size
        self._slots = Slots(slots, size)
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._on_idle = on_idle
        self._lock = threading.Lock()
        self._idle: list[_Standing] = []
        self._live = 0
        self._launched = 0
        self._left_idle = 0
        self._wanted = False
        self._closed = False
        self._complained = False
        self._thread: threading.Thread | None = None
        self._alarm = -1

    def take(self) -> Parked | None:
        """One that lives, the caller's from here on; None if none stands ready."""
        while (parked := self._pop()) is not None:
            if parked.fit:
                return parked
            parked.discard()
        return None

    def refill(self) -> None:
        """Have processes started until no slot is free; returns at once."""
        with self._lock:
            if self._closed or not self._size:
                return
            self._wanted = True
            if self._thread is None:
                self._start()
            self._wake()

    def close(self) -> None:
        """End those that stand ready, and start no more; returns when they are gone."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._wake()
        if thread is not None:
            thread.join()
        with self._lock:
            rest = self._leave_slots(self._idle)
            if self._alarm >= 0:
                os.close(self._alarm)
                self._alarm = -1
        for parked in rest:
            parked.discard()

    @property
    def counts(self) -> Counts:
        """What there is at this moment."""
        with self._lock:
            last = max((standing.leaves for standing in self._idle), default=None)
            gone_at = None if last is None else time.time() + last - self._clock()
            return Counts(self._live, len(self._idle), self._launched, gone_at, self._left_idle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- what holds the lock ------------------------------------------------------------------

    def _pop(self) -> Parked | None:
        with self._lock:
            # The last one that came, so that those that are too many grow old.
            return self._leave_slots(self._idle[-1:])[0] if self._idle else None

    def _leave_slots(self, leaving: list[_Standing]) -> list[Parked]:
        for standing in leaving:
            self._slots.free(standing.slot)
        self._idle = [standing for standing in self._idle if standing not in leaving]
        return [standing.parked for standing in leaving]

    def _start(self) -> None:
        self._alarm = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._keep, name="warm-pool", daemon=True)
        self._thread.start()

    def _wake(self) -> None:
        if self._alarm >= 0:
            os.eventfd_write(self._alarm, 1)

    def _ended(self) -> None:
        with self._lock:
            self._live -= 1

    # ---- the pool's own thread ----------------------------------------------------------------

    def _keep(self) -> None:
        while not self._closed:
            self._tend()
            self._sleep()

    def _tend(self) -> None:
        """Let go of whoever died or has waited long enough; then start as many as are wanted."""
        with self._lock:
            now = self._clock()
            gone = self._leave_slots([standing for standing in self._idle if standing.parked.gone])
            idle = self._leave_slots([standing for standing in self._idle if standing.leaves <= now])
            self._left_idle += len(idle)
            wanted, self._wanted = self._wanted, False
        for parked in (*gone, *idle):
            parked.discard()
        for _ in idle:
            self._on_idle()
        while wanted and not self._closed and self._add():
            pass

    def _add(self) -> bool:
        """Whether there was a slot, and a process for it."""
        try:
            with self._lock:
                slot = self._slots.take()
            if slot is None:
                return False
            return self._fill(slot)
        except (LaunchError, OSError) as error:
            # The next task needs a process in any case, and says why there is none.
            if not self._complained:
                self._complained = True
                _log.warning("no process stands ready: %s", error)
            return False

    def _fill(self, slot: int) -> bool:
        try:
            parked = park(self._launcher.spawn, self.scratch_root, self.keep, self._ended)
        except BaseException:
            with self._lock:
                self._slots.free(slot)
            raise
        with self._lock:
            self._live += 1
            self._launched += 1
            self._idle.append(_Standing(parked, slot, self._clock() + self._idle_timeout))
        return True

    def _sleep(self) -> None:
        """Until something is wanted, one of those that stand ready dies, or its time has come."""
        poll = select.poll()
        with self._lock:
            poll.register(self._alarm, select.POLLIN)
            for standing in self._idle:
                poll.register(standing.parked.child.channel, select.POLLIN)
            first = min((standing.leaves for standing in self._idle), default=math.inf)
            patience = min(max(0.0, first - self._clock()), _LONGEST)
        ready = {fd for fd, _ in poll.poll(math.ceil(patience * 1000))}
        if self._alarm in ready:
            os.eventfd_read(self._alarm)
