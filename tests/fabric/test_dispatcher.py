"""The dispatcher between a queue that may fail and a cluster that is made up."""

import itertools
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from dispatcher_bench import LONG_S, FlakyQueue, MadeUpHands, Service, wait_for
from planner_bench import WITH_GPU, task

from peagen_ray.errors import BrokerUnavailable
from peagen_ray.fabric import broker
from peagen_ray.fabric.actions import Failure, Submit
from peagen_ray.fabric.capabilities import Cluster
from peagen_ray.fabric.hands import Outcome
from peagen_ray.fabric.remote import Warmth
from peagen_ray.queues.base import FROM_START
from peagen_ray.queues.model import State
from peagen_ray.queues.stub import StubQueue
from peagen_ray.task import Result, Status, Task, TaskKind


@pytest.fixture(autouse=True)
def _eager(monkeypatch):
    """A broker that is away is asked again at once."""
    monkeypatch.setattr(broker, "PAUSE_S", 0.01)


@pytest.fixture
def queue():
    """The queue itself, which the dispatcher's closing leaves open for the test."""
    queue = Kept(retry_delay=0.01, skip_delay=0.01)
    yield queue
    StubQueue.close(queue)


@pytest.fixture
def service(queue):
    with Service() as service:
        yield service


class Kept(StubQueue):
    def close(self) -> None:
        """Only the test closes it."""


def result_of(queue, one: Task) -> Result:
    result = queue.wait_for_result(one.id, LONG_S)
    assert result is not None
    return result


def stopped(dispatcher, *, drain: bool = True):
    dispatcher.stop(drain=drain)
    assert dispatcher.wait(LONG_S)
    return dispatcher.status()


# ---- one task after the other ----


def test_a_task_is_submitted_completed_and_recorded_once(service, queue):
    hands, one = MadeUpHands(), task()
    dispatcher = service.start(queue, hands)
    queue.enqueue(one)
    submitted = hands.next()
    assert (submitted.task.id, submitted.task.attempts) == (one.id, 1)
    hands.ok(submitted, answer=42)
    assert result_of(queue, one).data == {"answer": 42}
    ((recorded, result),) = service.recorded(1)
    assert (recorded.id, result.data) == (one.id, {"answer": 42})
    assert stopped(dispatcher).counts == {"done": 1}
    assert service.records.empty()


def test_a_failed_run_is_tried_again_and_each_is_recorded(service, queue):
    hands, one = MadeUpHands(), task()
    service.start(queue, hands)
    queue.enqueue(one)
    first = hands.next()
    hands.end(first.token, (Failure.NODE_DIED, "gone"))
    hands.ok(hands.next())
    assert result_of(queue, one).attempts == 2
    failed, done = (result for _, result in service.recorded(2))
    assert (failed.data["msg"], failed.data["reason"]) == ("the node died: gone", "node-died")
    assert done.status is Status.OK


@pytest.mark.parametrize("failure", [each for each in Failure if each is not Failure.CANCELLED])
def test_what_ray_says_of_the_last_run_is_in_the_dead_letter(service, queue, failure):
    hands, one = MadeUpHands(lambda _: (failure, "in Ray's words")), task()
    service.start(queue, hands)
    queue.enqueue(one)
    assert result_of(queue, one).status is Status.ERROR
    (dead,) = queue.dead_letters()
    assert len(dead.history) == 3
    assert all("in Ray's words" in run.msg for run in dead.history)


def test_a_task_that_somebody_else_cancels_in_ray_runs_again_and_that_costs_no_run(
    service, queue, monkeypatch
):
    monkeypatch.setattr("peagen_ray.fabric.planning._CANCELLED_PAUSE", 0.01)
    hands, one = MadeUpHands(), task()
    dispatcher = service.start(queue, hands)
    queue.enqueue(one)
    for _ in range(5):
        hands.end(hands.next().token, (Failure.CANCELLED, ""))
    hands.ok(hands.next())
    assert result_of(queue, one).attempts == 1
    assert stopped(dispatcher).counts == {"done": 1, "given back": 5}


def test_follow_up_tasks_are_served_too(service, queue):
    hands, one, child = MadeUpHands(), task(about={"run": "r1"}), task()
    service.start(queue, hands)
    queue.enqueue(one)
    hands.ok(hands.next(), spawn=[child.model_dump(mode="json")], kept=1)
    followed = hands.next().task
    assert (followed.id, followed.payload["about"]) == (child.id, {"run": "r1"})
    assert result_of(queue, one).data == {"kept": 1}


