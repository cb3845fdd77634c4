"""Running a handler on a task: whatever it does, a Result comes of it."""

from __future__ import annotations

import importlib
import json
import math
import traceback
from collections.abc import Mapping
from typing import Any, Final

from peagen_ray.about import About, inherited
from peagen_ray.errors import (
    BrokerUnavailable,
    EnvelopeError,
    LaunchError,
    PluginError,
    SandboxError,
    SandboxUnavailable,
)
from peagen_ray.handler import Guests, HandlerContext, TaskHandler, handling
from peagen_ray.task import Result, Task

_TRANSIENT: Final = (OSError, MemoryError, LaunchError, SandboxError, BrokerUnavailable)
"""Errors of the place rather than of the task: elsewhere, or later, it may go well."""

MESSAGE_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of the longest Result, and of the longest task."""

_TRACEBACK_LIMIT: Final = 4000
"""Characters kept of a traceback; its end says the most."""


def build(reference: str) -> TaskHandler:
    """Import a handler class and make one of it.

    Args:
        reference: ``module:Class``.

    Raises:
        PluginError: it cannot be imported, made, or is no handler; the cause is kept.
    """
    module, _, name = reference.partition(":")
    try:
        handler = getattr(importlib.import_module(module), name)()
    except Exception as error:
        # A handler may come from any wheel and raise anything.
        raise PluginError(f"cannot be made: {_words(error)}", subject=reference) from error
    if not isinstance(handler, TaskHandler):
        raise PluginError("is no task handler", subject=reference, hint="subclass TaskHandler")
    return handler


def handle(handler: TaskHandler, task: Task, context: HandlerContext) -> Result:
    """What the handler returns, or an ``error`` Result with what it raised.

    The error may be tried again if it is one of the place (``OSError``, ``MemoryError``, no process
    could be started, the broker does not answer), and not if it is one that the task would meet again.
    """
    try:
        with handling(context):
            result = handler.handle(task)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it may raise anything; that is what came of it
        return _with(context.guests, failure_of(task, error))
    if not isinstance(result, Result) or result.task_id != task.id:
        got = f"a Result for {result.task_id!r}" if isinstance(result, Result) else type(result).__name__
        msg = f"{type(handler).__name__}.handle returned {got}"
        return Result.failure(task, msg, retryable=False, reason="handler")
    return _with(context.guests, result.model_copy(update={"attempts": max(1, task.attempts)}))


def _with(guests: Guests, result: Result) -> Result:
    """The Result, which also says under ``guests`` what these have come to, if there were any."""
    told = guests.to_data()
    return result.model_copy(update={"data": {**result.data, "guests": told}}) if told else result


def timeout_of(task: Task, otherwise: float) -> float:
    """Seconds that the task may take: what its payload says under ``timeout``, or ``otherwise``.

    Raises:
        EnvelopeError: what the payload says is no length of time.
    """
    timeout = task.payload.get("timeout", otherwise)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
        raise EnvelopeError(f"its timeout is {timeout!r}, not seconds", subject=f"task {task.id}")
    return float(timeout)


def failure_of(task: Task, error: BaseException) -> Result:
    """The ``error`` Result for what was raised in place of a Result."""
    return Result.failure(
        task,
        _words(error),
        retryable=isinstance(error, _TRANSIENT) and not isinstance(error, SandboxUnavailable),
        reason="exception",
        error_type=type(error).__name__,
        traceback="".join(traceback.format_exception(error))[-_TRACEBACK_LIMIT:],
    )


def split(result: Result, parent: Task | None) -> tuple[Result, list[Task]]:
    """The Result without its follow-up tasks, and these, which are about what the parent is about.

    Raises:
        EnvelopeError: they are no tasks.
    """
    data: dict[str, Any] = dict(result.data)
    spawn = data.pop("spawn", [])
    if not isinstance(spawn, list):
        raise EnvelopeError("the follow-up tasks are no list", subject=f"result of {result.task_id}")
    above = parent.payload if parent is not None else {}
    tasks = [_follow_up(Task.from_wire(json.dumps(fields)), above) for fields in spawn]
    return result.model_copy(update={"data": data}), tasks


def _follow_up(task: Task, above: Mapping[str, Any]) -> Task:
    return task.model_copy(update={"payload": inherited(task.payload, above)})


def ids_of(task: Task) -> dict[str, Any]:
    """The ids that a line of a log has which is about a task."""
    about = About.of(task.payload)
    return {"run": about.run, "task": task.id, "candidate": about.candidate}


def instead_of(result: Result, failure: Result) -> Result:
    """The failure, with what the Result says of how it came about."""
    kept = {
        key: result.data[key] for key in ("provenance", "usage", "output", "guests") if key in result.data
    }
    return failure.model_copy(update={"data": {**failure.data, **kept}})


def wire_form(task: Task, result: Result) -> bytes:
    """The Result as it travels, or an ``error`` in its place if it cannot."""
    try:
        wire = result.to_wire()
    except EnvelopeError as error:
        msg = f"the Result cannot be written: {error}"
    else:
        if len(wire) <= MESSAGE_LIMIT:
            return wire
        msg = f"the Result takes {len(wire)} bytes, {MESSAGE_LIMIT} is the limit"
    return Result.failure(task, msg, retryable=False, reason="handler").to_wire()


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
