"""The worker in this process: claims, runs, completes, and outlives every task."""

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from fabric_bench import CPU, registered, task
from fabric_handlers import RELEASE, STARTED

from peagen_ray.errors import BrokerUnavailable
from peagen_ray.fabric import inline
from peagen_ray.fabric.inline import InlineWorker
from peagen_ray.queues.base import State
from peagen_ray.task import Result, Status, Task, TaskKind

SECONDS = 30


def done(queue, asked: Task) -> Result:
    result = queue.wait_for_result(asked.id, SECONDS)
    assert result is not None, queue.inspect(asked.id)
    return result


def offer(queue, *tasks: Task) -> list[Result]:
    for asked in tasks:
        queue.enqueue(asked)
    return [done(queue, asked) for asked in tasks]


@pytest.fixture
def fifo(tmp_path):
    """Makes FIFOs: a task that writes to one says that it runs; one that reads waits to be released."""

    def make(name):
        os.mkfifo(tmp_path / name)
        return str(tmp_path / name)

    return make


@pytest.fixture
def hang(fifo):
    """A task that hangs, and what waits until it does and gives its process ids; needs ``seeing``."""
    started = fifo("started")
    return task("hang", started=started), Path(started).read_text


@pytest.fixture
def seeing(runner, tmp_path):
    """Has tasks see the FIFOs."""
    runner._keep = (tmp_path,)
    return runner


def test_tasks_are_claimed_run_and_completed(queue, work):
    work(concurrency=2)
    results = offer(queue, *(task() for _ in range(6)))
    assert {result.status for result in results} == {Status.OK}
    assert len({result.data["pid"] for result in results}) == 6
    assert queue.pending_count() == 0


def test_the_handler_is_chosen_by_kind_and_tags(queue, work):
    work("Doer", "Shared", "NeedsGpu")
    (mutated, evaluated) = offer(queue, task(), task(kind=TaskKind.EVALUATE))
    assert mutated.data["provenance"]["handler"] == "fabric_handlers:Doer"
    assert evaluated.data["provenance"]["handler"] == "fabric_handlers:Shared"


def test_a_task_that_no_handler_can_serve_is_refused_by_name_of_the_tag(queue, work):
    work("Doer", "NeedsGpu")
    (result,) = offer(queue, task(kind=TaskKind.EXECUTE))
    assert (result.status, result.data["retryable"]) == (Status.ERROR, False)
    assert result.data["missing"] == ["gpu"]
    assert "gpu" in result.data["msg"]


def test_a_kind_without_a_handler_is_refused(queue, work):
    work("Doer")
    (result,) = offer(queue, task(kind=TaskKind.RENDER))
    assert "a handler for render" in result.data["msg"]


def test_two_handlers_that_qualify_are_an_error_that_names_both(queue, work):
    work("Shared", "Twin")
    (result,) = offer(queue, task(kind=TaskKind.EVALUATE))
    assert (result.status, result.data["retryable"]) == (Status.ERROR, False)
    assert "Shared" in result.data["msg"]
    assert "Twin" in result.data["msg"]


@pytest.mark.parametrize(
    "do", ["exit", "segfault", "kill self", "send rubbish", "raise in dispatch", "print much"]
)
def test_no_failure_of_a_task_ends_the_worker(queue, work, do):
    work()
    bad, good = offer(queue, task(do), task())
    assert bad.status is (Status.OK if do == "print much" else Status.ERROR)
    assert good.status is Status.OK


def test_a_failure_that_may_pass_is_run_again(queue, work):
    work()
    (result,) = offer(queue, task("fail until", attempt=3))
    assert (result.data["attempt"], result.attempts) == (3, 3)


def test_a_crash_every_time_ends_in_the_dead_letter_queue(queue, work):
    work()
    (result,) = offer(queue, task("exit"))
    assert (result.attempts, result.data["retryable"]) == (3, False)
    assert [dead.task.id for dead in queue.dead_letters()] == [result.task_id]


def test_a_skipped_task_is_offered_again(queue, work):
    told = []
    seen = threading.Event()

    def listen(asked, result):
        told.append(result.status)
        if len(told) == 2:
            seen.set()

    asked = task("skip")
    queue.enqueue(asked)
    work(on_result=listen)
    assert seen.wait(SECONDS)
    assert set(told) == {Status.SKIP}
    assert queue.inspect(asked.id).state in (State.DELAYED, State.WAITING, State.CLAIMED)