@pytest.mark.parametrize("rubbish", [7, {}, [3], ["x"], [{"kind": "mutate", "id": "short"}], [None]])
def test_rubbish_in_place_of_follow_up_tasks_fails_the_task_and_enqueues_nothing(service, queue, rubbish):
    hands, one = MadeUpHands(), task()
    dispatcher = service.start(queue, hands)
    queue.enqueue(one)
    hands.ok(hands.next(), spawn=rubbish, provenance={"worker": "w"})
    result = result_of(queue, one)
    assert (result.status, result.data["retryable"]) == (Status.ERROR, False)
    assert result.data["provenance"] == {"worker": "w"}
    assert queue.pending_count() == 0
    assert stopped(dispatcher).error == ""


# ---- ends that come twice, late, or from nowhere ----


def test_only_the_first_of_two_ends_counts(service, queue):
    hands, one, next_one = MadeUpHands(), task(), task()
    dispatcher = service.start(queue, hands)
    queue.enqueue(one)
    submitted = hands.next()
    hands.ok(submitted, n=1)
    hands.end(submitted.token, (Failure.WORKER_DIED, "too late"))
    hands.ok(submitted, n=2)
    assert result_of(queue, one).data == {"n": 1}
    hands.ok(submitted, n=3)
    hands.end("never heard of", Result.success(one, {}))
    queue.enqueue(next_one)
    hands.ok(hands.next())
    result_of(queue, next_one)
    status = stopped(dispatcher)
    assert (status.counts, status.in_flight, status.error) == ({"done": 2}, 0, "")


def test_a_task_cancelled_in_the_queue_is_ended_in_the_cluster(service, queue):
    hands, one = MadeUpHands(), task()
    dispatcher = service.start(queue, hands, renew=0.02)
    queue.enqueue(one)
    submitted = hands.next()
    dispatcher.started(submitted.token)
    assert queue.cancel(one.id)
    assert hands.cancelled.get(timeout=LONG_S) == submitted.token
    hands.ok(submitted)
    assert stopped(dispatcher).counts == {"lost": 1}
    assert result_of(queue, one).status is Status.ERROR


def test_an_end_after_a_stop_that_gave_the_task_back_changes_nothing(service, queue):
    hands, one = SlowToCancel(), task()
    dispatcher = service.start(queue, hands)
    queue.enqueue(one)
    submitted = hands.next()
    dispatcher.stop(drain=False)
    assert hands.cancelled.get(timeout=LONG_S) == submitted.token
    hands.ok(submitted)
    assert dispatcher.wait(LONG_S)
    assert dispatcher.status().counts.keys() == {"given back"}
    info = queue.inspect(one.id)
    assert (info.state, info.task.attempts) == (State.WAITING, 0)


class SlowToCancel(MadeUpHands):
    """The end of a cancelled task is told by the test."""

    def cancel(self, token: str) -> None:
        self.cancelled.put(token)


# ---- stopping ----


def test_draining_lets_what_runs_finish_and_gives_back_what_waits(service, queue):
    hands, tasks = MadeUpHands(), [task() for _ in range(6)]
    dispatcher = service.start(queue, hands)
    queue.enqueue_all(tasks)
    runs, *rest = [hands.next() for _ in range(4)]
    dispatcher.started(runs.token)
    wait_for(lambda: dispatcher.status().waiting == 3)
    dispatcher.stop(drain=True)
    assert {hands.cancelled.get(timeout=LONG_S) for _ in rest} == {each.token for each in rest}
    assert not dispatcher.wait(0)
    hands.ok(runs)
    assert dispatcher.wait(LONG_S)
    assert dispatcher.status().counts == {"done": 1, "given back": 3}
    assert queue.pending_count() == 5


def test_an_impatient_stop_ends_what_runs_and_gives_it_back(service, queue):
    hands = MadeUpHands()
    dispatcher = service.start(queue, hands)
    queue.enqueue_all([task(), task()])
    for submitted in (hands.next(), hands.next()):
        dispatcher.started(submitted.token)
    dispatcher.stop(drain=True)
    assert stopped(dispatcher, drain=False).counts.keys() == {"given back"}
    assert queue.pending_count() == 2
    assert hands.running == {}


def test_an_impatient_stop_ends_while_the_broker_is_away_and_nothing_runs_on(service, queue):
    flaky, hands = FlakyQueue(queue), MadeUpHands()
    dispatcher = service.start(flaky, hands)
    queue.enqueue_all([task(), task()])
    for submitted in (hands.next(), hands.next()):
        dispatcher.started(submitted.token)
    flaky.away = True
    service.hear("does not answer")
    status = stopped(dispatcher, drain=False)
    assert status.done
    assert hands.running == {}


def test_a_patient_stop_waits_for_the_broker_to_tell_it_what_was_done(service, queue):
    flaky, hands, one = FlakyQueue(queue), MadeUpHands(), task()
    dispatcher = service.start(flaky, hands)
    queue.enqueue(one)
    submitted = hands.next()
    dispatcher.started(submitted.token)
    flaky.away = True
    dispatcher.stop(drain=True)
    hands.ok(submitted)
    service.hear("does not answer")
    assert not dispatcher.wait(0)
    flaky.away = False
    assert dispatcher.wait(LONG_S)
    assert result_of(queue, one).status is Status.OK


