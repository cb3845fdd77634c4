"""The driver: whatever comes back of a task, the engine is told what it means, and nothing waits forever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime_script import SLOW, Recorder, Script, ScriptedQueue, config, failure, measured, proposal

from peagen_ray.errors import LedgerError, ResultExpired
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import Ledger, read
from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.evolution.questions import Observation
from peagen_ray.evolution.stopping import StopReason
from peagen_ray.queues.base import FROM_NOW, State
from peagen_ray.runtime.driver import CONFIRM_FRESH, Driver
from peagen_ray.runtime.progress import Aloft, Progress
from peagen_ray.runtime.run import build_engine
from peagen_ray.runtime.tasks import TaskMaker
from peagen_ray.runtime.watch import Watch
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.measure import Verdict
from peagen_ray.sandbox.reference import Subject
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.workload.fingerprint import fingerprint

WRONG = Verdict("incorrect", "result: expected 1, got 2")


class Drive:
    """A driver with a real engine, ledger and queue, and a script in place of workers."""

    def __init__(self, root: Path, script: Script, **evolve: Any) -> None:
        self.path = root / "ledger.arrow"
        self.script = script
        self.observer = Recorder()
        self.watch = Watch(self.observer, 200.0)
        meta = {"seed": 1, "config": config(**evolve).model_dump(mode="json")}
        self.engine: Engine = build_engine(meta)
        self.ledger = Ledger.create(self.path, meta)
        self.queue = ScriptedQueue(script)
        tasks = TaskMaker(
            "run",
            Subject(SLOW, "f"),
            root / "reference",
            GuestLimits(),
            "cpu",
            "pure",
            {},
            "genetic",
            0.7,
            "be quick",
        )
        ticks = iter(range(10**9))
        self.driver = Driver(
            self.engine, self.ledger, self.queue, tasks, self.watch, lambda: next(ticks) / 100, 2
        )
        original = Program(0, SLOW, fitness=0.0, speed_ms=200.0, peak_kb=1.0, confirmed=True)
        self.engine.seed(original.with_(fingerprint=fingerprint(SLOW)), 0.0)

    def run(self) -> Drive:
        self.driver.run()
        return self

    def told(self, kind: str = "mutate") -> list[Event]:
        return [e for e in read(self.path) if e.event is Kind.TELL and e.kind == kind]

    def states(self) -> list[State]:
        found = [self.queue.inspect(task.id) for task in self.script.tasks]
        return [info.state for info in found if info is not None]


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Callable[..., Drive]]:
    made: list[Drive] = []

    def make(script: Script | None = None, **evolve: Any) -> Drive:
        made.append(Drive(tmp_path, script or Script(), **evolve))
        return made[-1]

    yield make
    for each in made:
        each.ledger.close()
        each.queue.close()


def test_a_candidate_is_proposed_executed_evaluated_and_told_with_its_measurements(
    drive: Callable[..., Drive],
) -> None:
    told = drive(max_generations=1).run().told()
    assert len(told) == 4
    assert {event.outcome for event in told} == {Outcome.OK}
    for event in told:
        assert event.metrics["measured"] == "screened"
        assert event.speed_ms == pytest.approx(200.0 / event.metrics["ratio"])
        assert (event.mutator, event.operator) == ("genetic", "genetic/add")
        assert event.source.startswith(SLOW)
        assert set(event.wall) == {"mutate", "execute", "evaluate"}
        assert all(seconds > 0 for seconds in event.wall.values())


def test_the_time_of_a_run_is_over_though_nothing_comes_back(drive: Callable[..., Drive]) -> None:
    class Deaf(Script):
        def mutate(self, task: Task) -> None:
            return None

    done = drive(Deaf(), stop={"run_timeout": 0.2}).run()
    assert done.engine.stop_reason is StopReason.RUN_TIMEOUT


def test_the_best_is_confirmed_on_fresh_inputs_and_then_is_the_best(drive: Callable[..., Drive]) -> None:
    done = drive().run()
    confirms = [task for task in done.script.tasks if task.payload.get("mode") == "confirm"]
    assert confirms
    assert {task.payload["fresh"] for task in confirms} == {CONFIRM_FRESH}
    assert len({task.payload["seed"] for task in confirms}) == len(confirms)
    asked = {event.seed for event in read(done.path) if event.event is Kind.ASK and event.kind == "confirm"}
    assert not asked & {task.payload["seed"] for task in confirms}, "what the run's seed tells is no secret"
    assert done.engine.best is not None
    assert done.engine.best.confirmed
    assert done.told("confirm")[-1].wall.keys() == {"execute", "evaluate"}


def test_what_confirmation_does_not_bear_out_is_counted_as_refuted(drive: Callable[..., Drive]) -> None:
    done = drive(Script(lambda _, mode: 2.0 if mode == "screen" else WRONG), max_generations=1).run()
    assert done.engine.refuted
    assert done.engine.best is not None
    assert done.engine.best.id == 0
    done.watch.look(done.engine, 100.0, 0, always=True)
    assert done.observer.shown[-1].outcomes["refuted"] == done.engine.refuted


class Failing(Script):
    """Answers tasks of one sort in one way."""

    def __init__(self, stage: str, answer: Callable[[Task], Result]) -> None:
        super().__init__()
        self._stage = stage
        self._answer = answer

    def __call__(self, task: Task) -> Result | None:
        if self._stage == task.payload.get("mode", task.kind):
            self.tasks.append(task)
            return self._answer(task)
        return super().__call__(task)


def rejected(task: Task, **data: Any) -> Result:
    return Result.success(task, {"rejected": "identical", **data})


@pytest.mark.parametrize(
    ("stage", "answer", "outcome", "reason", "stages"),
    [
        ("mutate", failure, Outcome.LOST, "mutate: it broke", 1),
        (
            "mutate",
            lambda t: failure(t, "60 s are over", reason="timeout"),
            Outcome.TIMEOUT,
            "mutate: 60 s",
            1,
        ),
        ("mutate", rejected, Outcome.REJECTED, "identical", 1),
        (
            "mutate",
            lambda t: rejected(t, detail="twice"),
            Outcome.REJECTED,
            "identical: twice",
            1,
        ),
        ("screen", lambda t: failure(t, reason="exit 1"), Outcome.LOST, "execute: it broke", 2),
        ("screen", lambda t: failure(t, reason="timeout"), Outcome.TIMEOUT, "execute: it broke", 2),
        ("screen", lambda t: failure(t, "x" * 9000), Outcome.LOST, "execute: xxx", 2),
        ("screen", lambda t: measured(t, WRONG), Outcome.INCORRECT, "result: expected 1", 3),
        ("screen", lambda t: measured(t, Verdict("error", "exit 3")), Outcome.ERROR, "exit 3", 3),
        ("evaluate", failure, Outcome.LOST, "evaluate: it broke", 3),
    ],
)
def test_whatever_comes_back_has_its_outcome_and_its_reason(
    drive: Callable[..., Drive],
    stage: str,
    answer: Callable[[Task], Result],
    outcome: Outcome,
    reason: str,
    stages: int,
) -> None:
    told = drive(Failing(stage, answer), max_generations=1).run().told()
    assert len(told) == 4
    assert {event.outcome for event in told} == {outcome}
    for event in told:
        assert event.reason.startswith(reason)
        assert len(event.reason) <= 500
        assert event.fitness is None
        assert len(event.wall) == stages


def test_a_failure_without_words_still_has_a_reason(drive: Callable[..., Drive]) -> None:
    def wordless(task: Task) -> Result:
        return failure(task).model_copy(update={"data": {"retryable": False}})

    (event, *_) = drive(Failing("mutate", wordless), max_generations=1).run().told()
    assert event.reason


def test_a_program_that_was_judged_before_is_not_run_again(drive: Callable[..., Drive]) -> None:
    class Same(Script):
        def mutate(self, task: Task) -> Result:
            return proposal(task, f"{SLOW}x = 1\n")

    done = drive(Same(), max_generations=1).run()
    twins = [event for event in done.told() if event.outcome is Outcome.DUPLICATE]
    assert done.engine.counts == {Outcome.OK: 1, Outcome.DUPLICATE: 3}
    assert done.script.modes().count("screen") == 1
    for event in twins:
        assert event.reason.startswith("same as")
        assert event.wall.keys() == {"mutate"}


def test_an_answer_to_a_question_that_was_answered_already_is_dropped_and_goes_no_further(
    drive: Callable[..., Drive],
) -> None:
    class Hasty(Script):
        engine: Engine

        def mutate(self, task: Task) -> Result | None:
            for question in self.engine.outstanding():
                self.engine.tell(question.n, Observation(Outcome.LOST, "gone"), 0.0, epoch=question.epoch)
            return super().mutate(task)

    script = Hasty()
    done = drive(script, max_generations=1)
    script.engine = done.engine
    done.run()
    assert done.engine.dropped == 4
    assert "screen" not in script.modes()
    assert sum(event.event is Kind.DROP for event in read(done.path)) == 4


def test_results_of_other_peoples_tasks_are_none_of_the_drivers_business(drive: Callable[..., Drive]) -> None:
    class Crowded(Script):
        queue: ScriptedQueue

        def mutate(self, task: Task) -> Result | None:
            stranger = Task(kind=TaskKind.RENDER)
            super(ScriptedQueue, self.queue).enqueue(stranger)
            self.queue.push_result(Result.success(stranger, {"evaluate": "nothing"}))
            return super().mutate(task)

    script = Crowded()
    done = drive(script, max_generations=1)
    script.queue = done.queue
    assert [event.outcome for event in done.run().told()] == 4 * [Outcome.OK]


def test_a_question_is_on_disk_before_its_task_is_sent_off(drive: Callable[..., Drive]) -> None:
    class Checking(Script):
        path: Path
        asked: list[int]

        def __call__(self, task: Task) -> Result | None:
            if task.kind is TaskKind.MUTATE:
                self.asked.append(sum(event.event is Kind.ASK for event in read(self.path)))
            return super().__call__(task)

    script = Checking()
    script.asked = []
    done = drive(script)
    script.path = done.path
    done.run()
    assert all(on_disk > sent for sent, on_disk in enumerate(script.asked))


def test_as_many_questions_are_on_their_way_as_were_allowed_and_are_cancelled_when_it_is_stopped(
    drive: Callable[..., Drive],
) -> None:
    class Held(Script):
        watch: Watch

        def mutate(self, task: Task) -> Result | None:
            if len(self.tasks) == 2:
                self.watch.control.stopped = True
            return None

    script = Held()
    done = drive(script)
    script.watch = done.watch
    done.run()
    assert done.engine.stop_reason is StopReason.INTERRUPTED
    assert done.states() == [State.CANCELLED, State.CANCELLED]
    stops = [event.reason for event in read(done.path) if event.event is Kind.STOP]
    assert stops == ["interrupted"]


def test_a_run_that_may_ask_nothing_ends_at_once(drive: Callable[..., Drive]) -> None:
    made = drive()
    made.engine.stop(StopReason.INTERRUPTED, 0.0)
    made.run()
    assert made.script.tasks == []


def test_a_disk_that_refuses_ends_the_run_with_its_error_and_leaves_nothing_running(
    drive: Callable[..., Drive], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Held(Script):
        def mutate(self, task: Task) -> Result | None:
            return None if len(self.tasks) == 1 else super().mutate(task)

    made = drive(Held())
    append, calls = made.ledger.append, []

    def refuse(events: Any) -> Any:
        calls.append(events)
        if len(calls) == 3:
            raise LedgerError("cannot be written: No space left on device")
        return append(events)

    monkeypatch.setattr(made.ledger, "append", refuse)
    with pytest.raises(LedgerError, match="No space left"):
        made.run()
    assert State.CLAIMED not in made.states()
    assert State.WAITING not in made.states()


def test_progress_and_news_reach_the_observer(drive: Callable[..., Drive]) -> None:
    done = drive().run()
    assert {told.kind for told in done.observer.told} == {"seed", "mutate", "confirm"}
    assert done.observer.shown[-1].reference_ms == 200.0
    assert done.observer.shown[-1].best_ms < 200.0


def test_in_a_pause_nothing_new_is_asked_and_what_is_on_its_way_comes_back(
    drive: Callable[..., Drive],
) -> None:
    made = drive(max_generations=10)
    control, looks = made.watch.control, []

    class Pausing(Recorder):
        def progress(self, progress: Progress) -> None:
            super().progress(progress)
            if len(looks) < 5:
                looks.append((progress.in_flight, len(made.script.tasks)))
            control.paused = len(looks) < 5

    made.watch.observer = Pausing()
    made.run()
    assert len(looks) == 5
    assert looks[-1][0] == 0  # all came back
    assert looks[-1][1] == looks[-2][1]  # and nothing was sent off
    assert len(made.told()) == 40  # later it went on


def test_who_looks_at_the_gauges_sees_what_is_on_its_way(drive: Callable[..., Drive]) -> None:
    class Held(Script):
        def mutate(self, task: Task) -> Result | None:
            return None if len(self.tasks) == 2 else super().mutate(task)

    made = drive(Held())
    made.watch.control.gauges = True
    seen: list[Aloft] = []

    class Stopping(Recorder):
        def progress(self, progress: Progress) -> None:
            seen.append(progress.aloft)
            made.watch.control.stopped = len(seen) == 3

    made.watch.observer = Stopping()
    made.run()
    aloft = seen[0]
    assert aloft.most == 2
    assert aloft.pending is not None
    assert {each.parent for each in aloft.questions} == {0}
    assert all(each.stage in {"mutate", "execute", "evaluate", "confirm"} for each in aloft.questions)


def test_results_that_went_by_unseen_are_asked_for_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = Drive(tmp_path, Script(), max_generations=1)
    results_since, fails = drive.queue.results_since, iter([True, False, True])

    def flaky(cursor: str, *args: Any, **options: Any) -> Any:
        if cursor != FROM_NOW and next(fails, False):
            raise ResultExpired("kept no longer")
        return results_since(cursor, *args, **options)

    monkeypatch.setattr(drive.queue, "results_since", flaky)
    drive.run()
    assert len(drive.told()) == 4
