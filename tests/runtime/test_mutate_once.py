"""``mutate``: one proposal, made by a task like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runtime_script import SLOW, Script, ScriptedFabric, config, failure

from peagen_ray.config.model import Config
from peagen_ray.errors import EvolutionError, MutationRejected, TargetError, UsageError
from peagen_ray.runtime.mutating import mutate_once
from peagen_ray.task import Result, Task

SLOW_FILE = Path("slow.py")


@pytest.fixture
def answer(here: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Script]:
    def make(mutate: Callable[[Task], Result] | None = None) -> Script:
        script = Script()
        if mutate:
            monkeypatch.setattr(script, "mutate", mutate)
        monkeypatch.setattr("peagen_ray.runtime.mutating.LocalFabric", lambda *_: ScriptedFabric(script))
        return script

    return make


def test_a_proposal_comes_with_its_operator_and_its_diff(answer: Callable[..., Script]) -> None:
    script = answer()
    found = mutate_once(config(goal="be quick"), SLOW_FILE)
    assert found.source == f"{SLOW}x1 = 0\n"
    assert found.operator == "genetic/add"
    assert found.diff.startswith("--- a/slow.py\n+++ b/slow.py\n")
    (task,) = script.tasks
    expected = {"source": SLOW, "entry": "f", "seed": 1, "goal": "be quick", "mutator": "genetic"}
    assert task.payload.items() >= expected.items()


def test_without_a_seed_each_proposal_has_one_of_its_own(answer: Callable[..., Script]) -> None:
    script = answer()
    for _ in range(2):
        mutate_once(config(seed=None), SLOW_FILE)
    first, second = (task.payload["seed"] for task in script.tasks)
    assert first != second


def test_a_mutator_without_an_idea_says_so(answer: Callable[..., Script]) -> None:
    answer(lambda task: Result.success(task, {"rejected": "nothing", "detail": "left to try"}))
    with pytest.raises(MutationRejected, match="nothing: left to try") as refused:
        mutate_once(config(), SLOW_FILE)
    assert (refused.value.reason, refused.value.detail) == ("nothing", "left to try")
    answer(lambda task: Result.success(task, {"rejected": "nothing"}))
    with pytest.raises(MutationRejected, match=r"^nothing$"):
        mutate_once(config(), SLOW_FILE)


def test_a_mutator_that_fails_ends_it_with_its_words(answer: Callable[..., Script]) -> None:
    answer(failure)
    with pytest.raises(EvolutionError, match="it broke"):
        mutate_once(config(), SLOW_FILE)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"evolve": {"entry_fn": "nope"}}, TargetError, "no function 'nope'"),
        ({"mutate": {"mutator": "patch"}}, UsageError, "no back-end"),
    ],
)
def test_wrong_use_is_found_out_before_anything_runs(
    answer: Callable[..., Script], settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    script = answer()
    with pytest.raises(error, match=message):
        mutate_once(Config.model_validate(settings), SLOW_FILE)
    assert script.tasks == []


def test_the_offline_mutator_proposes_a_program_that_parses(here: Path) -> None:
    found = mutate_once(config(), SLOW_FILE)
    assert found.source != SLOW
    assert found.operator
    compile(found.source, "proposal", "exec")
    assert mutate_once(config(), SLOW_FILE) == found, "the same seed, the same change"
