"""Traces: one for each candidate, from the question to its verdict, with a span for each run of its tasks.

A trace travels as a ``traceparent`` in the payloads of tasks, so that whoever sees a task end can tell of it, on
whatever machine; one-shot processes are not asked for anything. Needs the extra ``[otel]``; importing this does not.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

from peagen_ray._version import __version__
from peagen_ray.about import About
from peagen_ray.config.model import TracesTable
from peagen_ray.errors import MissingExtra
from peagen_ray.task import Result, Status, Task

SERVICE: Final = "peagen-ray"

_PATIENCE_S: Final = 5.0
"""Seconds that a collector may take; spans that it did not take are dropped."""

_EVERY_MS: Final = 1000
_LONGEST: Final = 500
_NANOSECONDS: Final = 1_000_000_000

_log = logging.getLogger(__name__)


class Tracer(AbstractContextManager["Tracer"]):
    """Sends spans somewhere, from a thread of its own. Any thread may use it.

    Args:
        exporter: an OpenTelemetry ``SpanExporter``.
        share: of the candidates that are traced.

    Raises:
        MissingExtra: OpenTelemetry's SDK is not installed.
    """

    def __init__(self, exporter: Any, share: float = 1.0) -> None:
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        except ImportError as error:
            raise _missing() from error
        resource = Resource.create({"service.name": SERVICE, "service.version": __version__})
        self._provider = TracerProvider(ParentBased(TraceIdRatioBased(share)), resource)
        processor = BatchSpanProcessor(exporter, schedule_delay_millis=_EVERY_MS)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SERVICE, __version__)
        self._open: dict[tuple[int, int], Any] = {}

    # ---- a run's own spans: one for itself, and one for each question -------------------------

    def run(self, run: str) -> str:
        """The ``traceparent`` of a run's own tasks, which measure its original and its winner."""
        return self._begun((0, -1), f"run {run}", {"peagen.run": run})

    def question(self, run: str, epoch: int, n: int, candidate: int) -> str:
        """The ``traceparent`` of a question; its span begins when this is first asked."""
        name = f"candidate {candidate}" if n == candidate else f"confirm candidate {candidate}"
        numbers = {"peagen.life": epoch, "peagen.question": n, "peagen.candidate": candidate}
        return self._begun((epoch, n), name, {"peagen.run": run, **numbers})

    def _begun(self, key: tuple[int, int], name: str, attributes: Mapping[str, str | int]) -> str:
        from opentelemetry.context import Context

        span = self._open.get(key)
        if span is None:
            span = self._open[key] = self._tracer.start_span(name, Context(), attributes=attributes)
        known = span.get_span_context()
        return f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags:02x}"

    def answered(self, n: int, verdict: Mapping[str, str | bool | int | float]) -> None:
        """A question has its answer: its span ends; of one that was never asked there is none."""
        for key in [each for each in self._open if each[1] == n]:
            span = self._open.pop(key)
            span.set_attributes({f"peagen.{name}": value for name, value in verdict.items()})
            span.end()

    # ---- runs of tasks ------------------------------------------------------------------------

    def ran(self, task: Task, result: Result) -> None:
        """A run of a task has ended; its span is within that of its candidate, or a trace of its own."""
        from opentelemetry.context import Context
        from opentelemetry.trace import StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        about = About.of(task.payload)
        within = TraceContextTextMapPropagator().extract({"traceparent": about.trace}, Context())
        end = result.created_at
        start = end - timedelta(seconds=_seconds(result))
        span = self._tracer.start_span(
            str(task.kind),
            within,
            attributes=_attributes(task, result, about),
            start_time=_nanoseconds(start),
        )
        if result.status is Status.ERROR:
            span.set_status(StatusCode.ERROR, str(result.data.get("msg", ""))[:_LONGEST])
        span.end(_nanoseconds(end))

    def close(self) -> None:
        """Send what there is; what has no answer ends here."""
        for span in self._open.values():
            span.end()
        self._open.clear()
        self._provider.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_away: set[str] = set()
"""Collectors that take nothing at the moment: a process may have several tracers that send to one."""

_looking = threading.Lock()


class _SaidOnce:
    """An exporter of whose troubles a process logs one line, and not one for each attempt and each tracer.

    Args:
        exporter: sends.
        endpoint: where to.
    """

    def __init__(self, exporter: Any, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = endpoint

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exporter, name)

    def export(self, spans: Any) -> Any:
        """Send spans."""
        result = self._exporter.export(spans)
        taken = result.name == "SUCCESS"
        with _looking:
            said = self._endpoint in _away
            (_away.discard if taken else _away.add)(self._endpoint)
        if not taken and not said:
            _log.warning(
                "%s takes no traces; they are dropped until it does: "
                "start a collector there, or mend or empty [traces] endpoint",
                self._endpoint,
            )
        return result


def tracer_of(table: TracesTable) -> Tracer | None:
    """What the configuration asks for; None where it asks for no traces.

    Raises:
        MissingExtra: OpenTelemetry is not installed.
    """
    return Tracer(exporter_to(table.endpoint), table.share) if table.endpoint else None


def exporter_to(endpoint: str) -> Any:
    """What sends spans to a collector over HTTP, and says once that it takes none; raises MissingExtra."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise _missing() from error
    logging.getLogger("opentelemetry.exporter").setLevel(
        logging.CRITICAL
    )  # it logs each attempt; see _SaidOnce
    return _SaidOnce(OTLPSpanExporter(endpoint, timeout=_PATIENCE_S), endpoint)


def _missing() -> MissingExtra:
    return MissingExtra(
        "OpenTelemetry is not installed", subject="[traces] endpoint", hint="pip install 'peagen-ray[otel]'"
    )


def _attributes(task: Task, result: Result, about: About) -> dict[str, str | int | float]:
    made = result.data.get("provenance")
    made = made if isinstance(made, Mapping) else {}
    known: dict[str, Any] = {
        "task": task.id,
        "run": about.run,
        "candidate": about.candidate,
        "status": str(result.status),
        "reason": result.data.get("reason"),
        "attempts": result.attempts,
        "handler": made.get("handler"),
        "worker": made.get("worker"),
    }
    return {
        f"peagen.{name}": value if isinstance(value, int) else str(value)[:_LONGEST]
        for name, value in known.items()
        if value not in ("", None)
    }


def _seconds(result: Result) -> float:
    """How long the run took, as it says itself; 0 where nothing ran."""
    usage = result.data.get("usage")
    said = usage.get("wall_s") if isinstance(usage, Mapping) else None
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < timedelta.max.days:
        return 0.0
    return float(said)


def _nanoseconds(moment: Any) -> int:
    return int(moment.timestamp() * _NANOSECONDS)