def test_follow_up_tasks_are_enqueued_with_the_completion(queue, work):
    work()
    (result,) = offer(queue, task("follow up"))
    assert "spawn" not in result.data
    assert result.data["kept"] == 1
    assert queue.wait_for_result("a" * 16, SECONDS).status is Status.OK
    assert queue.wait_for_result("b" * 16, SECONDS).status is Status.OK


@pytest.mark.parametrize("rubbish", [3, {}, [3], [{"kind": "no such kind"}], [{"kind": "mutate", "id": "X"}]])
def test_follow_up_tasks_that_are_none_are_an_error_of_the_handlers(queue, work, rubbish):
    work()
    (result,) = offer(queue, task("follow up rubbish", rubbish=rubbish))
    assert (result.status, result.data["retryable"]) == (Status.ERROR, False)
    assert result.data["provenance"]["handler"] == "fabric_handlers:Doer"


def test_a_task_brings_its_own_timeout(queue, work, fifo, seeing):
    work(timeout=1000)
    (result,) = offer(queue, task("wait for", path=fifo("release"), timeout=0.3))
    assert (result.data["reason"], result.attempts) == ("timeout", 1)


def test_the_default_timeout_ends_the_others(queue, work, fifo, seeing):
    work(timeout=0.3)
    (result,) = offer(queue, task("wait for", path=fifo("release")))
    assert result.data["reason"] == "timeout"


@pytest.mark.parametrize("timeout", [0, -1, True, "long", None, [1]])
def test_a_timeout_that_is_none_is_an_error(queue, work, timeout):
    work()
    (result,) = offer(queue, task(timeout=timeout))
    assert (result.status, result.data["retryable"]) == (Status.ERROR, False)
    assert "timeout" in result.data["msg"]


def test_the_listener_is_told_once_the_queue_knows(queue, work):
    told, seen = [], threading.Event()

    def listen(asked, result):
        told.append((asked.id, result.status, queue.inspect(asked.id).state))
        seen.set()

    asked = task()
    queue.enqueue(asked)
    work(on_result=listen)
    assert seen.wait(SECONDS)
    assert told == [(asked.id, Status.OK, State.DONE)]


def test_a_listener_that_fails_does_not_end_the_worker(queue, work, caplog):
    def listen(asked, result):
        raise LookupError("no listener")

    work(on_result=listen)
    offer(queue, task(), task())
    assert "the listener failed" in caplog.text


def test_stopping_gives_back_what_runs_and_leaves_no_process(queue, work, hang, seeing):
    asked, wait_until_it_hangs = hang
    queue.enqueue(asked)
    worker = work()
    pids = wait_until_it_hangs().split()
    worker.stop(drain=False)
    assert not any(Path("/proc", pid).exists() for pid in pids)
    assert queue.inspect(asked.id).state is State.WAITING or queue.inspect(asked.id).due is not None
    assert queue.list_tasks()[0].attempts == 0


def test_draining_lets_what_runs_finish_and_claims_no_more(queue, work, fifo, seeing):
    started, release = fifo("started"), fifo("release")
    running, waiting = task("wait for", started=started, path=release), task()
    queue.enqueue(running)
    worker = work()
    Path(started).read_text()
    stopping = threading.Thread(target=worker.stop, args=(True,))
    stopping.start()
    assert worker._stopping.wait(SECONDS)
    queue.enqueue(waiting)
    Path(release).write_text("")
    stopping.join()
    assert queue.wait_for_result(running.id, 0).status is Status.OK
    assert queue.inspect(waiting.id).state is State.WAITING


def test_a_claim_that_comes_while_stopping_is_given_back(queue, work):
    worker = work()
    worker.stop(drain=True)
    asked = task()
    queue.enqueue(asked)
    (claim,) = queue.claim(CPU, "late")
    worker._do(claim)
    assert queue.pending_count() == 1
    assert queue.inspect(asked.id).task.attempts == 0


