"""The envelope: defaults, the wire form against hostile input, capability tags."""

from __future__ import annotations

import json
import pickle
import string
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from peagen_ray.errors import EnvelopeError, UnsupportedSchema
from peagen_ray.task import (
    Result,
    Status,
    Task,
    TaskKind,
    alternatives,
    check_tags,
    is_reserved,
    missing_tags,
)

words = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(words, inner), max_leaves=20)
objects = st.dictionaries(words, values, max_size=5)
tags = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,6}(/[a-z0-9]{1,3})?", fullmatch=True)
moments = st.datetimes(
    min_value=datetime(1, 1, 3),
    max_value=datetime(9999, 12, 29),
    timezones=st.builds(lambda m: timezone(timedelta(minutes=m)), st.integers(-1439, 1439)),
)
tasks = st.builds(
    Task,
    kind=st.sampled_from(TaskKind),
    id=st.text("0123456789abcdef", min_size=16, max_size=40),
    payload=objects,
    requires=st.frozensets(tags, max_size=4),
    attempts=st.integers(0, 2**70),
    created_at=moments,
)
results = st.builds(
    Result,
    task_id=words,
    status=st.sampled_from(Status),
    data=objects,
    created_at=moments,
    attempts=st.integers(1, 9),
)


# ---- the wire form ------------------------------------------------------------------------------


@given(tasks | results)
def test_every_envelope_comes_back_from_the_wire_as_it_was(envelope: Task | Result) -> None:
    raw = envelope.to_wire()
    again = type(envelope).from_wire(raw)
    assert again == envelope
    assert again.to_wire() == raw
    assert set(json.loads(raw)) == set(type(envelope).model_fields)


def test_a_task_has_the_documented_defaults() -> None:
    before = datetime.now(UTC)
    task = Task(kind=TaskKind.EXECUTE)
    assert (task.payload, task.requires, task.attempts, task.schema_v) == ({}, frozenset(), 0, 1)
    assert len(task.id) == 32
    assert set(task.id) <= set(string.hexdigits.lower())
    assert before <= task.created_at <= datetime.now(UTC)
    assert Task(kind=TaskKind.EXECUTE).id != task.id


def test_envelopes_are_frozen_and_survive_pickling() -> None:
    task = Task(kind=TaskKind.EXECUTE, requires={"cpu"})
    with pytest.raises(ValidationError):
        task.attempts = 3  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(task)) == task


def test_moments_are_written_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    task = Task(kind=TaskKind.EXECUTE, created_at=moment)
    assert json.loads(task.to_wire())["created_at"] == "2026-01-02T01:00:00Z"
    with pytest.raises(ValidationError):
        Task(kind=TaskKind.EXECUTE, created_at=datetime(2026, 1, 2))
    with pytest.raises(ValidationError):
        Task(kind=TaskKind.EXECUTE, created_at=12345)  # type: ignore[arg-type]


CIRCULAR: dict[str, Any] = {}
CIRCULAR["self"] = CIRCULAR
DEEP: dict[str, Any] = {}
for _ in range(100_000):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    "payload",
    [
        {"x": float("nan")},
        {"x": [float("inf")]},
        {"x": b"bytes"},
        {"x": {1, 2}},
        {"x": object()},
        {"x": datetime.now(UTC)},
        {"x": "\ud800"},
        {"\udfff": 1},
        {"x": 10**5000},
        CIRCULAR,
        DEEP,
    ],
    ids=lambda payload: str(type(next(iter(payload.values()))).__name__),
)
def test_what_is_no_json_is_refused_when_it_is_written(payload: dict[str, Any]) -> None:
    with pytest.raises(EnvelopeError, match="task: not JSON"):
        Task(kind=TaskKind.EXECUTE, payload=payload).to_wire()


json_like = st.recursive(
    scalars | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(TaskKind) | json_like,
        "id": st.just("0" * 16) | json_like,
        "payload": json_like,
        "requires": st.lists(tags) | json_like,
        "attempts": json_like,
        "created_at": st.just("2026-01-02T03:04:05Z") | json_like,
        "schema_v": st.just(1) | json_like,
        "task_id": json_like,
        "status": st.sampled_from(Status) | json_like,
        "data": json_like,
        "other": json_like,
    },
)


@given(st.one_of(fields, json_like).map(json.dumps) | st.text() | st.binary())
@example("[" * 100_000)
@example(
    '{"kind":"execute","id":"0000000000000000","payload":' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}"
)
@example('{"schema_v":' + "9" * 5000 + "}")
@example('{"schema_v":2,"id":' + "[" * 900 + "]" * 900 + "}")
@example('{"schema_v":2.5,"kind":"execute"}')
@example('{"kind":"execute","created_at":"-9999-01-01T00:00:00Z"}')
@example("\ufeff{}")
def test_foreign_input_is_read_or_refused_and_what_is_read_can_be_written(raw: str | bytes) -> None:
    for model in (Task, Result):
        read = _read(model, raw)
        if isinstance(read, EnvelopeError):
            assert len(str(read)) < 1000
        else:
            assert model.from_wire(read.to_wire()) == read


