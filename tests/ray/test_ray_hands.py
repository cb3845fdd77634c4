"""Brief runs go to Ray together, and each comes to an end of its own whatever becomes of the others; on a real cluster."""

from __future__ import annotations

import queue as inboxes
from collections.abc import Callable
from typing import Any

import pytest
from ray_fabric_bench import LONG_S

from peagen_ray.config.model import Config
from peagen_ray.fabric import remote
from peagen_ray.fabric.actions import Failure, Submit
from peagen_ray.fabric.bundling import MOST, Lengths
from peagen_ray.fabric.capabilities import Demand
from peagen_ray.fabric.routing import Route
from peagen_ray.fabric.submitting import RayHands
from peagen_ray.runtime.dispatching import setup_of
from peagen_ray.task import Result, Status, Task, TaskKind

pytestmark = pytest.mark.timeout(180)

HANDLER = "ChaosDoer"
ROUTE = Route(HANDLER, Demand(cpus=1.0), 60.0)


class Told:
    """Hands, and how what they submitted has ended."""

    def __init__(self) -> None:
        references = {HANDLER: "ray_doers:ChaosDoer"}
        self._ends: inboxes.SimpleQueue[tuple[str, Any]] = inboxes.SimpleQueue()
        self.hands = RayHands(
            setup_of(Config(), references),
            references,
            lambda token, outcome, _: self._ends.put((token, outcome)),
            shared={HANDLER},
        )

    def submit(self, *whats: str, attempts: int = 1) -> list[str]:
        tasks = [Task(kind=TaskKind.EXECUTE, payload={"what": what}, attempts=attempts) for what in whats]
        for one in tasks:
            self.hands.submit(Submit(one.id, one, ROUTE))
        self.hands.flush(cpus=1)
        return [one.id for one in tasks]

    def ends(self, count: int) -> dict[str, Any]:
        """The outcomes of the next so many that end; those of None are not run again."""
        return dict(self._ends.get(timeout=LONG_S) for _ in range(count))

    def results(self, count: int) -> dict[str, Result]:
        """The same; what a bundle came not to in time is run again."""
        found = self.ends(count)
        for token in [token for token, outcome in found.items() if outcome is None]:
            self.hands.again(token)
            found |= self.ends(1)
        return found

    def learn(self) -> None:
        """See enough runs to know how long they take."""
        self.submit(*["ok"] * 40)
        self.ends(40)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs each task of Ray's has had."""
    sizes: list[int] = []
    bundle: Callable[..., bytes] = remote.bundle

    def counted(orders: list[remote.Order]) -> bytes:
        sizes.append(len(orders))
        return bundle(orders)

    monkeypatch.setattr(remote, "bundle", counted)
    return sizes


@pytest.fixture
def told(connected: Any, sent: list[int], monkeypatch: pytest.MonkeyPatch) -> Told:
    """Hands to which each run seems brief, however busy this machine is."""
    ran = Lengths.ran
    monkeypatch.setattr(Lengths, "ran", lambda lengths, sort, _: ran(lengths, sort, 0.001))
    return Told()


def test_brief_runs_go_together_once_they_are_known_to_be_brief(told: Told, sent: list[int]) -> None:
    told.learn()
    assert set(sent) == {1}
    sent.clear()
    tokens = told.submit(*["ok"] * 200)
    assert max(sent) <= MOST
    assert (sum(sent), max(sent) > 1) == (200, True)
    found = told.results(200)
    assert set(found) == set(tokens)
    assert {token: result.task_id for token, result in found.items()} == {token: token for token in tokens}
    assert {result.status for result in found.values()} == {Status.OK}


def test_runs_that_have_failed_before_go_by_themselves(told: Told, sent: list[int]) -> None:
    told.learn()
    sent.clear()
    told.submit(*["ok"] * 50, attempts=2)
    assert sent == [1] * 50
    told.ends(50)


def test_who_dies_with_others_is_run_again_by_itself_and_the_one_that_kills_is_found(
    told: Told, sent: list[int]
) -> None:
    told.learn()
    sent.clear()
    *good, poison, last = told.submit("ok", "ok", "poison", "ok")
    assert max(sent) == 4, "they did not go together"
    assert told.ends(4) == dict.fromkeys([*good, poison, last])
    for token in (*good, poison, last):
        told.hands.again(token)
    found = told.ends(4)
    assert found[poison][0] is Failure.WORKER_DIED
    assert all(isinstance(found[token], Result) for token in (*good, last))
    assert sent[1:] == [1, 1, 1, 1]


def test_who_waits_behind_a_slow_one_goes_elsewhere(told: Told, sent: list[int]) -> None:
    told.learn()
    sent.clear()
    before, slow, behind = told.submit("ok", "slow", "ok")
    assert sent == [3]
    found = told.ends(3)
    assert found[behind] is None
    assert {found[before].task_id, found[slow].task_id} == {before, slow}
    told.hands.again(behind)
    assert told.ends(1)[behind].status is Status.OK


def test_a_cancelled_run_takes_no_other_with_it(told: Told, sent: list[int]) -> None:
    told.learn()
    sent.clear()
    before, slow, behind = told.submit("ok", "slow", "ok")
    assert sent == [3]
    told.hands.cancel(slow)
    found = told.ends(3)
    assert found[slow][0] is Failure.CANCELLED
    assert found[before] is found[behind] is None
    told.hands.cancel(before)
    told.hands.again(before)
    told.hands.again(behind)
    found = told.ends(2)
    assert (found[before][0], found[behind].status) == (Failure.CANCELLED, Status.OK)


def test_a_run_that_has_not_gone_yet_is_cancelled_without_going(told: Told, sent: list[int]) -> None:
    one = Task(kind=TaskKind.EXECUTE, payload={"what": "ok"}, attempts=1)
    told.hands.submit(Submit(one.id, one, ROUTE))
    told.hands.cancel(one.id)
    told.hands.flush(cpus=1)
    assert told.ends(1)[one.id][0] is Failure.CANCELLED
    assert sent == []
