"""One event loop in a thread of this process, which all conversations with language models share."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.llm.base import LLMBackend
from peagen_ray.llm.opening import open_backend

_MOST: Final = 32
"""Back-ends whose connections are kept."""

_FAREWELL_S: Final = 2.0

T = TypeVar("T")


class Switchboard:
    """Runs conversations, any number at a time, and keeps the connections of their back-ends.

    Any thread may begin one; back-ends are opened within the loop only.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._backends: OrderedDict[tuple[str, str | None], LLMBackend] = OrderedDict()
        self._thread = threading.Thread(target=self._loop.run_forever, name="peagen-llm", daemon=True)
        self._thread.start()

    def begin(self, conversation: Coroutine[Any, Any, T]) -> Future[T]:
        """Start one; its future may be waited for, and cancelled, from any thread."""
        return asyncio.run_coroutine_threadsafe(conversation, self._loop)

    def backend(self, table: BackendTable, key_of: Callable[[str], str | None]) -> LLMBackend:
        """A back-end, opened or as it was opened before with the same settings and key.

        Raises:
            PeagenError: see :func:`~peagen_ray.llm.opening.open_backend`.
        """
        asked: list[str | None] = []

        def noted(variable: str) -> str | None:
            asked.append(key_of(variable))
            return asked[-1]

        made = open_backend(table, noted)
        name = table.model_dump_json(), next(iter(asked), None)
        known = self._backends.setdefault(name, made)
        self._backends.move_to_end(name)
        if len(self._backends) > _MOST:
            _, oldest = self._backends.popitem(last=False)
            self._closing = self._loop.create_task(_closed(oldest))
        return known

    def close(self) -> None:
        """End every conversation, let go of connections, and end the thread."""
        if self._thread.is_alive():
            with suppress(TimeoutError):
                self.begin(self._wind_up()).result(_FAREWELL_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_FAREWELL_S)
        if not self._loop.is_running():
            self._loop.close()

    async def _wind_up(self) -> None:
        own = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not own]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        while self._backends:
            await _closed(self._backends.popitem()[1])


async def _closed(backend: LLMBackend) -> None:
    with suppress(Exception):  # whatever an adapter of another wheel raises, nothing depends on it
        await backend.close()


_lock = threading.Lock()
_board: list[Switchboard] = []


def switchboard() -> Switchboard:
    """The one of this process; made when it is first wanted."""
    with _lock:
        if not _board:
            _board.append(Switchboard())
        return _board[0]


@atexit.register
def hang_up() -> None:
    """Close the one of this process; the next conversation makes another."""
    with _lock:
        while _board:
            _board.pop().close()
