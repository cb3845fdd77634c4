"""The worker of a process and what it needs: the launcher, the runner, the handlers, the records."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from peagen_ray.config.model import Config
from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.config.secrets import secret
from peagen_ray.errors import ConfigError, PeagenError
from peagen_ray.fabric.inline import InlineWorker, Registered
from peagen_ray.fabric.oneshot import PRELOAD, OneShotRunner
from peagen_ray.fabric.warm import WarmPool
from peagen_ray.handler import Confinement
from peagen_ray.launcher.client import Launcher
from peagen_ray.llm.opening import key_variable
from peagen_ray.metrics import Meter, Pool
from peagen_ray.plugins import load, names, reference
from peagen_ray.queues.base import TaskQueue
from peagen_ray.results.base import ResultBackend
from peagen_ray.runtime.keeping import Keeping, KeepingThread
from peagen_ray.runtime.paths import WORKSPACE
from peagen_ray.task import Task
from peagen_ray.tracing import tracer_of

_LIMITS: Final = {"timeout_s": "wall_s"}
HANDLERS: Final = "peagen.task_handlers"

PRELOADED: Final = (*PRELOAD, "peagen_ray.sandbox.guest", "peagen_ray.evolution.mutators.genetic.mutator")
"""Our own pure modules that handlers and guests need; with the handlers' own, whatever they import."""

CACHE: Final = WORKSPACE / "cache"
"""Where a worker keeps what can be made again, under its working directory."""


class Serving:
    """An inline worker that serves a queue; it works as long as the ``with`` block.

    At the block's end what still runs is killed and given back, see :meth:`InlineWorker.stop`. A record
    of every task is kept.

    Args:
        config: the effective configuration.
        queue: where the tasks are.
        results: where records are kept.
        name: the worker's name.
        concurrency: tasks at a time.
        offered: capability tags that are offered.
        keep: directories that tasks must see although they lie under ``/tmp``.
        on_problem: told once of each sort of trouble beside the tasks themselves.
        preload: further modules of ours that handlers' processes find imported.
        meter: counts.
        options: further ones of :class:`InlineWorker`.

    Raises:
        ConfigError: handlers are to run in a worker of Ray's.
    """

    def __init__(
        self,
        config: Config,
        queue: TaskQueue,
        results: ResultBackend,
        name: str,
        concurrency: int,
        offered: frozenset[str],
        keep: tuple[Path, ...] = (),
        *,
        on_problem: Callable[[str], None] = lambda _: None,
        preload: tuple[str, ...] = (),
        meter: Meter | None = None,
        **options: Any,
    ) -> None:
        if config.worker.defaults.isolation == "worker":
            raise ConfigError(
                "is for workers on Ray, and there is none here",
                subject='[worker.defaults] isolation = "worker"',
                hint='use "auto" or "always"',
            )
        self._config = config
        self._queue = queue
        self._results = results
        self._name = name
        self._concurrency = concurrency
        self._offered = offered
        self._keep = keep
        self._on_problem = on_problem
        self._preload = preload
        self._meter = meter
        self._options = options
        self._stack = ExitStack()
        self._problems: list[str] = []
        self.launcher: Launcher
        self.worker: InlineWorker
        self._keeping: KeepingThread

    def __enter__(self) -> Self:
        table = self._config.worker.defaults
        cache = CACHE.absolute()
        handlers = registered(table.plugins)
        modules = sorted({known.reference.partition(":")[0] for known in handlers.values()})
        with self._stack:
            self.launcher = self._stack.enter_context(Launcher.start([*PRELOADED, *self._preload, *modules]))
            pool = self._stack.enter_context(self._pool(self.launcher))
            tracer = tracer_of(self._config.traces)
            if tracer is not None:
                self._stack.callback(tracer.close)
            self._keeping = KeepingThread(Keeping(self._results, self._told, self._meter, tracer))
            runner = OneShotRunner(
                self.launcher,
                self._name,
                self._offered,
                keep=self._keep,
                cache=cache,
                isolation=table.isolation,
                confinement=confinement(self._config),
                pool=pool,
            )
            self.worker = InlineWorker(
                self._queue,
                handlers,
                runner,
                self._offered,
                self._concurrency,
                secrets=keys_for,
                on_result=self._keeping,
                **self._options,
            )
            pool.refill()
            self._stack.enter_context(self._keeping)
            self.worker.start()
            self._stack.callback(self.worker.stop, drain=False)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _pool(self, launcher: Launcher) -> WarmPool:
        table = self._config.worker.defaults
        # Shared with nobody: nothing of it is left in the file system by a process that is killed.
        seconds, on_idle = (
            table.idle_timeout.total_seconds(),
            self._meter.left_idle if self._meter else lambda: None,
        )
        pool = WarmPool(launcher, table.warm_pool, None, seconds, keep=self._keep, on_idle=on_idle)
        if self._meter is not None:
            self._meter.watch(
                lambda: Pool(pool.counts.live, pool.counts.idle, pool.counts.launched),
                ",".join(sorted(self._offered)),
            )
        return pool

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong so far beside the tasks themselves, such as records that could not be kept."""
        self._keeping.settle()
        return tuple(self._problems)

    def _told(self, text: str) -> None:
        self._problems.append(text)
        self._on_problem(text)


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
        ports=table.ports,
        unsafe=table.unsafe,
        image=table.container.image,
        engine=table.container.engine,
        engine_options=table.container.engine_options,
        venv=str(table.container.venv.absolute()) if table.container.venv else None,
    )


def keys_for(task: Task) -> dict[str, str]:
    """The variables that hold the keys of the back-ends that a task asks, as this process has them."""
    found = {}
    for fields in task.payload.get("backends", ()):
        with suppress(PeagenError, ValueError):
            variable = key_variable(BackendTable.model_validate(fields))
            key = secret(variable) if variable else None
            if key:
                found[variable] = key
    return found
