"""``--replay`` lives a recorded run again; what differs is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from runtime_script import Recorder, Script, config, failure, proposal

from peagen_ray.errors import LedgerError, MutationRejected, ReplayDivergence
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.evolution.mutators.base import MutationRequest, Mutator, Proposal
from peagen_ray.evolution.program import Outcome
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.replaying import replay
from peagen_ray.runtime.run import evolve
from peagen_ray.runtime.settings import RunRequest
from peagen_ray.task import Result, Task


class Adding(Mutator):
    """Proposes what the script proposes."""

    NAME: ClassVar[str] = "genetic"
    asked: ClassVar[list[MutationRequest]] = []

    def propose(self, request: MutationRequest) -> Proposal:
        self.asked.append(request)
        return Proposal(f"{request.source}x{request.seed} = 0\n", "genetic/add")


class Rejecting(Adding):
    def propose(self, request: MutationRequest) -> Proposal:
        raise MutationRejected("nothing", "to propose")


class Babbling(Adding):
    def propose(self, request: MutationRequest) -> Proposal:
        return Proposal("def f(:\n", "genetic/babble")


class OtherWords(Adding):
    def propose(self, request: MutationRequest) -> Proposal:
        return Proposal(f"{request.source}y = 0\n", "genetic/add")


class OtherOperator(Adding):
    def propose(self, request: MutationRequest) -> Proposal:
        return Proposal(super().propose(request).source, "genetic/other")


@pytest.fixture
def mutator(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Mutator]], None]:
    """Installs the mutator that a replay finds under its recorded name."""

    def install(kind: type[Mutator]) -> None:
        Adding.asked.clear()
        monkeypatch.setattr("peagen_ray.runtime.replaying.load", lambda *_: kind)

    install(Adding)
    return install


@pytest.fixture
def record(
    here: Path, script: Script, observer: Recorder, request_of: Callable[..., RunRequest], mutator: Any
) -> Callable[..., RunPaths]:
    """Records a run that the script answers."""

    def make(**evolve_: Any) -> RunPaths:
        return evolve(request_of(config(goal="be quick", **evolve_)), observer).paths

    return make


def sources(paths: RunPaths) -> dict[str, str]:
    recorded = [event for event in read(paths.ledger) if event.source and event.event is not Kind.FINAL]
    return {f"{event.n:06d}.py": event.source for event in recorded}


def test_a_replay_makes_the_same_programs_byte_for_byte(record: Callable[..., RunPaths]) -> None:
    paths = record()
    told = replay(paths)
    events = list(read(paths.ledger))
    assert told["questions"] == sum(event.event is Kind.ASK for event in events)
    assert told["mutations"] == 8
    assert told["run"] == paths.id
    made = {path.name: path.read_text() for path in Path(told["directory"]).iterdir()}
    assert made == sources(paths)
    assert told["programs"] == len(made) == 9
    assert told["best"] == next(e.parents[0] for e in reversed(events) if e.kind == "confirm")
    assert {request.goal for request in Adding.asked} == {"be quick"}
    assert replay(paths) == told, "it may be done again"


@pytest.mark.parametrize("other", [OtherWords, OtherOperator, Rejecting, Babbling])
def test_a_mutator_that_proposes_something_else_is_named_with_the_question(
    record: Callable[..., RunPaths], mutator: Callable[[type[Mutator]], None], other: type[Mutator]
) -> None:
    paths = record()
    mutator(other)
    with pytest.raises(ReplayDivergence, match="genetic proposed genetic/add, and now") as diverged:
        replay(paths)
    assert "question" in diverged.value.subject
    assert "version" in diverged.value.hint


def test_a_mutator_that_asks_a_model_is_not_asked_again(
    record: Callable[..., RunPaths], mutator: Callable[[type[Mutator]], None]
) -> None:
    paths = record(mutator="of-another-wheel")
    mutator(OtherWords)
    told = replay(paths)
    assert (told["mutations"], told["programs"]) == (0, 9)


def test_rejections_duplicates_and_lost_tasks_are_replayed_too(
    record: Callable[..., RunPaths],
    script: Script,
    mutator: Callable[[type[Mutator]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Moody(Adding):
        def propose(self, request: MutationRequest) -> Proposal:
            match request.seed % 3:
                case 0:
                    raise MutationRejected("nothing")
                case 1:
                    return Proposal(f"{request.source}same = 0\n", "genetic/same")
            return super().propose(request)

    answers = 0

    def mutate(task: Task) -> Result:
        nonlocal answers
        answers += 1
        if answers in {2, 5}:
            return failure(task, "60 s are over", reason="timeout" if answers == 2 else "exit 1")
        request = MutationRequest(task.payload["source"], "f", task.payload["seed"])
        try:
            found = Moody().propose(request)
        except MutationRejected as error:
            return Result.success(task, {"rejected": error.reason, "detail": error.detail})
        return proposal(task, found.source, found.operator)

    monkeypatch.setattr(script, "mutate", mutate)
    paths = record(max_generations=6)
    told = [event for event in read(paths.ledger) if event.event is Kind.TELL and event.kind == "mutate"]
    outcomes = {event.outcome for event in told}
    assert outcomes == {
        Outcome.OK,
        Outcome.REJECTED,
        Outcome.DUPLICATE,
        Outcome.TIMEOUT,
        Outcome.LOST,
    }
    mutator(Moody)
    assert replay(paths)["mutations"] == len(told) - 2


def test_a_mutation_that_did_not_parse_is_rejected_again(
    record: Callable[..., RunPaths], script: Script, mutator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected = {"rejected": "syntax", "detail": "line 1"}
    monkeypatch.setattr(script, "mutate", lambda task: Result.success(task, rejected))
    paths = record(max_generations=1)
    mutator(Babbling)
    assert replay(paths)["mutations"] == 4


def test_a_run_without_a_record_cannot_be_replayed(here: Path) -> None:
    with pytest.raises(LedgerError):
        replay(RunPaths(here))
