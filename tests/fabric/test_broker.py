"""What a dispatcher's broker makes of what it is to tell the queue."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.fabric.actions import Begin, Complete, Extend, Fail, GiveBack
from peagen_ray.fabric.broker import gathered
from peagen_ray.fabric.planning import BATCH
from peagen_ray.queues.model import Claim, Completion
from peagen_ray.task import Result, Task, TaskKind

TASK = Task(kind=TaskKind.EXECUTE)
DONE = Result.success(TASK, {})
RANK = {Begin: 0, Extend: 1, Complete: 2, Fail: 3, GiveBack: 3}


def claim(number: int) -> Claim:
    return Claim(TASK, str(number), 0.0)


def completion(number: int) -> Completion:
    return Completion(claim(number), DONE, ())


def said(action: object) -> list[tuple[type, str]]:
    match action:
        case Begin(claims) | Extend(claims):
            return [(type(action), each.token) for each in claims]
        case Complete(done):
            return [(Complete, each.claim.token) for each in done]
        case Fail(one) | GiveBack(one):
            return [(type(action), one.token)]
    raise AssertionError(action)


numbers = st.integers(0, 50)
several = st.lists(numbers, min_size=1, max_size=400)
actions = st.one_of(
    several.map(lambda each: Begin(tuple(map(claim, each)))),
    several.map(lambda each: Extend(tuple(map(claim, each)))),
    several.map(lambda each: Complete(tuple(map(completion, each)))),
    numbers.map(lambda each: Fail(claim(each), DONE)),
    numbers.map(lambda each: GiveBack(claim(each))),
)


@given(st.lists(actions, max_size=12))
def test_all_is_told_in_as_few_calls_as_may_be_and_ends_come_last(told: list) -> None:
    fewer = gathered(told)
    for kind in RANK:
        before = [each for action in told for each in said(action) if each[0] is kind]
        assert [each for action in fewer for each in said(action) if each[0] is kind] == before
    ranks = [RANK[type(action)] for action in fewer]
    assert ranks == sorted(ranks)
    for kind in (Begin, Extend, Complete):
        sizes = [len(said(action)) for action in fewer if isinstance(action, kind)]
        assert all(size == BATCH for size in sizes[:-1])
        assert all(0 < size <= BATCH for size in sizes)
