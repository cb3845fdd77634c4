"""A run as its operator sees it: traces, logs and records of one candidate belong together."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from runtime_script import Recorder

from peagen_ray import tracing
from peagen_ray.cli.boundary import run as command
from peagen_ray.config.model import Config
from peagen_ray.logs import ROOT, set_up
from peagen_ray.runtime.run import evolve
from peagen_ray.runtime.settings import RunRequest

STAGES = {"mutate", "execute", "evaluate"}


@pytest.fixture
def exporters(monkeypatch: pytest.MonkeyPatch) -> list[InMemorySpanExporter]:
    made: list[InMemorySpanExporter] = []

    def exporter_to(endpoint: str) -> InMemorySpanExporter:
        assert endpoint == "http://collector:4318/v1/traces"
        made.append(InMemorySpanExporter())
        return made[-1]

    monkeypatch.setattr(tracing, "exporter_to", exporter_to)
    return made


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    logger, stream = logging.getLogger(ROOT), io.StringIO()
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    set_up("json", "info", stream)
    return stream


@pytest.mark.slow
def test_one_trace_follows_a_candidate_and_its_tasks_are_found_by_its_number(
    here: Path,
    observer: Recorder,
    exporters: list[InMemorySpanExporter],
    log: io.StringIO,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = Config.model_validate(
        {
            "traces": {"endpoint": "http://collector:4318/v1/traces"},
            "evolve": {"generation_size": 2, "seed": 1, "stop": {"max_generations": 2}},
            "evaluate": {"winner_s": 0.1},
        }
    )
    result = evolve(RunRequest(config, target=Path("slow.py"), concurrency=2), observer)
    spans = [span for exporter in exporters for span in exporter.get_finished_spans()]
    traces = [under(span, spans) for span in spans if span.name.startswith("candidate ")]
    number, task_id = next((n, ids["execute"]) for n, ids in traces if set(ids) == STAGES)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    about = [line for line in lines if line.get("candidate") == number and line["run"] == result.paths.id]
    assert {line["task"] for line in about if line.get("kind") == "execute"} >= {task_id}
    assert {"outcome", "accepted"} <= {name for line in about for name in line}

    assert command(["task", "list", "--run", result.paths.id, "--candidate", str(number), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {each["kind"] for each in listed} >= STAGES
    assert command(["task", "show", task_id]) == 0
    assert f"candidate: {number}" in capsys.readouterr().out


def under(span: ReadableSpan, spans: list[ReadableSpan]) -> tuple[int, dict[str, str]]:
    """A candidate's number, and the ids of the tasks within its span by kind."""
    within = [each for each in spans if each.parent and each.parent.span_id == span.context.span_id]
    assert {each.context.trace_id for each in within} <= {span.context.trace_id}
    return span.attributes["peagen.candidate"], {each.name: each.attributes["peagen.task"] for each in within}
