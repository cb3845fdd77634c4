"""The loop: asks the engine, sends tasks off, and tells the engine what came back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from peagen_ray.errors import MutationRejected, ResultExpired
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Event
from peagen_ray.evolution.ledger import Ledger
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import (
    ANY_LIFE,
    CHARGE,
    GUESTS,
    Confirm,
    Mutate,
    Observation,
    Question,
    Run,
)
from peagen_ray.evolution.stopping import StopReason
from peagen_ray.queues.base import FROM_NOW, TaskQueue
from peagen_ray.runtime.consulting import Consultant, Consultation
from peagen_ray.runtime.elsewhere import withdraw
from peagen_ray.runtime.keepsakes import Keepsakes, told_metrics
from peagen_ray.runtime.late import LateAnswers
from peagen_ray.runtime.models import Broke, Later, gained
from peagen_ray.runtime.progress import Airborne, Aloft
from peagen_ray.runtime.tasks import Stage, TaskMaker
from peagen_ray.runtime.waiting import Lull
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
    about: Consultation | None = None
    answer: Observation = field(default_factory=lambda: Observation(Outcome.LOST))
    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    def lap(self, now: float, result: Result) -> None:
        """Note how long the stage took, and what its process and its guests used."""
        self.wall[self.stage] = round(now - self.started, 6)
        self.started = now
        for phase, table in ((str(self.stage), "usage"), (GUESTS, "guests")):
            said = result.data.get(table)
            used = said.get("cpu_s") if isinstance(said, Mapping) else None
            if isinstance(used, int | float):
                self.cpu[phase] = round(self.cpu.get(phase, 0.0) + used, 6)

    def observed(self, outcome: Outcome, reason: str = "") -> Observation:
        """What to tell the engine."""
        return replace(self.answer, outcome=outcome, reason=reason, wall=dict(self.wall), cpu=dict(self.cpu))


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
        lull: tells the person when nothing comes back; None where that cannot last.
        late: counts what comes back of an earlier life; None if there was none.
        consultant: sends questions to language models; None in a run that asks none.
        keepsakes: where the artifacts of candidates are kept; None keeps none.
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
        lull: Lull | None = None,
        late: LateAnswers | None = None,
        consultant: Consultant | None = None,
        keepsakes: Keepsakes | None = None,
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._queue = queue
        self._tasks = tasks
        self._watch = watch
        self._clock = clock
        self._most = in_flight
        self._lull = lull
        self._consultant = consultant
        self._keepsakes = keepsakes
        self._late = late
        self._missed = False
        self._flights: dict[str, _Flight] = {}
        self._waiting: deque[_Flight] = deque()
        self._broke: StopReason | None = None

    def run(self) -> None:
        """Ask and tell until the engine is done; what is left in flight then is cancelled."""
        _, cursor = self._queue.results_since(FROM_NOW)
        if self._late is not None:
            self._late.look(self._queue)
        try:
            while not self._engine.done:
                if self._watch.stopping:
                    self._engine.stop(self._watch.stopping, self._clock())
                self._engine.look(self._clock())
                self._ask()
                if self._engine.done or self._stuck():
                    break
                self._settle_recording()  # now, while candidates run, and not when the next question waits for it
                results, cursor = self._news(cursor)
                received = [self._receive(result) for result in results]
                self._mind_the_lull(over=any(received) or self._watch.control.paused)
                on_their_way = len(self._flights) + len(self._waiting)
                self._watch.look(self._engine, self._clock(), on_their_way, aloft=self._aloft)
            self._forfeit()
        finally:
            self._record()
            withdraw(self._queue, list(self._flights))
            self._flights.clear()

    def _news(self, cursor: str) -> tuple[list[Result], str]:
        """Results after the cursor, and the next cursor.

        Raises:
            ResultExpired: that of a task of ours is kept no longer.
        """
        if not self._missed:
            try:
                return self._queue.results_since(cursor, limit=256, timeout=_WAIT_S)
            except ResultExpired:
                _, cursor = self._queue.results_since(FROM_NOW)
        # Some went by unseen: ours are asked for one by one, until there are no more of them.
        looked = [self._queue.wait_for_result(task_id, 0) for task_id in self._flights]
        found = [result for result in looked if result is not None]
        self._missed = bool(found)
        return found, cursor

    def _aloft(self) -> Aloft:
        """What is on its way, for whoever watches."""
        now, looked_at = self._clock(), self._watch.control.gauges
        flights = [(flight, _stage(flight)) for flight in self._flights.values()]
        flights += [(flight, "waiting") for flight in self._waiting]
        questions = [
            Airborne(flight.question.n, stage, _about(flight.question), max(0.0, now - flight.started))
            for flight, stage in flights
        ]
        return Aloft(
            tuple(sorted(questions, key=lambda each: each.n)),
            self._most,
            self._queue.pending_count() if looked_at else None,
            self._queue.claimed_count() if looked_at else None,
        )

    def _mind_the_lull(self, *, over: bool) -> None:
        if self._lull is None:
            return
        if over:
            self._lull.over()
        else:
            self._lull.look()

    def _record(self, leases: Sequence[Event] = ()) -> None:
        events = [*self._engine.take_events(), *leases]
        if events:
            self._settle_recording()
            self._ledger.append(events)
        self._watch.news(self._engine.take_news())

    def _settle_recording(self) -> None:
        if self._consultant is not None:
            self._consultant.sync()

    def _ask(self) -> None:
        """Send off as many questions as may be on their way; each is on disk before it leaves."""
        tasks: list[Task] = []
        leases: list[Event] = []
        for flight in self._next_flights():
            made = self._task(flight)
            if isinstance(made, Task):
                tasks.append(made)
            elif made is not None:
                tasks.append(made[0])
                leases.append(made[1])
        self._record(leases)
        for task in tasks:
            self._send(task)

    def _send(self, task: Task) -> None:
        """Enqueue a task of a flight, which says whom it is for."""
        question = self._flights[task.id].question
        candidate = question.program.id if isinstance(question, Confirm) else question.n
        self._queue.enqueue(self._tasks.about(task, question.epoch, question.n, candidate))

    def _next_flights(self) -> Iterator[_Flight]:
        """What may be sent off: what had to wait, and new questions while there is room; nothing in a pause."""
        if self._watch.control.paused:
            return
        for _ in range(len(self._waiting)):
            yield self._waiting.popleft()
        while self._has_room():
            question = self._engine.ask(self._clock())
            if question is None:
                return
            stage = Stage.EXECUTE if isinstance(question, Confirm) else Stage.MUTATE
            yield _Flight(question, stage, self._clock())

    def _has_room(self) -> bool:
        """Whether one more may be on its way; what waits for good takes no room from confirmations."""
        waiting = len(self._waiting) if self._broke is None else 0
        return len(self._flights) + waiting < self._most

    def _task(self, flight: _Flight) -> Task | tuple[Task, Event] | None:
        """The task of a question, and what must be on disk before it leaves; None if there is none now."""
        question = flight.question
        if isinstance(question, Confirm):
            made: Task | tuple[Task, Event] | None = self._confirm(question)
        elif self._consultant is None or not self._consultant.wanted(question):
            made = self._mutate(question)
        else:
            made = self._consult(self._consultant, question, flight)
        if made is not None:
            self._flights[(made if isinstance(made, Task) else made[0]).id] = flight
        return made

    def _consult(
        self, consultant: Consultant, question: Mutate, flight: _Flight
    ) -> tuple[Task, Event] | None:
        flight.answer = replace(flight.answer, mutator=self._tasks.mutator)
        try:
            flight.about = flight.about or consultant.consultation(question)
        except MutationRejected as error:
            self._tell(flight, flight.observed(Outcome.REJECTED, str(error)))
            return None
        sent = consultant.send(flight.about, self._clock())
        if not isinstance(sent, Later | Broke):
            return sent
        self._waiting.append(flight)
        if isinstance(sent, Broke):
            self._end(sent.reason, sent.why)
        elif sent.final and not self._flights:
            self._end(StopReason.LLM_REFUSED, sent.why)
        return None

    def _end(self, reason: StopReason, why: str) -> None:
        """No model can be asked any more; what had to wait is left for another life of the run."""
        if self._broke is None:
            self._broke = reason
            self._watch.observer.note(f"no more questions to language models: {why}")
            self._engine.stop(reason, self._clock())

    def _stuck(self) -> bool:
        """Whether nothing is on its way, and what waits cannot be sent off."""
        if self._broke is None or self._flights:
            return False
        if self._engine.settings.ordered:  # what was told after it is applied only once it is told itself
            while self._waiting:
                self._tell(flight := self._waiting.popleft(), flight.observed(Outcome.LOST, self._broke))
            return self._engine.done
        return True

    def _forfeit(self) -> None:
        """Charge what nobody waits for any more."""
        for flight in self._flights.values():
            about = flight.about
            if self._consultant is not None and about is not None and about.asking is not None:
                self._consultant.forfeit(about)
                self._charge(flight, about)
        for flight in self._waiting:
            if flight.about is not None and flight.about.tries:
                self._charge(flight, flight.about)

    def _charge(self, flight: _Flight, about: Consultation) -> None:
        spent = Observation(Outcome.LOST, CHARGE, tokens=about.cost.tokens, usd=about.cost.usd)
        self._engine.tell(flight.question.n, spent, self._clock(), epoch=ANY_LIFE)

    def _mutate(self, question: Mutate) -> Task:
        genetic = question.briefing is not None
        return self._tasks.mutate(
            (question.epoch, question.n),
            question.parent.src,
            seed=question.seed,
            inspirations=question.inspirations,
            weights=question.weights,
            exclude=question.exclude,
            mutator="genetic" if genetic else "",
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

    def _receive(self, result: Result) -> bool:
        """Act on a Result; False if it is of no task of ours."""
        flight = self._flights.pop(result.task_id, None)
        if flight is None:
            return self._late is not None and self._late.receive(result)
        flight.lap(self._clock(), result)
        if not self._heard(flight, result):
            self._waiting.append(flight)
        elif result.status is not Status.OK:
            self._tell(flight, failed(flight, result))
        elif flight.stage is Stage.MUTATE:
            self._proposed(flight, result.data)
        elif flight.stage is Stage.EXECUTE:
            flight.stage = Stage.EVALUATE
            self._flights[result.data["evaluate"]] = flight
        else:
            self._scored(flight, result.data)
        return True

    def _scored(self, flight: _Flight, data: Mapping[str, Any]) -> None:
        if self._keepsakes is not None:
            self._keepsakes.keep(flight.question.n, data.get("artifacts", {}))
        self._tell(flight, scored(flight, data, self._tasks.artifact_chars))

    def _heard(self, flight: _Flight, result: Result) -> bool:
        """Take in what a model was asked and what that cost; False if the question is to be asked again."""
        about = flight.about
        if self._consultant is None or about is None or about.asking is None:
            return True
        answered = self._consultant.heard(about, result)
        flight.answer = replace(flight.answer, tokens=about.cost.tokens, usd=about.cost.usd)
        return answered

    def _proposed(self, flight: _Flight, data: Mapping[str, Any]) -> None:
        question = flight.question
        assert isinstance(question, Mutate)
        genetic = question.briefing is not None and flight.about is None
        mutator = "genetic" if genetic else self._tasks.mutator
        made_by = str(question.briefing.move) if question.briefing is not None and not genetic else ""
        flight.answer = replace(flight.answer, mutator=mutator, operator=data.get("operator", made_by))
        if "rejected" in data:
            reason = ": ".join(filter(None, [data["rejected"], data.get("detail", "")]))
            self._tell(flight, flight.observed(Outcome.REJECTED, reason))
            return
        ruling = self._engine.proposed(
            question.n,
            data["fingerprint"],
            self._clock(),
            epoch=question.epoch,
            mutator=mutator,
            operator=data["operator"],
            tokens=flight.answer.tokens,
            usd=flight.answer.usd,
            wall=flight.wall,
            cpu=flight.cpu,
        )
        if not isinstance(ruling, Run):
            self._credit(flight, 0.0)
            return
        flight.answer = replace(flight.answer, source=data["source"], fingerprint=data["fingerprint"])
        flight.stage = Stage.EXECUTE
        parent = question.parent
        rival = parent.metrics.get("ratio") if self._tasks.evaluation is None else parent.fitness
        task = self._tasks.screen((question.epoch, question.n), data["source"], rival=rival)
        self._flights[task.id] = flight
        self._send(task)

    def _tell(self, flight: _Flight, observation: Observation) -> None:
        question = flight.question
        self._engine.tell(question.n, observation, self._clock(), epoch=question.epoch)
        if isinstance(question, Mutate):
            self._credit(flight, gained(observation.fitness, question.parent.fitness))

    def _credit(self, flight: _Flight, gain: float) -> None:
        """Say what came of what a model proposed."""
        if self._consultant is not None and flight.about is not None:
            self._consultant.credit(flight.about, gain)


def _stage(flight: _Flight) -> str:
    confirms = isinstance(flight.question, Confirm) and flight.stage is Stage.EXECUTE
    return Confirm.KIND if confirms else flight.stage


def _about(question: Question) -> int:
    """The program that a question is about: the parent, or what is to be confirmed."""
    return question.program.id if isinstance(question, Confirm) else question.parent.id


def failed(flight: _Flight, result: Result) -> Observation:
    """What a task that came to nothing means: a time limit is the candidate's fault, the rest is ours."""
    outcome = Outcome.TIMEOUT if result.data.get("reason") == "timeout" else Outcome.LOST
    return flight.observed(outcome, f"{flight.stage}: {result.data.get('msg', 'no reason given')}"[:500])


def scored(flight: _Flight, data: Mapping[str, Any], artifact_chars: int = 0) -> Observation:
    """What an Evaluate task's result means; of each artifact so many characters are remembered."""
    score = data["score"]
    if score is None:
        failed = flight.observed(Outcome(data["outcome"]), data["reason"])
        return replace(failed, metrics=told_metrics(data.get("metrics", {}), data, artifact_chars))
    return replace(
        flight.observed(Outcome.OK),
        fitness=score["fitness"],
        speed_ms=score["speed_ms"],
        peak_kb=score["peak_kb"],
        confirmed=score.get("confirmed", False),
        metrics=told_metrics(score["metrics"], data, artifact_chars),
    )
