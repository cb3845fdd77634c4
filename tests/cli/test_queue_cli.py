"""``queue`` and ``queue dlq``: what a person sees, what a script reads, and what is never done unasked."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.config.model import Config
from peagen_ray.errors import QueueError
from peagen_ray.queues.base import TaskQueue
from peagen_ray.queues.letters import LetterFolder, from_json, to_json
from peagen_ray.queues.model import Attempt, DeadTask
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.queues.stub import StubQueue
from peagen_ray.runtime import deadletters
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.testing.servers import RedisServer, need

CPU = frozenset({"cpu"})


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    need("valkey")
    with RedisServer("valkey") as running:
        yield running


@pytest.fixture
def queue(server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskQueue]:
    """An empty queue, which is the one that the commands see."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PEAGEN_QUEUE", server.url)
    with server.client() as client:
        client.flushall()
    with RedisQueue.from_url(server.url) as opened:
        yield opened


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LetterFolder:
    """The dead letters of a workspace whose queue is the stub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PEAGEN_QUEUE", raising=False)
    return LetterFolder(tmp_path / ".peagen" / "dead_letters")


def a_task(kind: TaskKind = TaskKind.EXECUTE, **payload: Any) -> Task:
    return Task(kind=kind, requires=CPU, payload=payload)


def bury(queue: TaskQueue, task: Task, msg: str = "it broke") -> Task:
    queue.enqueue(task)
    (claim,) = queue.claim(CPU, "host-1")
    assert queue.fail(claim, Result.failure(claim.task, msg, retryable=False, traceback="Traceback: here"))
    return task


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(["queue", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def read(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code, out, _ = told(capsys, *words, "--json")
    assert code == 0
    return json.loads(out)


def test_stats_say_what_waits_what_runs_what_died_and_what_nobody_serves(
    queue: TaskQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    bury(queue, a_task())
    queue.enqueue_all([a_task(), a_task(), Task(kind=TaskKind.MUTATE, requires=frozenset({"gpu"}))])
    queue.claim(CPU, "host-1")
    found = read(capsys, "stats")
    assert (found["waiting"], found["claimed"], found["dead"]) == (2, 1, 1)
    assert found["unserved"] == {"gpu": ["gpu"]}
    assert {"lane": "gpu", "kind": "mutate", "waiting": 1} in found["lanes"]
    code, out, _ = told(capsys, "stats")
    assert (code, "2 waiting, 1 claimed, 1 dead" in out, "no worker serves gpu" in out) == (0, True, True)


def test_list_and_peek_claim_nothing(queue: TaskQueue, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = [a_task(n=n) for n in range(3)]
    queue.enqueue_all(tasks)
    listed = read(capsys, "list", "--limit", "2", "--offset", "1")
    assert [each["id"] for each in listed] == [task.id for task in tasks[1:]]
    seen = read(capsys, "peek", tasks[0].id[:8])
    assert (seen["id"], seen["state"], seen["task"]["payload"]) == (tasks[0].id, "waiting", {"n": 0})
    assert told(capsys, "peek", tasks[1].id)[0] == 0
    assert queue.pending_count() == 3


def test_an_unknown_task_is_an_error_that_names_it(
    queue: TaskQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("peek", "ffffff"), ("dlq", "inspect", "ffffff"), ("dlq", "retry", "ffffff")):
        code, _, err = told(capsys, *words)
        assert (code, "ffffff" in err) == (1, True)


def test_every_unknown_id_is_named_and_then_nothing_is_done(
    queue: TaskQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = bury(queue, a_task())
    for verb in (("retry",), ("purge", "--yes")):
        code, _, err = told(capsys, "dlq", *verb, "aaaaaa", dead.id, "bbbbbb")
        assert (code, "aaaaaa, bbbbbb" in err) == (1, True)
    assert queue.dead_count() == 1


def test_the_beginning_of_several_ids_names_none_of_them(
    queue: TaskQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    for last in "01":
        bury(queue, Task(kind=TaskKind.EXECUTE, id="ab" * 15 + f"0{last}", requires=CPU))
    for words in (("peek",), ("dlq", "inspect"), ("dlq", "retry")):
        code, _, err = told(capsys, *words, "ababab")
        assert (code, "ababab" in err) == (1, True)
    assert told(capsys, "dlq", "retry", "ab" * 15 + "01")[0] == 0


def test_a_long_dead_letter_queue_is_read_to_its_end(
    queue: TaskQueue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadletters, "_PAGE", 3)
    dead = [bury(queue, a_task()) for _ in range(10)]
    assert [each["id"] for each in read(capsys, "dlq", "list")] == [task.id for task in dead]
    assert [each["id"] for each in read(capsys, "dlq", "list", "--limit", "2")] == [t.id for t in dead[-2:]]
    assert "8 older" in told(capsys, "dlq", "list", "--limit", "2")[1]


def test_dead_letters_are_listed_by_kind_and_inspected_with_their_errors(
    queue: TaskQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "empty" in told(capsys, "dlq", "list")[1]
    dead = bury(queue, a_task(deep={"x": 1}), msg="no such file\x1b[31m")
    bury(queue, a_task(TaskKind.MUTATE))
    assert [each["kind"] for each in read(capsys, "dlq", "list")] == ["execute", "mutate"]
    assert [each["id"] for each in read(capsys, "dlq", "list", "--kind", "execute")] == [dead.id]
    code, out, _ = told(capsys, "dlq", "inspect", dead.id[:6])
    assert code == 0
    for part in ("no such file", "run 1 by host-1", '"deep"', "Traceback: here"):
        assert part in out
    assert "\x1b" not in out


def test_retrying_gives_a_new_life_and_says_how_many(
    queue: TaskQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = [bury(queue, a_task()) for _ in range(3)]
    assert told(capsys, "dlq", "retry")[0] == 2
    assert told(capsys, "dlq", "retry", dead[0].id, "--all")[0] == 2
    would = told(capsys, "dlq", "retry", dead[0].id, dead[1].id, "--dry-run")[1]
    assert ("2 tasks" in would, dead[0].id in would, dead[2].id in would) == (True, True, False)
    assert told(capsys, "dlq", "retry", dead[0].id)[1] == "back in the queue: 1 task\n"
    assert told(capsys, "dlq", "retry", "--kind", "execute")[1] == "back in the queue: 2 tasks\n"
    assert (queue.pending_count(), queue.dead_count()) == (3, 0)


def test_nothing_is_removed_unasked(queue: TaskQueue, capsys: pytest.CaptureFixture[str]) -> None:
    dead = [bury(queue, a_task()) for _ in range(2)]
    code, _, err = told(capsys, "dlq", "purge", "--all")
    assert (code, "--yes" in err) == (2, True)
    assert told(capsys, "dlq", "purge", "--yes")[0] == 2
    assert told(capsys, "dlq", "purge", "--older-than", "soon", "--yes")[0] == 2
    assert all(task.id in told(capsys, "dlq", "purge", "--all", "--dry-run")[1] for task in dead)
    told(capsys, "dlq", "purge", "--older-than", "7d", "--yes")
    assert queue.dead_count() == 2
    assert told(capsys, "dlq", "purge", dead[0].id, "--yes")[1] == "removed: 1 task\n"
    assert [each.id for each in queue.dead_letters()] == [dead[1].id]


def test_export_writes_every_letter_in_each_format(
    queue: TaskQueue, server: RedisServer, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    dead = bury(queue, a_task(text='a "quoted", ünïcödé\nline'))
    with server.client() as client:
        client.xadd("peagen.tasks", {"data": b"not json \xff"})
    queue.claim(CPU, "w")
    assert run(["queue", "dlq", "export"]) == 0
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert lines[0]["payload"] == dead.payload
    assert "raw_base64" in lines[1]
    assert run(["queue", "dlq", "export", "--format", "csv", "--output", "-"]) == 0
    rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode())))
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    path = tmp_path / "dead.parquet"
    assert run(["queue", "dlq", "export", "--format", "parquet", "--output", str(path)]) == 0
    assert pq.read_table(path).column("id").to_pylist() == [line["id"] for line in lines]
    assert run(["queue", "dlq", "export", "--format", "parquet"]) == 2
    assert run(["queue", "dlq", "export", "--format", "xml"]) == 2
    assert queue.dead_count() == 2


def test_a_broker_that_stays_away_is_exit_3_and_its_password_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEAGEN_QUEUE", f"unix://user:hunter2@{tmp_path}/nothing")
    code, _, err = told(capsys, "stats", "--broker-timeout", "0.1")
    assert code == 3
    assert "hunter2" not in err


@pytest.mark.parametrize(
    "address",
    [
        "redis:/user:hunter2@host",
        "redis://user:hun/hunter2@127.0.0.1:1",
        "redis://user:hunter2#@127.0.0.1:1",
        "redis+sentinel://user:hun/hunter2@127.0.0.1:1/master",
        "redis://user:hunter2@127.0.0.1:port",
        "redsi://user:hunter2@127.0.0.1",
        "stub://user:hunter2@127.0.0.1",
    ],
)
def test_an_address_that_cannot_be_used_is_exit_2_and_its_password_is_not_shown(
    address: str, own: LetterFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = told(capsys, "stats", "--provider", address, "-v")
    assert (code, "hun" in out + err) == (2, False)
    monkeypatch.setenv("PEAGEN_QUEUE", address)
    code, out, err = told(capsys, "stats")
    assert (code, "hun" in out + err) == (2, False)


def test_without_redis_py_the_extra_is_named(tmp_path: Path) -> None:
    text = "import sys; sys.modules['redis'] = None; from peagen_ray.cli.boundary import run; "
    words = ["queue", "stats", "--provider", "redis://localhost"]
    done = subprocess.run(
        [sys.executable, "-c", text + f"sys.exit(run({words}))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "pip install 'peagen-ray[redis]'" in done.stderr) == (2, True)


# ---- the stub's --------------------------------------------------------------------------------------


def test_the_stubs_dead_letters_outlive_their_process_and_can_be_seen_to(
    own: LetterFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    with StubQueue.from_url("", letters=own) as process:
        dead = [bury(process, a_task(n=n)) for n in range(2)]
    assert [each["id"] for each in read(capsys, "dlq", "list")] == [task.id for task in dead]
    assert "one process" not in told(capsys, "dlq", "inspect", dead[0].id)[1]
    assert told(capsys, "dlq", "purge", dead[0].id, "--yes")[0] == 0
    assert [letter.id for letter in own.letters()] == [dead[1].id]


def test_retrying_with_the_stub_runs_the_task_here_and_keeps_the_letter_if_it_dies_again(
    own: LetterFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    task = Task(kind=TaskKind.EVALUATE, requires=CPU, payload={"evaluator": "speed", "timeout": 60})
    with StubQueue.from_url("", letters=own) as process:
        bury(process, task)
    code, out, _ = told(capsys, "dlq", "retry", "--all")
    assert (code, out.startswith(f"{task.id}: ")) == (1, True)
    assert [letter.id for letter in own.letters()] == [task.id]


def test_a_letter_is_kept_until_its_tasks_new_life_has_ended_well(own: LetterFolder) -> None:
    with StubQueue.from_url("", letters=own) as process:
        task = bury(process, a_task())
    for end in ("killed", "given up", "done"):
        with StubQueue.from_url("", letters=own) as process:
            process.recall()
            assert process.retry([task.id]) == 1
            (claim,) = process.claim(CPU, "host-1")
            assert [letter.id for letter in own.letters()] == [task.id]
            if end == "given up":
                process.fail(claim, Result.failure(claim.task, "worse", retryable=False))
                assert [letter.reason for letter in own.letters()] == ["worse"]
            elif end == "done":
                process.complete(claim, Result.success(claim.task, {}))
    assert not list(own.letters())


def test_a_task_that_somebody_else_took_meanwhile_is_not_waited_for(own: LetterFolder) -> None:
    with pytest.raises(QueueError, match="no longer"):
        list(deadletters.run_again(Config(), ["ab" * 16]))


def test_the_emergency_switch_needs_no_server(
    own: LetterFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".peagen.toml").write_text('[task_queue]\nprovider = "redis"\nurl = "unix:///nowhere"\n')
    monkeypatch.setenv("PEAGEN_QUEUE", "stub")
    code, out, err = told(capsys, "dlq", "list")
    assert (code, "empty" in out, err.count("Warning")) == (0, True, 1)
    Path("target.py").write_text("def double(n: int) -> int:\n    return n + n\n")
    assert run(["mutate", "--target-file", "target.py", "--entry-fn", "double"]) in (0, 1)
    assert "unix:///nowhere" not in capsys.readouterr().err


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"dead_letter": 3}', b'{"dead_letter": {}}'])
def test_what_is_no_letter_is_passed_over(own: LetterFolder, raw: bytes) -> None:
    own.path.mkdir(parents=True)
    (own.path / "bad.json").write_bytes(raw)
    own.save(DeadTask("ab" * 16, None, "why", 1.5, raw=b"\xff\x00"))
    assert [letter.id for letter in own.letters()] == ["ab" * 16]


def test_a_letter_goes_round() -> None:
    run_ = Attempt(1, "w", 1.25, 2.5, "error", 'msg "quoted"\n')
    readable = a_task(text="ü")
    for dead in (
        DeadTask(readable.id, readable, "why", 1_700_000_000.25, (run_,)),
        DeadTask("cd" * 16, None, "why", 3.5, (), b'{"half'),
        DeadTask("cd" * 16, None, "why", 3.5, (), b"\xff\x00"),
    ):
        assert from_json(to_json(dead)) == dead
