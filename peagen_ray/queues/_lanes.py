"""The lanes of waiting tasks: turns between them, order within them, and which are not served."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

from peagen_ray.queues._record import Record
from peagen_ray.queues.model import tags_of
from peagen_ray.task import TaskKind, missing_tags

_missing = lru_cache(4096)(missing_tags)


class Lane:
    """Tasks that require the same tags, first in, first out.

    Attributes:
        tags: what they require.
        records: by task id.
        unserved_since: when a consumer first met the lane while nobody covered it; None if one does.
        missing: the fewest tags that were missing since.
    """

    def __init__(self, name: str) -> None:
        self.tags = tags_of(name)
        self.records: OrderedDict[str, Record] = OrderedDict()
        self.unserved_since: float | None = None
        self.missing: tuple[str, ...] = ()

    def met(self, missing: tuple[str, ...], now: float) -> bool:
        """A consumer came that lacks those tags, or none; whether that changed anything."""
        before = self.unserved_since, self.missing
        if not missing:
            self.unserved_since, self.missing = None, ()
        elif self.unserved_since is None:
            self.unserved_since, self.missing = now, missing
        else:
            self.missing = min(self.missing, missing, key=_few)
        return before != (self.unserved_since, self.missing)

    def due(self, patience: float) -> float | None:
        """When patience with the first task ends; None while the lane is served."""
        if self.unserved_since is None or not self.records:
            return None
        return max(self.unserved_since, next(iter(self.records.values())).since) + patience


class Lanes:
    """All the waiting tasks. A claim costs the number of lanes, whatever the number of tasks."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._kinds: Counter[tuple[str, TaskKind]] = Counter()
        self._size = 0
        self.noted = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Record]:
        return chain.from_iterable(lane.records.values() for lane in self._lanes.values())

    def add(self, record: Record) -> None:
        """Put a task at the end of its lane."""
        name = record.lane
        if name not in self._lanes:
            self._lanes[name] = Lane(name)
        self._lanes[name].records[record.id] = record
        self._kinds[name, record.open.kind] += 1
        self._size += 1

    def discard(self, record: Record) -> None:
        """Take a task out of turn, if it is there."""
        lane = self._lanes.get(record.lane)
        if lane and lane.records.pop(record.id, None):
            self._gone(record.lane, record)

    def take(self, offered: frozenset[str] | None, limit: int) -> Iterator[Record]:
        """Take up to ``limit`` tasks that ``offered`` covers, one of each lane in turn.

        Args:
            offered: the consumer's tags; None covers every lane.
            limit: how many at most.
        """
        turn = deque(name for name, lane in self._lanes.items() if not _lacks(lane, offered))
        for _ in range(limit):
            if not turn:
                return
            name = turn.popleft()
            _, record = self._lanes[name].records.popitem(last=False)
            self._lanes.move_to_end(name)
            if self._lanes[name].records:
                turn.append(name)
            self._gone(name, record)
            yield record

    def meet(self, consumers: Iterable[frozenset[str] | None], now: float) -> None:
        """Note which lanes the consumers, taken one by one, leave unserved; ``noted`` counts what is new."""
        offers = list(consumers)
        for lane in self._lanes.values():
            self.noted += lane.met(min((_lacks(lane, offered) for offered in offers), key=_few), now)

    def overdue(self, patience: float, now: float) -> Iterator[tuple[Record, tuple[str, ...]]]:
        """Take out the tasks with which patience has ended, each with the tags that were missing."""
        for name, lane in list(self._lanes.items()):
            while (due := lane.due(patience)) is not None and due <= now:
                _, record = lane.records.popitem(last=False)
                self._gone(name, record)
                yield record, lane.missing

    def next_due(self, patience: float) -> float | None:
        """When patience with some task ends; None if every lane is served."""
        dues = (lane.due(patience) for lane in self._lanes.values())
        return min((due for due in dues if due is not None), default=None)

    def unserved(self) -> dict[str, tuple[str, ...]]:
        """The tags that were missing, by lane."""
        return {name: lane.missing for name, lane in self._lanes.items() if lane.missing}

    def contents(self) -> Iterator[tuple[str, Collection[Record]]]:
        """The waiting tasks of each lane."""
        return ((name, lane.records.values()) for name, lane in self._lanes.items())

    def depth(self) -> Counter[tuple[str, TaskKind]]:
        """Tasks by lane and kind."""
        return +self._kinds

    def oldest(self) -> float | None:
        """Since when the task that has waited longest waits; None if none does."""
        heads = (next(iter(lane.records.values())) for lane in self._lanes.values())
        return min((record.since for record in heads), default=None)

    def _gone(self, name: str, record: Record) -> None:
        self._kinds[name, record.open.kind] -= 1
        self._size -= 1
        if not self._lanes[name].records:
            del self._lanes[name]

    def dump(self) -> list[dict[str, Any]]:
        """The JSON form, in turn; the inverse of :meth:`load`."""
        return [
            {"name": name, "since": lane.unserved_since, "missing": lane.missing, "ids": list(lane.records)}
            for name, lane in self._lanes.items()
        ]

    def load(self, dumped: list[dict[str, Any]], records: dict[str, Record]) -> None:
        """Fill these lanes, which are empty, from a JSON form and the records that it names."""
        for entry in dumped:
            for task_id in entry["ids"]:
                self.add(records[task_id])
            lane = self._lanes[entry["name"]]
            lane.unserved_since, lane.missing = entry["since"], tuple(entry["missing"])


def _few(tags: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    return len(tags), tags


def _lacks(lane: Lane, offered: frozenset[str] | None) -> tuple[str, ...]:
    return () if offered is None else _missing(lane.tags, offered)
