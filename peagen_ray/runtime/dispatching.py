"""Dispatchers on a Ray cluster: what they are made of, and the actors that they live in."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from peagen_ray.config.cluster import AUTO, NAMESPACE
from peagen_ray.config.model import Config, MetricsTable
from peagen_ray.config.secrets import secret
from peagen_ray.errors import BrokerUnavailable
from peagen_ray.fabric.capabilities import Cluster, Node, NodeType, Placement, tags_offered
from peagen_ray.fabric.cluster import connected, picture_from_here
from peagen_ray.fabric.remote import Setup
from peagen_ray.fabric.routing import Router
from peagen_ray.logs import set_up
from peagen_ray.metrics import Meter, Pool
from peagen_ray.queues.base import TaskQueue
from peagen_ray.runtime.keeping import Keeping
from peagen_ray.runtime.local import open_queue, open_results
from peagen_ray.runtime.metering import queue_state
from peagen_ray.runtime.serving import PRELOADED, confinement, registered
from peagen_ray.storage import is_uri
from peagen_ray.tracing import tracer_of

if TYPE_CHECKING:
    from peagen_ray.fabric.direct import Direct
    from peagen_ray.fabric.dispatcher import Dispatcher
    from peagen_ray.fabric.host import Hosted

RAY: Final = "ray"
"""The provider whose queue lives on a Ray cluster."""

WATCH_S: Final = 0.5
"""Seconds between two questions how a dispatcher stands."""

_FAREWELL_S: Final = 15.0
"""Seconds for a dispatcher to end and give back what it holds; then its tasks' leases lapse."""


@dataclass(frozen=True)
class DispatcherMaker:
    """Makes a dispatcher, in the process that it is to live in.

    Attributes:
        config: the effective configuration; its queue is as seen from the cluster's head.
        owner: what the queue calls it.
        caps: the tags to which it is restricted; None for all that the cluster offers.
        types: what the autoscaler may start, if not what the cluster itself says.
        ray_options: further options of every Ray task.
    """

    config: Config
    owner: str
    caps: frozenset[str] | None = None
    types: tuple[NodeType, ...] = ()
    ray_options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, actor: str, say: Callable[[str], None]) -> Dispatcher:
        """Make it; see :data:`peagen_ray.fabric.host.Make`.

        Raises:
            BrokerUnavailable: the queue does not answer.
            ConfigError: a handler's name is not known.
        """
        from peagen_ray.fabric.dispatcher import Dispatcher
        from peagen_ray.fabric.planning import Planner
        from peagen_ray.fabric.submitting import RayHands

        table = self.config.fabric
        handlers = registered(self.config.worker.defaults.plugins)
        queue = _reached(open_queue(self.config))
        placed = partial(Placement, table=table)
        router = Router({name: each.handler for name, each in handlers.items()}, placed(self._look()))
        planner = Planner(
            router,
            time.monotonic,
            max_parallel=table.max_parallel,
            node_patience=table.node_patience.total_seconds(),
            kill_after=table.kill_after,
        )
        references = {name: each.reference for name, each in handlers.items()}
        in_worker = self.config.worker.defaults.isolation == "auto"
        hands = partial(
            RayHands,
            setup_of(self.config, references, actor),
            references,
            options=self.ray_options,
            shared={name for name, each in handlers.items() if in_worker and each.handler.SHARED},
        )
        meter, port = None, self.config.metrics.port
        if port is not None:
            meter = Meter(partial(queue_state, queue), lambda: Pool(*dispatcher.pool()), self._caps_label())
        set_up(self.config.logs.format, self.config.logs.least)
        tracer = tracer_of(self.config.traces)
        keeping = Keeping(open_results(self.config), say, meter, tracer)
        dispatcher = Dispatcher(
            queue,
            planner,
            hands,
            self.owner,
            self._look,
            placed,
            on_results=keeping.keep,
            at_end=tracer.close if tracer else lambda: None,
            on_idle=meter.left_idle if meter else lambda: None,
            say=say,
        )
        if meter is not None and port is not None:
            say(f"metrics at http://{platform.node()}:{meter.serve(port).port}/metrics")
        return dispatcher

    def _caps_label(self) -> str:
        return ",".join(sorted(self.caps)) if self.caps is not None else "all"

    def _look(self) -> Cluster:
        cluster = picture_from_here(self.types)
        return cluster if self.caps is None else _only(cluster, self.caps)


def setup_of(config: Config, references: Mapping[str, str], dispatcher: str = "") -> Setup:
    """What goes with every task that runs in a Ray worker."""
    defaults = config.worker.defaults
    modules = sorted({reference.partition(":")[0] for reference in references.values()})
    return Setup(
        dispatcher,
        NAMESPACE,
        defaults.isolation,
        (*PRELOADED, *modules),
        defaults.warm_pool,
        defaults.idle_timeout.total_seconds(),
        confinement(config),
    )


