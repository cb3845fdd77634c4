"""The contract of every evaluator, as a test suite.

Prove an evaluator by subclassing::

    class TestMyEvaluator(EvaluatorSuite):
        @pytest.fixture
        def make_evaluator(self):
            return MyEvaluator
"""
# ruff: noqa: D102 -- the names of the tests say what they prove

from __future__ import annotations

import contextlib
import copy
import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from peagen_ray.evolution.evaluator import Evaluator
from peagen_ray.sandbox.measure import Interval, Verdict

MakeEvaluator = Callable[[], Evaluator]


def a_verdict(ratio: float = 2.0, *, confirmed: bool = False, **facts: Any) -> dict[str, Any]:
    """What an Execute task measured of a candidate that is correct and that many times as fast as the original."""
    speed = Interval(ratio, ratio * 0.99, ratio * 1.01, 8)
    facts = {"peak_kb": 16, "inputs": 9, "gain": confirmed and ratio > 1, **facts}
    return Verdict("ok", speed=speed, confirmed=confirmed, **facts).to_data()


class EvaluatorSuite:
    """Subclass it and give the fixture ``make_evaluator``.

    An evaluator of something else than speed overrides :meth:`verdict`.
    """

    def verdict(self, ratio: float = 2.0, *, confirmed: bool = False) -> dict[str, Any]:
        """What was measured of a candidate, better or worse by ``ratio``."""
        return a_verdict(ratio, confirmed=confirmed)

    @pytest.fixture
    def evaluator(self, make_evaluator: MakeEvaluator) -> Evaluator:
        return make_evaluator()

    def test_it_has_the_name_under_which_it_is_registered(self, evaluator: Evaluator) -> None:
        assert evaluator.NAME
        assert evaluator.NAME.lower() == evaluator.NAME

    @pytest.mark.parametrize("confirmed", [False, True], ids=["screened", "confirmed"])
    @pytest.mark.parametrize("ratio", [1e-6, 0.5, 1.0, 3.0, 1e6])
    def test_a_score_is_finite_and_travels_as_json(
        self, evaluator: Evaluator, ratio: float, confirmed: bool
    ) -> None:
        score = evaluator.score(self.verdict(ratio, confirmed=confirmed), reference_ms=200.0)
        assert math.isfinite(score.fitness)
        for measured in (score.speed_ms, score.peak_kb):
            assert measured is None or (math.isfinite(measured) and measured >= 0)
        assert json.loads(json.dumps(score.to_data(), allow_nan=False)) == score.to_data()

    def test_it_keeps_nothing_from_one_verdict_to_the_next(self, make_evaluator: MakeEvaluator) -> None:
        verdict, evaluator = self.verdict(3.0), make_evaluator()
        before = copy.deepcopy(verdict)
        first = evaluator.score(verdict, reference_ms=200.0)
        evaluator.score(self.verdict(0.1, confirmed=True), reference_ms=1.0)
        assert evaluator.score(verdict, reference_ms=200.0) == first
        assert make_evaluator().score(verdict, reference_ms=200.0) == first
        assert verdict == before, "the verdict is left as it was"

    def test_where_there_is_nothing_to_score_that_is_a_value_error(self, evaluator: Evaluator) -> None:
        nothing = {**self.verdict(), "speed": None}
        with contextlib.suppress(ValueError):
            assert math.isfinite(evaluator.score(nothing, reference_ms=200.0).fitness), "it needs no speed"
