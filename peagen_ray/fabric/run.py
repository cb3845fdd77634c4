"""Running a handler on a task: whatever it does, a Result comes of it."""

from __future__ import annotations

import importlib
import traceback
from typing import Final

from peagen_ray.errors import (
    BrokerUnavailable,
    EnvelopeError,
    LaunchError,
    PluginError,
    SandboxError,
    SandboxUnavailable,
)
from peagen_ray.handler import HandlerContext, TaskHandler, handling
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
        return failure_of(task, error)
    if not isinstance(result, Result) or result.task_id != task.id:
        got = f"a Result for {result.task_id!r}" if isinstance(result, Result) else type(result).__name__
        msg = f"{type(handler).__name__}.handle returned {got}"
        return Result.failure(task, msg, retryable=False, reason="handler")
    return result.model_copy(update={"attempts": max(1, task.attempts)})


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