def test_a_dispatcher_that_was_stopped_before_it_claimed_ends(service, queue):
    dispatcher = service.start(queue, MadeUpHands())
    assert stopped(dispatcher).counts == {}


def test_what_an_order_to_claim_still_brings_after_the_stop_is_given_back(service, queue):
    holding, one = Holding(queue), task()
    dispatcher = service.start(holding, MadeUpHands())
    assert holding.claiming.wait(LONG_S)
    dispatcher.stop(drain=True)
    queue.enqueue(one)
    wait_for(lambda: dispatcher.status().stopping and dispatcher._planner._stopping)
    holding.release.set()
    assert dispatcher.wait(LONG_S)
    assert queue.inspect(one.id).state is State.WAITING


class Holding(FlakyQueue):
    """The first order to claim is held up."""

    def __init__(self, inner):
        super().__init__(inner)
        self.claiming, self.release = threading.Event(), threading.Event()

    def _call(self, name, step, args, options):
        if name == "claim":
            self.claiming.set()
            assert self.release.wait(LONG_S)
        return super()._call(name, step, args, options)


# ---- a broker that fails ----


def test_an_idle_dispatcher_finds_a_broker_that_was_away(service, queue):
    flaky, hands, one = FlakyQueue(queue), MadeUpHands(), task()
    flaky.away = True
    service.start(flaky, hands)
    service.hear("does not answer")
    flaky.away = False
    service.hear("answers again")
    queue.enqueue(one)
    hands.ok(hands.next())
    assert result_of(queue, one).status is Status.OK


@pytest.mark.parametrize("seed", range(3))
def test_whatever_a_queue_raises_the_dispatcher_goes_on(service, queue, seed):
    error = (ValueError("what"), OSError(5, "io"), BrokerUnavailable("no"))[seed]
    broken, hands, one = Raising(queue, error), MadeUpHands(), task()
    dispatcher = service.start(broken, hands)
    service.hear(str(error))
    broken.error = None
    queue.enqueue(one)
    hands.ok(hands.next())
    assert result_of(queue, one).status is Status.OK
    assert stopped(dispatcher).error == ""


class Raising(FlakyQueue):
    def __init__(self, inner, error):
        super().__init__(inner)
        self.error = error

    def _call(self, name, step, args, options):
        if self.error is not None:
            raise self.error
        return super()._call(name, step, args, options)


def outcome_of(submitted: Submit) -> Outcome:
    """What the task asks for, in the run that it is in."""
    one, what = submitted.task, submitted.task.payload["what"]
    if what == "bad":
        return Result.failure(one, "no", retryable=False)
    if what == "parent":
        child = {"kind": "execute", "id": one.id[::-1], "payload": {"what": "ok"}}
        return Result.success(one, {"spawn": [child]})
    if what == "flaky" and one.attempts == 1:
        return Failure.WORKER_DIED, "first"
    return Result.success(one, {})


FATES = st.lists(st.sampled_from(["well", "well", "before", "after"]), max_size=60)
WHATS = st.lists(st.sampled_from(["ok", "bad", "flaky", "parent"]), min_size=1, max_size=8)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whats=WHATS, fates=FATES)
def test_a_queue_whose_calls_fail_loses_and_doubles_nothing(whats, fates):
    queue = Kept(retry_delay=0.001, skip_delay=0.001, max_retry=100)
    flaky, hands = FlakyQueue(queue, fates, lease=0.1), MadeUpHands(outcome_of)
    tasks = [
        Task(kind=TaskKind.EXECUTE, id=f"{'a' * 20}{n:04x}", payload={"what": what})
        for n, what in enumerate(whats)
    ]
    queue.enqueue_all(tasks)
    expected = {one.id: one.payload["what"] == "bad" for one in tasks}
    expected |= {one.id[::-1]: False for one in tasks if one.payload["what"] == "parent"}
    with Service() as service:
        dispatcher = service.start(flaky, hands)
        for task_id, bad in expected.items():
            result = queue.wait_for_result(task_id, LONG_S)
            assert result is not None, task_id
            assert (result.status is Status.ERROR) == bad
        status = stopped(dispatcher)
    published, _ = queue.results_since(FROM_START, 1000)
    assert Counter(result.task_id for result in published) == Counter(list(expected))
    assert status.error == ""
    assert sum(status.counts.values()) == len(flaky.claimed)
    records = [service.records.get() for _ in range(service.records.qsize())]
    final = Counter(one.id for one, result in records if not result.data.get("retryable"))
    assert max(final.values(), default=1) == 1
    assert hands.running == {}


# ---- what nobody serves ----