def direct(config: Config) -> Direct:
    """What submits tasks to the cluster to which this process is connected, as it is at the moment."""
    from peagen_ray.fabric.direct import Direct

    handlers = registered(config.worker.defaults.plugins)
    references = {name: each.reference for name, each in handlers.items()}
    placement = Placement(picture_from_here(), config.fabric)
    router = Router({name: each.handler for name, each in handlers.items()}, placement)
    return Direct(router, references, setup_of(config, references), config.task_queue.max_retry)


def _reached(queue: TaskQueue) -> TaskQueue:
    """The queue, once it has answered."""
    try:
        queue.pending_count()
    except BaseException:
        queue.close()
        raise
    return queue


def _only(cluster: Cluster, caps: frozenset[str]) -> Cluster:
    """The cluster, as if it offered no other tags."""

    def restricted(resources: Any) -> dict[str, float]:
        hidden = {_RESOURCE.get(tag, tag) for tag in tags_offered(resources) - caps}
        return {name: amount for name, amount in resources.items() if name not in hidden}

    nodes: tuple[Node, ...] = tuple(
        replace(node, resources=restricted(node.resources)) for node in cluster.nodes
    )
    types = tuple(replace(kind, resources=restricted(kind.resources)) for kind in cluster.types)
    return Cluster(nodes, types)


_RESOURCE: Final = {"cpu": "CPU", "gpu": "GPU"}


# ---- a dispatcher and its actor ------------------------------------------------------------------


def on_cluster(config: Config) -> str | None:
    """The address of the cluster whose workers do the tasks; None where this process has its own worker."""
    if config.task_queue.provider == "stub":
        return None
    if config.fabric.address:
        return config.fabric.address
    if config.task_queue.provider != RAY:
        return None
    return config.task_queue.url or AUTO


def seen_from_head(config: Config) -> Config:
    """The configuration as it holds on the cluster's head: its queue is at hand there, and paths are whole."""
    queue, results = config.task_queue, config.result_backend
    if queue.provider == RAY:
        queue = queue.model_copy(update={"url": ""})
    if not is_uri(results.root):
        results = results.model_copy(update={"root": str(Path(results.root).absolute())})
    return config.model_copy(update={"task_queue": queue, "result_backend": results})


def secrets_of(config: Config) -> dict[str, str]:
    """The environment variables that the queue's provider needs on the head."""
    name = config.task_queue.password_env
    value = secret(name) if name else None
    return {name: value} if value else {}


def host(
    config: Config,
    name: str,
    *,
    caps: frozenset[str] | None = None,
    types: tuple[NodeType, ...] = (),
    ray_options: Mapping[str, Any] | None = None,
    detached: bool = False,
    exit_after_idle: float | None = None,
    max_uptime: float | None = None,
) -> Hosted:
    """Start a dispatcher in an actor of the cluster to which this process is connected.

    Raises:
        UsageError: there is one of that name.
        BrokerUnavailable: it does not start, or its queue does not answer.
    """
    from peagen_ray.fabric.host import Hosted

    maker = DispatcherMaker(seen_from_head(config), name, caps, types, ray_options or {})
    return Hosted.make(
        name,
        maker,
        secrets_of(config),
        detached=detached,
        exit_after_idle=exit_after_idle,
        max_uptime=max_uptime,
    )


@contextmanager
def own_dispatcher(
    config: Config,
    address: str,
    say: Callable[[str], None],
    ray_options: Mapping[str, Any] | None = None,
) -> Iterator[Hosted]:
    """Within the block a dispatcher of this process's own serves the queue; at its end it gives back what it has.

    Where metrics are shown, it shows its own on a free port of its machine.

    Raises:
        BrokerUnavailable: there is no cluster at that address, or the dispatcher does not start.
    """
    if config.metrics.port:  # the run itself may be on the dispatcher's machine, and shows its own there
        config = config.model_copy(update={"metrics": MetricsTable(port=0)})
    with connected(address):
        hosted = host(config, f"{platform.node() or 'run'}-{time.time_ns():x}", ray_options=ray_options)
        over = threading.Event()
        listener = threading.Thread(target=_listen, args=(hosted, say, over), name="listener", daemon=True)
        listener.start()
        try:
            yield hosted
        finally:
            over.set()
            listener.join(_FAREWELL_S)
            leave(hosted)


def leave(hosted: Hosted) -> None:
    """End a dispatcher that is one's own: what it holds is given back."""
    end = time.monotonic() + _FAREWELL_S
    try:
        hosted.stop(drain=False)
        while not hosted.status().get("done", True) and time.monotonic() < end:
            time.sleep(WATCH_S / 5)
    except BrokerUnavailable:
        return
    finally:
        hosted.kill()


def _listen(hosted: Hosted, say: Callable[[str], None], over: threading.Event) -> None:
    """Pass on what a dispatcher has to say."""
    while not over.wait(WATCH_S):
        try:
            said = hosted.status()["said"]
        except BrokerUnavailable:
            continue
        for _, text in said:
            say(text)


__all__ = [
    "RAY",
    "DispatcherMaker",
    "host",
    "leave",
    "on_cluster",
    "own_dispatcher",
    "secrets_of",
    "seen_from_head",
]