def _read(model: type[Task | Result], raw: str | bytes) -> Task | Result | EnvelopeError:
    try:
        return model.from_wire(raw)
    except EnvelopeError as error:
        return error


def test_a_newer_version_is_refused_before_anything_else_is_looked_at() -> None:
    with pytest.raises(UnsupportedSchema) as caught:
        Task.from_wire('{"schema_v": 7, "kind": "dream", "payload": null, "id": "' + "x" * 9999 + '"}')
    assert (caught.value.found, caught.value.spoken) == (7, 1)
    assert "schema_v 7" in str(caught.value)
    assert "speaks 1" in str(caught.value)
    assert len(str(caught.value)) < 300
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.found, again.task_id) == (7, caught.value.task_id)


def test_an_error_names_the_field_and_the_task() -> None:
    with pytest.raises(EnvelopeError, match=r"task 0{16}: requires: .*'G PU'"):
        Task.from_wire('{"kind": "execute", "id": "0000000000000000", "requires": ["G PU"]}')


# ---- results ------------------------------------------------------------------------------------


def test_a_failure_carries_what_every_error_carries() -> None:
    task = Task(kind=TaskKind.EXECUTE, attempts=2)
    result = Result.failure(task, "it broke", retryable=True, signal="SIGSEGV")
    assert result.data == {"msg": "it broke", "retryable": True, "signal": "SIGSEGV"}
    assert (result.task_id, result.attempts, result.retryable) == (task.id, 2, True)


@pytest.mark.parametrize(
    ("status", "data", "retryable"),
    [
        ("error", {"retryable": True}, True),
        ("error", {"retryable": False}, False),
        ("error", {}, False),
        ("ok", {"retryable": True}, False),
        ("skip", {"retryable": True}, False),
    ],
)
def test_only_an_error_that_says_so_is_retryable(status: str, data: dict[str, Any], retryable: bool) -> None:
    assert Result(task_id="x", status=status, data=data).retryable is retryable  # type: ignore[arg-type]


def test_a_result_of_a_task_that_never_ran_counts_as_its_first_attempt() -> None:
    task = Task(kind=TaskKind.EXECUTE)
    assert Result.success(task, {}).attempts == Result.failure(task, "", retryable=False).attempts == 1


# ---- capability tags ----------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["cpu", "cuda11/12", "gcc13", "gcc/clang", "3d", "a-b_c.d", "cuda11/cuda12"])
def test_these_are_tags(tag: str) -> None:
    assert check_tags([tag]) == {tag}


@pytest.mark.parametrize("tag", ["", "GPU", "a b", "a+b", "/a", "a/", "a//b", "-a", "é", "a\n", "a,b", "*"])
def test_these_are_no_tags(tag: str) -> None:
    with pytest.raises(ValueError, match="capability tag"):
        check_tags([tag])


@pytest.mark.parametrize(
    ("tag", "singles"),
    [
        ("cpu", {"cpu"}),
        ("cuda11/12", {"cuda11", "cuda12"}),
        ("cuda11/12/13", {"cuda11", "cuda12", "cuda13"}),
        ("cuda11/cuda12", {"cuda11", "cuda12"}),
        ("gcc13/clang", {"gcc13", "clang"}),
    ],
)
def test_a_slash_means_any_one_of_them(tag: str, singles: set[str]) -> None:
    assert alternatives(tag) == singles


@pytest.mark.parametrize(
    ("wanted", "offered", "missing"),
    [
        ((), (), ()),
        (("cpu", "gpu"), ("cpu",), ("gpu",)),
        (("cuda11/12",), ("cuda12",), ()),
        (("cuda11/12",), ("cuda13",), ("cuda11/12",)),
        (("cuda11",), ("cuda11/12",), ()),
        (("cuda11/12",), ("cuda12/13",), ()),
        (("rust", "docker", "cpu"), ("cpu",), ("docker", "rust")),
    ],
)
def test_missing_tags_are_named_in_order(
    wanted: tuple[str, ...], offered: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    assert missing_tags(wanted, frozenset(offered)) == missing


def test_hardware_and_access_are_reserved_and_software_is_not() -> None:
    assert all(map(is_reserved, ["cpu", "gpu", "llm", "docker", "internet", "cuda12", "cuda11/12"]))
    assert not any(map(is_reserved, ["gcc13", "pandas", "rust", "cuda", "cudagraph"]))
