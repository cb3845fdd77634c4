"""Capability tags as resources of Ray nodes: what a task asks for, what a node offers, and where it fits."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from peagen_ray.config.model import FabricTable, RequestTable
from peagen_ray.task import TaskKind, alternatives, check_tag, missing_tags

PLENTY: Final = 1_000_000
"""What a node has of a tag that is only a label; Ray wants whole numbers here."""

A_TRACE: Final = 0.0001
"""What a task asks for of such a tag: the least that Ray tells from nothing."""

WAITING_CPUS: Final = 0.05
"""Of a CPU: what a task takes that waits for a language model."""

_BUILT_IN: Final = {"cpu": "CPU", "gpu": "GPU"}
_TAGS: Final = {name: tag for tag, name in _BUILT_IN.items()}
_MEMORY: Final = "memory"
_MIB: Final = 2**20
_RAYS_OWN: Final = ("node:", "accelerator_type:", "object_store_memory")
_ROUND: Final = 100
"""Turns after which alternatives of a tag have had their shares."""


@dataclass(frozen=True)
class Demand:
    """What one task asks a node for.

    Attributes:
        cpus: CPUs.
        gpus: GPUs, or a share of one.
        memory: bytes; 0 reserves none.
        custom: custom resources and how much of each, by name in order.
    """

    cpus: float = 0.0
    gpus: float = 0.0
    memory: int = 0
    custom: tuple[tuple[str, float], ...] = ()

    def resources(self) -> dict[str, float]:
        """By Ray's names of resources; nothing that is zero."""
        asked = {"CPU": self.cpus, "GPU": self.gpus, _MEMORY: float(self.memory), **dict(self.custom)}
        return {name: amount for name, amount in asked.items() if amount}

    def options(self) -> dict[str, Any]:
        """The same as the options of a remote function."""
        sized = {"memory": self.memory} if self.memory else {}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "resources": dict(self.custom), **sized}


@dataclass(frozen=True)
class Node:
    """A node that lives.

    Attributes:
        name: what people call it.
        resources: all that it has, used or not, by Ray's names.
        type: the node type that it is of, or "".
        id: what Ray calls it.
    """

    name: str
    resources: Mapping[str, float]
    type: str = ""
    id: str = ""


@dataclass(frozen=True)
class NodeType:
    """A kind of node that the autoscaler starts.

    Attributes:
        name: its name in the cluster's configuration.
        resources: what such a node will have; empty if the configuration does not say.
        least: how many there always are.
        most: how many there may be; nothing is started of one with 0.
    """

    name: str
    resources: Mapping[str, float]
    least: int = 0
    most: int = 1


@dataclass(frozen=True)
class Live:
    """A live node has what is asked for, if perhaps not free at the moment."""

    demand: Demand


@dataclass(frozen=True)
class Startable:
    """No live node has it, and the autoscaler can start one that does.

    Attributes:
        demand: what to ask for.
        node_type: the kind of node that has it.
    """

    demand: Demand
    node_type: str


@dataclass(frozen=True)
class Missing:
    """Nothing has it, and nothing that has it can be started.

    Attributes:
        tags: what the node or node type that comes nearest lacks: tags, ``memory``, and where there is
            some, how much.
        nearest: the name of that node or node type; "" if there is none.
    """

    tags: tuple[str, ...]
    nearest: str = ""


Place: TypeAlias = Live | Startable | Missing


# ---- tags and resources --------------------------------------------------------------------------


def demand_of(kind: TaskKind, tags: Iterable[str], table: FabricTable) -> Demand:
    """What a task asks for.

    ``cpu`` and ``gpu`` ask for one of each and every other tag for a custom resource of its name, a slot
    of a consumable one and a trace of any other; a task that asks a model for a change or a file, and so waits, takes
    :data:`WAITING_CPUS`. ``[fabric.requests]`` may say otherwise for the kind.

    Args:
        kind: of the task.
        tags: what the task requires and its handler provides; none with alternatives, see :func:`choices`.
        table: the configuration.
    """
    tags = frozenset(tags)
    request: RequestTable = getattr(table.requests, kind)
    waits = kind in (TaskKind.MUTATE, TaskKind.RENDER) and "llm" in tags
    usual = (WAITING_CPUS if waits else 1.0) if "cpu" in tags else 0.0
    cpus = usual if request.cpus is None else request.cpus
    gpus = 1.0 if request.gpus is None else request.gpus
    others = sorted(tags - _BUILT_IN.keys())
    return Demand(
        cpus=cpus,
        gpus=gpus if "gpu" in tags else 0.0,
        memory=(request.memory_mb or 0) * _MIB,
        custom=tuple((tag, 1.0 if tag in table.consumable else A_TRACE) for tag in others),
    )


