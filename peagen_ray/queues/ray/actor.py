"""The actor that a queue lives in: it waits on behalf of its callers and answers what is kept."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ray._private.worker import global_worker

from peagen_ray.errors import QueueError
from peagen_ray.queues.ray.journal import Fenced, Journal
from peagen_ray.queues.ray.steps import Steps
from peagen_ray.queues.ray.wire import Reply, away, said, to_json
from peagen_ray.queues.stub import steady_clock

COMPACT_BYTES: Final = 8_000_000
"""Bytes of steps after which a snapshot takes their place, or twice those of the last snapshot if that is more."""

_STORAGE_PAUSE_S: Final = 0.5
_STORAGE_PATIENCE_S: Final = 2.0
_HUNG_UP: Final = 1024
_SHORTEST_S: Final = 0.001

_log = logging.getLogger(__name__)


class Bell:
    """Wakes all who wait for something at the moment."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake them."""
        rung, self._event = self._event, asyncio.Event()
        rung.set()

    async def heard(self, seconds: float) -> bool:
        """Wait until it rings, for so long at most; whether it did."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(self._event.wait(), seconds)
        return False


class Keeper:
    """Writes steps to the journal in batches, and snapshots from time to time.

    Args:
        journal: this life's, with its first snapshot written.
        snapshot: the state, as JSON, at the moment.
        compact_bytes: see COMPACT_BYTES.
    """

    def __init__(self, journal: Journal, snapshot: Callable[[], Any], compact_bytes: int) -> None:
        self._journal = journal
        self._snapshot = snapshot
        self._compact_bytes = compact_bytes
        self._steps: deque[bytes] = deque()
        self._given = 0
        self._kept = 0
        self._news = Bell()
        self._kept_more = Bell()
        self._thread = ThreadPoolExecutor(1, "journal")
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""

    def add(self, step: bytes) -> None:
        """Keep a step, soon."""
        self._steps.append(step)
        self._given += 1
        self._news.ring()

    async def kept(self) -> str:
        """Wait until all that was added is kept; returns why it is not, if the storage fails."""
        wanted = self._given
        if self._task is None:
            self._task = asyncio.ensure_future(self._work())
            self._task.add_done_callback(_end_with)
        end = time.monotonic() + _STORAGE_PATIENCE_S
        while self._kept < wanted:
            if self._trouble and time.monotonic() > end:
                return self._trouble
            await self._kept_more.heard(_STORAGE_PATIENCE_S)
        return ""

    async def stop(self) -> None:
        """Write no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._thread.shutdown()
        self._journal.close()

    async def _work(self) -> None:
        while True:
            while not self._steps:
                await self._news.heard(60.0)
            given, batch = self._given, list(self._steps)
            self._steps.clear()
            await self._insist(lambda batch=batch: self._journal.append(batch))  # type: ignore[misc]
            self._done(given)
            if self._journal.size > max(self._compact_bytes, 2 * self._journal.snapshot_size):
                given, state = self._given, self._snapshot()
                self._steps.clear()
                await self._insist(lambda state=state: self._journal.write_snapshot(to_json(state)))  # type: ignore[misc]
                self._done(given)

    def _done(self, given: int) -> None:
        self._kept, self._trouble = given, ""
        self._kept_more.ring()

    async def _insist(self, write: Callable[[], None]) -> None:
        """Write, again and again if the storage fails; never after another life took the files over."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, write)
            except Fenced as error:
                _log.error("this queue was replaced, and ends: %s", error)
                os._exit(1)
            except (OSError, ValueError) as error:
                self._trouble = f"the queue's journal cannot be written: {error}"
                _log.error("%s", self._trouble)
                self._kept_more.ring()
                await asyncio.sleep(_STORAGE_PAUSE_S)


def _end_with(task: asyncio.Task[None]) -> None:
    """A queue that can keep nothing more must not go on: Ray restarts it from what is kept."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("this queue ends: %s", error, exc_info=error)
        os._exit(1)


