"""The contract of every result back-end, as a test suite.

Prove a back-end by subclassing::

    class TestMyBackend(ResultBackendSuite):
        @pytest.fixture
        def make_backend(self, tmp_path):
            return lambda compress: MyBackend(f"my://{tmp_path}", compress=compress)
"""
# ruff: noqa: D102 -- the names of the tests say what they prove

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from peagen_ray.errors import ResultBackendError
from peagen_ray.results.base import Record, ResultBackend
from peagen_ray.task import Result, Task, TaskKind

MakeBackend = Callable[[bool], ResultBackend]


def a_record(kind: TaskKind = TaskKind.EXECUTE, created_at: datetime | None = None, **data: Any) -> Record:
    """A record of a new task."""
    moment = created_at or datetime(2026, 3, 1, 12, tzinfo=UTC)
    task = Task(kind=kind, created_at=moment, payload={"text": "ünï \U0001f600"}, requires=frozenset({"cpu"}))
    return Record(task, Result.success(task, data))


class ResultBackendSuite:
    """Guarantees of every back-end; ``make_backend(compress)`` opens one and the same storage each time."""

    @pytest.fixture(params=[False, True], ids=["plain", "compressed"])
    def backend(self, make_backend: MakeBackend, request: pytest.FixtureRequest) -> ResultBackend:
        """An empty back-end."""
        return make_backend(request.param)

    def test_a_record_comes_back_as_it_was_put(self, backend: ResultBackend) -> None:
        record = a_record(numbers=[1, 2.5, 10**30], nothing=None)
        backend.put(record)
        assert backend.get(record.task.id) == record
        assert list(backend.list()) == [record]

    @pytest.mark.parametrize("number", [0, 1, 3, 40])
    def test_several_records_are_kept_as_if_one_by_one(self, backend: ResultBackend, number: int) -> None:
        records = [a_record(number=each) for each in range(number)]
        backend.put_all(records)
        kept = [record for record in backend.list() if isinstance(record, Record)]
        assert {record.task.id: record for record in kept} == {record.task.id: record for record in records}

    def test_several_records_replace_those_of_the_other_format(self, make_backend: MakeBackend) -> None:
        records = [a_record(number=each) for each in range(6)]
        make_backend(False).put_all(records)
        make_backend(True).put_all(records)
        assert len(list(make_backend(True).list())) == 6

    def test_what_is_not_there_is_none(self, backend: ResultBackend) -> None:
        assert backend.get("f" * 32) is None
        assert list(backend.list()) == []
        backend.put(a_record())
        assert backend.get("f" * 32) is None

    @pytest.mark.parametrize("task_id", ["", "..", "../../etc/passwd", "/etc/passwd", "*", "\0", "F" * 32])
    def test_what_is_no_id_is_not_there(self, backend: ResultBackend, task_id: str) -> None:
        backend.put(a_record())
        assert backend.get(task_id) is None

    def test_putting_a_task_again_replaces_its_record(self, backend: ResultBackend) -> None:
        old = a_record(n=1)
        new = Record(old.task.model_copy(update={"attempts": 2}), Result.success(old.task, {"n": 2}))
        backend.put(old)
        backend.put(new)
        assert backend.get(old.task.id) == new
        assert list(backend.list()) == [new]

    @pytest.mark.parametrize("first", [False, True])
    def test_records_of_both_formats_are_read_and_replaced(
        self, make_backend: MakeBackend, first: bool
    ) -> None:
        before, after = make_backend(first), make_backend(not first)
        kept, replaced = a_record(), a_record(n=1)
        before.put(kept)
        before.put(replaced)
        new = Record(replaced.task, Result.success(replaced.task, {"n": 2}))
        after.put(new)
        for backend in (before, after):
            assert backend.get(kept.task.id) == kept
            assert backend.get(replaced.task.id) == new
            assert len(list(backend.list())) == 2

    def test_records_are_listed_by_day_and_kind(self, backend: ResultBackend) -> None:
        noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        records = {
            (kind, days): a_record(kind, noon + timedelta(days=days))
            for kind in TaskKind
            for days in range(3)
        }
        for record in records.values():
            backend.put(record)
        assert _ids(backend, day=(noon + timedelta(days=1)).date()) == {
            records[kind, 1].task.id for kind in TaskKind
        }
        assert _ids(backend, kind=TaskKind.MUTATE) == {records[TaskKind.MUTATE, n].task.id for n in range(3)}
        assert _ids(backend, day=noon.date(), kind=TaskKind.RENDER) == {records[TaskKind.RENDER, 0].task.id}
        assert _ids(backend, day=(noon - timedelta(days=1)).date()) == set()
        listed = [record for record in backend.list() if isinstance(record, Record)]
        order = [(record.day, record.task.kind.value, record.task.id) for record in listed]
        assert order == sorted(order)
        assert len(order) == len(records)

    def test_the_day_is_that_of_the_task_in_utc(self, backend: ResultBackend) -> None:
        late = datetime(2026, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
        ancient = datetime(7, 1, 2, tzinfo=UTC)
        backend.put(a_record(created_at=late))
        backend.put(a_record(created_at=ancient))
        assert len(_ids(backend, day=datetime(2026, 3, 2, tzinfo=UTC).date())) == 1
        assert len(_ids(backend, day=ancient.date())) == 1

    def test_a_result_of_another_task_is_refused(self) -> None:
        with pytest.raises(ResultBackendError):
            Record(a_record().task, a_record().result)

    def test_what_is_no_json_is_refused_and_leaves_no_trace(self, backend: ResultBackend) -> None:
        task = a_record().task
        with pytest.raises(ResultBackendError):
            backend.put(Record(task, Result.success(task, {"not a number": float("nan")})))
        assert backend.get(task.id) is None
        assert list(backend.list()) == []

    def test_a_reader_never_sees_half_a_record(self, backend: ResultBackend) -> None:
        task = a_record().task
        records = [Record(task, Result.success(task, {"n": n, "bulk": "x" * 100_000})) for n in range(4)]
        backend.put(records[0])
        with ThreadPoolExecutor(6) as pool:
            puts = [pool.submit(backend.put, record) for record in records for _ in range(5)]
            seen = [pool.submit(backend.get, task.id) for _ in range(60)]
            assert all(future.result() in records for future in seen)
            assert [future.result() for future in puts] == [None] * 20
        assert len(list(backend.list())) == 1


def _ids(backend: ResultBackend, **which: Any) -> set[str]:
    return {record.task.id for record in backend.list(**which) if isinstance(record, Record)}
