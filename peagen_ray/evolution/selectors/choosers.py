"""Choosers: one parent selector for each island, and the choice that put them there."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from peagen_ray.evolution.selectors.base import ParentSelector
from peagen_ray.evolution.selectors.choice import Choice


class Choosers:
    """The selectors of a run's islands, which learn apart.

    Args:
        selector: the first island's; each further island gets a copy of it.
        islands: how many there are.

    Attributes:
        choice: what took the first selector's place in a later life of the run; None if nothing did.
    """

    def __init__(self, selector: ParentSelector, islands: int) -> None:
        self.choice: Choice | None = None
        self._all = _copies(selector, islands)

    def __getitem__(self, island: int) -> ParentSelector:
        return self._all[island]

    def __iter__(self) -> Iterator[ParentSelector]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def replace(self, choice: Choice) -> None:
        """Let others choose from here on; raises like :meth:`Choice.made`."""
        self._all = _copies(choice.made(), len(self._all))
        self.choice = choice

    def state(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        choice = None if self.choice is None else asdict(self.choice)
        return {"choice": choice, "learnt": [selector.state() for selector in self._all]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` described."""
        if state["choice"]:
            self.replace(Choice(**state["choice"]))
        for selector, learnt in zip(self._all, state["learnt"], strict=True):
            selector.restore(learnt)


def _copies(selector: ParentSelector, islands: int) -> list[ParentSelector]:
    return [selector, *(copy.deepcopy(selector) for _ in range(1, islands))]
