"""The dispatcher's decisions: examples, and a state machine of several planners on one queue."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

sys.path.insert(0, str(Path(__file__).parent))

from planner_bench import CPU, EMPTY, POLICY, SCALING, TABLE, WITH_GPU, Desk, Time, result, task

from peagen_ray.fabric.actions import (
    Begin,
    Cancel,
    ClaimTasks,
    Complete,
    Extend,
    Fail,
    Failure,
    GiveBack,
    Submit,
)
from peagen_ray.fabric.capabilities import A_TRACE, Cluster, Node, Placement
from peagen_ray.fabric.inline import Ended
from peagen_ray.fabric.planning import BATCH
from peagen_ray.queues.memory import MemoryQueue
from peagen_ray.queues.model import FROM_START, Claim, State
from peagen_ray.task import TaskKind


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def queue(time) -> MemoryQueue:
    return MemoryQueue(time, POLICY)


@pytest.fixture
def desk(queue, time) -> Desk:
    return Desk(queue, time)


def enqueued(queue: MemoryQueue, *tasks):
    for each in tasks:
        queue.enqueue(each)
    return tasks


def of(kind, acts):
    return [act for act in acts if isinstance(act, kind)]


def state(queue: MemoryQueue, one) -> State:
    info = queue.inspect(one.id)
    assert info is not None
    return info.state


# ---- claiming and submitting ----


def test_tasks_are_claimed_up_to_max_parallel_and_submitted_with_their_resources(queue, desk):
    enqueued(queue, *(task() for _ in range(10)))
    desk.settle()
    assert len(desk.tasks) == desk.planner.in_flight == desk.planner.waiting == 4
    submit = next(iter(desk.tasks.values()))
    assert submit.route.handler == "Cheap"
    assert submit.route.demand.options() == {"num_cpus": 1, "num_gpus": 0, "resources": {}}
    assert submit.task.attempts == 1
    assert queue.pending_count() == 6


def test_claims_of_several_lanes_may_have_one_token(desk):
    first, second = task(), task()
    desk.decide()
    desk.planner.claimed([Claim(each, "1700000000000-0", 1e12) for each in (first, second)])
    assert {submit.task.id for submit in of(Submit, desk.decide())} == {first.id, second.id}


def test_one_order_to_claim_is_out_at_a_time(desk):
    assert len(of(ClaimTasks, desk.decide())) == 1
    assert desk.decide() == []
    desk.act()
    assert len(of(ClaimTasks, desk.decide())) == 1


def test_no_more_is_claimed_while_there_is_no_room(queue, desk):
    enqueued(queue, *(task() for _ in range(10)))
    desk.settle()
    assert of(ClaimTasks, desk.decide()) == []
    desk.finish(next(iter(desk.tasks)))
    desk.settle()
    assert len(desk.tasks) == 4


def test_room_for_few_is_filled_a_moment_later_while_others_wait_for_nodes(queue, time):
    desk = Desk(queue, time, limit=80)
    enqueued(queue, *(task() for _ in range(200)))
    for _ in range(8):
        desk.settle()
        time.now += 1.0
    assert len(desk.tasks) == 80
    desk.finish(next(iter(desk.tasks)))
    desk.settle()
    desk.finish(next(iter(desk.tasks)))
    desk.settle()
    time.now += desk.planner.next_due() - time.now
    (order,) = of(ClaimTasks, desk.decide())
    assert order.limit == 1
    desk.act()
    assert len(desk.tasks) == 79
    for token in list(desk.tasks)[:40]:
        desk.finish(token)
    desk.settle()
    assert len(desk.tasks) > 69  # room for many is not waited with, until it is for few again


def test_room_for_few_is_filled_at_once_while_nothing_waits(queue, time):
    desk = Desk(queue, time, limit=80)
    enqueued(queue, *(task() for _ in range(200)))
    for _ in range(8):
        desk.settle()
        time.now += 1.0
    for token in list(desk.tasks):
        desk.start(token)
    for _ in range(3):
        desk.finish(next(iter(desk.tasks)))
        desk.settle()
        assert len(desk.tasks) == 80
        desk.start(list(desk.tasks)[-1])


def test_a_run_begins_when_its_task_does_and_is_counted_once(queue, desk):
    (one,) = enqueued(queue, task())
    desk.settle()
    assert queue.inspect(one.id).task.attempts == 0
    desk.start(next(iter(desk.tasks)))
    assert len(of(Begin, desk.decide())) == 1
    desk.settle()
    assert queue.inspect(one.id).task.attempts == 1
    desk.finish(next(iter(desk.tasks)), "retryable")
    desk.settle()
    assert queue.inspect(one.id).task.attempts == 1
    assert state(queue, one) is State.DELAYED


def test_completions_go_to_the_queue_in_batches(queue, time):
    desk = Desk(queue, time, limit=2 * BATCH)
    enqueued(queue, *(task() for _ in range(BATCH + 5)))
    desk.settle()
    for token in list(desk.tasks):
        desk.finish(token)
    assert [len(act.done) for act in of(Complete, desk.decide())] == [BATCH, 5]
    desk.settle()
    assert desk.planner.counts == {Ended.DONE: BATCH + 5}


def test_follow_up_tasks_travel_with_the_completion(queue, desk):
    enqueued(queue, task())
    child = task()
    desk.settle()
    desk.finish(next(iter(desk.tasks)), spawn=[child])
    desk.settle()
    assert [submit.task.id for submit in desk.tasks.values()] == [child.id]


# ---- leases ----


def test_leases_are_renewed_in_time_and_in_batches(queue, desk, time):
    enqueued(queue, *(task() for _ in range(4)))
    desk.settle()
    for _ in range(10):
        assert desk.planner.next_due() == time.now + 5
        time.now += 5
        (extend,) = desk.decide()
        assert len(extend.claims) == 4
        assert desk.decide() == []
        desk.act()
    assert queue.requeue_orphans(10**9, 10) == 0


def test_a_claim_that_is_no_longer_ours_ends_its_task(queue, desk, time):
    one, other = enqueued(queue, task(), task())
    desk.settle()
    (token,) = [token for token, submit in desk.tasks.items() if submit.task.id == one.id]
    queue.cancel(one.id)
    time.now += 5
    desk.settle()
    assert desk.cancelled == {token}
    assert desk.planner.counts == {Ended.LOST: 1}
    assert desk.planner.in_flight == 2, "Ray still has it"
    desk.end_cancelled()
    assert desk.planner.in_flight == 1
    desk.run_all()
    desk.settle()
    assert state(queue, other) is State.DONE
    assert state(queue, one) is State.CANCELLED


# ---- failures ----


@pytest.mark.parametrize(
    "failure", [Failure.WORKER_DIED, Failure.NODE_DIED, Failure.OUT_OF_MEMORY, Failure.RAY]
)
def test_what_kills_a_task_costs_it_a_run_and_the_queue_decides(queue, desk, time, failure):
    (one,) = enqueued(queue, task())
    for run in (1, 2, 3):
        desk.settle()
        (token,) = desk.tasks
        desk.start(token)
        desk.fail(token, failure, "signal 9")
        desk.settle()
        assert queue.inspect(one.id).task.attempts == run
        time.now += 10
    assert state(queue, one) is State.DEAD
    found = queue.result(one.id)
    assert found.data["reason"] == failure.value
    assert "signal 9" in found.data["msg"]


def test_a_handlers_final_error_goes_to_the_dead_letter_queue_at_once(queue, desk):
    (one,) = enqueued(queue, task())
    desk.settle()
    desk.finish(next(iter(desk.tasks)), "final")
    desk.settle()
    assert state(queue, one) is State.DEAD
    assert desk.planner.counts == {Ended.FAILED: 1}


def test_a_task_that_somebody_cancels_in_ray_is_given_back_uncounted(queue, desk):
    (one,) = enqueued(queue, task())
    desk.settle()
    desk.fail(next(iter(desk.tasks)), Failure.CANCELLED)
    desk.settle()
    assert queue.inspect(one.id).task.attempts == 0
    assert state(queue, one) is State.DELAYED


def test_a_task_that_ignores_its_timeout_is_ended_and_fails(queue, desk, time):
    (one,) = enqueued(queue, task(timeout=7))
    desk.settle()
    (token,) = desk.tasks
    time.now += 4
    desk.settle()
    desk.start(token)
    for _ in range(4):
        time.now += 4
        desk.settle()
        assert desk.cancelled == set()
    time.now += 1
    desk.settle()
    assert desk.cancelled == {token}
    assert state(queue, one) is State.DEAD
    assert queue.result(one.id).data["reason"] == "timeout"
    assert desk.planner.in_flight == 1
    desk.end_cancelled()
    assert desk.planner.in_flight == 0


def test_time_spent_waiting_for_a_node_counts_toward_no_timeout(queue, desk, time):
    enqueued(queue, task(timeout=7))
    desk.settle()
    for _ in range(100):
        time.now += 4
        desk.settle()
    assert desk.cancelled == set()
    assert len(desk.tasks) == 1


# ---- what cannot be served ----


def test_a_task_that_nothing_can_serve_is_reported_at_once_and_dies_after_the_queues_patience(
    queue, desk, time
):
    one, fine = enqueued(queue, task("gpu"), task())
    desk = Desk(queue, time, Cluster((*CPU.nodes, Node("bare-gpu", {"GPU": 1.0}))))
    desk.settle()
    (report,) = desk.reports
    assert (report.handler, report.missing) == ("Graphic", ("gpu",))
    assert "Graphic asks for gpu" in report.text
    assert [submit.task.id for submit in desk.tasks.values()] == [fine.id]
    for _ in range(60):
        time.now += 1
        desk.settle()
    assert state(queue, one) is State.DEAD
    info = queue.inspect(one.id)
    assert info.reason.startswith("every worker skipped it for")
    assert "Graphic asks for gpu" in info.reason
    assert len(desk.reports) <= 2, "the same trouble is not told again and again"


def test_lanes_that_nobody_can_claim_are_reported_with_the_handler_that_asks(desk):
    desk.planner.unserved([(TaskKind.EXECUTE, frozenset({"gcc13"})), (TaskKind.EXECUTE, frozenset())])
    desk.decide()
    assert [(report.handler, report.missing) for report in desk.reports] == [("Cheap", ("gcc13",))]


def test_a_task_for_a_node_that_can_be_started_is_submitted_and_waits(queue, time):
    (one,) = enqueued(queue, task("gpu"))
    desk = Desk(queue, time, SCALING)
    desk.settle()
    (submit,) = desk.tasks.values()
    assert submit.route.node_type == "gpu-worker"
    time.now += 10
    desk.settle()
    desk.planner.capacity(Placement(WITH_GPU, TABLE))
    time.now += 1000
    desk.settle()
    assert desk.reports == []
    assert not desk.cancelled
    desk.run_all()
    desk.settle()
    assert state(queue, one) is State.DONE


def test_a_node_that_does_not_come_is_reported_and_its_tasks_are_skipped(queue, time):
    (one,) = enqueued(queue, task("gpu"))
    desk = Desk(queue, time, SCALING)
    desk.settle()
    for _ in range(6):
        time.now += 5
        desk.settle()
    (report,) = desk.reports
    assert report.text == "Graphic waits for a node like gpu-worker: none came in 30 s"
    assert desk.cancelled == desk.tasks.keys()
    assert state(queue, one) is State.DELAYED
    for _ in range(20):
        time.now += 5
        desk.end_cancelled()
        desk.settle()
    assert state(queue, one) is State.DEAD


def test_what_waits_for_a_node_that_is_gone_is_given_back_and_routed_anew(queue, time):
    (one,) = enqueued(queue, task("gpu"))
    desk = Desk(queue, time, Cluster(WITH_GPU.nodes))
    desk.settle()
    (token,) = desk.tasks
    desk.planner.capacity(Placement(CPU, TABLE))
    acts = desk.decide()
    assert of(Cancel, acts) == [Cancel(token)]
    assert [act.claim.task.id for act in of(GiveBack, acts)] == [one.id]
    desk.settle()
    assert desk.tasks.keys() == {token}, "nobody offers gpu any more"
    desk.end_cancelled()
    desk.planner.capacity(Placement(WITH_GPU, TABLE))
    desk.settle()
    assert [submit.task.id for submit in desk.tasks.values()] == [one.id]
    assert queue.inspect(one.id).task.attempts == 0


def test_a_crowd_that_waits_for_one_kind_of_node_leaves_room_for_the_others(queue, time):
    enqueued(queue, *(task("gpu") for _ in range(100)), *(task("cpu") for _ in range(100)))
    desk = Desk(queue, time, SCALING, limit=12)
    done = 0
    for _ in range(60):
        time.now += 0.5
        desk.settle()
        for token, submit in list(desk.tasks.items()):
            if "gpu" not in submit.task.requires:
                desk.start(token)
                desk.finish(token)
                done += 1
    desk.settle()
    assert done == 100
    assert any("gpu" in submit.task.requires for submit in desk.tasks.values())


def test_a_claim_that_keeps_a_crowd_out_does_not_wait_and_is_repeated_soon(queue, time):
    enqueued(queue, *(task("gpu") for _ in range(100)))
    desk = Desk(queue, time, SCALING, limit=12)
    desk.settle()
    assert 6 <= len(desk.tasks) < 12
    time.now += 1
    (claim,) = of(ClaimTasks, desk.decide())
    assert not claim.wait
    assert "gpu" not in claim.offered
    desk.act(desk.pending.index(claim))
    assert of(ClaimTasks, desk.decide()) == []
    due = desk.planner.next_due()
    assert due is not None
    assert time.now < due <= time.now + 1
    time.now = due
    assert len(of(ClaimTasks, desk.decide())) == 1


# ---- an absent broker, an end ----


def test_while_the_broker_is_away_what_ran_is_kept_and_told_when_it_is_back(queue, desk, time):
    tasks = enqueued(queue, *(task() for _ in range(4)))
    desk.settle()
    first, second, third, fourth = desk.tasks
    desk.finish(first)
    desk.decide()
    desk.lose()
    desk.planner.broker_lost()
    desk.start(second)
    desk.finish(second, "retryable")
    desk.start(third)
    time.now += 60
    assert desk.decide() == []
    assert desk.planner.next_due() is not None
    desk.planner.broker_found()
    acts = desk.decide()
    assert len(of(Complete, acts)) == len(of(Fail, acts)) == len(of(Begin, acts)) == 1
    assert {claim.key for act in of(Extend, acts) for claim in act.claims} == {third, fourth}
    while desk.pending:
        desk.act()
    for _ in range(5):
        desk.settle()
        desk.run_all()
        time.now += 10
    assert {state(queue, each) for each in tasks} == {State.DONE}


def test_an_end_whose_answer_was_lost_is_told_twice_and_counts_once(queue, desk):
    enqueued(queue, task())
    desk.settle()
    desk.finish(next(iter(desk.tasks)))
    (complete,) = of(Complete, desk.decide())
    desk.act(desk.pending.index(complete), answer=False)
    desk.planner.broker_lost()
    desk.planner.broker_found()
    desk.settle()
    assert list(desk.accepted.values()) == [1]
    assert desk.planner.counts == {Ended.STALE: 1}
    assert desk.planner.in_flight == 0


def test_a_planner_that_stops_gives_back_what_waits_and_lets_the_rest_finish(queue, desk):
    enqueued(queue, task(), task())
    desk.settle()
    first, second = desk.tasks
    desk.start(first)
    desk.planner.stop(drain=True)
    acts = desk.decide()
    assert of(Cancel, acts) == [Cancel(second)]
    assert len(of(GiveBack, acts)) == 1
    assert not desk.planner.done
    desk.finish(first)
    desk.end_cancelled()
    desk.settle()
    assert desk.planner.done
    assert desk.planner.counts == {Ended.DONE: 1, Ended.GIVEN_BACK: 1}
    assert queue.pending_count() == 1


def test_an_impatient_stop_ends_what_runs_and_gives_it_back(queue, desk):
    (one,) = enqueued(queue, task())
    desk.settle()
    (token,) = desk.tasks
    desk.start(token)
    desk.settle()
    desk.planner.stop(drain=False)
    desk.settle()
    assert desk.cancelled == {token}
    assert state(queue, one) is State.WAITING
    assert queue.inspect(one.id).task.attempts == 0


def test_claims_that_come_after_the_stop_are_given_back(queue, desk):
    enqueued(queue, task())
    desk.decide()
    desk.planner.stop(drain=True)
    desk.settle()
    assert desk.planner.done
    assert queue.pending_count() == 1


def test_what_is_told_twice_or_too_late_changes_nothing(queue, desk):
    enqueued(queue, task())
    desk.settle()
    ((token, submit),) = desk.tasks.items()
    desk.start(token)
    desk.planner.started(token)
    desk.finish(token)
    desk.planner.finished(token, result(submit, "retryable"))
    desk.planner.failed(token, Failure.WORKER_DIED)
    desk.planner.started(token)
    desk.settle()
    desk.planner.settled([token], [True])
    desk.planner.renewed([token], [False])
    desk.planner.failed(token, Failure.WORKER_DIED)
    assert desk.decide() == of(ClaimTasks, desk.pending)
    assert desk.planner.counts == {Ended.DONE: 1}
    assert submit.task.attempts == 1


def test_a_lease_that_is_lost_while_the_end_is_being_told_leaves_the_end_to_the_queue(queue, desk, time):
    enqueued(queue, task())
    desk.settle()
    (token,) = desk.tasks
    time.now += 5
    (extend,) = of(Extend, desk.decide())
    desk.finish(token)
    desk.decide()
    desk.planner.renewed([token], [False])
    desk.pending.remove(extend)
    desk.settle()
    assert desk.planner.counts == {Ended.DONE: 1}
    assert desk.planner.in_flight == 0


def test_claims_that_the_queue_gives_twice_are_one(queue, desk):
    enqueued(queue, task())
    (claim,) = queue.claim(frozenset({"cpu"}), "desk", begin=False)
    for _ in range(2):
        desk.decide()
        desk.planner.claimed([claim])
    assert len(desk.submitted) + len(of(Submit, desk.decide())) == 1
    assert desk.planner.in_flight == 1


# ---- everything at once ----

LIMIT = 3
CLUSTERS = [CPU, SCALING, WITH_GPU, EMPTY, Cluster(WITH_GPU.nodes)]
LANES = [(), ("cpu",), ("gpu",), ("gpu", "cpu"), ("gcc13",)]
ALL = Cluster((Node("all", {"CPU": 4.0, "GPU": 1.0, "gcc13": 1 / A_TRACE}),))
ANSWERS = ["heard", "heard", "heard", "unheard", "lost"]
FATES = ["start", "start", "start and ok", "start and ok", "ok", "retryable", "final", "skip", *Failure]
numbers = st.integers(0, 1)


class Dispatchers(RuleBasedStateMachine):
    """Planners on one queue, whose actions, answers, tasks and machines meet every fate, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.queue = MemoryQueue(self.time, POLICY)
        self.tasks: list[str] = []
        self.desks = [self.new_desk(), self.new_desk()]

    def new_desk(self) -> Desk:
        return Desk(self.queue, self.time, SCALING, LIMIT)

    def desk(self, number: int) -> Desk:
        return self.desks[number % len(self.desks)]

    @initialize(lanes=st.lists(st.sampled_from(LANES), min_size=6, max_size=12))
    def begin(self, lanes):
        for lane in lanes:
            self.enqueue(lane)

    @rule(lane=st.sampled_from(LANES))
    def enqueue(self, lane):
        one = task(*lane)
        self.queue.enqueue(one)
        self.tasks.append(one.id)

    @rule(which=numbers)
    def decide(self, which):
        self.desk(which).decide()

    @rule(which=numbers, fates=st.lists(st.sampled_from(ANSWERS), max_size=5), order=st.randoms())
    def act(self, which, fates, order):
        """Some of what is pending is carried out, in any order; the broker may be gone in the midst of it."""
        desk = self.desk(which)
        desk.decide()
        for fate in fates[: len(desk.pending)]:
            number = order.randrange(len(desk.pending))
            if fate == "lost":
                desk.lose(number)
            else:
                desk.act(number, answer=fate == "heard")
            if fate != "heard":
                desk.planner.broker_lost()

    @rule(which=numbers)
    def act_all(self, which):
        desk = self.desk(which)
        desk.decide()
        while desk.pending:
            desk.act()

    @rule(which=numbers)
    def broker_comes(self, which):
        """Whatever is still under way is answered by then, or never."""
        desk = self.desk(which)
        while desk.pending:
            desk.lose()
        desk.planner.broker_lost()
        desk.planner.broker_found()

    @rule(which=numbers, fates=st.lists(st.sampled_from(FATES), max_size=LIMIT), order=st.randoms())
    def ray(self, which, fates, order):
        """What becomes of some of the tasks that Ray has."""
        desk = self.desk(which)
        for token, fate in zip(order.sample(list(desk.tasks), len(desk.tasks)), fates, strict=False):
            if fate in {"start", "start and ok"}:
                desk.start(token)
            if isinstance(fate, Failure):
                desk.fail(token, fate)
            elif fate != "start":
                spawn = [task()] if order.random() < 0.2 else []
                desk.finish(token, fate.removeprefix("start and "), spawn if fate.endswith("ok") else [])

    @rule(which=numbers)
    def end_cancelled(self, which):
        self.desk(which).end_cancelled()

    @rule(seconds=st.sampled_from([0.125, 1.0, 4.0, 6.0, 16.0, 80.0]))
    def advance(self, seconds):
        self.time.now += seconds

    @rule(which=numbers, cluster=st.sampled_from(CLUSTERS))
    def capacity(self, which, cluster):
        self.desk(which).planner.capacity(Placement(cluster, TABLE))

    @rule(order=st.randoms())
    def cancel(self, order):
        self.queue.cancel(order.choice(self.tasks))

    @rule(which=numbers, drain=st.booleans())
    def stop(self, which, drain):
        self.desk(which).planner.stop(drain)
        self.desk(which).stopped = True

    @rule(which=numbers)
    def die(self, which):
        """A dispatcher is killed, its tasks with it; another takes its place."""
        self.desks[which % len(self.desks)] = self.new_desk()

    @invariant()
    def never_more_than_max_parallel(self):
        for desk in self.desks:
            assert desk.planner.in_flight <= LIMIT
            assert len(desk.tasks) <= LIMIT

    @invariant()
    def every_claim_is_held_or_has_ended_once(self):
        for desk in self.desks:
            planner = desk.planner
            held = planner.in_flight - len(planner._ghosts)
            assert planner.counts.total() + held == len(desk.claimed)
            assert max(desk.accepted.values(), default=0) <= 1

    @invariant()
    def what_ray_has_is_accounted_for(self):
        for desk in self.desks:
            held = {token for token, each in desk.planner._held.items() if each.submitted}
            undecided = {act.token for act in desk.planner._acts if isinstance(act, Submit)}
            assert desk.tasks.keys() | undecided == held | desk.planner._ghosts

    def teardown(self):
        """Once everything is there, every task comes to exactly one end."""
        for number, desk in enumerate(self.desks):
            self.broker_comes(number)
            desk.planner.capacity(Placement(ALL, TABLE))
        if all(desk.stopped for desk in self.desks):
            self.desks.append(Desk(self.queue, self.time, ALL, LIMIT))
        for _ in range(200):
            for desk in self.desks:
                desk.run_all()
                desk.settle()
            self.time.now += 3
            if not (self.queue.pending_count() or self.queue.claimed_count()):
                break
        for desk in self.desks:
            desk.run_all()
            desk.settle()
            assert desk.planner.in_flight == 0
            self.every_claim_is_held_or_has_ended_once()
        published = Counter(each.task_id for each in self.queue.results_since(FROM_START, 10_000)[0])
        assert set(published.values()) <= {1}
        assert set(self.tasks) <= published.keys()
        if desk.stopped:
            assert desk.planner.done


TestDispatchers = Dispatchers.TestCase
TestDispatchers.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
