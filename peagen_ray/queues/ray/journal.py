"""A snapshot and the steps since, in files: what a queue is restored from."""

from __future__ import annotations

import logging
import os
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from peagen_ray.storage import make_directory, open_storage, sync_directory, write_whole

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_OWNER: Final = "owner"
_SNAPSHOT: Final = ".snapshot"
_JOURNAL: Final = ".journal"
_CRC_CHARS: Final = 8

_log = logging.getLogger(__name__)


class Fenced(Exception):
    """Another life of the queue has taken the files over; this one must not answer any more."""


class Stem(NamedTuple):
    """What the names of a snapshot and of its journal begin with; a later one supersedes an earlier one.

    Attributes:
        life: counts those who took the files over.
        number: counts the snapshots of a life.
        owner: names the life, should two have the same count.
    """

    life: int
    number: int
    owner: str

    def __str__(self) -> str:
        return f"{self.life:08d}-{self.number:08d}-{self.owner}"

    @classmethod
    def of(cls, name: str) -> Stem | None:
        """The stem of a file's name; None if it is none of ours."""
        life, _, rest = name.partition(".")[0].partition("-")
        number, _, owner = rest.partition("-")
        return cls(int(life), int(number), owner) if life.isdigit() and number.isdigit() and owner else None


class Journal:
    """The files of one queue, under ``<root>/<name>``.

    ``<stem>.snapshot`` is written whole, then steps are appended to ``<stem>.journal``, one a line with its
    checksum, until a snapshot under the next stem makes both superfluous. An object store, which cannot
    append, gets an object ``<stem>.journal.<n>`` for each batch of steps instead. ``owner`` names the life
    that the files belong to: whoever takes them over writes it before it reads the rest, and a life that
    finds another's name there after it has written acknowledges nothing more. So of two lives, one that was
    cut off and the one in its place, nothing is lost that either has acknowledged.

    Concurrency: one caller at a time.

    Attributes:
        folder: where they are.
        size: bytes of steps since the last snapshot.
        snapshot_size: bytes of the last snapshot.

    Args:
        root: a directory, or a URI such as ``s3://bucket/prefix``.
        name: the queue's.

    Raises:
        ConfigError: there is no such storage.
    """

    def __init__(self, root: str, name: str) -> None:
        self._fs, path = open_storage(root)
        self.folder = f"{path}/{quote(name, safe='')}"
        self._appends: _File | _Objects | None = None
        self._stem = Stem(0, 0, "")
        self.size = 0
        self.snapshot_size = 0

    def take_over(self) -> tuple[bytes | None, list[bytes]]:
        """Become the owner; returns the last snapshot, if there is one, and the steps since.

        A tail that was torn when a writer died is cut; nothing of it was acknowledged. Write a snapshot next.

        Raises:
            OSError: the storage does not answer.
        """
        last = self._read_owner()
        self._stem = Stem(last.life + 1, 0, uuid.uuid4().hex[:12])
        write_whole(self._fs, f"{self.folder}/{_OWNER}", str(self._stem).encode())
        names = self._names()
        stems = {stem for name in names if name.endswith(_SNAPSHOT) and (stem := Stem.of(name))}
        rightful = [stem for stem in stems if stem.life != last.life or stem.owner == last.owner]
        if not rightful:
            return None, []
        newest = max(rightful)
        snapshot = self._read(f"{newest}{_SNAPSHOT}")
        journal = b"".join(self._read(name) for name in names if name.startswith(f"{newest}{_JOURNAL}"))
        steps = list(lines_of(journal))
        if torn := len(journal) - sum(len(step) + _CRC_CHARS + 2 for step in steps):
            _log.warning("%s: %d bytes of a torn step were cut from the journal's end", self.folder, torn)
        return snapshot, steps

    def write_snapshot(self, snapshot: bytes) -> None:
        """Keep a snapshot in place of everything before; steps are appended after it from then on.

        Raises:
            OSError: it could not be written; the files before still count.
            Fenced: another life owns the files.
        """
        stem = self._stem._replace(number=self._stem.number + 1)
        write_whole(self._fs, f"{self.folder}/{stem}{_SNAPSHOT}", snapshot)
        self._check_owner()
        if self._appends is not None:
            self._appends.close()
        self._stem, self.size, self.snapshot_size = stem, 0, len(snapshot)
        base = f"{self.folder}/{stem}{_JOURNAL}"
        self._appends = _File(Path(base)) if self._fs.type_name == "local" else _Objects(self._fs, base)
        self._remove_before(stem)

    def append(self, steps: Iterable[bytes]) -> None:
        """Keep steps, each without a line break in it; when this returns they are kept.

        Raises:
            OSError: they could not be written; try again with the same ones, or write a snapshot.
            Fenced: another life owns the files.
        """
        data = b"".join(map(line_of, steps))
        assert self._appends is not None
        self._appends.write(data)
        self._check_owner()
        self.size += len(data)

    def close(self) -> None:
        """Let go of the files."""
        if self._appends is not None:
            self._appends.close()

    # ---- files --------------------------------------------------------------------------------

    def _check_owner(self) -> None:
        owner = self._read_owner()
        if (owner.life, owner.owner) != (self._stem.life, self._stem.owner):
            msg = f"{self.folder} belongs to {owner} now"
            raise Fenced(msg)

    def _read_owner(self) -> Stem:
        try:
            return Stem.of(self._read(_OWNER).decode()) or Stem(0, 0, "")
        except FileNotFoundError:
            return Stem(0, 0, "")

    def _names(self) -> list[str]:
        from pyarrow.fs import FileSelector

        infos = self._fs.get_file_info(FileSelector(self.folder, allow_not_found=True))
        return sorted(info.base_name for info in infos)

    def _read(self, name: str) -> bytes:
        with self._fs.open_input_stream(f"{self.folder}/{name}", compression=None) as stream:
            data: bytes = stream.read()
        return data

    def _remove_before(self, stem: Stem) -> None:
        for name in self._names():
            found = Stem.of(name)
            if found is not None and found < stem:
                try:
                    self._fs.delete_file(f"{self.folder}/{name}")
                except OSError as error:
                    _log.warning("%s/%s cannot be removed: %s", self.folder, name, error)


def line_of(step: bytes) -> bytes:
    """A step with its checksum, as a line."""
    return b"%08x %s\n" % (zlib.crc32(step), step)


def lines_of(journal: bytes) -> Iterable[bytes]:
    """The steps of a journal up to the first that is not whole."""
    for line in journal.splitlines(keepends=True):
        step = line[_CRC_CHARS + 1 : -1]
        if line != line_of(step):
            return
        yield step


class _File:
    """Steps at the end of a file on a disk."""

    def __init__(self, path: Path) -> None:
        make_directory(path.parent)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        sync_directory(path.parent)
        self._end = 0

    def write(self, data: bytes) -> None:
        """Append; half of it is overwritten by the next attempt."""
        view = memoryview(data)
        at = self._end
        while view:
            written = os.pwrite(self._descriptor, view, at)
            at, view = at + written, view[written:]
        os.fdatasync(self._descriptor)
        self._end = at

    def close(self) -> None:
        os.close(self._descriptor)


class _Objects:
    """Steps as objects in a row."""

    def __init__(self, filesystem: FileSystem, base: str) -> None:
        self._fs = filesystem
        self._base = base
        self._number = 0

    def write(self, data: bytes) -> None:
        """Write one object more; half of it is never there."""
        write_whole(self._fs, f"{self._base}.{self._number:010d}", data)
        self._number += 1

    def close(self) -> None:
        """Nothing is open."""
