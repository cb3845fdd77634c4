"""Render tasks: what they carry, what comes back, and that hostile payloads come to nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from peagen_handlers.render import RenderHandler
from peagen_ray.errors import EnvelopeError, ProjectError
from peagen_ray.handler import choose
from peagen_ray.rendering.chunks import Chunks
from peagen_ray.rendering.environment import Settings
from peagen_ray.rendering.parts import Carried, Parts, Shared, encode, fetch, pack, unpack
from peagen_ray.rendering.plan import Plan, Unit
from peagen_ray.rendering.templates import Library
from peagen_ray.rendering.work import Rendered, RenderJob, carry_out
from peagen_ray.task import Status, Task, TaskKind


def plan(count: int, texts: dict[str, str], data: dict[str, Any] | None = None, **values: Any) -> Plan:
    names = sorted(texts)
    units = [Unit(str(n), names[n % len(names)], {"n": n, **values}, "rule") for n in range(count)]
    return Plan(tuple(units), Library(Settings(), [], texts), data or {})


def done(tasks: list[Task]) -> dict[int, str]:
    """All outputs of tasks and their follow-ups, by number."""
    found: dict[int, str] = {}
    while tasks:
        result = RenderHandler().handle(Task.from_wire(tasks.pop().to_wire()))
        assert result.status is Status.OK, result.data
        found |= dict(Rendered.from_wire(json.loads(result.to_wire())["data"]).outputs)
        tasks += [Task.from_wire(json.dumps(each)) for each in result.data.get("spawn", [])]
    return found


def tasks(made: Plan, parts: Parts | None = None, spread: int = 3) -> list[Task]:
    return [task for task, _ in Chunks(made, parts or Carried(), "run", spread).tasks()]


@pytest.mark.parametrize("spread", [1, 2, 3, 50])
def test_every_output_is_in_one_task_and_comes_out_the_same(spread: int) -> None:
    made = plan(10, {"a": "a{{ n }}{{ x }}", "b": "b{{ n }}"}, {"x": "é", "unused": 1})
    found = tasks(made, spread=spread)
    assert len(found) == min(spread, 10)
    assert done(found) == {n: f"a{n}é" if n % 2 == 0 else f"b{n}" for n in range(10)}


def test_tasks_carry_only_the_data_that_their_templates_use() -> None:
    (task,) = tasks(plan(1, {"a": "{{ x }}"}, {"x": 1, "large": "y" * 1000}))
    assert list(task.payload["data"]) == ["x"]


def test_shared_data_is_kept_once_and_in_no_task(tmp_path: Path) -> None:
    shared = Shared(str(tmp_path / "parts"))
    rows = [{"n": str(n)} for n in range(20_000)]
    made = plan(8, {"a": "{{ rows | length }}"}, {"rows": rows})
    found = tasks(made, shared, spread=8)
    assert len(found) == 8
    assert max(len(task.to_wire()) for task in found) < 2000
    assert [path.stat().st_size for path in (tmp_path / "parts").iterdir()] == [len(encode(rows))]
    assert done(found) == dict.fromkeys(range(8), "20000")
    shared.remove()
    assert not (tmp_path / "parts").exists()


def test_data_that_has_to_travel_goes_into_fewer_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peagen_ray.rendering.chunks._MOST_CARRIED", 100)
    assert len(tasks(plan(8, {"a": "{{ x }}"}, {"x": "abc"}), spread=8)) < 8
    monkeypatch.setattr("peagen_ray.rendering.chunks._MOST_TASK", 10)
    with pytest.raises(ProjectError, match=r"data 'x': \d+ bytes are too many .*result_backend"):
        tasks(plan(1, {"a": "{{ x }}"}, {"x": "abc"}))


def test_large_rows_go_into_more_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peagen_ray.rendering.chunks._MOST_VALUES", 100)
    assert len(tasks(plan(5, {"a": "{{ n }}"}, text="x" * 90), spread=1)) == 5


def test_the_same_plan_gives_the_same_tasks() -> None:
    made = [
        [task.model_dump(exclude={"created_at"}) for task in tasks(plan(5, {"a": "{{ x }}"}, {"x": 1}))]
        for _ in "12"
    ]
    assert made[0] == made[1]


def test_a_failing_template_costs_its_own_output_only() -> None:
    (task,) = tasks(plan(4, {"a": "{{ n }}", "b": "\n{{ gone }}"}), spread=1)
    rendered = Rendered.from_wire(RenderHandler().handle(task).data)
    assert dict(rendered.outputs) == {0: "0", 2: "2"}
    assert [(number, each.template, each.line, each.key) for number, each in rendered.failed] == [
        (1, "b", 2, "gone"),
        (3, "b", 2, "gone"),
    ]


def test_what_is_too_much_for_one_result_is_left_to_a_follow_up_task(monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = tasks(plan(5, {"a": "{{ 'x' * 10 }}{{ n }}"}), spread=1)
    job = RenderJob.read(task.payload)
    first = carry_out(job, enough=15)
    assert [number for number, _ in first.outputs] == [0, 1]
    assert [number for number, _, _ in first.rest] == [2, 3, 4]
    monkeypatch.setattr("peagen_ray.rendering.work.carry_out", lambda job: carry_out(job, enough=15))
    result = RenderHandler().handle(task)
    assert result.data["rest"] == result.data["spawn"][0]["id"] != task.id
    assert done([task]) == {n: f"xxxxxxxxxx{n}" for n in range(5)}


def test_one_output_that_no_result_can_carry_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peagen_ray.rendering.work.ENOUGH", 10)
    monkeypatch.setattr("peagen_ray.rendering.work._MOST_PACKED", 10)
    (task,) = tasks(plan(1, {"a": "{{ 'x' * 50 }}"}))
    (failed,) = carry_out(RenderJob.read(task.payload)).failed
    assert "more than a Result can carry" in failed[1].what


def test_text_that_is_no_unicode_fails_alone() -> None:
    with pytest.raises(ProjectError, match="cannot travel"):
        tasks(plan(1, {"a": "{{ x }}"}, {"x": "\ud800"}))


def good() -> dict[str, Any]:
    (task,) = tasks(plan(1, {"a": "{{ x }}"}, {"x": 1}))
    return dict(task.payload)


@pytest.mark.parametrize(
    "wrong",
    [
        {"render": 2},
        {"templates": {}},
        {"templates": {"digest": "0", "packed": pack(b"{}")}},
        {"units": "no base64"},
        {"units": pack(b'[["x"]]')},
        {"units": pack(b"no json")},
        {"settings": {"magic": True}},
        {"limit_s": 0},
        {"data": {"x": {"root": "/etc", "digest": "../passwd"}}},
        {"data": {"x": {"root": 1, "digest": "a"}}},
    ],
)
def test_a_payload_that_is_none_is_an_error_that_is_not_tried_again(wrong: dict[str, Any]) -> None:
    result = RenderHandler().handle(Task(kind=TaskKind.RENDER, payload={**good(), **wrong}))
    assert result.status is Status.ERROR
    assert not result.retryable


def test_a_part_is_read_only_if_it_is_what_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(EnvelopeError, match="is not what its name says"):
        fetch({"root": str(tmp_path), "digest": "secret"})


def test_a_part_that_is_not_there_may_be_tried_again(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not"):
        fetch({"root": str(tmp_path), "digest": "a" * 64})


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peagen_ray.rendering.parts.MOST_UNPACKED", 1000)
    with pytest.raises(EnvelopeError, match="more than 1000 bytes"):
        unpack(pack(b"\0" * 100_000))


@pytest.mark.parametrize(
    "data",
    [{}, {"outputs": 1, "failed": []}, {"outputs": pack(b"1"), "failed": []}, {"outputs": pack(b"[]")}],
)
def test_an_answer_that_is_none_is_an_error_of_ours(data: dict[str, Any]) -> None:
    with pytest.raises(EnvelopeError, match="is no answer"):
        Rendered.from_wire(data)


def test_the_handler_takes_tasks_of_its_own_form_only() -> None:
    handler, cpu = RenderHandler(), frozenset({"cpu"})
    assert choose([handler], Task(kind=TaskKind.RENDER, payload={"render": 1}), cpu) is handler
    assert not handler.dispatch(Task(kind=TaskKind.RENDER, payload={"other": 1}))
