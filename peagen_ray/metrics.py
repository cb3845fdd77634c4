"""The metrics: the whole catalogue in one table, and the meter that a long-lived process keeps.

One-shot processes report their numbers inside their Results, so that none is lost when they end; whoever
outlives them counts. Importing this module does not import the Prometheus client; making a meter does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from peagen_ray.errors import UsageError
from peagen_ray.task import Result, Status, Task, TaskKind

_log = logging.getLogger(__name__)


class Type(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: as Prometheus shows it; counters end in ``_total``.
        type: what it is.
        labels: by what it is split.
        help: what it says, with its unit.
    """

    name: str
    type: Type
    labels: tuple[str, ...]
    help: str


CATALOGUE: Final = (
    Metric("queue_pending_total", Type.GAUGE, ("stream", "kind"), "tasks that no worker has"),
    Metric(
        "queue_pending_idle_max_seconds",
        Type.GAUGE,
        ("stream",),
        "seconds for which the task that has waited longest could have run",
    ),
    Metric("queue_ack_total", Type.COUNTER, ("kind",), "tasks that ended well"),
    Metric("queue_dead_total", Type.COUNTER, ("kind",), "tasks that went to the dead-letter queue"),
    Metric("queue_memory_bytes", Type.GAUGE, ("stream",), "about how many bytes a stream holds"),
    Metric("worker_task_total", Type.COUNTER, ("handler", "status"), "runs of tasks, by how they ended"),
    Metric(
        "worker_runtime_seconds", Type.HISTOGRAM, (), "seconds from a one-shot process's order to its end"
    ),
    Metric("worker_exit_reason_total", Type.COUNTER, ("reason",), "one-shot processes that ended, by reason"),
    Metric("handler_duration_seconds", Type.HISTOGRAM, ("handler", "status"), "seconds that a run took"),
    Metric("handler_fail_total", Type.COUNTER, ("handler", "reason"), "runs that failed, by reason"),
    Metric("warm_spawner_live_workers", Type.GAUGE, ("caps",), "one-shot processes that live"),
    Metric("warm_spawner_idle_workers", Type.GAUGE, ("caps",), "one-shot processes that stand ready"),
    Metric("warm_spawner_launch_total", Type.COUNTER, ("caps",), "one-shot processes that were made ready"),
    Metric("result_backend_fail_total", Type.COUNTER, (), "records that could not be kept"),
    Metric("evo_best_speed_ms", Type.GAUGE, ("workspace",), "speed_ms of the best confirmed program"),
    Metric(
        "llm_tokens_total", Type.COUNTER, ("backend",), "tokens of prompts and answers, as they are billed"
    ),
    Metric("llm_latency_seconds", Type.HISTOGRAM, ("backend",), "seconds from a call to its whole answer"),
    Metric("evo_cost_usd_total", Type.COUNTER, ("backend",), "US dollars that a run was charged for calls"),
    Metric(
        "evo_cpu_seconds_total", Type.COUNTER, ("handler",), "CPU seconds of one-shot processes and guests"
    ),
    Metric(
        "evo_gpu_seconds_total",
        Type.COUNTER,
        ("handler",),
        "seconds for which GPUs were given to a run, each",
    ),
)
"""All that there is to see. The names are fixed: dashboards and alerts rely on them."""

_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1200.0)

_REASONS: Final = ("success", "idle", "error", "timeout")

_PREFIX: Final = "peagen."
DOOR: Final = f"{_PREFIX}tasks"
"""The stream that lanes are named after."""


@dataclass(frozen=True)
class QueueState:
    """What a queue says of itself.

    Attributes:
        depth: tasks that no worker has, by lane and kind.
        oldest_idle: seconds for which the task that has waited longest could have run.
        counters: what happened so far, by event and kind.
        held: about how many bytes each stream holds.
    """

    depth: Mapping[tuple[str, TaskKind], int]
    oldest_idle: float
    counters: Mapping[tuple[str, TaskKind], int]
    held: Mapping[str, int] = field(default_factory=dict)


class Pool(NamedTuple):
    """Warm pools, all together.

    Attributes:
        live: processes that live.
        idle: those of them that stand ready.
        launched: all that were made ready so far.
    """

    live: int
    idle: int
    launched: int


