"""Late answers: what comes back of questions that an earlier life of the run asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from peagen_ray.errors import ResultExpired
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import ANY_LIFE, CHARGE, Mutate, Observation
from peagen_ray.queues.base import TaskQueue
from peagen_ray.runtime.tasks import Stage, TaskMaker, mutation_id
from peagen_ray.task import Result


class Left(NamedTuple):
    """A question that a life of the run asked, and of which it was not told.

    Attributes:
        n: its number.
        epoch: the life that asked it.
        mutation: whether it asked for a mutation; otherwise for a confirmation.
        tries: how often a model was asked for it; 0 if none was.
        charged: all that it may have cost counts already.
    """

    n: int
    epoch: int
    mutation: bool
    tries: int = 0
    charged: bool = False


class LateAnswers:
    """Knows the tasks of questions that a life left open, and has the engine drop and count what comes of them.

    A question has several tasks. What comes of the first of them counts, once for each life that asked it: so it does
    not matter whether the others are heard of by the same process, by another one, or never. A Result that was
    published while nobody looked is found by :meth:`look`. One that only says that its task was cancelled is no answer.

    Args:
        engine: has begun its new life.
        tasks: makes the run's task ids.
        clock: seconds since the run's start, over all its lives.
        left: the questions.

    Attributes:
        counted: questions whose answers were dropped, each once for each life that asked it.
    """

    def __init__(
        self, engine: Engine, tasks: TaskMaker, clock: Callable[[], float], left: Iterable[Left]
    ) -> None:
        self.counted = 0
        self._engine = engine
        self._clock = clock
        self._tasks = {task_id: each for each in left for task_id in _ids(tasks, each)}

    def look(self, queue: TaskQueue) -> None:
        """Drop and count what was published already."""
        for task_id in list(self._tasks):
            with suppress(ResultExpired):
                result = queue.wait_for_result(task_id, 0) if task_id in self._tasks else None
                if result is not None:
                    self.receive(result)

    def receive(self, result: Result) -> bool:
        """Drop and count a Result; False if it is of no task of an earlier life."""
        asked = self._tasks.pop(result.task_id, None)
        if asked is None:
            return False
        if not result.data.get("cancelled"):
            self.counted += 1
            self._tasks = {task_id: each for task_id, each in self._tasks.items() if each != asked}
            self._engine.tell(
                asked.n, _spent(result, charged=asked.charged), self._clock(), epoch=asked.epoch
            )
        return True


def left_open(recorded: Iterable[Event]) -> frozenset[Left]:
    """The questions of which no answer is recorded, neither one that counts nor a late one, by the life that asked."""
    left: dict[tuple[int, int], Left] = {}
    for event in recorded:
        key = event.n, event.epoch
        match event.event:
            case Kind.ASK:
                left[key] = Left(*key, event.kind == Mutate.KIND)
            case Kind.LEASE if key in left:
                left[key] = left[key]._replace(tries=left[key].tries + 1)
            case Kind.DROP if event.reason == CHARGE:
                lives = [
                    each for each in left if each == key or (event.epoch, each[0]) == (ANY_LIFE, event.n)
                ]
                left |= {each: left[each]._replace(charged=True) for each in lives}
            case Kind.TELL | Kind.DROP:
                left.pop(key, None)
            case _:
                pass
    return frozenset(left.values())


def _ids(tasks: TaskMaker, left: Left) -> Iterator[str]:
    if left.mutation:
        yield from (mutation_id(tasks, left.epoch, left.n, tries) for tries in range(max(1, left.tries)))
    yield tasks.id_of(left.epoch, left.n, Stage.EXECUTE)


def _spent(result: Result, *, charged: bool) -> Observation:
    """What a Result cost, unless that counts already; nothing else of it does."""
    if charged:
        return Observation(Outcome.LOST, "late")
    tokens, usd = result.data.get("tokens", 0), result.data.get("usd", 0.0)
    return Observation(
        Outcome.LOST,
        "late",
        tokens=tokens if isinstance(tokens, int) else 0,
        usd=float(usd) if isinstance(usd, int | float) else 0.0,
    )
