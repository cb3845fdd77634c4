"""What the queue has to be told of the claims that are held: renewals, beginnings, and ends."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

from peagen_ray.fabric.actions import Fail, GiveBack
from peagen_ray.queues.model import Completion

Settlement: TypeAlias = Completion | Fail | GiveBack
"""How a claim ends, by our own will."""


class Leases:
    """When each claim is to be renewed, and which runs have begun of which the queue does not know.

    Every step costs O(1). What is handed out is not handed out again until it is held again.

    Args:
        every: seconds between two renewals.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._due: OrderedDict[str, float] = OrderedDict()
        self._begun: dict[str, None] = {}

    def hold(self, token: str, now: float) -> None:
        """The claim was made or renewed."""
        self._due[token] = now + self._every
        self._due.move_to_end(token)

    def begin(self, token: str) -> None:
        """Its run has begun."""
        self._begun[token] = None

    def drop(self, token: str) -> None:
        """The claim is to be renewed no more."""
        self._due.pop(token, None)
        self._begun.pop(token, None)

    def restart(self, held: Iterable[str], running: Iterable[str], now: float) -> None:
        """All of these are to be renewed at once, and nobody knows that these run."""
        self._due = OrderedDict.fromkeys(held, now)
        self._begun = dict.fromkeys(running)

    def take_begun(self) -> list[str]:
        """The claims of which the queue must hear that their runs have begun."""
        begun, self._begun = self._begun, {}
        return list(begun)

    def take_due(self, now: float) -> list[str]:
        """The claims that must be renewed, if any, and those that soon must be."""
        due: list[str] = []
        if (first := self.next_due()) is not None and first <= now:
            soon = now + self._every / 5
            while self._due and next(iter(self._due.values())) <= soon:
                due.append(self._due.popitem(last=False)[0])
        return due

    def next_due(self) -> float | None:
        """When the next claim must be renewed; None if there is none."""
        return next(iter(self._due.values()), None)


class Outbox:
    """The ends of claims, until the queue has answered. Every step costs O(1) for each of them."""

    def __init__(self) -> None:
        self._new: dict[str, Settlement] = {}
        self._told: dict[str, Settlement] = {}

    def put(self, token: str, settlement: Settlement) -> None:
        """The queue must hear of it."""
        self._new[token] = settlement

    def take(self) -> list[Settlement]:
        """What the queue was not told, or did not answer before :meth:`restart`."""
        new, self._new = self._new, {}
        self._told |= new
        return list(new.values())

    def answered(self, token: str) -> Settlement | None:
        """The queue has answered; None if it had before."""
        return self._told.pop(token, None)

    def restart(self) -> None:
        """Nobody knows what the queue has heard: it is told again."""
        self._new, self._told = self._told | self._new, {}
