"""The one-shot runner: a fresh process for one task, and always a Result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from peagen_ray._version import __version__
from peagen_ray.errors import EnvelopeError, LaunchError, PluginError
from peagen_ray.fabric._child import BEGUN, Order
from peagen_ray.fabric.gpus import gpus_of
from peagen_ray.fabric.interrupt import Interrupt
from peagen_ray.fabric.parked import Parked, park
from peagen_ray.fabric.run import MESSAGE_LIMIT, build, failure_of, handle, wire_form
from peagen_ray.fabric.warm import WarmPool
from peagen_ray.handler import Confinement, TaskHandler
from peagen_ray.launcher import framing
from peagen_ray.launcher.client import Child, Exit, Launcher, SpawnSpec
from peagen_ray.launcher.scratch import ScratchPool
from peagen_ray.task import Result, Task

Isolation = Literal["auto", "always", "worker"]
"""Where handlers run: ``always`` each in a process of its own; ``auto`` too, but for those that declare
themselves shared, which run in this process; ``worker`` all of them in this process, which is used for one
task only."""

PRELOAD: Final[tuple[str, ...]] = ("peagen_ray.fabric._child",)
"""What a launcher for one-shot processes should preload at least."""

INTERRUPTED: Final = "interrupted"
"""The reason of a run that its :class:`Interrupt` ended."""

_FAREWELL: Final = 5.0
"""Seconds that a process which has answered may take to end."""


@dataclass
class _Run:
    """What is known of a run, and goes into its Result beside what the handler says.

    ``begun`` is False where the process surely did nothing about its order.
    """

    result: Result
    layers: frozenset[str] = frozenset()
    cpu_s: float = 0.0
    max_rss_kb: int = 0
    stdout: str = ""
    stderr: str = ""
    begun: bool = True


class OneShotRunner:
    """Runs handlers, each task in a process of its own. Any thread may use it.

    Args:
        launcher: starts the processes; should have preloaded ``PRELOAD`` and the handlers' modules.
        worker: name of the worker, for provenance.
        offered: capability tags that are offered here.
        scratch_root: where scratch directories are made; by default where temporary files go.
        keep: directories that handlers must see although they lie under ``/tmp``: the workspace.
        image: the container image that this runs in, for provenance.
        isolation: which handlers run in this process.
        confinement: how untrusted code is kept here.
        cache: directory for what handlers can make again; below one of ``keep``, if it lies under ``/tmp``.
        pool: processes that stand ready, with the same ``keep`` and ``scratch_root``. One is used if there is
            one, and the pool is refilled after each task that took a process.

    Raises:
        ValueError: the processes of ``pool`` would see other directories.
    """

    def __init__(
        self,
        launcher: Launcher,
        worker: str,
        offered: frozenset[str],
        scratch_root: Path | None = None,
        keep: tuple[Path, ...] = (),
        *,
        image: str = "",
        isolation: Isolation = "auto",
        confinement: Confinement = Confinement(),  # noqa: B008 - frozen
        cache: Path | None = None,
        pool: WarmPool | None = None,
    ) -> None:
        if pool is not None and (pool.keep, pool.scratch_root) != (keep, scratch_root):
            raise ValueError("the pool's keep or scratch_root differs from the runner's")
        self.worker = worker
        self._launcher = launcher
        self._offered = offered
        self._scratch_root = scratch_root
        self._keep = keep
        self._image = image
        self._isolation = isolation
        self._confinement = confinement
        self._cache = cache
        self._pool = pool
        self._handlers: dict[str, TaskHandler] = {}
        self._scratches = ScratchPool(scratch_root, "peagen-task-")

    def run(
        self,
        handler: str,
        task: Task,
        *,
        timeout: float,
        interrupt: Interrupt | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Result:
        """Run a handler on a task; whatever happens to it, a Result says so.

        The Result's ``data`` also holds ``provenance`` (handler, handler_version, worker, image,
        version, layers), ``usage`` (cpu_s, max_rss_kb, wall_s, and gpu_s
        where GPUs were given to it), and ``output`` (stdout, stderr) if
        anything was printed; ``guests`` is what its
        guests have come to, see :class:`peagen_ray.handler.Guests`. An ``error`` holds its ``reason`` too:

        * ``timeout``: not retryable, since it would take as long elsewhere;
        * such as ``exit 1`` or ``killed by SIGSEGV``: the process ended without a Result; retryable;
        * ``rubbish``: what it answered is no Result; retryable;
        * ``launch``: no process could be started; retryable;
        * ``interrupted``: it was ended by ``interrupt``; retryable;
        * ``exception``: the handler raised; see :func:`peagen_ray.fabric.run.handle`;
        * ``handler``: what the handler returned is of no use; not retryable.

        Args:
            handler: ``module:Class``.
            task: the task.
            timeout: seconds, after which the process and all that it started are killed. A handler that
                runs in this process has to mind ``HandlerContext.timeout`` itself.
            interrupt: ends the run when fired from another thread; one in this process only if its handler minds
                ``HandlerContext.on_interrupt``, and then it returns a Result of its own.
            environment: variables that are set in the process before the handler is made, such as
                ``CUDA_VISIBLE_DEVICES``, which also bounds the GPUs of what the handler starts. A handler
                that runs in this process is told them in its context only.
        """
        start = time.monotonic()
        version, gpus = "", 0
        try:
            known = self._known(handler)
            version, gpus = known.VERSION, _gpus(known, environment)
            order = Order(
                handler,
                task,
                self.worker,
                self._offered,
                timeout,
                self._confinement,
                self._cache,
                environment,
            )
            if self._isolation == "worker" or (known.SHARED and self._isolation == "auto"):
                run = self._here(known, order, interrupt or Interrupt())
            else:
                run = self._apart(order, interrupt or Interrupt())
        except (PluginError, OSError) as error:
            run = _Run(failure_of(task, error))
        return self._stamped(run, handler, version, time.monotonic() - start, gpus)

    def _known(self, reference: str) -> TaskHandler:
        if reference not in self._handlers:
            self._handlers[reference] = build(reference)
        return self._handlers[reference]

    def _here(self, handler: TaskHandler, order: Order, interrupt: Interrupt) -> _Run:
        with self._scratches.directory() as scratch:
            start = time.thread_time()
            context = replace(order.context(scratch, self._launcher), on_interrupt=interrupt.calling)
            answer = handle(handler, order.task, context)
            # By way of the wire, so that what cannot travel is found here and not in the queue.
            result = Result.from_wire(wire_form(order.task, answer))
            return _Run(result, cpu_s=time.thread_time() - start)

    def _apart(self, order: Order, interrupt: Interrupt) -> _Run:
        deadline = time.monotonic() + order.timeout
        try:
            parked = self._pool.take() if self._pool else None
            run = _within(parked, order, deadline, interrupt) if parked else None
            if run is None or not run.begun:
                fresh = park(self._spawn, self._scratch_root, self._keep)
                run = _within(fresh, order, deadline, interrupt)
        except LaunchError as error:
            run = _Run(Result.failure(order.task, str(error), retryable=True, reason="launch"))
        if self._pool:
            self._pool.refill()
        return run

    def _spawn(self, spec: SpawnSpec) -> Child:
        try:
            return self._launcher.spawn(spec)
        except LaunchError:
            if self._launcher.alive:
                raise
            self._launcher.revive()
            return self._launcher.spawn(spec)

    def _stamped(self, run: _Run, handler: str, version: str, wall_s: float, gpus: int) -> Result:
        stamps: dict[str, Any] = {
            "provenance": {
                "handler": handler,
                "handler_version": version,
                "worker": self.worker,
                "image": self._image,
                "version": __version__,
                "layers": sorted(run.layers),
            },
            "usage": {"cpu_s": run.cpu_s, "max_rss_kb": run.max_rss_kb, "wall_s": wall_s}
            | ({"gpu_s": gpus * wall_s} if gpus else {}),
        }
        if run.stdout or run.stderr:
            stamps["output"] = {"stdout": run.stdout, "stderr": run.stderr}
        return run.result.model_copy(update={"data": {**run.result.data, **stamps}})


def _gpus(handler: TaskHandler, environment: Mapping[str, str]) -> int:
    """How many GPUs a run has: those of its variables, and where these restrict nothing one if it needs one."""
    given = gpus_of(environment)
    return len(given) if given is not None else int("gpu" in handler.PROVIDES)


def _within(parked: Parked, order: Order, deadline: float, interrupt: Interrupt) -> _Run:
    """Give a process its order and hear the Result; the process and its scratch directory are gone then."""
    child = parked.child
    with parked, interrupt.covering(child):
        begun, answer = _converse(child, order, deadline)
        ended = child.wait(_FAREWELL) or child.kill()
        result = answer or _ended_without_one(order.task, ended, interrupt)
        return _Run(result, child.layers, ended.cpu_s, ended.max_rss_kb, *child.output(), begun=begun)


def _converse(child: Child, order: Order, deadline: float) -> tuple[bool, Result | None]:
    """Give the order and hear the Result.

    Returns:
        False if the process surely did nothing about its order; and the Result, None if the process ended
        without one.
    """
    task, begun = order.task, False
    try:
        child.send(order.to_wire(), deadline)
        begun = child.receive(len(BEGUN), deadline) == BEGUN
        answer = Result.from_wire(child.receive(MESSAGE_LIMIT, deadline))
        if answer.task_id != task.id:
            raise EnvelopeError(f"a Result for {answer.task_id!r}", subject=f"task {task.id}")
    except framing.ChannelClosed:
        return begun, None
    except framing.ChannelTimeout:
        child.kill()
        msg = f"timed out after {order.timeout:g} s"
        return True, Result.failure(task, msg, retryable=False, reason="timeout")
    except (framing.MessageTooLong, EnvelopeError) as error:
        child.kill()
        msg = f"the handler's process answered rubbish: {error}"
        return True, Result.failure(task, msg, retryable=True, reason="rubbish")
    return True, answer.model_copy(update={"attempts": max(1, task.attempts)})


def _ended_without_one(task: Task, ended: Exit, interrupt: Interrupt) -> Result:
    if interrupt.fired:
        return Result.failure(task, "interrupted", retryable=True, reason=INTERRUPTED)
    msg = f"the handler's process ended without a Result: {ended.reason}"
    return Result.failure(task, msg, retryable=True, reason=ended.reason)
