"""Records are kept beside the work: nobody waits for a slow storage until very much is left to keep, and none is lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from peagen_ray.errors import ResultBackendError
from peagen_ray.metrics import Meter
from peagen_ray.results.base import Record, ResultBackend
from peagen_ray.runtime import keeping
from peagen_ray.runtime.keeping import Keeping, KeepingThread
from peagen_ray.task import Result, Task, TaskKind

SECONDS = 20.0


class Slow(ResultBackend):
    """Keeps what it is given in memory, once it is let.

    Attributes:
        begun: set when it was given something.
        go: lets it keep.
        batches: ids of the tasks, as they were given together.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.batches: list[list[str]] = []
        self._error = error

    def put(self, record: Record) -> None:
        self.put_all([record])

    def put_all(self, records: Any) -> None:
        self.begun.set()
        assert self.go.wait(SECONDS)
        self.batches.append([each.task.id for each in records])
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def get(self, task_id: str) -> Record | None:
        raise NotImplementedError

    def list(self, day: Any = None, kind: Any = None) -> Iterator[Any]:
        raise NotImplementedError


def ended() -> tuple[Task, Result]:
    task = Task(kind=TaskKind.EVALUATE, payload={})
    return task, Result.success(task, {})


def after_the_first(results: Slow, tell: Callable[..., None], count: int) -> list[str]:
    """Tell of one run, and of others while that one is being kept; the ids of their tasks."""
    runs = [ended() for _ in range(count)]
    tell(*runs[0])
    assert results.begun.wait(SECONDS)
    for each in runs[1:]:
        tell(*each)
    return [task.id for task, _ in runs]


def test_whoever_tells_of_a_run_does_not_wait_and_what_gathers_meanwhile_is_kept_together() -> None:
    results, problems = Slow(), list[str]()
    with KeepingThread(Keeping(results, problems.append)) as records:
        first, *others = after_the_first(results, records, 4)
        assert results.batches == []
        results.go.set()
        records.settle()
        assert results.batches == [[first], others]
    assert problems == []


def test_all_that_was_told_is_kept_when_the_block_ends() -> None:
    results = Slow()
    with KeepingThread(Keeping(results, pytest.fail)) as records:
        told = after_the_first(results, records, 3)
        results.go.set()
    assert [each for batch in results.batches for each in batch] == told


def test_runs_are_counted_at_once_however_slow_the_storage_is() -> None:
    results, meter = Slow(), Meter()
    with KeepingThread(Keeping(results, pytest.fail, meter)) as records:
        after_the_first(results, records, 3)
        count = meter.registry.get_sample_value("worker_task_total", {"handler": "none", "status": "ok"})
        results.go.set()
    assert count == 3


def test_one_that_brings_more_than_may_be_left_to_keep_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_BEHIND", 2)
    results = Slow()
    with KeepingThread(Keeping(results, pytest.fail)) as records:
        after_the_first(results, records, 3)
        late = threading.Thread(target=records, args=ended())
        late.start()
        late.join(0.05)
        waited = late.is_alive()
        results.go.set()
        late.join(SECONDS)
        assert waited
        assert not late.is_alive()
    assert sum(map(len, results.batches)) == 4


@pytest.mark.parametrize("error", [ResultBackendError("full"), ZeroDivisionError("not ours")])
def test_the_records_after_a_failure_are_kept_and_nobody_waits_for_those_that_are_not(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    results, problems = Slow(error), list[str]()
    results.go.set()
    with caplog.at_level(logging.ERROR), KeepingThread(Keeping(results, problems.append)) as records:
        for _ in range(2):
            records(*ended())
            records.settle()
    assert len(results.batches) == 2
    ours = isinstance(error, ResultBackendError)
    assert problems == (["results are not kept: full"] if ours else [])
    assert ("records are not kept" in caplog.text) is not ours
