"""A Ray cluster on this machine, and dispatchers that serve a queue with it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from peagen_ray.config.model import Config
from peagen_ray.fabric.capabilities import NodeType
from peagen_ray.queues.base import TaskQueue
from peagen_ray.task import Task, TaskKind
from peagen_ray.testing.autoscaling import AutoscalingCluster, node_type

WORK: Final = Path(__file__).resolve().parent / "_work"
HANDLERS: Final = ("Fresh", "Here", "Linger", "NeedsGpu", "OnGpu", "Blind")
STORE_BYTES: Final = 80_000_000

os.environ["RAY_AUTH_MODE"] = (
    "disabled"  # before ray is imported, or it writes a token into the home directory
)


def install_work() -> None:
    """Let this process, and those that it starts, find the handlers of :data:`WORK` among the installed ones."""
    if str(WORK) not in sys.path:
        sys.path.insert(0, str(WORK))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, dict.fromkeys(sys.path)))


@contextmanager
def cluster(*cpus: int, gpus: int = 0) -> Iterator[Any]:
    """A ``ray.cluster_utils.Cluster``: a head that runs no tasks, and a node for each number of CPUs.

    Args:
        cpus: of each node.
        gpus: of each node.
    """
    install_work()
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="pr")  # sockets lie under it: its name must be short
    os.environ["RAY_TMPDIR"] = folder
    running = Cluster()
    try:
        common = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
        running.add_node(num_cpus=0, num_gpus=0, **common)
        for number in cpus:
            running.add_node(num_cpus=number, num_gpus=gpus, **common)
        yield running
    finally:
        running.shutdown()
        del os.environ["RAY_TMPDIR"]
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module ``ray``, connected to that cluster within the block."""
    import ray

    ray.init(address=address, namespace="peagen", log_to_driver=False, logging_level="ERROR")
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def autoscaling(cpus: int, most: int, *, idle_s: float, gpus: int = 0) -> Iterator[AutoscalingCluster]:
    """A cluster of a head alone, with Ray's autoscaler, which starts and stops nodes of that many CPUs.

    Args:
        cpus: of a node.
        most: nodes at a time, those with a GPU not counted.
        idle_s: seconds that a node without work stays.
        gpus: nodes at a time that say they have a GPU, beside the others.
    """
    install_work()
    types = {"cpu": node_type((), cpus=cpus, most=most)}
    if gpus:
        types["gpu"] = node_type((), cpus=cpus, gpus=1, most=gpus)
    with AutoscalingCluster(types, idle_minutes=idle_s / 60, max_workers=most + gpus) as running:
        yield running


def startable(cpus: int, most: int, gpus: int = 0) -> tuple[NodeType, ...]:
    """What such an autoscaler may start, as a dispatcher has to be told."""
    plain = NodeType("cpu", node_type((), cpus=cpus)["resources"], 0, most)
    return (
        (plain, NodeType("gpu", node_type((), cpus=cpus, gpus=1)["resources"], 0, gpus)) if gpus else (plain,)
    )


def workers(ray: Any) -> int:
    """Live nodes beside the head."""
    return sum(bool(node["Alive"]) for node in ray.nodes()) - 1


def gpu_workers(ray: Any) -> int:
    """Live nodes that have a GPU."""
    return sum(bool(node["Alive"] and node["Resources"].get("GPU")) for node in ray.nodes())


def seconds_to_zero(ray: Any, patience: float) -> float | None:
    """Seconds until no node but the head lives; None if that takes longer than ``patience``."""
    begun = time.monotonic()
    while workers(ray):
        if time.monotonic() > begun + patience:
            return None
        time.sleep(0.1)
    return time.monotonic() - begun


@contextmanager
def served(config: Config, types: tuple[NodeType, ...] = ()) -> Iterator[TaskQueue]:
    """The configured queue, which a dispatcher on the cluster serves within the block."""
    from peagen_ray.runtime.dispatching import host, leave
    from peagen_ray.runtime.local import open_queue

    hosted = host(config, f"bench-{os.getpid()}", types=types)
    try:
        with open_queue(config) as queue:
            yield queue
    finally:
        leave(hosted)


def configured(folder: Path, *, url: str = "", **defaults: Any) -> Config:
    """A configuration for the handlers of :data:`WORK`, with all files in that folder.

    Args:
        folder: where Results go.
        url: of a Redis server; the queue is on the cluster without one.
        defaults: of ``[worker.defaults]``.
    """
    queue = {"provider": "redis", "url": url} if url else {"provider": "ray"}
    tables = {
        "task_queue": queue,
        "fabric": {"address": "auto"},
        "result_backend": {"root": str(folder / "results")},
        "worker": {"defaults": {"plugins": HANDLERS, **defaults}},
    }
    return Config.model_validate(tables)


def work(name: str, *requires: str, **payload: Any) -> Task:
    """A task for the handler of that name."""
    tags = frozenset(requires) or frozenset({"cpu"})
    return Task(kind=TaskKind.RENDER, requires=tags, payload={"work": name, **payload})
