"""What a Ray worker tells of its runs and of its one-shot processes; without Ray."""

import queue as inboxes
import threading
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.fabric import remote
from peagen_ray.fabric.remote import Order, Setup, Teller, Warmth
from peagen_ray.fabric.warmth import Pools
from peagen_ray.handler import Confinement
from peagen_ray.task import Result, Task, TaskKind

LONG_S = 30.0


class Pause(threading.Event):
    """In place of the event on which a teller waits: each wait is let go by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Semaphore(0)
        self.goes = threading.Semaphore(0)

    def wait(self, timeout=None):
        self.waits.release()
        assert self.goes.acquire(timeout=LONG_S)
        return self.is_set()

    def begins(self) -> None:
        """Return when the teller has begun to wait."""
        assert self.waits.acquire(timeout=LONG_S)

    def over(self) -> None:
        self.goes.release()

    def passes(self) -> None:
        """A whole wait goes by."""
        self.begins()
        self.over()


@pytest.fixture
def told():
    return inboxes.SimpleQueue()


@pytest.fixture
def stepped(told):
    """A teller, and the pauses of its thread."""
    teller, pause = Teller(told.put, after=1e9), Pause()
    teller._closed = pause
    yield teller, pause
    teller.close()
    for _ in range(9):
        pause.over()


def test_a_run_that_outlasts_a_pause_is_told_once_however_long_it_is(stepped, told):
    teller, pause = stepped
    with teller.running("long"):
        for _ in range(5):
            pause.passes()
        pause.begins()
        assert told.get(timeout=LONG_S) == "long"
    pause.over()
    pause.passes()
    assert told.empty()


def test_a_run_that_ends_within_the_pause_is_never_told(stepped, told):
    teller, pause = stepped
    for number in range(5):
        with teller.running(f"short-{number}"):
            pause.begins()
        pause.over()
    pause.passes()
    assert told.empty()


def test_short_runs_that_follow_each_other_are_not_taken_for_a_long_one(stepped, told):
    teller, pause = stepped
    teller.begin("first")
    pause.begins()
    teller.end()
    teller.begin("second")
    pause.over()
    pause.begins()
    assert told.empty()
    pause.over()
    pause.begins()
    assert told.get(timeout=LONG_S) == "second"
    teller.end()
    pause.over()


def test_real_pauses_tell_a_run_that_lasts(told):
    teller = Teller(told.put, after=0.001)
    with teller.running("lasting"):
        assert told.get(timeout=LONG_S) == "lasting"
    for number in range(3):
        with teller.running(str(number)):
            assert told.get(timeout=LONG_S) == str(number)
    teller.close()


def test_a_teller_whose_telling_fails_tells_of_the_next_run():
    told = inboxes.SimpleQueue()

    def tell(token):
        told.put(token)
        raise RuntimeError("nobody there")

    teller = Teller(tell, after=0.001)
    for number in range(2):
        with teller.running(str(number)):
            assert told.get(timeout=LONG_S) == str(number)
    teller.close()


def test_a_run_that_raises_has_ended(stepped, told):
    teller, _ = stepped
    with pytest.raises(KeyError), teller.running("raising"):
        raise KeyError
    assert teller._token == ""


def test_the_setup_travels():
    setup = Setup("actor", "space", "auto", ("json", "re"), 2, 60.0, Confinement(require=("netns",)), "image")
    assert Setup.from_wire(setup.to_wire()) == setup


# ---- pools ----


def word(
    node: str,
    worker: int,
    live: int = 0,
    idle: int = 0,
    launched: int = 0,
    gone_in: float = 10.0,
    left_idle: int = 0,
):
    return Warmth(node, worker, live, idle, launched, gone_in, left_idle)


def test_the_last_word_of_each_worker_counts():
    pools = Pools()
    pools.heard(word("a", 1, 3, 2, 5), 0.0)
    pools.heard(word("a", 2, 1, 1, 1), 0.0)
    pools.heard(word("b", 1, 1, 0, 4), 0.0)
    assert pools.sums() == (5, 3, 10)
    pools.heard(word("a", 1, 1, 0, 6), 1.0)
    assert pools.sums() == (3, 1, 11)


def test_what_was_said_of_a_node_is_forgotten_with_it_but_not_what_was_started():
    pools = Pools()
    pools.heard(word("a", 1, 3, 2, 5), 0.0)
    pools.heard(word("b", 1, 1, 1, 2), 0.0)
    pools.keep({"b"}, 1.0)
    assert pools.sums() == (1, 1, 7)
    pools.keep(set(), 2.0)
    assert pools.sums() == (0, 0, 7)


def test_what_stood_ready_is_gone_when_it_must_have_left():
    pools = Pools()
    pools.heard(word("a", 1, 3, 2, 5, gone_in=10.0), 0.0)
    pools.keep({"a"}, 9.9)
    assert pools.sums() == (3, 2, 5)
    pools.keep({"a"}, 10.0)
    assert pools.sums() == (1, 0, 5)


def test_what_nobody_took_is_told_once_whether_its_worker_says_so_or_has_been_ended():
    left: list[int] = []
    pools = Pools(lambda: left.append(1))
    pools.heard(word("a", 1, 2, 2, 4, gone_in=10.0, left_idle=1), 0.0)
    assert len(left) == 1
    pools.keep({"a"}, 10.0)  # the two that stood ready must have left
    pools.keep({"a"}, 11.0)
    assert len(left) == 3
    pools.heard(word("a", 1, 1, 1, 6, gone_in=10.0, left_idle=2), 12.0)  # one of them was taken after all
    assert len(left) == 3
    pools.heard(word("a", 1, 1, 1, 7, gone_in=10.0, left_idle=4), 13.0)
    assert len(left) == 4
    pools.keep(set(), 14.0)  # a node that dies takes what stood ready along: that was no idleness
    assert len(left) == 4


def test_a_worker_that_was_forgotten_and_speaks_again_counts_once():
    pools = Pools()
    pools.heard(word("a", 1, 2, 2, 4), 0.0)
    pools.keep({"a"}, 10.0)
    assert pools.sums() == (0, 0, 4)
    pools.heard(word("a", 1, 1, 1, 6), 12.0)
    assert pools.sums() == (1, 1, 6)


WORDS = st.builds(
    lambda node, worker, idle, busy, launched, gone: word(node, worker, idle + busy, idle, launched, gone),
    st.sampled_from("abc"),
    st.integers(1, 2),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 9),
    st.floats(0.0, 5.0),
)


@given(st.lists(st.tuples(WORDS, st.floats(0.0, 3.0), st.sets(st.sampled_from("abc")))))
def test_sums_are_never_negative_and_processes_started_are_never_forgotten(history):
    pools, now = Pools(), 0.0
    for said, passed, alive in history:
        now += passed
        pools.heard(said, now)
        launched = pools.sums()[2]
        pools.keep(alive, now)
        live, idle, kept = pools.sums()
        assert 0 <= idle <= live
        assert kept == launched
    pools.keep(set(), now)
    assert pools.sums()[:2] == (0, 0)


# ---- bundles ----

TASK = Task(kind=TaskKind.RENDER)
WARMTH = Warmth("node", 1, 2, 1, 3, 0.5, 4)


@given(st.lists(st.binary()))
def test_an_answer_brings_every_result_as_it_was(results):
    assert remote.answered(remote.answer(results, WARMTH)) == (results, WARMTH)


class Place:
    """Runs tasks, each of which takes so long by a clock of its own."""

    def __init__(self, takes, monkeypatch):
        self.teller, self.ran, self._takes, self._now = self, [], iter(takes), 0.0
        monkeypatch.setattr(remote, "_place", lambda _: self)
        monkeypatch.setattr(remote.time, "monotonic", lambda: self._now)

    def running(self, token):
        self.ran.append(token)
        return nullcontext()

    def run(self, handler, task, timeout, offered):
        self._now += next(self._takes)
        return Result.success(task, {"timeout": timeout}).to_wire()

    def warmth(self):
        return WARMTH


@pytest.mark.parametrize(
    ("takes", "begun"), [([0.1] * 4, 4), ([0.6, 0.1, 0.1, 0.1], 1), ([0.1, 9, 0.1, 0.1], 2)]
)
def test_what_is_left_of_a_bundle_that_was_not_brief_is_not_begun(takes, begun, monkeypatch):
    place = Place(takes, monkeypatch)
    setup = Setup("actor", "space", "auto", (), 0, 1.0, Confinement()).to_wire()
    orders = [Order(f"token-{number}", number + 1, TASK.to_wire()) for number in range(4)]
    wires, warmth = remote.answered(remote.runner(setup, "module:Class", frozenset())(remote.bundle(orders)))
    assert warmth == WARMTH
    assert [Result.from_wire(wire).data["timeout"] for wire in wires] == [1, 2, 3, 4][:begun]
    assert place.ran == [f"actor\ntoken-{number}" for number in range(begun)]