def choices(tags: Iterable[str]) -> list[frozenset[str]]:
    """The sets of plain tags of which any one will do: two for ``cuda11/12``, one if there is no slash."""
    options = [sorted(alternatives(tag), reverse=True) for tag in sorted(tags)]
    return list(dict.fromkeys(frozenset(chosen) for chosen in itertools.product(*options)))


def tags_offered(resources: Mapping[str, float]) -> frozenset[str]:
    """The tags that a node with those resources offers."""
    custom = (name for name, amount in resources.items() if amount > 0 and _is_custom(name))
    built_in = (tag for tag, name in _BUILT_IN.items() if resources.get(name, 0) > 0)
    return frozenset([*built_in, *custom])


def _is_custom(name: str) -> bool:
    """Whether it is a tag, and no resource that Ray itself gives a node."""
    if name.startswith(_RAYS_OWN) or name == _MEMORY or name in _BUILT_IN or "/" in name:
        return False
    try:
        check_tag(name)
    except ValueError:
        return False
    return True


def node_resources(caps: Iterable[str], table: FabricTable) -> dict[str, float]:
    """The custom resources of a node that offers those tags; ``cuda11/12`` offers both."""
    plain = frozenset(single for tag in caps for single in alternatives(tag)) - _BUILT_IN.keys()
    return {tag: table.consumable.get(tag, PLENTY) for tag in sorted(plain)}


def ray_start_arguments(caps: Collection[str], table: FabricTable) -> list[str]:
    """The options of ``ray start`` with which a machine joins a cluster as a node that offers those tags.

    Ray counts CPUs and GPUs itself, so that these are named only where the node shall offer none.
    """
    none = [f"--num-{tag}s=0" for tag in _BUILT_IN if tag not in caps]
    custom = node_resources(caps, table)
    return none + ([f"--resources={json.dumps(custom)}"] if custom else [])


# ---- where a task fits ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Cluster:
    """What there is, and what there can be: one picture of a cluster.

    Attributes:
        nodes: the live ones.
        types: what the autoscaler may start; empty where there is none.
    """

    nodes: tuple[Node, ...] = ()
    types: tuple[NodeType, ...] = ()

    def tags(self) -> frozenset[str]:
        """Every tag that some node offers or would offer."""
        every: list[Node | NodeType] = [*self.nodes, *(kind for kind in self.types if kind.most > 0)]
        return frozenset().union(*(tags_offered(each.resources) for each in every))

    def room(self, resource: str) -> int:
        """How much of a resource there may be at most: what nodes have, and what those to be started will."""
        alive = Counter(node.type for node in self.nodes)
        there = sum(node.resources.get(resource, 0.0) for node in self.nodes)
        to_come = (
            max(0, kind.most - alive[kind.name]) * kind.resources.get(resource, 0.0) for kind in self.types
        )
        return int(there + sum(to_come))


