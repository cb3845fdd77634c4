"""What a Ray cluster has, as it says itself: its live nodes, and what its autoscaler can and cannot start.

Importing this module does not import Ray; using it does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from peagen_ray.config.cluster import NAMESPACE, address_of
from peagen_ray.errors import BrokerUnavailable
from peagen_ray.fabric.autoscaler import declared, through_client
from peagen_ray.fabric.capabilities import Cluster, Demand, Node, NodeType

_GROUP: Final = "ray.io/node-group"
_ANSWER_S: Final = 5.0

_GONE: Final = (2, 4)
"""Ray's numbers for a node that is dead, and for one that is being drained."""


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module ``ray``, connected within the block; a connection that this process has already is used.

    Args:
        address: ``auto``, ``HOST:PORT``, or ``ray://HOST:PORT``.

    Raises:
        ConfigError: it is no address.
        BrokerUnavailable: no cluster is there; none is ever started.
    """
    import ray

    from peagen_ray.queues.ray.address import listening
    from peagen_ray.queues.ray.joining import join

    if ray.is_initialized():
        yield ray
        return
    where = address_of(address)
    try:
        join(listening(where), NAMESPACE)
    except (ConnectionError, RuntimeError, OSError) as error:
        raise _away(where, str(error)) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _away(address: str, what: str) -> BrokerUnavailable:
    hint = "start a cluster with: ray start --head; or say where there is one: --address"
    return BrokerUnavailable(what.strip().partition("\n")[0], subject=f"Ray cluster {address}", hint=hint)


# ---- one picture of it ---------------------------------------------------------------------------


def picture(ray: Any, types: Iterable[NodeType] = ()) -> Cluster:
    """What there is at the moment, and what there can be; quick enough for once a second.

    Args:
        ray: the module, connected: in a driver, in an actor or task, or through Ray client.
        types: the node types, where they are known; otherwise they are those of the cluster's autoscaler,
            as :func:`peagen_ray.fabric.autoscaler.declared` finds them.
    """
    rows = ray.nodes()
    return Cluster(_nodes(ray, rows), tuple(types) or declared(ray, rows))


def picture_from_here(types: Iterable[NodeType] = ()) -> Cluster:
    """The picture of the cluster to which this process is connected."""
    import ray

    return picture(ray, types)


def live_nodes(ray: Any) -> tuple[Node, ...]:
    """The nodes that live and are not being drained.

    Through Ray client nobody says that a node is being drained: there it counts until it is gone.

    Args:
        ray: the module, connected.
    """
    return _nodes(ray, ray.nodes())


def _nodes(ray: Any, rows: Iterable[Mapping[str, Any]]) -> tuple[Node, ...]:
    said = _said(ray)
    told = {each.node_id.hex(): each for each in said.cluster_resource_state.node_states} if said else {}
    leaving = {key for key, each in told.items() if each.status in _GONE}
    return tuple(
        Node(_name(row), dict(row["Resources"]), _type(row, told.get(row["NodeID"])), row["NodeID"])
        for row in rows
        if row["Alive"] and row["NodeID"] not in leaving
    )


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['NodeName']}-{row['NodeID'][:6]}"


def _type(row: Mapping[str, Any], told: Any) -> str:
    """The node type's name: as whoever started the node told Ray, or the node's label."""
    labelled: str = row.get("Labels", {}).get(_GROUP, "")
    return (told.ray_node_type_name if told else "") or labelled


def clocks(ray: Any, nodes: Iterable[Node], patience_s: float) -> dict[str, float]:
    """Seconds by which the clocks of nodes are ahead of this machine's, by the nodes' names; below 0 they are behind.

    One task without resources asks each node, all of them at once; a difference is as exact as an answer is quick. A
    node that does not answer in time is left out.

    Args:
        ray: the module, connected.
        nodes: whose.
        patience_s: seconds that all of it may take; the first answer of a node takes one or two.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def now() -> float:
        return time.time()

    ask, asked, ahead = ray.remote(num_cpus=0, max_retries=0)(now), {}, {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        asked[ask.options(scheduling_strategy=there).remote()] = node.name
    waiting, until = list(asked), time.monotonic() + patience_s
    while waiting and (left := until - time.monotonic()) > 0:
        done, waiting = ray.wait(waiting, num_returns=1, timeout=left)
        arrived = time.time()
        for answer in done:
            with suppress(ray.exceptions.RayError):
                ahead[asked[answer]] = ray.get(answer) - arrived
    for answer in waiting:
        ray.cancel(answer)
    return ahead


# ---- what the autoscaler says --------------------------------------------------------------------


def stuck(ray: Any) -> tuple[Demand, ...]:
    """What tasks wait for that no node of any type has, as the autoscaler last said.

    The autoscaler (v2; v1 says nothing) is some seconds behind. Through Ray client nothing is known.

    Args:
        ray: the module, connected.
    """
    said = _said(ray)
    asked = said.autoscaling_state.infeasible_resource_requests if said else ()
    return tuple(dict.fromkeys(_demand(dict(each.resources_bundle)) for each in asked))


def _demand(asked: dict[str, float]) -> Demand:
    cpus, gpus, memory = (asked.pop(name, 0.0) for name in ("CPU", "GPU", "memory"))
    return Demand(cpus, gpus, int(memory), tuple(sorted(asked.items())))


def _said(ray: Any) -> Any:
    """The state of the nodes and of the autoscaler; None through Ray client, which cannot ask for it."""
    from ray._private import worker
    from ray.core.generated import autoscaler_pb2

    if through_client(ray):
        return None
    connection: Any = worker.global_worker
    messages: Any = autoscaler_pb2
    reply = connection.gcs_client.get_cluster_status(timeout_s=_ANSWER_S)
    return messages.GetClusterStatusReply.FromString(reply)
