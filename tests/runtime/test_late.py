"""Late answers: each question counts once for each life that asked it, with what it cost and was not charged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.questions import ANY_LIFE, CHARGE, Confirm, Mutate
from peagen_ray.queues.stub import StubQueue
from peagen_ray.runtime.late import LateAnswers, Left, left_open
from peagen_ray.runtime.tasks import Stage, mutation_id, task_id
from peagen_ray.task import Result, Task, TaskKind

TASKS: Any = SimpleNamespace(id_of=lambda *parts: task_id("run", *parts))


class Engine:
    """Remembers what it is told, in place of one that drops it."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int, int]] = []

    def tell(self, n: int, seen: Any, now: float, *, epoch: int) -> bool:
        self.told.append((n, epoch, seen.tokens))
        return False


def late(*left: Left) -> tuple[LateAnswers, Engine]:
    engine = Engine()
    return LateAnswers(engine, TASKS, lambda: 0.0, left), engine  # type: ignore[arg-type]


def answer(name: str, **data: Any) -> Result:
    return Result.success(Task(kind=TaskKind.MUTATE, id=name), data)


def asked(n: int, epoch: int, kind: str = Mutate.KIND) -> Event:
    return Event(Kind.ASK, n=n, epoch=epoch, kind=kind)


def test_of_the_tasks_of_a_question_the_first_counts_in_one_process_as_in_two() -> None:
    answers, engine = late(Left(4, 0, True), Left(4, 1, True), Left(5, 0, False))
    names = [mutation_id(TASKS, epoch, 4) for epoch in (0, 1)]
    assert answers.receive(answer(names[0], tokens=7))
    assert not answers.receive(answer(TASKS.id_of(0, 4, Stage.EXECUTE)))
    assert answers.receive(answer(names[1], tokens=9))
    assert answers.receive(answer(TASKS.id_of(0, 5, Stage.EXECUTE)))
    assert engine.told == [(4, 0, 7), (4, 1, 9), (5, 0, 0)]
    assert answers.counted == 3


def test_what_was_published_while_nobody_looked_counts_once_too() -> None:
    answers, engine = late(Left(4, 0, True))
    with StubQueue() as queue:
        for name, tokens in ((mutation_id(TASKS, 0, 4), 7), (TASKS.id_of(0, 4, Stage.EXECUTE), 0)):
            queue.enqueue(Task(kind=TaskKind.MUTATE, id=name))
            queue.push_result(answer(name, tokens=tokens))
        answers.look(queue)
    assert engine.told == [(4, 0, 7)]


def test_every_try_at_a_model_is_known_and_what_was_charged_costs_nothing_again() -> None:
    answers, engine = late(Left(4, 0, True, tries=3, charged=True))
    assert answers.receive(answer(mutation_id(TASKS, 0, 4, 2), tokens=7))
    assert engine.told == [(4, 0, 0)]


@pytest.mark.parametrize(
    ("then", "left"),
    [
        ([], {Left(4, 0, True, 2)}),
        ([Event(Kind.TELL, n=4, epoch=0)], set()),
        ([Event(Kind.DROP, n=4, epoch=0, reason="late")], set()),
        ([Event(Kind.DROP, n=4, epoch=0)], set()),
        ([Event(Kind.DROP, n=4, epoch=0, reason=CHARGE)], {Left(4, 0, True, 2, charged=True)}),
        (
            [asked(4, 1), Event(Kind.DROP, n=4, epoch=0, reason=CHARGE), Event(Kind.TELL, n=4, epoch=1)],
            {Left(4, 0, True, 2, charged=True)},
        ),
        (
            [asked(4, 1), Event(Kind.DROP, n=4, epoch=ANY_LIFE, reason=CHARGE)],
            {Left(4, 0, True, 2, charged=True), Left(4, 1, True, charged=True)},
        ),
    ],
)
def test_what_a_ledger_leaves_open(then: list[Event], left: set[Left]) -> None:
    began = [asked(4, 0), Event(Kind.LEASE, n=4), Event(Kind.LEASE, n=4), asked(6, 0, Confirm.KIND)]
    assert left_open([*began, *then]) == {*left, Left(6, 0, False)}
