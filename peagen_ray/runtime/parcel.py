"""How a job sends files back: as lines of its log, which are taken out of what a person sees.

A parcel is one line with what is in it, as JSON, then a compressed archive in base64, and a line that ends it::

    ::peagen-ray:: parcel {"exit": 0, "size": 812, "sha256": "…", "left_out": []}
    ::peagen-ray:: + /Td6WFoAAATm1rRG…
    ::peagen-ray:: end

Whoever writes other lines to that log passes them through :func:`escaped`, so that none of them can be taken for a
part of a parcel.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

MARK: Final = "::peagen-ray:: "
LIMIT: Final = 16 << 20
"""Bytes that the files of one parcel have at most, before they are compressed."""

MOST_FILES: Final = 2000
"""Files in one parcel at most."""

_CHUNK: Final = 3 * 1024
"""Bytes in one line; in base64 it stays under a page."""


@dataclass(frozen=True)
class LeftOut:
    """A file that did not come back.

    Attributes:
        name: relative to the job's directory.
        size: bytes.
        reason: why.
    """

    name: str
    size: int
    reason: str


@dataclass(frozen=True)
class Parcel:
    """What a job sends back.

    Attributes:
        exit_code: of the command.
        files: name, relative to the job's directory, and content. Whoever unpacks it does not trust the names.
        left_out: files that are not in it.
    """

    exit_code: int
    files: Mapping[str, bytes] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

    def lines(self) -> Iterator[str]:
        """The parcel as lines of a log, without line ends."""
        body = _archive(self.files)
        head = {
            "exit": self.exit_code,
            "size": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "left_out": [[each.name, each.size, each.reason] for each in self.left_out],
        }
        yield f"{MARK}parcel {json.dumps(head)}"
        for start in range(0, len(body), _CHUNK):
            yield f"{MARK}+ {base64.b64encode(body[start : start + _CHUNK]).decode()}"
        yield f"{MARK}end"


def escaped(line: str) -> str:
    """A line that is surely no part of a parcel."""
    return f" {line}" if line.startswith(MARK.rstrip()) else line


class Unwrapper:
    """Takes a parcel out of a log that arrives in pieces, which may end anywhere.

    Attributes:
        parcel: once it has come whole; the last one, if there are several.
        problem: why a parcel that came cannot be used; empty as long as none is known.
    """

    def __init__(self) -> None:
        self.parcel: Parcel | None = None
        self.problem = ""
        self._line = ""
        self._head: _Head | None = None
        self._body: list[str] = []

    def feed(self, piece: str) -> str:
        """What of the log a person should see so far, in whole lines."""
        *whole, self._line = (self._line + piece).split("\n")
        return "".join(f"{line}\n" for line in whole if not self._taken(line))

    def finish(self) -> str:
        """What is left to be seen; the log has ended."""
        rest, self._line = self._line, ""
        shown = "" if not rest or self._taken(rest) else f"{rest}\n"
        if self._head is not None:
            self.problem = "the log ended before they did"
        return shown

    def _taken(self, line: str) -> bool:
        """Whether the line is part of a parcel."""
        if not line.startswith(MARK):
            return False
        kind, _, rest = line.removeprefix(MARK).partition(" ")
        try:
            self._take(kind, rest)
        except _Damaged as error:
            self._head, self.problem = None, str(error)
        return True

    def _take(self, kind: str, rest: str) -> None:
        if kind == "parcel":
            self._head, self._body = _Head.read(rest), []
        elif kind == "+" and self._head is not None:
            self._body.append(rest)
        elif kind == "end" and self._head is not None:
            head, self._head = self._head, None
            self.parcel, self.problem = head.opened(self._body), ""


class _Damaged(Exception):
    """A parcel is not what it says it is."""


@dataclass(frozen=True)
class _Head:
    """The first line of a parcel."""

    exit_code: int
    size: int
    sha256: str
    left_out: tuple[LeftOut, ...]

    @classmethod
    def read(cls, text: str) -> _Head:
        try:
            said = json.loads(text)
            left_out = tuple(LeftOut(str(name), int(size), str(why)) for name, size, why in said["left_out"])
            return cls(int(said["exit"]), int(said["size"]), str(said["sha256"]), left_out)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _Damaged("its first line cannot be read") from error

    def opened(self, body: Sequence[str]) -> Parcel:
        try:
            packed = b"".join(base64.b64decode(line, validate=True) for line in body)
        except ValueError as error:
            raise _Damaged("it is no base64") from error
        if len(packed) != self.size or hashlib.sha256(packed).hexdigest() != self.sha256:
            raise _Damaged(f"{len(packed)} of {self.size} bytes came, or not those that were sent")
        return Parcel(self.exit_code, _unpacked(packed), self.left_out)


def _archive(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def _unpacked(packed: bytes) -> dict[str, bytes]:
    """The ordinary files of an archive, as long as they are no more than a parcel may hold."""
    files: dict[str, bytes] = {}
    room = LIMIT
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r|xz") as archive:
            for number, member in enumerate(archive):
                room -= member.size
                if room < 0 or number >= MOST_FILES:
                    raise _Damaged("it is larger than a job may send")
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None:
                    files[member.name] = content.read()
    except (tarfile.TarError, lzma.LZMAError, EOFError, ValueError) as error:
        raise _Damaged(f"its archive is broken: {error}") from error
    return files
