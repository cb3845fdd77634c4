"""The contract of every task handler, as a test suite.

Prove a handler by subclassing::

    class TestMyHandler(TaskHandlerSuite):
        @pytest.fixture
        def make_handler(self):
            return MyHandler

        @pytest.fixture
        def tasks(self):
            return [Task(kind=TaskKind.RENDER, payload={...})]      # which it does well
"""
# ruff: noqa: D102 -- the names of the tests say what they prove

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from peagen_ray.handler import HandlerContext, TaskHandler, can_serve, handling
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.process import GUEST
from peagen_ray.task import Result, Status, Task, TaskKind, check_tags

MakeHandler = Callable[[], TaskHandler]

_ODD: Final[tuple[Any, ...]] = (
    None,
    0,
    -1.5,
    True,
    "",
    "\x00 ünï \U0001f600",
    [],
    [[]],
    {},
    {"a": {"b": []}},
)

HOSTILE: Final[list[dict[str, Any]]] = [
    {},
    {"no such key": 1},
    *(
        dict.fromkeys(("render", "mutator", "evaluator", "sandbox", "mode", "source", "do"), odd)
        for odd in _ODD
    ),
]
"""Payloads that no handler can do anything with; anybody may enqueue them."""


class TaskHandlerSuite:
    """Subclass it, give the fixture ``make_handler``, and ``tasks`` if a worker may not do without them."""

    @pytest.fixture(scope="class")
    @classmethod
    def launcher(cls) -> Iterator[Launcher]:
        """What starts candidates for it."""
        with Launcher.start([GUEST]) as launcher:
            yield launcher

    @pytest.fixture
    def handler(self, make_handler: MakeHandler, tmp_path: Path, launcher: Launcher) -> Iterator[TaskHandler]:
        """It, in the context of a task."""
        with handling(HandlerContext(tmp_path, offered=frozenset({"cpu"}), launcher=launcher)):
            yield make_handler()

    @pytest.fixture
    def tasks(self) -> list[Task]:
        """Tasks that it does well."""
        pytest.skip("no task is given that it should do; override the fixture `tasks`")

    def test_it_says_what_it_does_and_what_that_takes(self, make_handler: MakeHandler) -> None:
        handler = make_handler()
        assert isinstance(handler, TaskHandler)
        assert handler.KIND in TaskKind
        assert handler.PROVIDES
        assert check_tags(handler.PROVIDES) == handler.PROVIDES
        assert handler.VERSION
        assert isinstance(handler.VERSION, str)
        assert {type(handler.SHARED), type(handler.WAITS)} == {bool}

    def test_it_answers_whatever_payload_it_wants(self, handler: TaskHandler) -> None:
        for payload in HOSTILE:
            task = Task(kind=handler.KIND, payload=copy.deepcopy(payload))
            wants = handler.dispatch(task)
            assert isinstance(wants, bool), payload
            assert wants is handler.dispatch(task), f"it wants {payload}, or it does not"
            if wants:
                result = handler.handle(task)
                assert isinstance(result, Result), payload
                bad = result.status is Status.ERROR and result.data["retryable"] is not False
                assert not bad, f"no further run can mend {payload}"
            assert task.payload == payload, "the payload is left as it was"

    def test_it_does_its_tasks(self, handler: TaskHandler, tasks: list[Task]) -> None:
        for task in tasks:
            before = task.to_wire()
            assert can_serve(handler, task, frozenset(handler.PROVIDES | task.requires))
            result = handler.handle(task)
            assert result.status is Status.OK, result.data
            assert result.task_id == task.id
            assert Result.from_wire(result.to_wire()) == result, "it is JSON"
            assert task.to_wire() == before, "the task is left as it was"

    def test_a_task_that_runs_twice_comes_to_the_same_end(
        self, handler: TaskHandler, tasks: list[Task]
    ) -> None:
        for task in tasks:
            first, second = handler.handle(task), handler.handle(task)
            assert first.status is second.status
            ids = [[each.id for each in _follow_ups(result)] for result in (first, second)]
            assert ids[0] == ids[1], "a follow-up task has the same id whenever its parent runs"


def _follow_ups(result: Result) -> list[Task]:
    return [Task.model_validate(fields) for fields in result.data.get("spawn", [])]
