"""What a dispatcher needs of a cluster: somebody who starts and ends tasks there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from peagen_ray.fabric.actions import Failure, Submit
from peagen_ray.fabric.remote import Warmth
from peagen_ray.task import Result

Outcome: TypeAlias = Result | tuple[Failure, str] | None
"""A handler's Result; or why there is none, and Ray's words; or None if it went together with others, and did not come
to its turn or died with them: then :meth:`Hands.again` is to be called."""

OnEnd: TypeAlias = Callable[[str, Outcome, Warmth | None], None]
"""Told of a submitted task's token, how it ended, and what its node says of its one-shot processes."""


class Hands(Protocol):
    """What a dispatcher needs of a cluster."""

    def submit(self, submitted: Submit) -> None:
        """Start a task, by the next :meth:`flush` at the latest; its end is told to whoever made this."""

    def flush(self, cpus: float) -> None:
        """Start what was submitted; the live nodes have so many CPUs."""

    def again(self, token: str) -> None:
        """Start a task by itself whose outcome was None."""

    def cancel(self, token: str) -> None:
        """End a task that was submitted, running or not."""
