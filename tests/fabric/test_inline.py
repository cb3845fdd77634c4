"""The worker in this process: claims, runs, completes, and outlives every task."""

import os
import signal
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from fabric_bench import CPU, registered, task
from fabric_handlers import RELEASE, STARTED

from peagen_ray.errors import BrokerUnavailable, ConfigError, QueueFull
from peagen_ray.fabric import inline
from peagen_ray.fabric.inline import Ended, InlineWorker
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


class Away:
    """A queue whose broker answers only while it is there; ``asked`` counts the calls that it did not hear."""

    def __init__(self, queue):
        self._queue = queue
        self._there = True
        self.asked = {
            name: threading.Semaphore(0) for name in ("claim", "complete", "give_back", "extend_all")
        }

    def go(self):
        self._there = False

    def come_back(self):
        self._there = True

    def __getattr__(self, name):
        def call(*args, **kwargs):
            if self._there:
                return getattr(self._queue, name)(*args, **kwargs)
            self.asked[name].release()
            raise BrokerUnavailable("no answer")

        return call


@pytest.fixture
def away(queue, monkeypatch):
    monkeypatch.setattr(inline, "_BROKER_PAUSE", 0.01)
    return Away(queue)


def test_what_is_finished_while_the_broker_is_away_is_told_once_it_is_back(
    queue, away, runner, fifo, seeing, caplog
):
    started, release = fifo("started"), fifo("release")
    running, waiting = task("wait for", started=started, path=release), task()
    queue.enqueue(running)
    with InlineWorker(away, registered("Doer"), runner, CPU, renew_every=0.01) as worker:
        Path(started).read_text()
        away.go()
        Path(release).write_text("")
        for _ in range(3):
            assert away.asked["complete"].acquire(timeout=SECONDS)
        assert worker.idle_s == 0.0
        away.come_back()
        assert (done(queue, running).status, done(queue, running).attempts) == (Status.OK, 1)
        assert offer(queue, waiting)[0].status is Status.OK
    assert caplog.text.count("the broker does not answer") == 1
    assert caplog.text.count("the broker answers again") == 1
    assert worker.counts == {Ended.DONE: 2}


def test_stopping_waits_for_the_broker_and_stopping_twice_does_not(queue, away, runner, fifo, seeing, caplog):
    started, release = fifo("started"), fifo("release")
    running = task("wait for", started=started, path=release)
    queue.enqueue(running)
    worker = InlineWorker(away, registered("Doer"), runner, CPU)
    worker.start()
    Path(started).read_text()
    away.go()
    stopping = threading.Thread(target=worker.stop, args=(True,))
    stopping.start()
    Path(release).write_text("")
    for _ in range(3):
        assert away.asked["complete"].acquire(timeout=SECONDS)
    assert stopping.is_alive()
    worker.stop(drain=True)
    stopping.join(SECONDS)
    assert not stopping.is_alive()
    assert worker.counts == {Ended.LOST: 1}
    assert "could not be recorded" in caplog.text
    assert queue.inspect(running.id).state is State.CLAIMED


def test_killing_what_runs_while_the_broker_is_away_leaves_it_to_the_lease(queue, away, runner, hang, seeing):
    asked, wait_until_it_hangs = hang
    queue.enqueue(asked)
    worker = InlineWorker(away, registered("Doer"), runner, CPU)
    worker.start()
    wait_until_it_hangs()
    away.go()
    worker.stop(drain=False)
    assert worker.counts == {Ended.LOST: 1}
    assert queue.inspect(asked.id).state is State.CLAIMED


def test_claims_go_on_after_an_outage(queue, away, runner):
    with InlineWorker(away, registered("Doer"), runner, CPU, concurrency=2):
        away.go()
        assert away.asked["claim"].acquire(timeout=SECONDS)
        assert away.asked["claim"].acquire(timeout=SECONDS)
        away.come_back()
        assert {result.status for result in offer(queue, task(), task())} == {Status.OK}


def test_whatever_a_queue_raises_the_worker_goes_on(queue, runner, monkeypatch, caplog):
    monkeypatch.setattr(inline, "_BROKER_PAUSE", 0.01)
    claim, complete, broken = queue.claim, queue.complete, {"claim", "complete"}

    def fails_once(name, method):
        def call(*args, **options):
            if name in broken:
                broken.discard(name)
                raise LookupError("a fault of the provider's")
            return method(*args, **options)

        return call

    queue.claim, queue.complete = fails_once("claim", claim), fails_once("complete", complete)
    lost, good = task(), task()
    queue.enqueue(lost)
    with InlineWorker(queue, registered("Doer"), runner, CPU) as worker:
        assert offer(queue, good)[0].status is Status.OK
    assert worker.counts == {Ended.LOST: 1, Ended.DONE: 1}
    assert caplog.text.count("a fault of the provider's") == 2