class Meter:
    """What a process counts, and where it is to be seen. Any thread may use it.

    The queue and the warm pools are asked when somebody looks; what does not answer then is left out.

    Args:
        queue: how the queue stands.
        pool: how the warm pools stand.
        caps: the tags that the workers offer, as a label.
    """

    def __init__(
        self,
        queue: Callable[[], QueueState] | None = None,
        pool: Callable[[], Pool] | None = None,
        caps: str = "",
    ) -> None:
        import prometheus_client as client

        self.registry = client.CollectorRegistry()
        self._made: dict[str, Any] = {}
        kinds = {Type.COUNTER: client.Counter, Type.GAUGE: client.Gauge}
        for metric in CATALOGUE:
            if metric.name.startswith(("queue_", "warm_")):
                continue
            if metric.type is Type.HISTOGRAM:
                made: Any = client.Histogram(
                    metric.name, metric.help, metric.labels, buckets=_BUCKETS, registry=self.registry
                )
            else:
                made = kinds[metric.type](metric.name, metric.help, metric.labels, registry=self.registry)
            self._made[metric.name] = made
        for reason in _REASONS:  # what has not happened yet is 0, so that its first time is a rise
            self._made["worker_exit_reason_total"].labels(reason)
        self._asked = _Asked(queue, pool, caps)
        self.registry.register(self._asked)

    def ran(self, task: Task, result: Result) -> None:
        """A run of a task has ended."""
        del task
        usage, handler = _usage(result), _handler(result)
        status, reason = str(result.status), _reason(result)
        self._made["worker_task_total"].labels(handler, status).inc()
        self._made["handler_duration_seconds"].labels(handler, status).observe(usage["wall_s"])
        self._made["worker_runtime_seconds"].observe(usage["wall_s"])
        self._made["evo_cpu_seconds_total"].labels(handler).inc(usage["cpu_s"] + usage["guests_s"])
        self._made["evo_gpu_seconds_total"].labels(handler).inc(usage["gpu_s"])
        ended = "timeout" if reason == "timeout" else "success" if result.status is Status.OK else "error"
        self._made["worker_exit_reason_total"].labels(ended).inc()
        if result.status is Status.ERROR:
            self._made["handler_fail_total"].labels(handler, reason).inc()
        for call in _calls(result):
            self._made["llm_tokens_total"].labels(call.backend).inc(call.tokens)
            if call.answered:
                self._made["llm_latency_seconds"].labels(call.backend).observe(call.latency_s)

    def cost(self, backend: str, usd: float) -> None:
        """A run was charged so much for calls of a back-end."""
        self._made["evo_cost_usd_total"].labels(backend).inc(usd)

    def watch(self, pool: Callable[[], Pool], caps: str) -> None:
        """Ask this how the warm pools of a worker with those tags stand, from now on."""
        self._asked.pool, self._asked.caps = pool, caps

    def left_idle(self) -> None:
        """A process that stood ready has left, since nothing came."""
        self._made["worker_exit_reason_total"].labels("idle").inc()

    def record_failed(self) -> None:
        """A record could not be kept."""
        self._made["result_backend_fail_total"].inc()

    def best(self, workspace: str, speed_ms: float) -> None:
        """The best confirmed program of a workspace."""
        self._made["evo_best_speed_ms"].labels(workspace).set(speed_ms)

    def serve(self, port: int) -> Exposed:
        """Show it at ``/metrics`` until that is closed.

        Args:
            port: on every address of this machine; 0 takes a free one.

        Raises:
            UsageError: the port is taken, or may not be used.
        """
        import prometheus_client as client

        try:
            server, thread = client.start_http_server(port, registry=self.registry)
        except OSError as error:
            raise UsageError(
                f"cannot be listened on: {error.strerror}",
                subject=f"metrics port {port}",
                hint="choose another, or 0 for a free one",
            ) from error
        return Exposed(server, thread)


