"""Tasks that were submitted and do not run yet, by what they require and by what they ask a node for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from peagen_ray.fabric.capabilities import Demand, Placement
from peagen_ray.fabric.routing import Route
from peagen_ray.queues._due import DueHeap
from peagen_ray.task import alternatives


@dataclass(slots=True)
class Group:
    """The tasks that wait for the same resources.

    Attributes:
        key: the group's own.
        route: of one of them.
        nodeless: no node that lives could serve them.
        tokens: all of them, in order.
    """

    key: str
    route: Route
    nodeless: bool = False
    tokens: dict[str, None] = field(default_factory=dict)


class Waiting:
    """Knows which tasks wait, and for how long no node has been there that could serve them.

    Adding and removing cost O(log n) in the number of groups.

    Args:
        patience: seconds that tasks wait for the first node of a kind.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lanes: Counter[frozenset[str]] = Counter()
        self._groups: dict[Demand, Group] = {}
        self._keys: dict[str, Group] = {}
        self._numbers = count()
        self._nodeless = DueHeap()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, token: str, lane: frozenset[str], route: Route, now: float) -> None:
        """A task that requires those tags waits."""
        group = self._groups.get(route.demand)
        if group is None:
            group = self._groups[route.demand] = Group(str(next(self._numbers)), route)
            self._keys[group.key] = group
        if route.node_type:
            self._count_from(now, group)
        group.tokens[token] = None
        self._lanes[lane] += 1
        self._size += 1

    def remove(self, token: str, lane: frozenset[str], demand: Demand) -> None:
        """A task that was added waits no more."""
        self._size -= 1
        self._lanes[lane] -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]
        group = self._groups[demand]
        del group.tokens[token]
        if not group.tokens:
            self._nodeless.discard(group.key)
            del self._groups[demand], self._keys[group.key]

    def uncrowded(self, offered: frozenset[str], room: int) -> frozenset[str]:
        """The tags, without one of each lane of which at least as many tasks wait as there is room for."""
        for lane in [lane for lane, waiting in self._lanes.items() if lane and waiting >= room]:
            tags = lane - {"cpu"} or lane
            lanes = Counter(tag for other in self._lanes for tag in other)
            offered -= alternatives(min(tags, key=lambda tag: (lanes[tag], tag)))
        return offered

    def moved(self, placement: Placement, now: float) -> list[str]:
        """The cluster has changed; returns the tasks that wait for what is no longer to be had."""
        lost: list[str] = []
        for group in self._groups.values():
            if not placement.has(group.route.demand):
                lost += group.tokens
            elif placement.lives(group.route.demand):
                group.nodeless = False
                self._nodeless.discard(group.key)
            else:
                self._count_from(now, group)
        return lost

    def overdue(self, now: float) -> Iterator[Group]:
        """The groups for which no node has come in time; whoever asks removes their tasks."""
        for key in self._nodeless.take(now):
            yield self._keys[key]

    def next_due(self) -> float | None:
        """When a group may be overdue; None if none can be."""
        return self._nodeless.next()

    def _count_from(self, now: float, group: Group) -> None:
        if not group.nodeless:
            group.nodeless = True
            self._nodeless.set(group.key, now + self._patience)
