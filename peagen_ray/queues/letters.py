"""Dead letters as JSON: the Task's own, with ``dead_letter`` beside its fields; and a folder of them."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peagen_ray.errors import EnvelopeError
from peagen_ray.queues.model import Attempt, DeadTask
from peagen_ray.task import Task

_MICRO = 1e6


def to_json(dead: DeadTask) -> bytes:
    """A dead letter on one line; what could not be read is under ``raw``, or ``raw_base64`` if it is no text."""
    fields: dict[str, Any]
    fields = {"id": dead.id, **_raw(dead.raw)} if dead.task is None else json.loads(dead.task.to_wire())
    history = [
        [run.number, run.owner, _micros(run.started_at), _micros(run.ended_at), run.ended, run.msg]
        for run in dead.history
    ]
    died_at = datetime.fromtimestamp(dead.died_at, UTC).isoformat().replace("+00:00", "Z")
    fields["dead_letter"] = {"reason": dead.reason, "died_at": died_at, "history": history}
    return json.dumps(fields, ensure_ascii=False).encode(errors="backslashreplace")


def _raw(raw: bytes) -> dict[str, str]:
    try:
        return {"raw": raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": b64encode(raw).decode()}


def _micros(seconds: float) -> str:
    return str(round(seconds * _MICRO))


def from_json(raw: bytes) -> DeadTask:
    """The dead letter of its JSON.

    Raises:
        EnvelopeError: it is none.
    """
    try:
        fields = json.loads(raw)
        letter = fields["dead_letter"]
        died_at = datetime.fromisoformat(letter["died_at"]).timestamp()
        reason, history = str(letter["reason"]), history_of(letter["history"])
        name = str(fields.get("id", ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EnvelopeError(
            f"no dead letter: {type(error).__name__} {error}", subject="dead letter"
        ) from error
    try:
        task = Task.from_wire(raw)
    except EnvelopeError:
        kept = raw
        if isinstance(fields.get("raw"), str):
            kept = fields["raw"].encode(errors="replace")
        elif isinstance(fields.get("raw_base64"), str):
            kept = b64decode(fields["raw_base64"])
        return DeadTask(name, None, reason, died_at, history, kept)
    return DeadTask(task.id, task, reason, died_at, history)


def history_of(runs: Iterable[Sequence[Any]]) -> tuple[Attempt, ...]:
    """The runs of a history: number, owner, began and ended in microseconds, how, and the message."""
    return tuple(
        Attempt(int(number), owner, float(began) / _MICRO, float(ended) / _MICRO, how, msg)
        for number, owner, began, ended, how, msg in runs
    )


@dataclass(frozen=True)
class LetterFolder:
    """Dead letters of a queue that dies with its process, one file each.

    Attributes:
        path: the folder; it is made when there is something to keep.
    """

    path: Path

    def save(self, dead: DeadTask) -> None:
        """Keep a letter, in one step."""
        self.path.mkdir(parents=True, exist_ok=True)
        draft = self.path / f".{dead.id}.{os.getpid()}.tmp"
        draft.write_bytes(to_json(dead) + b"\n")
        draft.replace(self._file(dead.id))

    def discard(self, task_id: str) -> None:
        """Forget a letter, if it is there."""
        self._file(task_id).unlink(missing_ok=True)

    def letters(self) -> Iterator[DeadTask]:
        """Every letter that can be read, oldest first."""
        found = []
        for file in self.path.glob("*.json") if self.path.is_dir() else ():
            try:
                found.append(from_json(file.read_bytes()))
            except (EnvelopeError, OSError):
                continue  # half of it, or none of ours
        yield from sorted(found, key=lambda dead: (dead.died_at, dead.id))

    def _file(self, task_id: str) -> Path:
        return self.path / f"{task_id}.json"
