"""The node types that the autoscaler of a running cluster may start.

Ray keeps them on the head only: in the file that its autoscaler was started with, or in KubeRay's RayCluster,
which the head's pod may read. So whoever is elsewhere has a task on the head look.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from peagen_ray.config.pod import ray_cluster
from peagen_ray.fabric.capabilities import PLENTY, NodeType
from peagen_ray.fabric.node_types import node_types, types_in

FRESH_S: Final = 10.0
"""Seconds for which an answer is good."""

FIRST_S: Final = 20.0
"""Seconds that the first answer is waited for: a process may have to start on the head."""

_LATER_S: Final = 60.0
_HEAD: Final = "node:__internal_head__"
_OPTION: Final = "--autoscaling-config="

_log = logging.getLogger(__name__)


def declared(ray: Any, rows: Iterable[Mapping[str, Any]]) -> tuple[NodeType, ...]:
    """The node types of a cluster's autoscaler; empty where it has none, or they cannot be found out.

    Only the first call for a cluster waits; the others give what is known, while a thread looks again.

    Args:
        ray: the module, connected.
        rows: what ``ray.nodes()`` says.
    """
    head = next((row for row in rows if row["Alive"] and _HEAD in row["Resources"]), None)
    if head is None:
        return ()
    key = f"{head['NodeID']} {head['NodeManagerAddress']}:{head['NodeManagerPort']}"
    with _lock:
        known = _clusters.setdefault(key, Known())
    return known.value(lambda: _asked(ray, head["NodeID"]))


class Known:
    """Node types that are looked up again when they are no longer fresh. Any thread may use it.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._types: tuple[NodeType, ...] = ()
        self._since: float | None = None
        self._patience: float | None = None
        self._told = ""
        self._answered = threading.Event()
        self._asking = False

    def value(self, ask: Callable[[], tuple[NodeType, ...]]) -> tuple[NodeType, ...]:
        """The last answer; the first is waited for, and one that fails changes nothing."""
        now = self._clock()
        with self._lock:
            if self._patience is None:
                self._patience = now + FIRST_S
            if not self._asking and (self._since is None or now - self._since >= FRESH_S):
                self._asking = True
                threading.Thread(target=self._ask, args=(ask,), name="node types", daemon=True).start()
        self._answered.wait(max(0.0, self._patience - now))
        return self._types

    def _ask(self, ask: Callable[[], tuple[NodeType, ...]]) -> None:
        try:
            self._types, self._told = ask(), ""
        except Exception as error:  # noqa: BLE001 - Ray, its client and Kubernetes raise anything
            self._tell(_words(error))
        finally:
            with self._lock:
                self._since, self._asking = self._clock(), False
            self._answered.set()

    def _tell(self, why: str) -> None:
        """Once, until something else is wrong."""
        if why != self._told:
            self._told = why
            _log.warning("the node types of the cluster cannot be found out: %s", why)


_clusters: dict[str, Known] = {}
_lock = threading.Lock()


def _words(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2] or type(error).__name__


# ---- on the head ---------------------------------------------------------------------------------


def through_client(ray: Any) -> bool:
    """Whether this process reaches its cluster through Ray client."""
    return bool(ray.util.client.ray.is_connected())


def _asked(ray: Any, head: str) -> tuple[NodeType, ...]:
    """What the head says, from wherever this is."""
    if not through_client(ray) and ray.get_runtime_context().get_node_id() == head:
        return configured()
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(head, soft=False)
    look = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(configured)
    types: tuple[NodeType, ...] = ray.get(look.remote(), timeout=_LATER_S)
    return types


def configured() -> tuple[NodeType, ...]:
    """The node types, as a process on the head finds them; empty where there is no autoscaler.

    Raises:
        Exception: there is one, and its configuration cannot be read.
    """
    import ray

    found = _reported()
    if found:
        return found
    monitor = _monitor(ray.get_runtime_context().get_session_name())
    if monitor is not None:
        path = _file_of(monitor)
        return node_types(path) if path else ()
    pod = ray_cluster()  # KubeRay's autoscaler is in a container of its own
    return _kuberays(*pod) if pod else ()


def _reported() -> tuple[NodeType, ...]:
    """What the autoscaler told the cluster's own store; Ray's own autoscaler tells nothing."""
    from ray._private.state import state

    config = state.get_cluster_config()
    return tuple(
        NodeType(
            group.name,
            {name: float(amount) for name, amount in group.resources.items()},
            group.min_count,
            PLENTY if group.max_count < 0 else group.max_count,
        )
        for group in (config.node_group_configs if config else ())
    )


def _monitor(session: str) -> Path | None:
    """The process that is a session's autoscaler, if it runs on this machine; its directory below ``/proc``."""
    for entry in Path("/proc").iterdir():
        words = _command(entry) if entry.name.isdigit() else []
        if any(word.endswith("/monitor.py") for word in words) and any(
            session in word.split("/") for word in words
        ):
            return entry
    return None


def _command(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:  # it has ended
        return []


def _file_of(monitor: Path) -> Path | None:
    """The configuration that it was started with; it has none where it starts no nodes."""
    for word in _command(monitor):
        if word.startswith(_OPTION):
            return (monitor / "cwd").resolve() / Path(word.removeprefix(_OPTION)).expanduser()
    return None


def _kuberays(namespace: str, name: str) -> tuple[NodeType, ...]:
    from ray.autoscaler._private.kuberay.node_provider import KubernetesHttpApiClient

    path = f"rayclusters/{name}"
    return types_in(KubernetesHttpApiClient(namespace).get(path), name, path)
