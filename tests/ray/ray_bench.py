"""What tests of the queue on Ray share. Not a test."""

from __future__ import annotations

import itertools
from contextlib import suppress

NAMESPACE = "peagen"
_NUMBERS = itertools.count()


def new_prefix() -> str:
    """A prefix that no other test has."""
    return f"test{next(_NUMBERS)}."


def kill_actor(prefix: str, *, restart: bool = False) -> None:
    """Kill the actor of a queue, if there is one."""
    import ray

    with suppress(ValueError):
        ray.kill(ray.get_actor(f"{prefix}queue", namespace=NAMESPACE), no_restart=not restart)
