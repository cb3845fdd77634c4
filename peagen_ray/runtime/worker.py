"""``worker start``: serve a queue until told to leave, idle for long enough, or up for long enough."""

from __future__ import annotations

import math
import os
import platform
import queue as inboxes
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from peagen_ray.config.model import Config
from peagen_ray.errors import UsageError
from peagen_ray.fabric.inline import Ended, InlineWorker
from peagen_ray.runtime.elsewhere import place_of, through_queue
from peagen_ray.runtime.local import open_queue, open_results
from peagen_ray.runtime.metering import metered
from peagen_ray.runtime.serving import Serving, registered
from peagen_ray.task import missing_tags

ATTENTION_S: Final = 1.0
"""Seconds of one wait for tasks: what an idle worker costs its broker, and how long a signal may go unnoticed."""

INTERRUPTED: Final = 130
"""Exit code of whoever pressed Ctrl-C twice."""

_SHOWN_ALWAYS: Final = (Ended.DONE, Ended.FAILED, Ended.GIVEN_BACK)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_Inbox = inboxes.SimpleQueue[int | None]
"""Signals as they come, and None once nothing runs any more. Unlike a lock it may be used in a handler."""


@dataclass(frozen=True)
class WorkerRequest:
    """A worker, as a person asks for it.

    Attributes:
        config: the effective configuration.
        name: the worker's name; "" is the machine's and the process's.
        exit_after_idle: seconds without work after which it leaves; None stays.
    """

    config: Config
    name: str = ""
    exit_after_idle: float | None = None

    def owner(self) -> str:
        """What the queue calls it."""
        return self.name or f"{platform.node() or 'worker'}-{os.getpid()}"

    def check(self) -> None:
        """Refuse what could serve nothing.

        Raises:
            UsageError: the queue has no broker, or no handler here can be served with those tags.
            ConfigError: a handler's name is not known.
        """
        self.check_queue()
        if not self.handlers():
            table = self.config.worker.defaults
            wanted = registered(table.plugins).items()
            needs = "; ".join(
                f"{name} needs {'+'.join(sorted(each.handler.PROVIDES))}" for name, each in wanted
            )
            raise UsageError(
                "no handler can work with those tags", subject=f"caps {tags_text(table.caps)}", hint=needs
            )

    def check_queue(self) -> None:
        """Refuse a queue that no other process sees; raises UsageError."""
        if not through_queue(self.config):
            raise UsageError(
                "the tasks of this queue live in the process that enqueues them: a worker has nothing to do",
                subject="queue stub",
                hint="name one with a broker: --provider redis://HOST, [task_queue] url, or PEAGEN_QUEUE",
            )

    def handlers(self) -> list[str]:
        """The handlers that work with the tags that it offers, by name."""
        table = self.config.worker.defaults
        return [
            name
            for name, each in registered(table.plugins).items()
            if not missing_tags(each.handler.PROVIDES, table.caps)
        ]

    def words(self) -> str:
        """What it serves, in one line."""
        table = self.config.worker.defaults
        handlers = ", ".join(self.handlers())
        return (
            f"worker {self.owner()} serves the queue {place_of(self.config)}: caps {tags_text(table.caps)}, "
            f"{table.concurrency} at a time, handlers {handlers}"
        )


def work(request: WorkerRequest, say: Callable[[str], None]) -> int:
    """Serve until there is a reason to leave; in the main thread, whose signals it takes over.

    The first SIGINT or SIGTERM lets what runs finish; the second one kills it and gives it back; a third
    one ends the process as if there were nobody to take it.

    Args:
        request: what to serve.
        say: told what a person should know; from several threads.

    Returns:
        The exit code.

    Raises:
        UsageError: see :meth:`WorkerRequest.check`.
        BrokerUnavailable: the broker does not answer at the beginning.
    """
    request.check()
    config, started = request.config, time.monotonic()
    table = config.worker.defaults
    with ExitStack() as stack:
        queue = stack.enter_context(open_queue(config))
        queue.pending_count()  # Whoever cannot be reached is found out before anything is started.
        inbox: _Inbox = inboxes.SimpleQueue()
        stack.enter_context(taking_signals(inbox))
        meter = metered(config, lambda: queue, stack, say)
        serving = stack.enter_context(
            Serving(
                config,
                queue,
                open_results(config),
                request.owner(),
                table.concurrency,
                table.caps,
                (Path.cwd(),),
                waiting=table.waiting,
                on_problem=say,
                meter=meter,
                on_broker=say,
                alone=False,
                attention=ATTENTION_S,
            )
        )
        say(request.words())
        until = started + table.max_uptime.total_seconds()
        reason, signals = _serve(serving.worker, inbox, until, request.exit_after_idle)
        say(f"{reason}: claiming no more, finishing what runs")
        code = _leave(serving.worker, inbox, signals, say)
    say(f"worker {request.owner()}, {time.monotonic() - started:.0f} s: {summary(serving.worker.counts)}")
    return code


def _serve(worker: InlineWorker, inbox: _Inbox, until: float, idle: float | None) -> tuple[str, int]:
    """Why to leave, as soon as there is a reason, and how many signals said so."""
    while True:
        patience = math.inf if idle is None else idle - worker.idle_s
        uptime = until - time.monotonic()
        if patience <= 0 and idle is not None:
            return f"nothing ran for {idle:g} s", 0
        if uptime <= 0:
            return "up for max_uptime", 0
        try:
            number = inbox.get(timeout=min(patience, uptime, threading.TIMEOUT_MAX))
        except inboxes.Empty:
            continue
        if number is not None:
            return signal.Signals(number).name, 1


def _leave(worker: InlineWorker, inbox: _Inbox, signals: int, say: Callable[[str], None]) -> int:
    """Wait for what runs; a second signal ends it. Returns the exit code."""

    def drain() -> None:
        worker.stop(drain=True)
        inbox.put(None)

    threading.Thread(target=drain, name="drain", daemon=True).start()
    while (number := inbox.get()) is not None:
        signals += 1
        if signals > 1:
            say(f"{signal.Signals(number).name} again: killing what runs and giving it back")
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            worker.stop(drain=False)
            return INTERRUPTED if number == signal.SIGINT else 0
    return 0


@contextmanager
def taking_signals(inbox: _Inbox) -> Iterator[None]:
    """Within the block the signals go to the inbox; in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda got, _: inbox.put(got)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summary(counts: Mapping[Ended, int]) -> str:
    """What became of the claims, for a person."""
    shown = [each for each in Ended if each in _SHOWN_ALWAYS or counts.get(each)]
    return ", ".join(f"{counts.get(each, 0)} {each}" for each in shown)


def tags_text(tags: frozenset[str]) -> str:
    """Tags, for a person."""
    return ",".join(sorted(tags))
