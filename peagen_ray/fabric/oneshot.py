"""The one-shot runner: a fresh process for one task, and always a Result."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from peagen_ray import __version__
from peagen_ray.errors import EnvelopeError, LaunchError, PluginError
from peagen_ray.fabric._child import Order
from peagen_ray.fabric.interrupt import Interrupt
from peagen_ray.fabric.run import MESSAGE_LIMIT, build, failure_of, handle, wire_form
from peagen_ray.handler import Confinement, HandlerContext, TaskHandler
from peagen_ray.launcher import framing
from peagen_ray.launcher.client import Child, Exit, Launcher, SpawnSpec
from peagen_ray.launcher.scratch import scratch_directory
from peagen_ray.task import Result, Task

Isolation = Literal["auto", "always"]
"""``auto`` lets a handler that declares itself shared run in this process; ``always`` does not."""

PRELOAD: Final = ("peagen_ray.fabric._child",)
"""What a launcher for one-shot processes should preload at least."""

INTERRUPTED: Final = "interrupted"
"""The reason of a run that its :class:`Interrupt` ended."""

_FAREWELL: Final = 5.0
"""Seconds that a process which has answered may take to end."""


@dataclass
class _Run:
    """What is known of a run, and goes into its Result beside what the handler says."""

    result: Result
    layers: frozenset[str] = frozenset()
    cpu_s: float = 0.0
    max_rss_kb: int = 0
    stdout: str = ""
    stderr: str = ""


class OneShotRunner:
    """Runs handlers, each task in a process of its own. Any thread may use it.

    Args:
        launcher: starts the processes; should have preloaded ``PRELOAD`` and the handlers' modules.
        worker: name of the worker, for provenance.
        offered: capability tags that are offered here.
        scratch_root: where scratch directories are made; by default where temporary files go.
        keep: directories that handlers must see although they lie under ``/tmp``: the workspace.
        image: the container image that this runs in, for provenance.
        isolation: whether handlers that declare themselves shared may run in this process.
        confinement: how untrusted code is kept here.
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
    ) -> None:
        self.worker = worker
        self._launcher = launcher
        self._offered = offered
        self._scratch_root = scratch_root
        self._keep = keep
        self._image = image
        self._isolation = isolation
        self._confinement = confinement
        self._handlers: dict[str, TaskHandler] = {}

    def run(self, handler: str, task: Task, *, timeout: float, interrupt: Interrupt | None = None) -> Result:
        """Run a handler on a task; whatever happens to it, a Result says so.

        The Result's ``data`` also holds ``provenance`` (handler, handler_version, worker, image,
        version, layers), ``usage`` (cpu_s, max_rss_kb, wall_s), and ``output`` (stdout, stderr) if
        anything was printed. An ``error`` holds its ``reason`` too:

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
            timeout: seconds, after which the process and all that it started are killed. A shared
                handler, which runs in this process, has to mind ``HandlerContext.timeout`` itself.
            interrupt: ends the run when fired from another thread; not that of a shared handler.
        """
        start = time.monotonic()
        version = ""
        try:
            known = self._known(handler)
            version = known.VERSION
            with scratch_directory(self._scratch_root, "peagen-task-") as scratch:
                if known.SHARED and self._isolation == "auto":
                    run = self._here(known, task, scratch, timeout)
                else:
                    order = Order(handler, task, self.worker, self._offered, timeout, self._confinement)
                    run = self._apart(order, scratch, interrupt or Interrupt())
        except (PluginError, OSError) as error:
            run = _Run(failure_of(task, error))
        return self._stamped(run, handler, version, time.monotonic() - start)

    def _known(self, reference: str) -> TaskHandler:
        if reference not in self._handlers:
            self._handlers[reference] = build(reference)
        return self._handlers[reference]

    def _here(self, handler: TaskHandler, task: Task, scratch: Path, timeout: float) -> _Run:
        context = HandlerContext(
            scratch, self.worker, self._offered, self._launcher, timeout, self._confinement
        )
        start = time.thread_time()
        # By way of the wire, so that what cannot travel is found here and not in the queue.
        result = Result.from_wire(wire_form(task, handle(handler, task, context)))
        return _Run(result, cpu_s=time.thread_time() - start)

    def _apart(self, order: Order, scratch: Path, interrupt: Interrupt) -> _Run:
        deadline = time.monotonic() + order.timeout
        spec = SpawnSpec("peagen_ray.fabric._child:main", scratch, nested=True, keep=self._keep)
        try:
            with self._spawn(spec) as child, interrupt.covering(child):
                answer = _converse(child, order, deadline)
                ended = child.wait(_FAREWELL) or child.kill()
                result = answer or _ended_without_one(order.task, ended, interrupt)
                return _Run(result, child.layers, ended.cpu_s, ended.max_rss_kb, *child.output())
        except LaunchError as error:
            return _Run(Result.failure(order.task, str(error), retryable=True, reason="launch"))

    def _spawn(self, spec: SpawnSpec) -> Child:
        try:
            return self._launcher.spawn(spec)
        except LaunchError:
            if self._launcher.alive:
                raise
            self._launcher.revive()
            return self._launcher.spawn(spec)

    def _stamped(self, run: _Run, handler: str, version: str, wall_s: float) -> Result:
        stamps: dict[str, Any] = {
            "provenance": {
                "handler": handler,
                "handler_version": version,
                "worker": self.worker,
                "image": self._image,
                "version": __version__,
                "layers": sorted(run.layers),
            },
            "usage": {"cpu_s": run.cpu_s, "max_rss_kb": run.max_rss_kb, "wall_s": wall_s},
        }
        if run.stdout or run.stderr:
            stamps["output"] = {"stdout": run.stdout, "stderr": run.stderr}
        return run.result.model_copy(update={"data": {**run.result.data, **stamps}})


def _converse(child: Child, order: Order, deadline: float) -> Result | None:
    """Give the order and hear the Result; None if the process ended without one."""
    task = order.task
    try:
        child.send(order.to_wire(), deadline)
        answer = Result.from_wire(child.receive(MESSAGE_LIMIT, deadline))
        if answer.task_id != task.id:
            raise EnvelopeError(f"a Result for {answer.task_id!r}", subject=f"task {task.id}")
    except framing.ChannelClosed:
        return None
    except framing.ChannelTimeout:
        child.kill()
        return Result.failure(task, f"timed out after {order.timeout:g} s", retryable=False, reason="timeout")
    except (framing.MessageTooLong, EnvelopeError) as error:
        child.kill()
        msg = f"the handler's process answered rubbish: {error}"
        return Result.failure(task, msg, retryable=True, reason="rubbish")
    return answer.model_copy(update={"attempts": max(1, task.attempts)})


def _ended_without_one(task: Task, ended: Exit, interrupt: Interrupt) -> Result:
    if interrupt.fired:
        return Result.failure(task, "interrupted", retryable=True, reason=INTERRUPTED)
    msg = f"the handler's process ended without a Result: {ended.reason}"
    return Result.failure(task, msg, retryable=True, reason=ended.reason)
