"""Traces: spans of one candidate's tasks are in one trace, wherever they ran."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from peagen_ray.about import KEY, About
from peagen_ray.config.model import TracesTable
from peagen_ray.errors import MissingExtra
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.tracing import Tracer, _SaidOnce, tracer_of

USED = {"usage": {"wall_s": 2.0}, "provenance": {"worker": "w-1", "handler": "m:H"}}


def task(trace: str = "") -> Task:
    return Task(kind=TaskKind.EXECUTE, payload={KEY: About("r1", 7, trace).to_data()})


def test_tasks_that_end_elsewhere_are_within_the_span_of_their_candidate() -> None:
    here, there = InMemorySpanExporter(), InMemorySpanExporter()
    with Tracer(here) as run, Tracer(there) as worker:
        trace = run.question("r1", 1, 7, 7)
        assert run.question("r1", 1, 7, 7) == trace
        assert run.question("r1", 1, 8, 8) != trace
        worker.ran(made := task(trace), Result.success(made, USED))
        run.answered(7, {"outcome": "ok"})
        run.answered(7, {"outcome": "ok"})
    (span,) = there.get_finished_spans()
    (candidate, unanswered) = here.get_finished_spans()
    assert (candidate.name, unanswered.name) == ("candidate 7", "candidate 8")
    assert span.context.trace_id == candidate.context.trace_id
    assert span.parent is not None
    assert span.parent.span_id == candidate.context.span_id
    assert span.end_time - span.start_time == 2_000_000_000
    wanted = {"peagen.run": "r1", "peagen.candidate": 7, "peagen.worker": "w-1", "peagen.task": made.id}
    assert wanted.items() <= dict(span.attributes).items()
    assert candidate.attributes["peagen.outcome"] == "ok"


def test_tasks_of_the_run_itself_are_within_its_own_span() -> None:
    spans = InMemorySpanExporter()
    with Tracer(spans) as tracer:
        tracer.ran(made := task(tracer.run("r1")), Result.success(made, USED))
    inner, outer = spans.get_finished_spans()
    assert (outer.name, inner.parent.span_id) == ("run r1", outer.context.span_id)


def test_a_collector_that_is_away_is_told_once_by_all_tracers_of_a_process_and_again_when_it_has_been_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Away(InMemorySpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.FAILURE

    there, *away = (_SaidOnce(each, "http://there:4318") for each in (InMemorySpanExporter(), Away(), Away()))
    for exporter in (*away, *away):
        exporter.export([])
    said = "http://there:4318 takes no traces; they are dropped until it does: "
    said += "start a collector there, or mend or empty [traces] endpoint"
    assert [record.getMessage() for record in caplog.records] == [said]
    there.export([])
    away[0].export([])
    assert len(caplog.records) == 2


def test_a_failure_is_a_status_with_its_reason() -> None:
    spans = InMemorySpanExporter()
    with Tracer(spans) as tracer:
        tracer.ran(made := task(), Result.failure(made, "it broke", retryable=False, reason="timeout"))
    (span,) = spans.get_finished_spans()
    assert (span.status.is_ok, span.status.description) == (False, "it broke")
    assert span.attributes["peagen.reason"] == "timeout"


@pytest.mark.parametrize("trace", ["", "rubbish", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "\n"])
@pytest.mark.parametrize("usage", [None, "x", {"wall_s": -1}, {"wall_s": "x"}, {"wall_s": 1e300}])
def test_rubbish_is_a_trace_of_its_own_that_took_no_time(trace: str, usage: Any) -> None:
    spans = InMemorySpanExporter()
    with Tracer(spans) as tracer:
        tracer.ran(made := task(trace), Result.success(made, {"usage": usage, "provenance": "x"}))
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert span.end_time == span.start_time


def test_what_is_not_sampled_is_not_sampled_anywhere() -> None:
    spans = InMemorySpanExporter()
    with Tracer(spans, share=1e-9) as tracer:
        trace = tracer.question("r1", 1, 7, 7)
        tracer.ran(made := task(trace), Result.success(made, USED))
    assert not int(trace[-2:], 16) & 1
    assert not spans.get_finished_spans()


def test_none_are_made_unless_asked_for_and_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracer_of(TracesTable()) is None
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(MissingExtra, match=r"peagen-ray\[otel\]"):
        tracer_of(TracesTable(endpoint="http://localhost:4318/v1/traces"))
