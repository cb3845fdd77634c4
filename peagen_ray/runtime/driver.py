"""The loop: asks the engine, sends tasks off, and tells the engine what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.ledger import Ledger
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Confirm, Mutate, Observation, Question, Run
from peagen_ray.queues.base import FROM_NOW, TaskQueue
from peagen_ray.runtime.tasks import Stage, TaskMaker
from peagen_ray.runtime.watch import Watch
from peagen_ray.task import Result, Status, Task

_WAIT_S: Final = 0.1
"""Seconds to wait for a result before looking whether the person wants to stop."""

CONFIRM_PRECISION: Final = 0.02
CONFIRM_S: Final = 0.6
CONFIRM_FRESH: Final = 40
CONFIRM_FAMILIES: Final = 3


@dataclass
class _Flight:
    """A question on its way."""

    question: Question
    stage: Stage
    started: float
    answer: Observation = field(default_factory=lambda: Observation(Outcome.LOST))
    wall: dict[str, float] = field(default_factory=dict)

    def lap(self, now: float) -> None:
        """Note how long the stage took."""
        self.wall[self.stage] = round(now - self.started, 6)
        self.started = now

    def observed(self, outcome: Outcome, reason: str = "") -> Observation:
        """What to tell the engine."""
        return replace(self.answer, outcome=outcome, reason=reason, wall=dict(self.wall))


class Driver:
    """Drives one run until the engine is done.

    Args:
        engine: decides.
        ledger: keeps what the engine decided, before anything acts on it.
        queue: where tasks go and results come from.
        tasks: makes the tasks.
        watch: tells the observer, and knows whether the person wants to stop.
        clock: seconds since the run's start, over all its lives.
        in_flight: questions on their way at a time.
    """

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        queue: TaskQueue,
        tasks: TaskMaker,
        watch: Watch,
        clock: Callable[[], float],
        in_flight: int,
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._queue = queue
        self._tasks = tasks
        self._watch = watch
        self._clock = clock
        self._most = in_flight
        self._flights: dict[str, _Flight] = {}

    def run(self) -> None:
        """Ask and tell until the engine is done; what is left in flight then is cancelled."""
        _, cursor = self._queue.results_since(FROM_NOW)
        try:
            while not self._engine.done:
                if self._watch.stopping:
                    self._engine.stop(self._watch.stopping, self._clock())
                self._ask()
                if self._engine.done:
                    break
                results, cursor = self._queue.results_since(cursor, limit=256, timeout=_WAIT_S)
                for result in results:
                    self._receive(result)
                self._record()
                self._watch.look(self._engine, self._clock(), len(self._flights))
        finally:
            self._record()
            for task_id in self._flights:
                self._queue.cancel(task_id)
            self._flights.clear()

    def _record(self) -> None:
        events = self._engine.take_events()
        if events:
            self._ledger.append(events)
        self._watch.news(self._engine.take_news())

    def _ask(self) -> None:
        """Send off as many questions as may be on their way; each is on disk before it leaves."""
        questions: list[Question] = []
        while len(self._flights) + len(questions) < self._most:
            question = self._engine.ask(self._clock())
            if question is None:
                break
            questions.append(question)
        self._record()
        for question in questions:
            if isinstance(question, Confirm):
                self._send(self._confirm(question), _Flight(question, Stage.EXECUTE, self._clock()))
            else:
                self._send(self._mutate(question), _Flight(question, Stage.MUTATE, self._clock()))

    def _send(self, task: Task, flight: _Flight) -> None:
        self._flights[task.id] = flight
        self._queue.enqueue(task)

    def _mutate(self, question: Mutate) -> Task:
        return self._tasks.mutate(
            (question.epoch, question.n),
            question.parent.src,
            seed=question.seed,
            inspirations=question.inspirations,
            weights=question.weights,
            exclude=question.exclude,
        )

    def _confirm(self, question: Confirm) -> Task:
        return self._tasks.confirm(
            (question.epoch, question.n),
            question.program.src,
            seed=self._tasks.secret_seed(question.epoch, question.n, question.attempt),
            fresh=CONFIRM_FRESH,
            precision=CONFIRM_PRECISION,
            most_s=CONFIRM_S,
            families=CONFIRM_FAMILIES,
        )

    def _receive(self, result: Result) -> None:
        flight = self._flights.pop(result.task_id, None)
        if flight is None:
            return
        flight.lap(self._clock())
        if result.status is not Status.OK:
            self._tell(flight, failed(flight, result))
        elif flight.stage is Stage.MUTATE:
            self._proposed(flight, result.data)
        elif flight.stage is Stage.EXECUTE:
            flight.stage = Stage.EVALUATE
            self._flights[result.data["evaluate"]] = flight
        else:
            self._tell(flight, scored(flight, result.data))

    def _proposed(self, flight: _Flight, data: Mapping[str, Any]) -> None:
        question = flight.question
        assert isinstance(question, Mutate)
        flight.answer = replace(flight.answer, mutator=self._tasks.mutator, operator=data.get("operator", ""))
        if "rejected" in data:
            reason = ": ".join(filter(None, [data["rejected"], data.get("detail", "")]))
            self._tell(flight, flight.observed(Outcome.REJECTED, reason))
            return
        ruling = self._engine.proposed(
            question.n,
            data["fingerprint"],
            self._clock(),
            epoch=question.epoch,
            mutator=self._tasks.mutator,
            operator=data["operator"],
            wall=flight.wall,
        )
        if not isinstance(ruling, Run):
            return
        flight.answer = replace(flight.answer, source=data["source"], fingerprint=data["fingerprint"])
        flight.stage = Stage.EXECUTE
        rival = question.parent.metrics.get("ratio")
        self._send(self._tasks.screen((question.epoch, question.n), data["source"], rival=rival), flight)

    def _tell(self, flight: _Flight, observation: Observation) -> None:
        question = flight.question
        self._engine.tell(question.n, observation, self._clock(), epoch=question.epoch)


def failed(flight: _Flight, result: Result) -> Observation:
    """What a task that came to nothing means: a time limit is the candidate's fault, the rest is ours."""
    outcome = Outcome.TIMEOUT if result.data.get("reason") == "timeout" else Outcome.LOST
    return flight.observed(outcome, f"{flight.stage}: {result.data.get('msg', 'no reason given')}"[:500])


def scored(flight: _Flight, data: Mapping[str, Any]) -> Observation:
    """What an Evaluate task's result means."""
    score = data["score"]
    if score is None:
        return flight.observed(Outcome(data["outcome"]), data["reason"])
    return replace(
        flight.observed(Outcome.OK),
        fitness=score["fitness"],
        speed_ms=score["speed_ms"],
        peak_kb=score["peak_kb"],
        metrics=score["metrics"],
    )
