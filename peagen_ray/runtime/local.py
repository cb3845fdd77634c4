"""Everything that runs tasks in this process: the queue and the worker that serves it."""

from __future__ import annotations

from contextlib import ExitStack
from inspect import Parameter, signature
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from peagen_ray.config.model import Config
from peagen_ray.config.secrets import secret
from peagen_ray.launcher.client import Launcher
from peagen_ray.metrics import Meter
from peagen_ray.plugins import load
from peagen_ray.queues.base import TaskQueue
from peagen_ray.queues.letters import LetterFolder
from peagen_ray.results.base import ResultBackend
from peagen_ray.runtime.paths import WORKSPACE
from peagen_ray.runtime.serving import Serving
from peagen_ray.storage import is_uri
from peagen_ray.task import Result, Task

QUEUES: Final = "peagen.task_queues"
BACKENDS: Final = "peagen.result_backends"
LETTERS: Final = WORKSPACE / "dead_letters"
"""Where the dead letters of this workspace's own queue are kept."""

_EVERY_QUEUES: Final = ("max_retry", "idle_ms", "patience", "max_waiting", "room_timeout", "results_kept")
"""Keys of ``[task_queue]`` that every provider takes."""

_SOME_QUEUES: Final = ("broker_timeout", "prefix", "replicas")
"""Keys that go only to a provider with options of these names."""


class LocalFabric:
    """A queue and an inline worker that serves it; both live as long as the ``with`` block.

    A record of every task is kept in the configured result backend.

    Args:
        config: the effective configuration.
        concurrency: tasks at a time.
        keep: directories that tasks must see although they lie under ``/tmp``.
        offered: capability tags that the worker offers, if not those configured.
        waiting: tasks at a time that wait for language models, if not as many as are configured.
        preload: further modules of ours that handlers' processes find imported.
        meter: counts.
    """

    def __init__(
        self,
        config: Config,
        concurrency: int,
        keep: tuple[Path, ...],
        offered: frozenset[str] | None = None,
        preload: tuple[str, ...] = (),
        waiting: int | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._config = config
        self._meter = meter
        self._preload = preload
        self._concurrency = concurrency
        self._keep = keep
        self._offered = config.worker.defaults.caps if offered is None else offered
        self._waiting = config.worker.defaults.waiting if waiting is None else waiting
        self._results = open_results(config)
        self._stack = ExitStack()
        self._serving: Serving
        self.queue: TaskQueue
        self.launcher: Launcher

    def __enter__(self) -> Self:
        with self._stack:
            self.queue = self._stack.enter_context(open_queue(self._config))
            self._serving = self._stack.enter_context(
                Serving(
                    self._config,
                    self.queue,
                    self._results,
                    "inline",
                    self._concurrency,
                    self._offered,
                    self._keep,
                    waiting=self._waiting,
                    preload=self._preload,
                    meter=self._meter,
                )
            )
            self.launcher = self._serving.launcher
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong beside the tasks themselves, such as records that could not be kept."""
        return self._serving.problems

    def do(self, task: Task) -> Result:
        """Enqueue one task and wait for its Result."""
        self.queue.enqueue(task)
        return self.wait(task.id)

    def wait(self, task_id: str) -> Result:
        """The Result of a task that was enqueued, as soon as there is one."""
        result = self.queue.wait_for_result(task_id, None)
        assert result is not None
        return result


def open_queue(config: Config) -> TaskQueue:
    """The configured queue; raises PluginNotFound or ConfigError.

    The stub's dead letters are kept in the workspace; a broker's are with the broker.
    """
    table = config.task_queue
    provider: type[TaskQueue] = load(QUEUES, table.provider)
    options = table.model_dump(include=set(_EVERY_QUEUES))
    options["results_age"] = table.results_age.total_seconds()
    special = {
        **table.model_dump(include=set(_SOME_QUEUES)),
        "username": table.username or None,
        "password": secret(table.password_env) if table.password_env else None,
        "letters": LetterFolder(LETTERS.absolute()),
        "root": f"{root}/.queue" if (root := shared_root(config)) else "",
    }
    taken = _options(provider)
    options |= {name: value for name, value in special.items() if name in taken}
    return provider.from_url(table.url, **options)


def _options(provider: type[TaskQueue]) -> set[str]:
    """The options that a provider's ``__init__`` names, or those that it passes others on to."""
    names = set[str]()
    for each in provider.__mro__:
        parameters = signature(each.__init__).parameters  # type: ignore[misc]  # it is only looked at
        names.update(parameters)
        if all(parameter.kind is not Parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    return names


def shared_root(config: Config) -> str:
    """The root of the Results, if it means the same on every machine; else empty."""
    root = config.result_backend.root
    return root.rstrip("/") if is_uri(root) or Path(root).is_absolute() else ""


def open_results(config: Config) -> ResultBackend:
    """The configured result backend; raises PluginNotFound or ConfigError."""
    table = config.result_backend
    backend: ResultBackend = load(BACKENDS, table.provider)(table.root, compress=table.compress)
    return backend