class Placement:
    """Says where tasks fit in one picture of a cluster.

    Tags that ``[fabric.requests]`` names for a kind are needed by all its tasks.

    What was found for a kind of task and a set of tags is kept, so that the first such question costs the
    number of different nodes, and every further one O(1). Used by one thread at a time.

    Args:
        cluster: the picture.
        table: how tags become resources.

    Attributes:
        cluster: the picture.
        tags: every tag that is offered in it.
    """

    def __init__(self, cluster: Cluster, table: FabricTable) -> None:
        self.cluster = cluster
        self.tags = cluster.tags()
        self._table = table
        self._live = _alike(cluster.nodes)
        self._types = [kind for kind in cluster.types if kind.most > 0]
        self._places: dict[tuple[TaskKind, frozenset[str]], tuple[Place, ...]] = {}
        self._turns: dict[tuple[TaskKind, frozenset[str]], int] = {}
        self._lives: dict[Demand, bool] = {}

    def place(self, kind: TaskKind, tags: frozenset[str]) -> Place:
        """Where to send the next task of that kind that needs all those tags.

        The alternatives of a tag take turns, each as often as there are live nodes for it; where none
        lives, the first node type decides.
        """
        places = self._found(kind, tags)
        turn = self._turns.get((kind, tags), 0)
        self._turns[kind, tags] = (turn + 1) % len(places)
        return places[turn]

    def serves(self, kind: TaskKind, tags: frozenset[str]) -> Missing | None:
        """What is missing for such a task; None if nothing is."""
        first = self._found(kind, tags)[0]
        return first if isinstance(first, Missing) else None

    def lives(self, demand: Demand) -> bool:
        """Whether a live node has what is asked for."""
        if demand not in self._lives:
            self._lives[demand] = any(not _short(demand, one.resources) for one, _ in self._live)
        return self._lives[demand]

    def has(self, demand: Demand) -> bool:
        """Whether a live node, or one that can be started, has what is asked for."""
        return self.lives(demand) or any(not _short(demand, kind.resources) for kind in self._types)

    def _found(self, kind: TaskKind, tags: frozenset[str]) -> tuple[Place, ...]:
        if (kind, tags) not in self._places:
            self._places[kind, tags] = self._find(kind, tags)
        return self._places[kind, tags]

    def _find(self, kind: TaskKind, tags: frozenset[str]) -> tuple[Place, ...]:
        request: RequestTable = getattr(self._table.requests, kind)
        tags |= request.tags
        demands = [demand_of(kind, plain, self._table) for plain in choices(tags)]
        live: Counter[Demand] = Counter()
        for one, count in self._live:
            if (demand := _fitting(demands, one.resources)) is not None:
                live[demand] += count
        if live:
            return tuple(Live(demand) for demand in _spread(live))
        for node_type in self._types:
            if (demand := _fitting(demands, node_type.resources)) is not None:
                return (Startable(demand, node_type.name),)
        return (self._nearest(demands, tags),)

    def _nearest(self, demands: list[Demand], tags: frozenset[str]) -> Missing:
        """What the nearest of all lacks, by the names that the task gives to it."""
        every: list[Node | NodeType] = [*(one for one, _ in self._live), *self._types]
        lacks = (
            Missing(_lacking(demand, each.resources, tags), each.name) for each in every for demand in demands
        )
        return min(lacks, key=lambda missing: len(missing.tags), default=Missing(tuple(sorted(tags))))


def _alike(nodes: Iterable[Node]) -> list[tuple[Node, int]]:
    """Of each sort of node that offers the same the one with the most memory, and how many there are.

    Ray finds a little more or less memory on each of a hundred equal machines.
    """
    sorts: dict[frozenset[tuple[str, float]], tuple[Node, int]] = {}
    for node in nodes:
        own = (*_RAYS_OWN, _MEMORY)
        offers = frozenset(item for item in node.resources.items() if not item[0].startswith(own))
        best, count = sorts.get(offers, (node, 0))
        sorts[offers] = max(best, node, key=_memory), count + 1
    return list(sorts.values())


def _memory(node: Node) -> float:
    return node.resources.get(_MEMORY, 0.0)


def _spread(counts: Mapping[Demand, int]) -> list[Demand]:
    """The demands, each in proportion to its count and as far apart as possible."""
    scale = max(1.0, sum(counts.values()) / _ROUND)
    piles = [max(1, round(count / scale)) for count in counts.values()] if len(counts) > 1 else [1]
    order = sorted(((turn + 0.5) / pile, number) for number, pile in enumerate(piles) for turn in range(pile))
    return [list(counts)[number] for _, number in order]


def _fitting(demands: Iterable[Demand], resources: Mapping[str, float]) -> Demand | None:
    return next((demand for demand in demands if not _short(demand, resources)), None)


def _short(demand: Demand, resources: Mapping[str, float]) -> list[str]:
    """Ray's names of the resources of which there is too little."""
    return [name for name, amount in demand.resources().items() if resources.get(name, 0.0) < amount]


def _lacking(demand: Demand, resources: Mapping[str, float], tags: frozenset[str]) -> tuple[str, ...]:
    """The tags that are not there, and in words what is there, but too little."""
    absent = missing_tags(tags, tags_offered(resources))
    told = frozenset(single for tag in absent for single in alternatives(tag))
    short = ((_TAGS.get(name, name), name) for name in _short(demand, resources))
    asked = demand.resources()
    scarce = [_scarce(tag, asked[name], resources.get(name, 0.0)) for tag, name in short if tag not in told]
    return tuple(sorted([*absent, *scarce]))


def _scarce(tag: str, asked: float, there: float) -> str:
    if tag == _MEMORY:
        return f"{tag} ({asked / _MIB:.0f} MiB asked, {there / _MIB:.0f} MiB there)"
    return f"{tag} ({asked:g} asked, {there:g} there)"