@pytest.mark.parametrize("error", [QueueFull("no memory left"), ConfigError("the broker refuses us")])
def test_an_outcome_is_kept_while_the_broker_has_no_room_or_lets_nobody_in(queue, runner, monkeypatch, error):
    monkeypatch.setattr(inline, "_BROKER_PAUSE", 0.01)
    complete, refusals = queue.complete, iter([error, error])

    def refuse(*args):
        for each in refusals:
            raise each
        return complete(*args)

    queue.complete = refuse
    with InlineWorker(queue, registered("Doer"), runner, CPU) as worker:
        (result,) = offer(queue, task())
    assert (result.status, result.attempts) == (Status.OK, 1)
    assert worker.counts == {Ended.DONE: 1}


def test_one_call_at_a_time_claims_for_all_that_are_free(queue, runner):
    limits, calling, again = [], threading.Lock(), threading.Event()
    claim = queue.claim

    def watched(offered, owner, limit, timeout, **options):
        assert calling.acquire(blocking=False)
        try:
            limits.append(limit)
            if len(limits) > 2:
                again.set()
            return claim(offered, owner, limit, timeout, **options)
        finally:
            calling.release()

    queue.claim = watched
    tasks = [task() for _ in range(3)]
    for asked in tasks:
        queue.enqueue(asked)
    with InlineWorker(queue, registered("Doer"), runner, CPU, concurrency=4):
        assert {done(queue, asked).status for asked in tasks} == {Status.OK}
        assert again.wait(SECONDS)
    assert limits[0] == 4
    assert all(1 <= limit <= 4 for limit in limits)


def test_all_leases_are_renewed_in_one_call(queue, work, fifo, seeing):
    batches, extend_all = [], queue.extend_all
    both = threading.Event()

    def count(claims):
        batches.append(len(claims))
        if len(claims) == 2:
            both.set()
        return extend_all(claims)

    queue.extend_all = count
    work(concurrency=2, renew_every=0.02)
    releases = [fifo("one"), fifo("two")]
    tasks = [task("wait for", path=release) for release in releases]
    for asked in tasks:
        queue.enqueue(asked)
    assert both.wait(SECONDS)
    for release in releases:
        Path(release).write_text("")
    assert {done(queue, asked).attempts for asked in tasks} == {1}


def test_what_is_claimed_just_before_a_stop_is_given_back_uncounted(queue, runner):
    asking, answer = threading.Event(), threading.Event()
    claim = queue.claim

    def late(offered, owner, limit, timeout, **options):
        asking.set()
        answer.wait(SECONDS)
        return claim(offered, owner, limit, 0.0, **options)

    queue.claim = late
    worker = InlineWorker(queue, registered("Doer"), runner, CPU, concurrency=2)
    worker.start()
    assert asking.wait(SECONDS)
    tasks = [task(), task()]
    for asked in tasks:
        queue.enqueue(asked)
    stopping = threading.Thread(target=worker.stop, args=(True,))
    stopping.start()
    assert worker._stopping.wait(SECONDS)
    answer.set()
    stopping.join(SECONDS)
    assert queue.pending_count() == 2
    assert [waiting.attempts for waiting in queue.list_tasks()] == [0, 0]
    assert worker.counts == {Ended.GIVEN_BACK: 2}


def test_beside_other_workers_a_task_that_cannot_be_served_is_left_to_them(queue, work):
    told, seen = [], threading.Event()

    def listen(asked, result):
        told.append(result)
        seen.set()

    asked = task(kind=TaskKind.EXECUTE)
    queue.enqueue(asked)
    work("NeedsGpu", alone=False, on_result=listen)
    assert seen.wait(SECONDS)
    assert told[0].status is Status.SKIP
    assert told[0].data["missing"] == ["gpu"]
    assert queue.wait_for_result(asked.id, 0) is None


def test_a_result_that_comes_too_late_is_not_told_to_the_listener(queue, work, fifo, seeing):
    started, release, told = fifo("started"), fifo("release"), []
    asked = task("wait for", started=started, path=release)
    queue.enqueue(asked)
    worker = work(on_result=lambda *each: told.append(each), renew_every=SECONDS)
    Path(started).read_text()
    queue.cancel(asked.id)
    Path(release).write_text("")
    worker.stop(drain=True)
    assert told == []
    assert worker.counts == {Ended.STALE: 1}


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


def test_claims_of_two_lanes_that_have_one_token_are_told_apart(queue, runner):
    """A token may be the id of an entry, which an entry of another lane has too."""
    worker = InlineWorker(queue, registered("Doer"), runner, CPU)
    for asked in (task(), task()):
        queue.enqueue(asked)
    first, second = (replace(claim, token="1-0") for claim in queue.claim(CPU, "w", 2))
    with worker._changed:
        held = [worker._hold(claim, worker._computing) for claim in (first, second)]
    assert [each.claim.task.id for each in held] == [first.task.id, second.task.id]
