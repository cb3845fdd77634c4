"""Everything that runs tasks in this process: the launcher, the runner, the worker and the queue."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from peagen_ray.config.model import Config
from peagen_ray.errors import ConfigError, PeagenError
from peagen_ray.fabric.inline import InlineWorker, Registered
from peagen_ray.fabric.oneshot import PRELOAD, OneShotRunner
from peagen_ray.handler import Confinement
from peagen_ray.launcher.client import Launcher
from peagen_ray.plugins import load, names, reference
from peagen_ray.queues.base import TaskQueue
from peagen_ray.results.base import Record, ResultBackend
from peagen_ray.task import Result, Task

_LIMITS: Final = {"timeout_s": "wall_s"}
HANDLERS: Final = "peagen.task_handlers"
QUEUES: Final = "peagen.task_queues"
BACKENDS: Final = "peagen.result_backends"

PRELOADED: Final = (*PRELOAD, "peagen_ray.sandbox.guest", "peagen_ray.evolution.mutators.genetic.mutator")
"""Our own pure modules that handlers and guests need; with the handlers' own, whatever they import."""


class LocalFabric:
    """A queue and an inline worker that serves it; both live as long as the ``with`` block.

    A record of every task is kept in the configured result backend.

    Args:
        config: the effective configuration.
        concurrency: tasks at a time.
        keep: directories that tasks must see although they lie under ``/tmp``.
        offered: capability tags that the worker offers, if not those configured.
    """

    def __init__(
        self,
        config: Config,
        concurrency: int,
        keep: tuple[Path, ...],
        offered: frozenset[str] | None = None,
    ) -> None:
        self._config = config
        self._concurrency = concurrency
        self._keep = keep
        self._offered = config.worker.defaults.caps if offered is None else offered
        self._results = open_results(config)
        self._stack = ExitStack()
        self._problems: list[str] = []
        self.queue: TaskQueue
        self.launcher: Launcher

    def __enter__(self) -> Self:
        with self._stack:
            self.queue = self._stack.enter_context(open_queue(self._config))
            handlers = registered(self._config.worker.defaults.plugins)
            modules = sorted({known.reference.partition(":")[0] for known in handlers.values()})
            self.launcher = self._stack.enter_context(Launcher.start([*PRELOADED, *modules]))
            runner = OneShotRunner(
                self.launcher,
                "inline",
                self._offered,
                keep=self._keep,
                isolation=self._config.worker.defaults.isolation,
                confinement=confinement(self._config),
            )
            worker = InlineWorker(
                self.queue,
                handlers,
                runner,
                self._offered,
                self._concurrency,
                on_result=self._keep_record,
            )
            worker.start()
            self._stack.callback(worker.stop, drain=False)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong beside the tasks themselves, such as records that could not be kept."""
        return tuple(self._problems)

    def do(self, task: Task) -> Result:
        """Enqueue one task and wait for its Result."""
        self.queue.enqueue(task)
        result = self.queue.wait_for_result(task.id, None)
        assert result is not None
        return result

    def _keep_record(self, task: Task, result: Result) -> None:
        try:
            self._results.put(Record(task, result))
        except (PeagenError, OSError) as error:
            if not self._problems:
                self._problems.append(f"results are not kept: {error}")


def registered(only: tuple[str, ...] = ()) -> dict[str, Registered]:
    """The handlers that are installed, or those of them that ``WORKER_PLUGINS`` names.

    Raises:
        ConfigError: one of the names is not installed.
    """
    known = names(HANDLERS)
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise ConfigError(
            "no such handler is installed", subject=", ".join(unknown), hint=f"installed: {', '.join(known)}"
        )
    return {name: Registered(load(HANDLERS, name)(), reference(HANDLERS, name)) for name in only or known}


def confinement(config: Config) -> Confinement:
    """How this machine keeps untrusted code: never what a task says, but what its own configuration does."""
    ceiling = {_LIMITS.get(name, name): value for name, value in config.worker.limits if value is not None}
    table = config.execute
    readable = tuple(str(path.absolute()) for path in table.readable)
    return Confinement(
        ceiling=ceiling,
        require=table.require,
        readable=readable,
        unsafe=table.unsafe,
        image=table.container.image,
        engine=table.container.engine,
        engine_options=table.container.engine_options,
        venv=str(table.container.venv.absolute()) if table.container.venv else None,
    )


def open_queue(config: Config) -> TaskQueue:
    """The configured queue; raises PluginNotFound or ConfigError."""
    table = config.task_queue
    queue: TaskQueue = load(QUEUES, table.provider).from_url(
        table.url, idle_ms=table.idle_ms, max_retry=table.max_retry
    )
    return queue


def open_results(config: Config) -> ResultBackend:
    """The configured result backend; raises PluginNotFound or ConfigError."""
    table = config.result_backend
    backend: ResultBackend = load(BACKENDS, table.provider)(table.root, compress=table.compress)
    return backend
