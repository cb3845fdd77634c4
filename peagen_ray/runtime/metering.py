"""The meter of a process that lives long: what it asks of a queue, and where it is to be seen."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import ExitStack

from peagen_ray.config.model import Config
from peagen_ray.metrics import Meter, QueueState
from peagen_ray.queues.base import TaskQueue


def queue_state(queue: TaskQueue) -> QueueState:
    """How a queue stands."""
    return QueueState(queue.depth(), queue.oldest_idle(), queue.counters(), queue.held_bytes())


def metered(
    config: Config,
    queue: Callable[[], TaskQueue],
    stack: ExitStack,
    say: Callable[[str], None],
) -> Meter | None:
    """What counts, and is seen on a port as long as the stack; None unless a port is configured.

    Args:
        config: the effective configuration.
        queue: the queue, when somebody looks; what this raises while there is none is nobody's trouble.
        stack: what ends the port.
        say: told where it is to be seen.

    Raises:
        UsageError: the port is taken, or may not be used.
    """
    if config.metrics.port is None:
        return None
    meter = Meter(lambda: queue_state(queue()))
    exposed = stack.enter_context(meter.serve(config.metrics.port))
    say(f"metrics at http://{platform.node()}:{exposed.port}/metrics")
    return meter
