"""What a run tells whoever watches it, told to its log and its traces as well."""

from __future__ import annotations

import logging

from peagen_ray.runtime.progress import Observer, Progress, Told
from peagen_ray.tracing import Tracer

_log = logging.getLogger(__name__)


class Recounted:
    """An observer that passes everything on, and logs it with the run's id.

    Args:
        observer: is told.
        run: id of the run.
        tracer: ends the spans of candidates that were told back.
    """

    def __init__(self, observer: Observer, run: str, tracer: Tracer | None = None) -> None:
        self._observer = observer
        self._run = run
        self._tracer = tracer

    def phase(self, name: str, detail: str = "") -> None:
        """Another phase."""
        _log.info("%s", f"{name}: {detail}" if detail else name, extra={"run": self._run})
        self._observer.phase(name, detail)

    def progress(self, progress: Progress) -> None:
        """Where the run is, which is not logged: metrics and the ledger say so."""
        self._observer.progress(progress)

    def candidate(self, told: Told) -> None:
        """A candidate was told back."""
        facts = {
            "outcome": str(told.outcome),
            "kind": told.kind,
            "parent": told.parent,
            "operator": told.operator,
            "ratio": told.ratio,
            "accepted": told.accepted,
            "reason": told.reason,
        }
        known = {name: value for name, value in facts.items() if value not in ("", None)}
        candidate = told.n if told.kind != "confirm" or told.parent is None else told.parent
        words = f"candidate {candidate}, {told.kind}: {told.outcome}"
        words += "" if told.ratio is None else f", {told.ratio:.3f}x"
        _log.info("%s", words, extra={"run": self._run, "candidate": candidate, **known})
        if self._tracer is not None:
            self._tracer.answered(told.n, known)
        self._observer.candidate(told)

    def note(self, text: str) -> None:
        """Something that a person should know."""
        _log.info("%s", text, extra={"run": self._run})
        self._observer.note(text)
