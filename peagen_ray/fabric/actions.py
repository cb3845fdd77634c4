"""What the planner wants done; whoever acts on it tells the planner what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from peagen_ray.fabric.routing import Route
from peagen_ray.queues.model import Claim, Completion
from peagen_ray.task import Result, Task


class Failure(StrEnum):
    """How a Ray task ends that brings no Result."""

    WORKER_DIED = "worker-died"
    NODE_DIED = "node-died"
    OUT_OF_MEMORY = "out-of-memory"
    CANCELLED = "cancelled"
    RAY = "ray"
    """anything else that Ray says of a task"""


@dataclass(frozen=True)
class ClaimTasks:
    """Claim tasks whose runs do not begin yet (``begin=False``); answered by ``Planner.claimed``.

    Attributes:
        offered: the tags to offer.
        limit: how many at most.
        wait: whether to wait for the first one; if not, the planner asks again itself.
    """

    offered: frozenset[str]
    limit: int
    wait: bool = True


@dataclass(frozen=True)
class Submit:
    """Submit a task to Ray, with ``max_retries=0``; answered by ``started``, then ``finished`` or ``failed``.

    Attributes:
        token: what the planner calls it.
        task: the task, the run that is to come counted in its ``attempts``.
        route: its handler and resources, and how long it may take.
    """

    token: str
    task: Task
    route: Route


@dataclass(frozen=True)
class Cancel:
    """End a submitted task, whether it runs or not; answered by ``failed``, or ``finished`` if that came first."""

    token: str


@dataclass(frozen=True)
class Begin:
    """The runs of these claims have begun; answered by ``renewed``."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Extend:
    """Renew the leases of these claims; answered by ``renewed``."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Complete:
    """Complete these tasks; answered by ``settled``."""

    done: tuple[Completion, ...]


@dataclass(frozen=True)
class Fail:
    """The run ended in ``error`` or ``skip``: the queue decides what becomes of it; answered by ``settled``."""

    claim: Claim
    result: Result


@dataclass(frozen=True)
class GiveBack:
    """Offer the task to others, uncounted; answered by ``settled``."""

    claim: Claim
    delay: float = 0.0


@dataclass(frozen=True)
class Report:
    """Tell people that tasks cannot be served; needs no answer.

    Attributes:
        text: what is the matter, in one sentence.
        handler: the handler that asks for what is missing; "" if there is none.
        missing: the tags that are missing; empty if nodes that have them do not come.
    """

    text: str
    handler: str
    missing: tuple[str, ...]


Action: TypeAlias = ClaimTasks | Submit | Cancel | Begin | Extend | Complete | Fail | GiveBack | Report