def test_leaving_the_block_drains_unless_there_was_an_error(queue, runner, work, hang, seeing):
    asked = task()
    with InlineWorker(queue, registered("Doer"), runner, CPU):
        assert offer(queue, asked)[0].status is Status.OK
    hanging, wait_until_it_hangs = hang
    queue.enqueue(hanging)
    with suppress(LookupError), InlineWorker(queue, registered("Doer"), runner, CPU):
        wait_until_it_hangs()
        raise LookupError
    assert queue.pending_count() == 1


def test_a_task_longer_than_its_lease_stays_ours(queue, work, fifo, seeing):
    release = fifo("release")
    beats = threading.Semaphore(0)
    extend = queue.extend

    def count(claim):
        kept = extend(claim)
        beats.release()
        return kept

    queue.extend = count
    work(lease=0.6, renew_every=0.05)
    asked = task("wait for", path=release)
    queue.enqueue(asked)
    for _ in range(20):
        assert beats.acquire(timeout=SECONDS)
    Path(release).write_text("")
    assert (done(queue, asked).status, done(queue, asked).attempts) == (Status.OK, 1)


def test_cancelling_a_task_ends_its_process(queue, work, hang, seeing):
    asked, wait_until_it_hangs = hang
    queue.enqueue(asked)
    worker = work(renew_every=0.02)
    pids = wait_until_it_hangs().split()
    queue.cancel(asked.id)
    assert done(queue, asked).data["cancelled"]
    (other,) = offer(queue, task())
    assert other.status is Status.OK
    worker.stop(drain=True)
    assert not any(Path("/proc", pid).exists() for pid in pids)


def test_a_shared_handler_is_let_finish(queue, work):
    STARTED.clear()
    RELEASE.clear()
    asked = task("wait", TaskKind.EVALUATE)
    queue.enqueue(asked)
    worker = work("Shared")
    assert STARTED.wait(SECONDS)
    stopping = threading.Thread(target=worker.stop, args=(False,))
    stopping.start()
    assert worker._stopping.wait(SECONDS)
    RELEASE.set()
    stopping.join()
    assert queue.wait_for_result(asked.id, 0).status is Status.OK


def test_a_closed_queue_ends_the_threads(queue, work):
    worker = work(concurrency=2)
    queue.close()
    for thread in worker._threads:
        thread.join(SECONDS)
        assert not thread.is_alive()


class Flaky:
    """A queue whose broker does not answer the first time."""

    def __init__(self, queue, *methods):
        self._queue = queue
        self._fails = set(methods)

    def __getattr__(self, name):
        if name in self._fails:
            self._fails.discard(name)

            def fail(*args, **kwargs):
                raise BrokerUnavailable("no answer")

            return fail
        return getattr(self._queue, name)


def test_a_broker_that_does_not_answer_is_asked_again(queue, runner, monkeypatch, caplog):
    monkeypatch.setattr(inline, "_BROKER_PAUSE", 0.01)
    with InlineWorker(Flaky(queue, "claim", "extend"), registered("Doer"), runner, CPU, renew_every=0.001):
        assert offer(queue, task())[0].status is Status.OK
    assert "no answer" in caplog.text


def test_a_completion_that_is_not_heard_lets_the_task_come_back(queue, runner, caplog):
    with InlineWorker(
        Flaky(queue, "complete"), registered("Doer"), runner, CPU, lease=0.2, renew_every=SECONDS
    ):
        (result,) = offer(queue, task())
    assert (result.status, result.attempts) == (Status.OK, 2)
    assert "could not be recorded" in caplog.text


def test_killing_the_launcher_costs_no_task(queue, work, launcher):
    work(concurrency=2)
    offer(queue, task())
    os.kill(launcher._process.pid, signal.SIGKILL)
    assert {result.status for result in offer(queue, *(task() for _ in range(8)))} == {Status.OK}


def test_many_tasks_of_every_sort_all_get_their_result(queue, work):
    work(concurrency=4)
    ends = [
        "nothing",
        "exit",
        "segfault",
        "kill self",
        "return rubbish",
        "send rubbish",
        "print much",
        "leave thread",
    ]
    good = ["nothing", "print much", "leave thread"]
    tasks = [task(ends[number % len(ends)]) for number in range(48)]
    results = offer(queue, *tasks)
    for asked, result in zip(tasks, results, strict=True):
        assert result.status is (Status.OK if asked.payload["do"] in good else Status.ERROR)
    assert queue.pending_count() == 0
