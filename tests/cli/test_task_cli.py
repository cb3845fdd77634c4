"""``task``: what became of a task is found by its id, with what it printed, whatever that was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.about import KEY, About
from peagen_ray.cli.boundary import run
from peagen_ray.queues.stub import StubQueue
from peagen_ray.results.base import Record
from peagen_ray.results.fs import FsResultBackend
from peagen_ray.runtime import lookup
from peagen_ray.task import Result, Task, TaskKind

STAMPS: dict[str, Any] = {
    "provenance": {"handler": "m:H", "handler_version": "2", "worker": "w-1", "version": "0.1.0"},
    "usage": {"cpu_s": 0.25, "wall_s": 0.5, "max_rss_kb": 10},
    "output": {"stdout": "hello\x1b[2J\n", "stderr": "oh\n"},
    "guests": {"cpu_s": 1.5, "stdout": "I am\x1b[2J the candidate\n"},
}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FsResultBackend:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PEAGEN_QUEUE", raising=False)
    return FsResultBackend(".peagen/results", compress=True)


def kept(results: FsResultBackend, candidate: int, **data: Any) -> Task:
    payload = {"secretive": "payload", KEY: About("r1", candidate).to_data()}
    task = Task(kind=TaskKind.EXECUTE, payload=payload)
    failed = "msg" in data
    made = Result.failure(task, retryable=False, **data) if failed else Result.success(task, data)
    results.put(Record(task, made))
    return task


def test_a_result_and_what_was_printed_are_shown_by_id(
    results: FsResultBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    task = kept(results, 3, msg="it broke", reason="exit 1", traceback="Traceback: here\n", **STAMPS)
    assert run(["task", "show", task.id]) == 0
    said = capsys.readouterr().out
    for words in (
        "candidate: 3",
        "why: it broke",
        "reason: exit 1",
        "worker: w-1",
        "--- traceback",
        "--- stderr\noh",
        "guests used: 1.500 s of CPU",
        "--- candidate's stdout\nI am\\x1b[2J the candidate",
    ):
        assert words in said
    assert "--- stdout\nhello\\x1b[2J" in said
    assert "secretive" not in said
    assert run(["task", "show", task.id, "--payload"]) == 0
    assert "secretive" in capsys.readouterr().out


def test_json_has_all_of_it(results: FsResultBackend, capsys: pytest.CaptureFixture[str]) -> None:
    task = kept(results, 3, answer=1, **STAMPS)
    assert run(["task", "show", task.id, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["about"] == {"run": "r1", "candidate": 3}
    assert said["result"]["data"] == {"answer": 1, **STAMPS}
    assert "payload" not in said["task"]


def test_a_result_of_somebody_elses_worker_is_shown_too(
    results: FsResultBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    task = kept(results, 1, output="text", usage=[], guests=3, provenance=None, traceback=3)
    assert run(["task", "show", task.id]) == 0
    assert "handler: ?" in capsys.readouterr().out


def test_lists_are_by_run_candidate_and_failure(
    results: FsResultBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = kept(results, 1, outcome="ok"), kept(results, 2, msg="one\nline\x1b")
    assert listed(capsys) == [good.id, bad.id]
    assert listed(capsys, "--failed") == [bad.id]
    assert listed(capsys, "--candidate", "1", "--run", "r1") == [good.id]
    assert listed(capsys, "--run", "another") == []
    assert listed(capsys, "--limit", "1") == [bad.id]
    assert run(["task", "list"]) == 0
    assert "one line\\x1b" in capsys.readouterr().out


def listed(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert run(["task", "list", "--json", *options]) == 0
    return [each["id"] for each in json.loads(capsys.readouterr().out)]


def test_a_damaged_record_is_told_and_does_not_hide_the_others(
    results: FsResultBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    task, torn = kept(results, 1), kept(results, 2)
    (path,) = Path(".peagen/results").rglob(f"{torn.id}*")
    path.write_bytes(b"torn")
    assert run(["task", "list", "--json"]) == 0
    said = capsys.readouterr()
    assert [each["id"] for each in json.loads(said.out)] == [task.id]
    assert torn.id in said.err
    assert run(["task", "show", torn.id]) == 1


@pytest.mark.parametrize("name", ["abcd", "../../etc/passwd", "f" * 32])
def test_what_there_is_not_is_said_to_be_missing(
    name: str, results: FsResultBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["task", "show", name]) == 2
    assert "no record of it in .peagen/results" in capsys.readouterr().err


def test_a_task_that_only_the_queue_knows_is_shown_from_there(
    results: FsResultBackend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = StubQueue()
    monkeypatch.setattr(lookup, "through_queue", lambda _: True)
    monkeypatch.setattr(lookup, "open_queue", lambda _: queue)
    monkeypatch.setattr(queue, "close", lambda: None)
    ended, waiting = Task(kind=TaskKind.EXECUTE), Task(kind=TaskKind.EXECUTE)
    queue.enqueue(ended)
    (claim,) = queue.claim(frozenset(), "w-9")
    queue.complete(claim, Result.success(claim.task, {"answer": 42}))
    queue.enqueue(waiting)
    assert run(["task", "show", ended.id]) == 0
    assert '"answer": 42' in capsys.readouterr().out
    assert run(["task", "show", waiting.id]) == 2
    assert f"peagen-ray queue peek {waiting.id}" in capsys.readouterr().err
