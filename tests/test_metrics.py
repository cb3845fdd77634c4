"""The catalogue of metrics, and the meter: what is counted, and what is seen on the port."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from peagen_ray.errors import UsageError
from peagen_ray.metrics import CATALOGUE, Meter, Metric, Pool, QueueState, Type
from peagen_ray.task import Result, Status, Task, TaskKind

TASK = Task(kind=TaskKind.EXECUTE, payload={})
STAMPS: dict[str, Any] = {
    "provenance": {"handler": "some.module:Handler"},
    "usage": {"wall_s": 0.5, "cpu_s": 0.25, "gpu_s": 1.0, "max_rss_kb": 1},
}
STATE = QueueState(
    depth={("", TaskKind.EXECUTE): 3, ("docker+gpu", TaskKind.EXECUTE): 1},
    oldest_idle=7.5,
    counters={("acked", TaskKind.MUTATE): 4, ("dead", TaskKind.EXECUTE): 2, ("stale", TaskKind.MUTATE): 9},
    held={"tasks": 4096, "tasks.docker+gpu": 512},
)


def value(meter: Meter, name: str, **labels: str) -> float | None:
    return meter.registry.get_sample_value(name, labels)


def test_names_and_labels_are_the_documented_ones() -> None:
    documented = {
        "queue_pending_total": {"stream", "kind"},
        "queue_pending_idle_max_seconds": {"stream"},
        "queue_ack_total": {"kind"},
        "queue_dead_total": {"kind"},
        "worker_task_total": {"handler", "status"},
        "worker_runtime_seconds": set(),
        "worker_exit_reason_total": {"reason"},
        "handler_duration_seconds": {"handler", "status"},
        "handler_fail_total": {"handler", "reason"},
        "warm_spawner_live_workers": {"caps"},
        "warm_spawner_idle_workers": {"caps"},
        "warm_spawner_launch_total": {"caps"},
        "queue_memory_bytes": {"stream"},
        "result_backend_fail_total": set(),
        "evo_best_speed_ms": {"workspace"},
        "llm_tokens_total": {"backend"},
        "llm_latency_seconds": {"backend"},
        "evo_cost_usd_total": {"backend"},
    }
    found = {metric.name: set(metric.labels) for metric in CATALOGUE}
    assert documented.items() <= found.items()
    assert len(found) == len(CATALOGUE)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_counters_end_in_total(metric: Metric) -> None:
    assert metric.type is not Type.COUNTER or metric.name.endswith("_total")


def test_a_run_is_counted_by_handler_and_outcome() -> None:
    meter = Meter()
    meter.ran(TASK, Result.success(TASK, STAMPS))
    meter.ran(TASK, Result.failure(TASK, "late", retryable=False, reason="timeout", **STAMPS))
    meter.ran(TASK, Result.failure(TASK, "broken", retryable=True, reason="exit 1", **STAMPS))
    assert value(meter, "worker_task_total", handler="Handler", status="ok") == 1
    assert value(meter, "worker_task_total", handler="Handler", status="error") == 2
    assert value(meter, "handler_fail_total", handler="Handler", reason="timeout") == 1
    assert value(meter, "worker_exit_reason_total", reason="success") == 1
    assert value(meter, "worker_exit_reason_total", reason="timeout") == 1
    assert value(meter, "worker_exit_reason_total", reason="error") == 1
    assert value(meter, "worker_runtime_seconds_sum") == 1.5
    assert value(meter, "evo_cpu_seconds_total", handler="Handler") == 0.75
    assert value(meter, "evo_gpu_seconds_total", handler="Handler") == 3.0
    meter.ran(TASK, Result.success(TASK, {**STAMPS, "guests": {"cpu_s": 2.0, "stdout": "hello"}}))
    assert value(meter, "evo_cpu_seconds_total", handler="Handler") == 3.0


def test_what_has_not_happened_is_counted_from_nothing() -> None:
    meter = Meter()
    meter.left_idle()
    reasons = ("success", "idle", "error", "timeout")
    assert [value(meter, "worker_exit_reason_total", reason=each) for each in reasons] == [0, 1, 0, 0]
    assert value(meter, "result_backend_fail_total") == 0


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"usage": "none", "provenance": 3},
        {"usage": {"wall_s": -1, "cpu_s": "x"}, "guests": {"cpu_s": -1}},
    ],
)
def test_a_result_with_no_stamps_is_counted_too(data: dict[str, Any]) -> None:
    meter = Meter()
    meter.ran(TASK, Result(task_id=TASK.id, status=Status.OK, data=data))
    assert value(meter, "worker_task_total", handler="none", status="ok") == 1
    assert value(meter, "worker_runtime_seconds_sum") == 0


CALL = {"backend": "b", "tokens_in": 10, "tokens_out": 5, "bound_in": 90, "bound_out": 70}
CALL |= {"latency_s": 0.5, "billed": True, "outcome": "ok"}


def test_calls_of_models_are_counted_as_they_are_billed() -> None:
    calls = [
        CALL,
        {**CALL, "tokens_in": None, "tokens_out": None, "outcome": "failed"},
        {**CALL, "billed": False, "outcome": "rate_limited"},
        {**CALL, "backend": "other"},
    ]
    meter = Meter()
    meter.ran(TASK, Result.success(TASK, {"exchanges": calls}))
    assert value(meter, "llm_tokens_total", backend="b") == 10 + 5 + 90 + 70
    assert value(meter, "llm_tokens_total", backend="other") == 15
    assert value(meter, "llm_latency_seconds_count", backend="b") == 1
    assert value(meter, "llm_latency_seconds_sum", backend="b") == 0.5


@pytest.mark.parametrize(
    "exchanges",
    [
        None,
        "text",
        {"a": 1},
        [None],
        [{}],
        [CALL | {"tokens_in": "x"}],
        [CALL | {"latency_s": []}],
        [CALL | {"tokens_in": float("nan")}],
        [CALL | {"tokens_in": float("inf")}],
    ],
)
def test_calls_that_cannot_be_read_are_left_out(exchanges: Any) -> None:
    meter = Meter()
    meter.ran(TASK, Result.success(TASK, {"exchanges": exchanges}))
    assert value(meter, "worker_task_total", handler="none", status="ok") == 1
    assert value(meter, "llm_tokens_total", backend="b") is None


def test_the_queue_and_the_pools_are_asked_when_somebody_looks() -> None:
    meter = Meter(lambda: STATE, lambda: Pool(5, 3, 20), "cpu")
    assert value(meter, "queue_pending_total", stream="peagen.tasks", kind="execute") == 3
    assert value(meter, "queue_pending_total", stream="peagen.tasks.docker+gpu", kind="execute") == 1
    assert value(meter, "queue_pending_idle_max_seconds", stream="peagen.tasks") == 7.5
    assert value(meter, "queue_memory_bytes", stream="peagen.tasks.docker+gpu") == 512
    assert value(meter, "queue_ack_total", kind="mutate") == 4
    assert value(meter, "queue_dead_total", kind="execute") == 2
    assert value(meter, "warm_spawner_live_workers", caps="cpu") == 5
    assert value(meter, "warm_spawner_idle_workers", caps="cpu") == 3
    assert value(meter, "warm_spawner_launch_total", caps="cpu") == 20


def test_a_broker_that_is_away_hides_no_other_metric() -> None:
    def away() -> QueueState:
        raise OSError("gone")

    meter = Meter(away, lambda: Pool(1, 1, 1), "cpu")
    meter.record_failed()
    assert value(meter, "queue_pending_idle_max_seconds", stream="peagen.tasks") is None
    assert value(meter, "warm_spawner_idle_workers", caps="cpu") == 1
    assert value(meter, "result_backend_fail_total") == 1


def test_it_is_seen_on_a_port_until_it_is_closed() -> None:
    meter = Meter(lambda: STATE)
    meter.best("shop", 12.5)
    with meter.serve(0) as exposed:
        with urllib.request.urlopen(f"http://127.0.0.1:{exposed.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        with pytest.raises(UsageError, match="cannot be listened on"):
            Meter().serve(exposed.port)
    assert 'evo_best_speed_ms{workspace="shop"} 12.5' in text
    assert 'queue_pending_total{kind="execute",stream="peagen.tasks"} 3.0' in text
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{exposed.port}/metrics", timeout=10)