class QueueActor:
    """One queue. Its calls may overlap; each looks at the state, and changes it, in one piece.

    Args:
        name: the queue's.
        options: those of :class:`~peagen_ray.queues.stub.StubQueue` that are numbers; a restored queue has its own.
        root: where snapshot and journal are; "" is the cluster's session directory, None keeps nothing.
        compact_bytes: see COMPACT_BYTES.
    """

    def __init__(
        self, name: str, options: dict[str, Any], root: str | None, compact_bytes: int = COMPACT_BYTES
    ) -> None:
        self._steps = Steps(options)
        self._clock = steady_clock()
        self._work, self._news, self._room = Bell(), Bell(), Bell()
        self._bells = {
            "claim": self._work,
            "result": self._news,
            "results": self._news,
            "enqueue": self._room,
        }
        self._calls: dict[str, tuple[int, asyncio.Task[bytes]]] = {}
        self._hung_up: OrderedDict[str, None] = OrderedDict()
        self._keeper: Keeper | None = None
        self._reborn = False
        if root is not None:
            journal = Journal(root or _session_directory(), name)
            self._restore(journal)
            self._keeper = Keeper(journal, self._steps.snapshot, compact_bytes)

    def _restore(self, journal: Journal) -> None:
        snapshot, steps = journal.take_over()
        try:
            if snapshot is not None:
                self._steps.restore(json.loads(snapshot))
            for step in steps:
                self._steps.replay(step)
        except (ValueError, KeyError, TypeError) as error:
            hint = "move the files elsewhere to begin with an empty queue"
            msg = f"cannot be restored: {type(error).__name__} {error}"
            raise QueueError(msg, subject=journal.folder, hint=hint) from error
        self._reborn = snapshot is not None
        journal.write_snapshot(to_json(self._steps.snapshot()))

    async def call(
        self, name: str, caller: str, number: int, body: bytes, wait: float = 0.0, now: float | None = None
    ) -> bytes:
        """Do a step, and answer when it is kept.

        Args:
            name: which step.
            caller: who asks: its handle, a dot, its thread.
            number: the call's; grows from call to call of a caller, who has given up all before.
            body: the arguments, as JSON.
            wait: seconds to wait for an answer that is not empty.
            now: seconds since the epoch, in place of this clock; then the wait ends when something is due.
        """
        running, task = self._calls.get(caller, (-1, None))
        if task is None or running != number:
            task = asyncio.ensure_future(self._serve(name, caller, number, body, wait, now))
            self._calls[caller] = number, task
        try:
            return await asyncio.shield(task)
        finally:
            if self._calls.get(caller) == (number, task):
                del self._calls[caller]

    async def hang_up(self, handle: str) -> None:
        """Answer whoever waits through a handle, that was closed, at once."""
        self._hung_up[handle] = None
        if len(self._hung_up) > _HUNG_UP:
            self._hung_up.popitem(last=False)
        for bell in (self._work, self._news, self._room):
            bell.ring()

    async def _serve(
        self, name: str, caller: str, number: int, body: bytes, wait: float, now: float | None
    ) -> bytes:
        end = time.monotonic() + wait
        if name == "claim" and self._gone(caller, number):
            return said([]).body
        while True:
            reply = self._step(now, name, caller, number, body)
            left = end - time.monotonic()
            if not reply.empty or left <= 0 or self._gone(caller, number):
                break
            due = self._until_due(now) if name == "claim" else left
            rang = await self._bells[name].heard(max(_SHORTEST_S, min(left, due)))
            if self._gone(caller, number) or (now is not None and not rang):
                break
        trouble = await self._keeper.kept() if self._keeper else ""
        return away(trouble).body if trouble else reply.body

    def _gone(self, caller: str, number: int) -> bool:
        """Whether nobody waits any more for the answer."""
        latest = self._calls.get(caller, (number, None))[0]
        return latest != number or caller.partition(".")[0] in self._hung_up

    def _until_due(self, now: float | None) -> float:
        due = self._steps.core.next_due()
        return float("inf") if due is None else due - (self._clock() if now is None else now)

    def _step(self, now: float | None, name: str, caller: str, number: int, body: bytes) -> Reply:
        """Do a step, and wake whoever waits for what it changed."""
        core = self._steps.core
        readied, due, published, waiting = core.readied, core.next_due(), core.published, core.pending_count()
        at = self._clock() if now is None else now
        if self._reborn:
            self._reborn = False
            self._keep(self._steps.step(at, "refresh", "", 0, b"[]")[1])
        reply, journaled = self._steps.step(at, name, caller, number, body)
        self._keep(journaled)
        next_due = core.next_due()
        if core.readied != readied or (next_due is not None and (due is None or next_due < due)):
            self._work.ring()
        if core.published != published:
            self._news.ring()
        if core.pending_count() < waiting:
            self._room.ring()
        return reply

    def _keep(self, journaled: bytes) -> None:
        if journaled and self._keeper:
            self._keeper.add(journaled)


def _session_directory() -> str:
    assert global_worker.node is not None
    return str(Path(global_worker.node.get_session_dir_path()) / "peagen")
