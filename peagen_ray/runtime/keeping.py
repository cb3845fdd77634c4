"""Records of what has run: they are kept beside the work, so that no task waits for the disk of the one before it."""

from __future__ import annotations

import logging
import queue as inboxes
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from peagen_ray.about import About
from peagen_ray.errors import PeagenError
from peagen_ray.fabric.run import ids_of
from peagen_ray.metrics import Meter
from peagen_ray.results.base import Record, ResultBackend
from peagen_ray.task import Result, Status, Task
from peagen_ray.tracing import Tracer

_BEHIND: Final = 256
"""Records that may wait for a slow storage; whoever brings the next one waits for it too."""

_TOGETHER: Final = 64

_log = logging.getLogger(__name__)

Ended = tuple[Task, Result]
"""A task and the Result of a run of it, which the queue knows."""


class Keeping:
    """Keeps a record of every task, and counts it; that it cannot is said once.

    Args:
        results: where records are kept.
        say: told of the first that is not.
        meter: counts.
        tracer: tells of it to OpenTelemetry.
    """

    def __init__(
        self,
        results: ResultBackend,
        say: Callable[[str], None],
        meter: Meter | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._results = results
        self._say = say
        self._meter = meter
        self._tracer = tracer
        self._failed = False

    def keep(self, ended: Sequence[Ended]) -> None:
        """Count runs and keep their records."""
        for each in ended:
            self.count(*each)
        self.store(ended)

    def count(self, task: Task, result: Result) -> None:
        """A run has ended so: it is logged, traced and counted."""
        _tell(task, result)
        if self._tracer is not None:
            self._tracer.ran(task, result)
        if self._meter is not None:
            self._meter.ran(task, result)

    def store(self, ended: Sequence[Ended]) -> None:
        """Keep records, those of many runs together."""
        try:
            records = [Record(task, result) for task, result in ended]
            if len(records) == 1:
                self._results.put(records[0])
            else:
                self._results.put_all(records)
        except (PeagenError, OSError) as error:
            if self._meter is not None:
                self._meter.record_failed()
            if not self._failed:
                self._failed = True
                self._say(f"results are not kept: {error}")


class KeepingThread:
    """Counts a run when it is told of it, and keeps its record soon after; all are kept at the ``with`` block's end.

    Concurrency: any thread may tell it; one of its own keeps.

    Args:
        keeping: counts and keeps.
    """

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._inbox: inboxes.Queue[Ended | None] = inboxes.Queue(_BEHIND)
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inbox.put(None)
        self._thread.join()

    def __call__(self, task: Task, result: Result) -> None:
        """A run has ended so, and the queue knows. Waits only while very many records are to be kept."""
        self._keeping.count(task, result)
        self._inbox.put((task, result))

    def settle(self) -> None:
        """Return when there is a record of all that it was told of so far, or it was said that there is none."""
        self._inbox.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            gathered = self._gathered()
            ended = [each for each in gathered if each is not None]
            ending = len(ended) < len(gathered)
            try:
                if ended:
                    self._keeping.store(ended)
            except Exception:  # noqa: BLE001 - the trouble of a back-end of another wheel costs its records only
                _log.exception("%d records are not kept", len(ended))
            finally:
                for _ in gathered:
                    self._inbox.task_done()

    def _gathered(self) -> list[Ended | None]:
        """What there is to keep, once there is something; the end, as None, is the last of it."""
        found = [self._inbox.get()]
        with suppress(inboxes.Empty):
            while found[-1] is not None and len(found) < _TOGETHER:
                found.append(self._inbox.get_nowait())
        return found


def _tell(task: Task, result: Result) -> None:
    """Log that a run of a task has ended."""
    if not _log.isEnabledFor(logging.INFO):
        return
    made, used = (result.data.get(name) for name in ("provenance", "usage"))
    made, used = (said if isinstance(said, Mapping) else {} for said in (made, used))
    reason = str(result.data.get("reason") or "")
    facts = {
        "worker": made.get("worker"),
        "kind": str(task.kind),
        "status": str(result.status),
        "reason": reason,
        "attempts": result.attempts,
        "handler": made.get("handler"),
        **{name: used.get(name) for name in ("wall_s", "cpu_s", "max_rss_kb")},
        "trace": About.of(task.payload).trace,
    }
    words = f"{task.kind} task ended: {result.status}{f', {reason}' if result.status is Status.ERROR else ''}"
    _log.info("%s", words, extra={**ids_of(task), **facts})
