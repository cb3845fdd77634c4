"""The contract suites over plugins of installed wheels, for ``peagen-ray plugin check``; see :data:`SUITES`."""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.handler import HandlerContext, handling
from peagen_ray.launcher.client import Launcher
from peagen_ray.llm.anthropic import AnthropicBackend
from peagen_ray.llm.base import LLMBackend
from peagen_ray.plugins import KINDS, load
from peagen_ray.queues.base import TaskQueue
from peagen_ray.sandbox.base import Sandbox
from peagen_ray.sandbox.process import GUEST
from peagen_ray.task import Task
from peagen_ray.testing.evaluator_suite import EvaluatorSuite, MakeEvaluator
from peagen_ray.testing.handler_suite import MakeHandler, TaskHandlerSuite
from peagen_ray.testing.llm_server import LLMServer
from peagen_ray.testing.llm_suite import KEY, LLMBackendSuite
from peagen_ray.testing.llm_suite import MakeBackend as MakeModel
from peagen_ray.testing.mutator_suite import MakeMutator, MutatorSuite
from peagen_ray.testing.queue_suite import MakeQueue, TaskQueueSuite
from peagen_ray.testing.result_suite import MakeBackend, ResultBackendSuite
from peagen_ray.testing.sandbox_suite import SandboxSuite
from peagen_ray.testing.selector_suite import MakeSelector, ParentSelectorSuite


class Installed:
    """A plugin by its name.

    Attributes:
        KIND: see :data:`peagen_ray.plugins.KINDS`.
        PLUGIN: the name under which it is registered.
        URL: where a queue or a back-end keeps things, "" for the plugin's own default.
        TASKS: a file with the wire form of a task that a handler does well, one a line; "" for none.
    """

    KIND: ClassVar[str]
    PLUGIN: ClassVar[str]
    URL: ClassVar[str] = ""
    TASKS: ClassVar[str] = ""

    def plugin(self) -> Any:
        """What is registered."""
        return load(KINDS[self.KIND], self.PLUGIN)

    def test_it_is_registered_under_its_own_name(self) -> None:  # noqa: D102
        own = getattr(self.plugin(), "NAME", self.PLUGIN)
        assert own == self.PLUGIN, "what it calls itself is what people write into their configuration"


class InstalledHandler(Installed, TaskHandlerSuite):
    """A handler."""

    KIND = "handler"

    @pytest.fixture
    def make_handler(self) -> MakeHandler:
        """Makes it."""
        made: MakeHandler = self.plugin()
        return made

    @pytest.fixture
    def tasks(self) -> list[Task]:
        """The tasks of the file."""
        if not self.TASKS:
            pytest.skip("no task is given that it should do: --task FILE")
        lines = Path(self.TASKS).read_text(encoding="utf-8").splitlines()
        return [Task.from_wire(json.dumps(json.loads(line))) for line in lines if line.strip()]


class InstalledSelector(Installed, ParentSelectorSuite):
    """A parent selector."""

    KIND = "selector"

    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        """Makes it."""
        made: MakeSelector = self.plugin()
        return made


class InstalledMutator(Installed, MutatorSuite):
    """A mutator."""

    KIND = "mutator"

    @pytest.fixture
    def make_mutator(self) -> MakeMutator:
        """Makes it."""
        made: MakeMutator = self.plugin()
        return made


class InstalledEvaluator(Installed, EvaluatorSuite):
    """An evaluator."""

    KIND = "evaluator"

    @pytest.fixture
    def make_evaluator(self) -> MakeEvaluator:
        """Makes it."""
        made: MakeEvaluator = self.plugin()
        return made

    def verdict(self, ratio: float = 2.0, *, confirmed: bool = False) -> dict[str, Any]:
        """What any evaluator may look for: a speed, and a score with its metrics."""
        score = math.log(ratio)
        scored = {"fitness": score, "samples": [score], "metrics": {"score": score}, "artifacts": {}}
        return {**super().verdict(ratio, confirmed=confirmed), **scored}


class InstalledQueue(Installed, TaskQueueSuite):
    """A task queue.

    One that takes a ``prefix`` gets a new one for each test; another has to begin empty each time. The clock of
    one that takes a ``clock`` is moved; that of another is waited for.
    """

    KIND = "queue"

    @pytest.fixture
    def make_queue(self) -> Iterator[MakeQueue]:
        """Opens it."""
        provider: type[TaskQueue] = self.plugin()
        taken = {name for each in provider.__mro__ for name in signature(each).parameters}
        self.now = 1_700_000_000.0 if "clock" in taken else None
        with ExitStack() as stack:

            def make(**options: Any) -> TaskQueue:
                if "prefix" in taken:
                    options = {"prefix": f"check-{uuid.uuid4().hex}.", **options}
                if self.now is not None:
                    options = {"clock": lambda: self.now, **options}
                return stack.enter_context(provider.from_url(self.URL, **options))

            yield make

    def advance(self, units: float) -> None:
        """Move its clock, or wait."""
        if self.now is None:
            time.sleep(units * self.UNIT)
        else:
            self.now += units * self.UNIT


class InstalledBackend(Installed, ResultBackendSuite):
    """A result back-end."""

    KIND = "backend"

    @pytest.fixture
    def make_backend(self, tmp_path: Path) -> MakeBackend:
        """Opens it, below the url or else in a directory that is new."""
        root = f"{self.URL.rstrip('/')}/check-{uuid.uuid4().hex}" if self.URL else str(tmp_path / "results")
        return lambda compress: self.plugin()(root, compress=compress)


class InstalledModel(Installed, LLMBackendSuite):
    """A back-end of language models that speaks OpenAI's or Anthropic's protocol."""

    KIND = "llm"

    @pytest.fixture
    def make_backend(self) -> MakeModel:
        """Opens it."""
        kind: type[LLMBackend] = self.plugin()

        def make(server: LLMServer) -> LLMBackend:
            url = server.origin if issubclass(kind, AnthropicBackend) else server.url
            return kind(BackendTable(name="it", model="m-1", base_url=url), KEY)

        return make


class InstalledSandbox(Installed, SandboxSuite):
    """A sandbox."""

    KIND = "sandbox"

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        """One that is ready to start guests."""
        with Launcher.start([GUEST]) as launcher, handling(HandlerContext(Path.cwd(), launcher=launcher)):
            yield load(KINDS[cls.KIND], cls.PLUGIN)()


SUITES: Final = {
    each.KIND: each
    for each in (
        InstalledHandler,
        InstalledQueue,
        InstalledBackend,
        InstalledSelector,
        InstalledMutator,
        InstalledEvaluator,
        InstalledModel,
        InstalledSandbox,
    )
}
"""By kind, what a test module subclasses to have one plugin checked."""


def suite(kind: str, plugin: str, url: str = "", tasks: str = "") -> type[Installed]:
    """The test class of one plugin."""
    found: type[Installed] = SUITES[kind]
    return type("TestPlugin", (found,), {"PLUGIN": plugin, "URL": url, "TASKS": tasks})
