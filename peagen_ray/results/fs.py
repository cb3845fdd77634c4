"""Records as files: ``<root>/<YYYY-MM-DD>/<kind>/<id>.json[.gz]``, on a disk, S3 or Google Cloud."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from peagen_ray.errors import EnvelopeError, ResultBackendError
from peagen_ray.results.base import Record, ResultBackend
from peagen_ray.storage import open_storage, write_all
from peagen_ray.task import TaskKind

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

_PLAIN: Final = ".json"
_PACKED: Final = ".json.gz"
_NAME = re.compile(r"([0-9a-f]{16,})(\.json|\.json\.gz)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class FsResultBackend(ResultBackend):
    """The default back-end, over ``pyarrow.fs``.

    On a disk a record is written to a hidden temporary file, synced, and renamed; an object store shows
    an object when it is complete.

    Args:
        root: a path, or a URI such as ``s3://bucket/prefix`` or ``gs://bucket/prefix``.
        compress: write ``.json.gz``.

    Raises:
        ConfigError: there is no such storage.
    """

    def __init__(self, root: str | Path, *, compress: bool) -> None:
        self._fs, self._root = open_storage(str(root))
        self._suffix, self._other = (_PACKED, _PLAIN) if compress else (_PLAIN, _PACKED)

    def put(self, record: Record) -> None:
        """Keep a record, and remove one of the same task in the other format."""
        self.put_all([record])

    def put_all(self, records: Sequence[Record]) -> None:
        """Keep records, and remove those of the same tasks in the other format; many are synced together."""
        if not records:
            return
        paths = [self._path(each.day.isoformat(), each.task.kind, each.task.id) for each in records]
        try:
            packed = (self._packed(each.to_json()) for each in records)
            write_all(self._fs, {path + self._suffix: data for path, data in zip(paths, packed, strict=True)})
            for path in paths:
                self._remove(path + self._other)
        except (OSError, ValueError, EnvelopeError) as error:
            raise ResultBackendError(
                f"cannot be written: {error}", subject=paths[0] + self._suffix
            ) from error

    def _packed(self, data: bytes) -> bytes:
        return gzip.compress(data, mtime=0) if self._packs else data

    def get(self, task_id: str) -> Record | None:
        """The record of a task; days are searched from the latest."""
        if not _NAME.fullmatch(task_id + _PLAIN):
            return None
        for day in reversed(self._names(self._root)):
            if not _DAY.fullmatch(day):
                continue
            names = [
                self._path(day, kind, task_id) + suffix
                for kind in TaskKind
                for suffix in (self._suffix, self._other)
            ]
            for info in self._infos(names):
                if info.is_file:
                    return self._read(info.path)
        return None

    def list(
        self, day: date | None = None, kind: TaskKind | None = None
    ) -> Iterator[Record | ResultBackendError]:
        """The records, by day, kind and id."""
        days = self._names(self._root) if day is None else [day.isoformat()]
        for name in days:
            if not _DAY.fullmatch(name):
                yield _foreign(f"{self._root}/{name}")
                continue
            for inner in self._names(f"{self._root}/{name}") if kind is None else [kind.value]:
                yield from self._list(f"{self._root}/{name}/{inner}")

    def _list(self, directory: str) -> Iterator[Record | ResultBackendError]:
        names = self._names(directory)
        for name in names:
            match = _NAME.fullmatch(name)
            if match is None:
                yield _foreign(f"{directory}/{name}")
            elif match[2] == self._suffix or match[1] + self._suffix not in names:
                yield self._value(f"{directory}/{name}")

    def _value(self, path: str) -> Record | ResultBackendError:
        try:
            return self._read(path)
        except ResultBackendError as error:
            return error

    # ---- files --------------------------------------------------------------------------------

    @property
    def _packs(self) -> bool:
        return self._suffix == _PACKED

    def _path(self, day: str, kind: TaskKind, task_id: str) -> str:
        return f"{self._root}/{day}/{kind.value}/{task_id}"

    def _names(self, directory: str) -> dict[str, None]:
        from pyarrow.fs import FileSelector

        try:
            infos = self._fs.get_file_info(FileSelector(directory, allow_not_found=True))
        except (OSError, ValueError) as error:
            raise ResultBackendError(f"cannot be listed: {error}", subject=directory) from error
        names = sorted(info.base_name for info in infos)
        return dict.fromkeys(name for name in names if not name.startswith("."))

    def _infos(self, paths: Sequence[str]) -> Sequence[FileInfo]:
        try:
            return list(self._fs.get_file_info(paths))
        except (OSError, ValueError) as error:
            raise ResultBackendError(f"cannot be looked up: {error}", subject=paths[0]) from error

    def _read(self, path: str) -> Record:
        try:
            with self._fs.open_input_stream(path, compression=None) as stream:
                raw = stream.read()
            record = Record.from_json(gzip.decompress(raw) if path.endswith(_PACKED) else raw)
        except (OSError, ValueError, EOFError, zlib.error, EnvelopeError) as error:
            raise ResultBackendError(f"cannot be read: {error}", subject=path) from error
        expected = self._path(record.day.isoformat(), record.task.kind, record.task.id)
        if path not in (expected + _PLAIN, expected + _PACKED):
            raise ResultBackendError(f"holds the record of task {record.task.id}", subject=path)
        return record

    def _remove(self, path: str) -> None:
        try:
            self._fs.delete_file(path)
        except FileNotFoundError:
            return


def _foreign(path: str) -> ResultBackendError:
    return ResultBackendError("is no record of ours", subject=path, hint="move it elsewhere")
