"""What a dispatcher needs of a cluster: somebody who starts and ends tasks there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from peagen_ray.fabric.actions import Failure, Submit
from peagen_ray.fabric.remote import Warmth
from peagen_ray.task import Result

Outcome: TypeAlias = Result | tuple[Failure, str]
"""A handler's Result; or why there is none, and Ray's words."""

OnEnd: TypeAlias = Callable[[str, Outcome, Warmth | None], None]
"""Told of a submitted task's token, how it ended, and what its node says of its one-shot processes."""


class Hands(Protocol):
    """What a dispatcher needs of a cluster."""

    def submit(self, submitted: Submit) -> None:
        """Start a task, whose end is told to whoever made this."""

    def cancel(self, token: str) -> None:
        """End a task that was submitted, running or not."""
