"""From what was measured to a score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import peagen_handlers.evaluate as module
from peagen_handlers.evaluate import EvaluateHandler, SpeedEvaluateHandler, SpeedEvaluator
from peagen_ray.errors import PluginNotFound
from peagen_ray.evolution.evaluator import Evaluator, Score
from peagen_ray.handler import choose
from peagen_ray.sandbox.measure import Interval, Verdict
from peagen_ray.task import Result, Status, Task, TaskKind

CPU = frozenset({"cpu"})
OK = Verdict(
    "ok",
    speed=Interval(4.0, 3.9, 4.1, 24),
    peak_kb=12,
    inputs=58,
    confirmed=True,
    gain=True,
    noise=Interval(1.0, 0.99, 1.01, 24),
    families=(3.95, 4.0, 4.05),
    overhead=0.01,
).to_data()
WRONG = Verdict("incorrect", "result: expected 1, got 2").to_data()


class Foreign(Evaluator):
    """What another wheel registers."""

    NAME: ClassVar[str] = "foreign"

    def score(self, verdict: Mapping[str, Any], *, reference_ms: float) -> Score:
        return Score(verdict["inputs"], reference_ms, 0.0, {"mine": True})


def task(verdict: Any = OK, reference_ms: Any = 200.0, **payload: Any) -> Task:
    payload = {"verdict": verdict, "reference_ms": reference_ms, **payload}
    return Task(kind=TaskKind.EVALUATE, payload=payload)


def handled(evaluation: Task) -> Result:
    return choose([EvaluateHandler(), SpeedEvaluateHandler()], evaluation, CPU).handle(evaluation)


def test_the_fitness_of_speed_is_the_logarithm_of_the_ratio() -> None:
    result = handled(task())
    assert result.status is Status.OK
    assert result.data == {
        "outcome": "ok",
        "reason": "",
        "score": {
            "fitness": math.log(4.0),
            "speed_ms": 50.0,
            "peak_kb": 12.0,
            "metrics": {
                "ratio": 4.0,
                "ratio_low": 3.9,
                "ratio_high": 4.1,
                "samples": 24,
                "inputs": 58,
                "overhead": 0.01,
                "measured": "confirmed",
                "claimed": True,
                "objection": "",
                "families": [3.95, 4.0, 4.05],
                "noise": [0.99, 1.01],
                "hidden": 0.0,
                "layers": [],
            },
            "confirmed": False,
        },
    }


def test_a_screened_speed_is_marked_as_such() -> None:
    metrics = handled(task({**OK, "confirmed": False})).data["score"]["metrics"]
    assert metrics["measured"] == "screened"
    assert "claimed" not in metrics


@pytest.mark.parametrize(("ratio", "counted"), [(4.0, 1.0), (0.5, 0.5)])
def test_a_gain_that_is_not_claimed_counts_as_none(ratio: float, counted: float) -> None:
    unclaimed = {**OK, "gain": False, "reason": "no gain in 1 of 3 interpreters"}
    score = handled(task({**unclaimed, "speed": {**OK["speed"], "ratio": ratio}})).data["score"]
    assert (score["fitness"], score["speed_ms"]) == (math.log(counted), 200.0 / counted)
    assert (score["metrics"]["ratio"], score["metrics"]["claimed"]) == (ratio, False)
    assert score["metrics"]["objection"] == "no gain in 1 of 3 interpreters"


def test_a_candidate_that_failed_has_its_reason_and_no_score() -> None:
    assert handled(task(WRONG)).data == {
        "outcome": "incorrect",
        "reason": "result: expected 1, got 2",
        "score": None,
    }


def test_our_own_evaluator_needs_no_process_and_those_of_others_do() -> None:
    handlers = [EvaluateHandler(), SpeedEvaluateHandler()]
    for payload, kind in (
        ({}, SpeedEvaluateHandler),
        ({"evaluator": "speed"}, SpeedEvaluateHandler),
        ({"evaluator": "foreign"}, EvaluateHandler),
    ):
        assert type(choose(handlers, task(**payload), CPU)) is kind
    assert SpeedEvaluateHandler.SHARED
    assert not EvaluateHandler.SHARED


def test_an_evaluator_of_another_wheel_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load", lambda *_: Foreign)
    score = handled(task(evaluator="foreign")).data["score"]
    assert (score["fitness"], score["speed_ms"], score["metrics"]) == (58, 200.0, {"mine": True})
    assert handled(task(WRONG, evaluator="foreign")).data["score"] is None


def test_an_evaluator_that_is_not_installed_is_named() -> None:
    with pytest.raises(PluginNotFound, match="nope"):
        handled(task(evaluator="nope"))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"verdict": {}}, "payload: outcome is missing"),
        ({"verdict": {"outcome": "ok"}}, "payload: reason is missing"),
        ({"verdict": None}, "payload: "),
        ({"verdict": "ok"}, "payload: "),
        ({"reference_ms": "slow"}, "payload: could not convert"),
        ({"reference_ms": None}, "payload: "),
        ({"verdict": {**OK, "speed": None}}, "the verdict has no speed"),
        ({"verdict": {**OK, "speed": {"ratio": 0, "low": 0, "high": 0, "samples": 1}}}, "payload: "),
        ({"verdict": {**OK, "speed": {"ratio": 2}}}, "payload: low is missing"),
    ],
)
def test_a_payload_that_makes_no_sense_is_told_and_never_tried_again(
    payload: dict[str, Any], message: str
) -> None:
    result = handled(task(**payload))
    assert result.status is Status.ERROR
    assert message in result.data["msg"]
    assert result.data["retryable"] is False


def test_a_payload_without_a_verdict_is_told() -> None:
    assert handled(Task(kind=TaskKind.EVALUATE)).data["msg"] == "payload: verdict is missing"


@given(st.floats(1e-6, 1e6), st.floats(1e-3, 1e6))
def test_speed_and_fitness_say_the_same(ratio: float, reference_ms: float) -> None:
    verdict = Verdict("ok", speed=Interval(ratio, ratio, ratio, 9)).to_data()
    score = SpeedEvaluator().score(verdict, reference_ms=reference_ms)
    assert math.isclose(math.exp(score.fitness), reference_ms / score.speed_ms, rel_tol=1e-9)
