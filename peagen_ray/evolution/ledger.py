"""The ledger: the append-only record of a run, an Arrow IPC stream that any Arrow reader opens.

The file is a schema message, then one record batch message for each :meth:`Ledger.append`. The schema's
metadata carries, under ``peagen``, the format's version and what the run was started with. There is no
end marker: a run may always go on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import pyarrow as pa

from peagen_ray.errors import LedgerError
from peagen_ray.evolution.diff import unified
from peagen_ray.evolution.events import Event, Kind, printable
from peagen_ray.evolution.program import Outcome
from peagen_ray.storage import lock_alone, sync_directory, write_at

FORMAT: Final = 1
"""Version of the file's form."""

_KEY = b"peagen"

_SCHEMA: Final = pa.schema(
    [
        ("seq", pa.int64()),
        ("event", pa.string()),
        ("n", pa.int64()),
        ("epoch", pa.int32()),
        ("kind", pa.string()),
        ("time_s", pa.float64()),
        ("parents", pa.list_(pa.int64())),
        ("mutator", pa.string()),
        ("operator", pa.string()),
        ("seed", pa.int64()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("fitness", pa.float64()),
        ("speed_ms", pa.float64()),
        ("peak_kb", pa.float64()),
        ("confirmed", pa.bool_()),
        ("fingerprint", pa.string()),
        ("source", pa.string()),
        ("diff", pa.string()),
        ("tokens", pa.int64()),
        ("usd", pa.float64()),
        ("wall", pa.map_(pa.string(), pa.float64())),
        ("metrics", pa.string()),
        ("detail", pa.string()),
    ]
)
_ROW: Final = pa.struct(list(_SCHEMA))
_TEXTS = tuple(column.name for column in _SCHEMA if column.type == pa.string())
_JSON = ("metrics", "detail")
_RECORDED = tuple(column.name for column in fields(Event) if column.name not in {"base", "seq"})


class Position(NamedTuple):
    """A place in a ledger between two events: bytes from the start, and the next event's number."""

    offset: int
    seq: int


class Ledger:
    """A ledger that is being written, by this process alone; see :meth:`create` and :meth:`open`.

    Used by one thread at a time. Readers need no lock: :func:`read` may run meanwhile.

    Attributes:
        path: the file.
        meta: what the run was started with.
        position: the end of what is on disk.
        cut: bytes that an interrupted write had left at the end, and that were cut off.
    """

    def __init__(self, path: Path, file: int, meta: dict[str, Any], position: Position, cut: int) -> None:
        self.path = path
        self.meta = meta
        self.position = position
        self.cut = cut
        self._file = file
        self._broken = False

    @classmethod
    def create(cls, path: Path, meta: Mapping[str, Any]) -> Self:
        """Begin a ledger.

        Args:
            path: where; a file of no bytes is as good as none.
            meta: JSON-able: the run's id, configuration, seed, original source, ``reference_ms``, versions.

        Raises:
            LedgerError: there is one, another process writes there, or the disk refuses.
        """
        file = _locked(path, os.O_RDWR | os.O_CREAT)
        try:
            if os.fstat(file).st_size:
                raise LedgerError("there is a ledger already", subject=str(path), hint="resume that run")
            header = json.dumps({"format": FORMAT, "meta": meta}).encode()
            size = write_at(file, 0, memoryview(_SCHEMA.with_metadata({_KEY: header}).serialize()), path)
            sync_directory(path.parent)
        except BaseException:
            os.close(file)
            raise
        return cls(path, file, json.loads(header)["meta"], Position(size, 0), 0)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Go on with a ledger. What an interrupted write left at its end is cut off.

        Raises:
            LedgerError: there is none, it is no ledger or of a newer version, or another process writes it.
        """
        file = _locked(path, os.O_RDWR)
        try:
            with _Reader(path) as reader:
                for _ in reader.batches():
                    pass
                position = reader.position
            cut = os.fstat(file).st_size - position.offset
            if cut:
                os.ftruncate(file, position.offset)
                os.fsync(file)
        except BaseException:
            os.close(file)
            raise
        return cls(path, file, reader.meta, position, cut)

    def append(self, events: Sequence[Event]) -> Position:
        """Write events, all of them or none; they are on disk when this returns.

        Raises:
            LedgerError: the disk refuses. The file is as it was before, and takes no more events, since
                those that come after would not follow from it.
        """
        if self._broken:
            raise LedgerError("an earlier write failed", subject=str(self.path), hint="resume the run")
        if not events:
            return self.position
        offset, seq = self.position
        rows = [_row(event, seq + number) for number, event in enumerate(events)]
        # Ten times as fast as from_pylist, and every candidate waits for it.
        message = pa.RecordBatch.from_struct_array(pa.array(rows, _ROW)).serialize()
        self._broken = True
        written = write_at(self._file, offset, memoryview(message), self.path)
        self._broken = False
        self.position = Position(offset + written, seq + len(rows))
        return self.position

    def close(self) -> None:
        """Let another process write it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(path: Path, start: Position | None = None) -> Iterator[Event]:
    """The events of a ledger, from a position on; whatever a write in progress has left is not among them.

    Raises:
        LedgerError: there is no ledger, it is of a newer version, or no event begins at that position.
    """
    with _Reader(path) as reader:
        if start is not None:
            reader.seek(start)
        for batch in reader.batches():
            yield from (_event(row, path) for row in batch.to_pylist())


def news(path: Path, start: Position | None = None) -> tuple[list[Event], Position]:
    """The events from a position on that are there now, and the position after them; raises as :func:`read` does."""
    with _Reader(path) as reader:
        if start is not None:
            reader.seek(start)
        found = [_event(row, path) for batch in reader.batches() for row in batch.to_pylist()]
        return found, reader.position


def table(path: Path) -> pa.Table:
    """The whole ledger as one Arrow table; raises LedgerError as :func:`read` does."""
    with _Reader(path) as reader:
        return pa.Table.from_batches(list(reader.batches()), schema=reader.schema)


def meta(path: Path) -> dict[str, Any]:
    """What the run was started with; raises LedgerError as :func:`read` does."""
    with _Reader(path) as reader:
        return reader.meta


class _Reader:
    """Reads messages one by one up to the first that is not whole.

    Attributes:
        meta: what the run was started with.
        schema: the file's columns.
        position: the end of the last whole message.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pa.OSFile(str(path))
        except OSError as error:
            raise LedgerError("there is no ledger", subject=str(path)) from error
        try:
            self.schema = pa.ipc.read_schema(pa.ipc.read_message(self._file))
            self.meta = self._meta()
        except BaseException as error:
            self._file.close()
            if isinstance(error, EOFError | OSError | pa.ArrowException):
                raise LedgerError("this is no ledger", subject=str(path)) from error
            raise
        self.position = Position(self._file.tell(), 0)

    def _meta(self) -> dict[str, Any]:
        try:
            header = json.loads((self.schema.metadata or {})[_KEY])
            version, meta = header["format"], dict(header["meta"])
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError("this is no ledger of ours", subject=str(self._path)) from error
        if version != FORMAT or not self.schema.equals(_SCHEMA):
            raise LedgerError(
                f"the ledger has format {version}, this program speaks {FORMAT}",
                subject=str(self._path),
                hint="use the version of peagen-ray that wrote it",
            )
        return meta

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def seek(self, start: Position) -> None:
        """Go on from a position; raises LedgerError if no event begins there."""
        size = self._file.size()
        if start.offset != size:
            batch = self._next(start) if self.position.offset <= start.offset < size else None
            if batch is None:
                raise LedgerError("no event begins there", subject=f"{self._path}, byte {start.offset}")
        self.position = start

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every whole batch from the position on."""
        while (batch := self._next(self.position)) is not None:
            self.position = Position(self._file.tell(), self.position.seq + batch.num_rows)
            yield batch

    def _next(self, at: Position) -> pa.RecordBatch | None:
        """The batch that begins there; None if it is not whole, or not the one that belongs there."""
        self._file.seek(at.offset)
        try:
            batch = pa.ipc.read_record_batch(pa.ipc.read_message(self._file), self.schema)
            batch.validate(full=True)
        except (EOFError, OSError, pa.ArrowException):
            return None
        return batch if batch.num_rows and batch.column("seq")[0].as_py() == at.seq else None


def _locked(path: Path, flags: int) -> int:
    try:
        file = os.open(path, flags | os.O_CLOEXEC, 0o644)
    except FileNotFoundError as error:
        raise LedgerError("there is no ledger", subject=str(path)) from error
    except OSError as error:
        raise LedgerError(f"cannot be opened: {error.strerror}", subject=str(path)) from error
    lock_alone(file, path)
    return file


def _row(event: Event, seq: int) -> dict[str, Any]:
    row = {name: getattr(event, name) for name in _RECORDED}
    row["diff"] = unified(event.base, event.source, "program.py") if event.base and event.source else ""
    for name in _JSON:
        row[name] = json.dumps(row[name])
    for name in _TEXTS:
        row[name] = row[name] and printable(row[name])
    return {**row, "seq": seq, "wall": list(event.wall.items())}


def _event(row: dict[str, Any], path: Path) -> Event:
    del row["diff"]
    try:
        return Event(
            **{
                **row,
                "event": Kind(row["event"]),
                "parents": tuple(row["parents"]),
                "outcome": row["outcome"] and Outcome(row["outcome"]),
                "wall": dict(row["wall"]),
                **{name: json.loads(row[name]) for name in _JSON},
            }
        )
    except (TypeError, ValueError) as error:
        raise LedgerError(f"cannot be read: {error}", subject=f"{path}, event {row['seq']}") from error
