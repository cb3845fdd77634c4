"""Logs: lines for people or JSON for machines, each with the ids of what it is about.

Everything of this package logs with the standard library, below the logger ``peagen_ray``; ids are in ``extra``.
Nothing is shown until :func:`set_up` was called, and a program that uses this package sets up its own logs.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

ROOT: Final = "peagen_ray"
"""The logger that all of ours are below."""

IDS: Final = ("run", "task", "candidate", "worker")
"""The ids that a line may have, in the order in which they are shown."""

FORMATS: Final = ("text", "json")
LEVELS: Final = ("debug", "info", "warning", "error")

_MARK: Final = "_peagen_logs"
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest of one is its ``extra``."""

_LONGEST: Final = 16_384
"""Characters of one value that are shown: what a task failed with may be as long as somebody likes."""


def set_up(form: str, level: str, stream: TextIO | None = None) -> None:
    """Show this package's logs on a stream; a second call takes the place of the first.

    Args:
        form: one of :data:`FORMATS`.
        level: one of :data:`LEVELS`.
        stream: by default stderr, as it is when a line is written.
    """
    logger = logging.getLogger(ROOT)
    for handler in [each for each in logger.handlers if getattr(each, _MARK, False)]:
        logger.removeHandler(handler)
    handler = _Stderr() if stream is None else logging.StreamHandler(stream)
    setattr(handler, _MARK, True)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    handler.setLevel(level.upper())
    logger.addHandler(handler)
    logger.setLevel(level.upper() if handler.level < logging.WARNING else logging.NOTSET)


def teller(name: str, **ids: Any) -> Callable[[str], None]:
    """What logs each text that it is given, as information, with those ids."""
    logger = logging.getLogger(f"{ROOT}.{name}")
    return lambda text: logger.info("%s", text, extra=dict(ids))


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to stderr as it is at the moment: a terminal's display may have put another in its place."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # the base class has an attribute
        """Where to."""
        return sys.stderr


class TextLines(logging.Formatter):
    """``TIME LEVEL module: text (run R, task T)``, on one line but for tracebacks; control characters are spelt out."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        known = fields(record)
        ids = ", ".join(f"{name} {known[name]}" for name in IDS if name in known)
        head = f"{_when(record)} {record.levelname} {_module(record)}: {record.getMessage()[:_LONGEST]}"
        line = _spelt(f"{head} ({ids})" if ids else head).replace("\n", "\\n")
        trace = _trace(record)
        return f"{line}\n{_spelt(trace)}" if trace else line


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, the ids, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": _when(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_LONGEST],
            **fields(record),
        }
        trace = _trace(record)
        if trace:
            line["traceback"] = trace[-_LONGEST:]
        return json.dumps(line, default=str)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says beside its text: the ids first, without those that are not known."""
    said: Mapping[str, Any] = {name: value for name, value in vars(record).items() if name not in _OWN}
    names = [*(name for name in IDS if name in said), *(name for name in said if name not in IDS)]
    known = [name for name in names if not name.startswith("_") and said[name] not in ("", None)]
    return {name: _bounded(said[name]) for name in known}


def _bounded(value: Any) -> Any:
    """The value as JSON may have it, and not too long."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value[:_LONGEST] if isinstance(value, str) else value


def _when(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _module(record: logging.LogRecord) -> str:
    return record.name.removeprefix(f"{ROOT}.")


def _trace(record: logging.LogRecord) -> str:
    return "".join(traceback.format_exception(record.exc_info[1])) if record.exc_info else ""


def _spelt(text: str) -> str:
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)
