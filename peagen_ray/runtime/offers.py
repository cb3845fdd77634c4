"""What nodes and node types offer, and which of the installed handlers can run where."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from peagen_ray.config.model import Config, FabricTable
from peagen_ray.fabric.capabilities import (
    Cluster,
    Node,
    Placement,
    node_resources,
    ray_start_arguments,
    tags_offered,
)
from peagen_ray.fabric.cluster import connected, picture
from peagen_ray.fabric.node_types import node_types
from peagen_ray.handler import TaskHandler
from peagen_ray.runtime.serving import registered

MACHINE: Final = "this machine"


@dataclass(frozen=True)
class Offer:
    """What one node type, or nodes that are alike, offer.

    Attributes:
        source: ``node type``, ``node`` or ``machine``.
        names: of the node type, or of each of the nodes.
        least: nodes of the type that there always are; for nodes, how many there are.
        most: nodes of the type that there may be; for nodes, how many there are.
        resources: by Ray's names.
        lacks: what is missing there for each handler, by its name; nothing for one that can run there.
    """

    source: str
    names: tuple[str, ...]
    least: int
    most: int
    resources: Mapping[str, float]
    lacks: Mapping[str, tuple[str, ...]]

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that are offered, sorted."""
        return tuple(sorted(tags_offered(self.resources)))

    @property
    def runs(self) -> tuple[str, ...]:
        """The handlers that can run there."""
        return tuple(name for name, missing in self.lacks.items() if not missing)

    def joined(self, name: str) -> Offer:
        """The same of one node more."""
        names = (*self.names, name)
        return replace(self, names=names, least=len(names), most=len(names))

    def data(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "source": self.source,
            "names": list(self.names),
            "least": self.least,
            "most": self.most,
            "resources": dict(self.resources),
            "tags": list(self.tags),
            "handlers": list(self.runs),
            "lacks": {name: list(missing) for name, missing in self.lacks.items() if missing},
        }


@dataclass(frozen=True)
class Survey:
    """Who can run what where.

    Attributes:
        offers: node types first, then nodes.
        unserved: what is missing everywhere, by the handlers that can run nowhere.
        start: the options of ``ray start`` with which this machine would join a cluster; None where the
            survey is of a cluster.
    """

    offers: tuple[Offer, ...]
    unserved: Mapping[str, tuple[str, ...]]
    start: tuple[str, ...] | None = None

    def data(self) -> dict[str, Any]:
        """Its JSON form."""
        found = {
            "offers": [offer.data() for offer in self.offers],
            "unserved": {name: list(missing) for name, missing in self.unserved.items()},
        }
        return found if self.start is None else {**found, "ray_start": list(self.start)}


def survey(config: Config, address: str | None = None, file: Path | None = None) -> Survey:
    """Look at the cluster, or at what a file says of it; with neither, at this machine's own tags.

    Args:
        config: the effective configuration.
        address: of the cluster that is meant; None asks none.
        file: the configuration whose node types are meant; None for what the cluster's autoscaler has.

    Raises:
        ConfigError: the file cannot be used, or a handler's name is not known.
        BrokerUnavailable: no cluster is at that address.
    """
    handlers = {name: each.handler for name, each in registered(config.worker.defaults.plugins).items()}
    types = node_types(file) if file else ()
    if address is None and file is None:
        return _of_machine(config, handlers)
    if address is None:
        return of_cluster(Cluster(types=types), handlers, config.fabric)
    with connected(address) as ray:
        seen = picture(ray, types)
    return of_cluster(seen, handlers, config.fabric)


def of_cluster(cluster: Cluster, handlers: Mapping[str, TaskHandler], table: FabricTable) -> Survey:
    """Who can run what on a cluster, of which the live nodes and the node types are known."""
    offers = [
        Offer(
            "node type",
            (each.name,),
            each.least,
            each.most,
            each.resources,
            _lacks(Cluster(types=(each,)), handlers, table),
        )
        for each in cluster.types
    ]
    offers += _of_nodes(cluster.nodes, handlers, table)
    everywhere = _lacks(cluster, handlers, table)
    return Survey(tuple(offers), {name: missing for name, missing in everywhere.items() if missing})


def _of_machine(config: Config, handlers: Mapping[str, TaskHandler]) -> Survey:
    caps, table = config.worker.defaults.caps, config.fabric
    built_in = {"CPU": float(os.cpu_count() or 1) * ("cpu" in caps), "GPU": float("gpu" in caps)}
    resources = {name: amount for name, amount in built_in.items() if amount} | node_resources(caps, table)
    lacks = _lacks(Cluster((Node(MACHINE, resources),)), handlers, table)
    offer = Offer("machine", (MACHINE,), 1, 1, resources, lacks)
    start = tuple(ray_start_arguments(caps, table))
    return Survey((offer,), {name: missing for name, missing in lacks.items() if missing}, start)


def _of_nodes(
    nodes: tuple[Node, ...], handlers: Mapping[str, TaskHandler], table: FabricTable
) -> list[Offer]:
    """One offer of all nodes of one type that have the same tags, and as much of each."""
    sorts: dict[tuple[object, ...], Offer] = {}
    for node in nodes:
        tags = {"CPU", "GPU", *tags_offered(node.resources)}
        has = frozenset((name, amount) for name, amount in node.resources.items() if name in tags)
        lacks = _lacks(Cluster((node,)), handlers, table)
        one = Offer("node", (node.name,), 1, 1, node.resources, lacks)
        key = node.type, has, tuple(lacks.items())
        others = sorts.get(key)
        sorts[key] = one if others is None else others.joined(node.name)
    return list(sorts.values())


def _lacks(
    cluster: Cluster, handlers: Mapping[str, TaskHandler], table: FabricTable
) -> dict[str, tuple[str, ...]]:
    placement = Placement(cluster, table)
    found = {name: placement.serves(each.KIND, each.PROVIDES) for name, each in handlers.items()}
    return {name: missing.tags if missing else () for name, missing in found.items()}
