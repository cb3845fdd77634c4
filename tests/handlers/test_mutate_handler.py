from __future__ import annotations

from typing import Any, ClassVar

import pytest

import peagen_handlers.mutate as module
from peagen_handlers.mutate import GeneticMutatorHandler, PluginMutatorHandler
from peagen_ray.errors import PluginNotFound
from peagen_ray.evolution.mutators.base import MutationRequest, Mutator, Proposal
from peagen_ray.handler import choose
from peagen_ray.task import Status, Task, TaskKind
from peagen_ray.workload.fingerprint import fingerprint

SOURCE = """def f(items):
    out = []
    for x in items:
        out = out + [x]
    return sorted(list(out))
"""


class Foreign(Mutator):
    """What another wheel registers."""

    NAME: ClassVar[str] = "foreign"
    answer: ClassVar[str] = "def f(items): return items"
    asked: ClassVar[list[MutationRequest]] = []

    def propose(self, request: MutationRequest) -> Proposal:
        self.asked.append(request)
        return Proposal(self.answer, "foreign-operator")


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> type[Foreign]:
    def load(group: str, name: str) -> type[Foreign]:
        if name != "foreign":
            raise PluginNotFound("no installed wheel registers it", subject=f"{group} {name!r}")
        return Foreign

    monkeypatch.setattr(module, "names", lambda group: ("foreign", "genetic", "patch"))
    monkeypatch.setattr(module, "load", load)
    Foreign.asked.clear()
    return Foreign


def task(**payload: Any) -> Task:
    return Task(kind=TaskKind.MUTATE, payload={"source": SOURCE, "entry": "f", "seed": 1, **payload})


def test_a_proposal_comes_with_its_operator_and_fingerprint() -> None:
    result = GeneticMutatorHandler().handle(task())
    assert result.status is Status.OK
    assert set(result.data) == {"source", "operator", "fingerprint"}
    assert result.data["source"] != SOURCE
    assert result.data["fingerprint"] == fingerprint(result.data["source"])


def test_the_same_task_gives_the_same_result() -> None:
    first, second = (GeneticMutatorHandler().handle(task()).data for _ in range(2))
    assert first == second


def test_what_was_judged_is_not_proposed_again() -> None:
    first = GeneticMutatorHandler().handle(task()).data
    again = GeneticMutatorHandler().handle(task(exclude=[first["fingerprint"]])).data
    assert again["fingerprint"] != first["fingerprint"]


def test_a_mutator_without_a_usable_change_says_why() -> None:
    result = GeneticMutatorHandler().handle(task(source="def f(items): pass"))
    assert result.status is Status.OK
    assert result.data == {"rejected": "no site", "detail": ""}


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({"source": None}, "payload.source"),
        ({"seed": "x"}, "payload.seed"),
        ({"temperature": 3}, "payload.temperature"),
        ({"weights": {"crossover": "much"}}, "payload.weights.crossover"),
        ({"inspirations": [1]}, "payload.inspirations.0"),
        ({"exclude": 5}, "payload.exclude"),
        ({"mutator": 5}, "payload.mutator"),
    ],
)
def test_a_bad_payload_is_an_error_that_names_the_key(payload: dict[str, Any], where: str) -> None:
    wrong = task(**payload)
    assert GeneticMutatorHandler().dispatch(wrong)
    result = GeneticMutatorHandler().handle(wrong)
    assert result.status is Status.ERROR
    assert result.data["retryable"] is False
    assert result.data["msg"].startswith(f"{where}: ")


def test_a_missing_source_is_named() -> None:
    result = GeneticMutatorHandler().handle(Task(kind=TaskKind.MUTATE))
    assert result.data["msg"].startswith("payload.source: ")


@pytest.mark.parametrize(
    ("payload", "msg"),
    [({"source": "def f(:"}, "does not parse"), ({"entry": "nowhere"}, "has no function 'nowhere'")],
)
def test_a_target_that_cannot_be_used_is_an_error_for_good(payload: dict[str, Any], msg: str) -> None:
    result = GeneticMutatorHandler().handle(task(**payload))
    assert (result.status, result.data["retryable"]) == (Status.ERROR, False)
    assert msg in result.data["msg"]
    assert result.data["error"]["type"] == "TargetError"


@pytest.mark.parametrize("payload", [{}, {"mutator": None}, {"mutator": "genetic"}, {"mutator": "auto"}])
def test_it_takes_tasks_for_the_offline_mutator(payload: dict[str, Any]) -> None:
    wanted = task(**payload)
    handler = GeneticMutatorHandler()
    assert choose([handler], wanted, frozenset({"cpu"})) is handler
    assert handler.handle(wanted).status is Status.OK


@pytest.mark.parametrize("name", ["patch", "unheard-of"])
def test_it_leaves_tasks_for_others_alone(foreign: type[Foreign], name: str) -> None:
    assert not GeneticMutatorHandler().dispatch(task(mutator=name))
    assert not PluginMutatorHandler().dispatch(task(mutator=name))


def test_each_mutator_has_one_handler(foreign: type[Foreign]) -> None:
    handlers = [GeneticMutatorHandler(), PluginMutatorHandler()]
    assert choose(handlers, task(), frozenset({"cpu"})) is handlers[0]
    assert choose(handlers, task(mutator="foreign"), frozenset({"cpu"})) is handlers[1]
    assert not handlers[1].SHARED


def test_it_serves_the_mutators_of_other_wheels(foreign: type[Foreign]) -> None:
    wanted = task(mutator="foreign", goal="less memory", inspirations=["x = 1"], weights={"a": 2})
    assert PluginMutatorHandler().dispatch(wanted)
    result = PluginMutatorHandler().handle(wanted)
    assert result.data["operator"] == "foreign-operator"
    (request,) = foreign.asked
    assert (request.goal, request.inspirations, request.weights) == ("less memory", ("x = 1",), {"a": 2.0})


def test_a_proposal_that_does_not_parse_is_rejected(
    foreign: type[Foreign], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Foreign, "answer", "def f(:")
    result = PluginMutatorHandler().handle(task(mutator="foreign"))
    assert result.data["rejected"] == "syntax"


def test_a_mutator_that_is_gone_is_an_error_for_good(foreign: type[Foreign]) -> None:
    result = PluginMutatorHandler().handle(task(mutator="unheard-of"))
    assert (result.status, result.data["retryable"]) == (Status.ERROR, False)
    assert result.data["error"]["type"] == "PluginNotFound"