def test_a_lane_that_nobody_can_claim_is_reported_by_what_is_missing(service, queue):
    service.start(queue, MadeUpHands())
    queue.enqueue(task("cpu", "cobol"))
    assert "cobol" in service.hear("cobol")


def test_a_task_whose_handler_lacks_a_tag_is_reported_with_both(service, queue):
    """Its own tags are offered; what its handler asks for beside them is not."""
    service.start(queue, MadeUpHands())
    queue.enqueue(task("gpu"))
    assert "gpu" in service.hear("Graphic")


def test_what_is_missing_may_come(service, queue):
    hands, one = MadeUpHands(), task("gpu")
    service.start(queue, hands)
    queue.enqueue(one)
    service.hear("Graphic")
    service.cluster = WITH_GPU
    hands.ok(hands.next())
    assert result_of(queue, one).status is Status.OK


def test_tasks_wait_no_more_for_a_node_that_is_gone(service, queue):
    service.cluster = WITH_GPU
    hands, one = MadeUpHands(), task("gpu")
    dispatcher = service.start(queue, hands)
    queue.enqueue(one)
    submitted = hands.next()
    service.cluster = Cluster()
    assert hands.cancelled.get(timeout=LONG_S) == submitted.token
    wait_for(lambda: dispatcher.status().counts.get("given back") == 1)
    wait_for(lambda: dispatcher.status().nodes == 0)


def test_a_look_that_fails_is_repeated(service, queue):
    hands, one, looks = MadeUpHands(), task(), threading.Semaphore(0)

    class Shy(Service):
        @property
        def cluster(self):
            looks.release()
            raise ConnectionError("no GCS")

        @cluster.setter
        def cluster(self, _):
            pass

    dispatcher = service.start(queue, hands)
    dispatcher._look = lambda: Shy().cluster
    for _ in range(3):
        assert looks.acquire(timeout=LONG_S)
    queue.enqueue(one)
    hands.ok(hands.next())
    assert result_of(queue, one).status is Status.OK


# ---- a dispatcher that fails ----


def test_a_dispatcher_that_fails_says_why_and_has_ended(service, queue):
    class Broken(MadeUpHands):
        def submit(self, submitted):
            raise RuntimeError("no hands")

    dispatcher = service.start(queue, Broken())
    queue.enqueue(task())
    assert dispatcher.wait(LONG_S)
    status = dispatcher.status()
    assert (status.error, status.done) == ("RuntimeError: no hands", True)


def test_records_that_cannot_be_kept_hold_nothing_up(service, queue):
    hands, tasks = MadeUpHands(outcome_of), [task(what="ok") for _ in range(5)]

    def refuse(*_):
        raise RuntimeError("the disk is full")

    dispatcher = service.start(queue, hands, on_results=refuse)
    queue.enqueue_all(tasks)
    for one in tasks:
        result_of(queue, one)
    service.hear("the disk is full")
    assert stopped(dispatcher).counts == {"done": 5}


def test_at_its_end_whoever_was_told_of_results_hears_that_there_are_no_more(service, queue):
    hands, one, heard = MadeUpHands(), task(), []
    dispatcher = service.start(
        queue,
        hands,
        on_results=lambda ended: heard.extend(done.id for done, _ in ended),
        at_end=lambda: heard.append("the end"),
    )
    queue.enqueue(one)
    hands.ok(hands.next())
    result_of(queue, one)
    stopped(dispatcher)
    assert heard == [one.id, "the end"]


def test_the_status_tells_of_nodes_pools_and_idleness(service, queue):
    hands, one = MadeUpHands(), task()
    dispatcher = service.start(queue, hands)
    wait_for(lambda: dispatcher.status().nodes == 1)
    queue.enqueue(one)
    submitted = hands.next()
    wait_for(lambda: dispatcher.status().in_flight == 1)
    assert dispatcher.status().idle_s == 0
    node = service.cluster.nodes[0].id
    hands.on_end(submitted.token, Result.success(one, {}), Warmth(node, 7, 3, 2, 9, 60.0))
    result_of(queue, one)
    wait_for(lambda: dispatcher.status().idle_s > 0)
    status = dispatcher.status()
    assert (status.live, status.idle, status.launched) == (3, 2, 9)


def test_a_cluster_that_cannot_be_looked_at_is_told_of_once_and_served_as_it_was(service, queue):
    hands, looks = MadeUpHands(outcome_of), itertools.count()
    known = service.cluster

    def look():
        if 0 < next(looks) < 5:
            raise ConnectionError("no answer")
        return known

    dispatcher = service.start(queue, hands, look=look)
    service.hear("cannot be looked at")
    queue.enqueue(one := task(what="ok"))
    assert result_of(queue, one).status is Status.OK
    wait_for(lambda: next(looks) > 5)
    assert stopped(dispatcher).counts == {"done": 1}
    assert service.said.empty()
