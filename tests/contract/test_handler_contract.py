"""The shipped suites over our own handlers, our offline mutator and our evaluator."""

from __future__ import annotations

from typing import Any

import pytest

from peagen_handlers.evaluate import EvaluateHandler, SpeedEvaluateHandler, SpeedEvaluator
from peagen_handlers.execute import ExecuteProcessHandler
from peagen_handlers.mutate import GeneticMutatorHandler, PluginMutatorHandler
from peagen_handlers.patch import PatchMutatorHandler
from peagen_handlers.render import RenderHandler
from peagen_ray.evolution.mutators.genetic import GeneticMutator
from peagen_ray.task import Task, TaskKind
from peagen_ray.testing.evaluator_suite import EvaluatorSuite, MakeEvaluator, a_verdict
from peagen_ray.testing.handler_suite import MakeHandler, TaskHandlerSuite
from peagen_ray.testing.mutator_suite import SOURCE, MakeMutator, MutatorSuite


class TestGeneticMutatorHandler(TaskHandlerSuite):
    @pytest.fixture
    def make_handler(self) -> MakeHandler:
        return GeneticMutatorHandler

    @pytest.fixture
    def tasks(self) -> list[Task]:
        return [Task(kind=TaskKind.MUTATE, payload={"source": SOURCE, "entry": "unique", "seed": 3})]


class TestSpeedEvaluateHandler(TaskHandlerSuite):
    @pytest.fixture
    def make_handler(self) -> MakeHandler:
        return SpeedEvaluateHandler

    @pytest.fixture
    def tasks(self) -> list[Task]:
        payload: dict[str, Any] = {"verdict": a_verdict(), "reference_ms": 200.0, "evaluator": "speed"}
        return [Task(kind=TaskKind.EVALUATE, payload=payload)]


class TestOtherHandlers(TaskHandlerSuite):
    """Those whose tasks the tests of the whole prove."""

    test_it_does_its_tasks = None
    test_a_task_that_runs_twice_comes_to_the_same_end = None

    @pytest.fixture(
        params=[
            EvaluateHandler,
            ExecuteProcessHandler,
            PatchMutatorHandler,
            PluginMutatorHandler,
            RenderHandler,
        ]
    )
    def make_handler(self, request: pytest.FixtureRequest) -> MakeHandler:
        made: MakeHandler = request.param
        return made


class TestGeneticMutator(MutatorSuite):
    @pytest.fixture
    def make_mutator(self) -> MakeMutator:
        return GeneticMutator


class TestSpeedEvaluator(EvaluatorSuite):
    @pytest.fixture
    def make_evaluator(self) -> MakeEvaluator:
        return SpeedEvaluator