class Exposed:
    """Metrics that are to be seen on a port; used with ``with``, or closed.

    Attributes:
        port: the port.
    """

    def __init__(self, server: Any, thread: threading.Thread) -> None:
        self._server = server
        self._thread = thread
        self.port: int = server.server_port

    def close(self) -> None:
        """Show them no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Exposed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Asked:
    """What is asked for when somebody looks."""

    def __init__(
        self, queue: Callable[[], QueueState] | None, pool: Callable[[], Pool] | None, caps: str
    ) -> None:
        self._queue = queue
        self.pool = pool
        self.caps = caps

    def describe(self) -> Iterable[Any]:
        """Nothing, so that nobody is asked before somebody looks."""
        return ()

    def collect(self) -> Iterator[Any]:
        """How things stand at this moment."""
        found: dict[str, list[tuple[list[str], float]]] = {}
        for source in (self._of_queue, self._of_pool):
            try:
                found |= source()
            except Exception as error:  # noqa: BLE001 - a broker that is away must not hide the other metrics
                _log.debug("left out of the metrics: %s", error)
        for metric in CATALOGUE:
            if metric.name in found:
                yield _family(metric, found[metric.name])

    def _of_queue(self) -> dict[str, list[tuple[list[str], float]]]:
        if self._queue is None:
            return {}
        state = self._queue()
        acked = [([str(kind)], float(n)) for (event, kind), n in state.counters.items() if event == "acked"]
        dead = [([str(kind)], float(n)) for (event, kind), n in state.counters.items() if event == "dead"]
        return {
            "queue_pending_total": [
                ([_stream(lane), str(kind)], float(n)) for (lane, kind), n in state.depth.items()
            ],
            "queue_pending_idle_max_seconds": [([DOOR], state.oldest_idle)],
            "queue_ack_total": acked,
            "queue_dead_total": dead,
            "queue_memory_bytes": [([f"{_PREFIX}{name}"], float(n)) for name, n in state.held.items()],
        }

    def _of_pool(self) -> dict[str, list[tuple[list[str], float]]]:
        if self.pool is None:
            return {}
        live, idle, launched = self.pool()
        return {
            "warm_spawner_live_workers": [([self.caps], float(live))],
            "warm_spawner_idle_workers": [([self.caps], float(idle))],
            "warm_spawner_launch_total": [([self.caps], float(launched))],
        }


def _family(metric: Metric, samples: list[tuple[list[str], float]]) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    make = CounterMetricFamily if metric.type is Type.COUNTER else GaugeMetricFamily
    family = make(metric.name, metric.help, labels=list(metric.labels))
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _stream(lane: str) -> str:
    return f"{DOOR}.{lane}" if lane else DOOR


def _usage(result: Result) -> dict[str, float]:
    """Seconds, as the runner stamped them, and as its guests used them; 0 where nothing ran."""
    said, guests = (result.data.get(name) for name in ("usage", "guests"))
    said = said if isinstance(said, Mapping) else {}
    found = {name: said.get(name) for name in ("wall_s", "cpu_s", "gpu_s")}
    found["guests_s"] = guests.get("cpu_s") if isinstance(guests, Mapping) else 0.0
    return {
        name: float(value) if isinstance(value, int | float) and value >= 0 else 0.0
        for name, value in found.items()
    }


class _Call(NamedTuple):
    """A call of a language model, as a Result tells of it."""

    backend: str
    tokens: int
    latency_s: float
    answered: bool


def _calls(result: Result) -> Iterator[_Call]:
    """The calls that a Result tells of; what cannot be read is left out, since any handler may have written it."""
    exchanges = result.data.get("exchanges")
    for said in exchanges if isinstance(exchanges, list | tuple) else ():
        try:
            known_in, known_out = said["tokens_in"], said["tokens_out"]
            counted = (
                said["bound_in"] if known_in is None else known_in,
                said["bound_out"] if known_out is None else known_out,
            )
            tokens = max(0, int(sum(counted))) if said["billed"] else 0
            latency = max(0.0, float(said["latency_s"]))
            yield _Call(str(said["backend"])[:60], tokens, latency, said["outcome"] == "ok")
        except (KeyError, TypeError, ValueError, OverflowError):
            continue


def _handler(result: Result) -> str:
    """The handler's class, or ``none`` where none ran."""
    stamp = result.data.get("provenance")
    reference = stamp.get("handler") if isinstance(stamp, Mapping) else ""
    return str(reference or "").rpartition(":")[2] or "none"


def _reason(result: Result) -> str:
    """Why a run failed: one of a bounded number of words."""
    reason = str(result.data.get("reason") or "")
    return reason[:60] if reason else "handler" if result.status is Status.ERROR else ""
