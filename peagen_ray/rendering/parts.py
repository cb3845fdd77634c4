"""Parts: what many tasks need, named by its content, kept once where their workers can read it."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import Any, Final, Protocol

from peagen_ray.errors import EnvelopeError
from peagen_ray.storage import open_storage, write_whole

MOST_UNPACKED: Final = 1024 * 1024 * 1024
"""Bytes of the largest part."""

_SMALL: Final = 32 * 1024
"""Bytes of a part that travels in the task itself even where it could be kept elsewhere."""

_LEVEL: Final = 1


def encode(value: Any) -> bytes:
    """JSON of plain data; ValueError if it has text that is no Unicode."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def pack(data: bytes) -> str:
    """Bytes as a text that a task or Result can carry."""
    return base64.b64encode(zlib.compress(data, _LEVEL)).decode()


def unpack(text: str) -> bytes:
    """What :func:`pack` was given; raises EnvelopeError."""
    try:
        reader = zlib.decompressobj()
        data = reader.decompress(base64.b64decode(text, validate=True), MOST_UNPACKED)
    except (ValueError, zlib.error) as error:
        raise EnvelopeError(f"cannot be unpacked: {error}", subject="a part") from error
    if not reader.eof:
        raise EnvelopeError(f"is cut off, or has more than {MOST_UNPACKED} bytes", subject="a part")
    return data


def digest_of(data: bytes) -> str:
    """The name of a part: 64 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()


class Parts(Protocol):
    """Where a producer keeps parts."""

    def reference(self, data: bytes) -> dict[str, Any]:
        """What a task says of a part, so that :func:`fetch` finds it."""


class Carried:
    """Parts travel in the tasks: their workers share no storage with the producer."""

    def reference(self, data: bytes) -> dict[str, Any]:
        """The part itself."""
        return {"digest": digest_of(data), "packed": pack(data)}


class Shared:
    """Parts are written once, below a root that the workers can read: a directory or an object store.

    Args:
        root: a path, or an address such as ``s3://bucket/prefix``; made when the first part is written.

    Attributes:
        root: the same, without a slash at its end.
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self._kept = set[str]()

    def reference(self, data: bytes) -> dict[str, Any]:
        """The part's name and root; small ones travel in the task."""
        if len(data) <= _SMALL:
            return Carried().reference(data)
        name = digest_of(data)
        if name not in self._kept:
            filesystem, path = open_storage(self.root)
            write_whole(filesystem, f"{path}/{name}", data)
            self._kept.add(name)
        return {"digest": name, "root": self.root}

    def remove(self) -> None:
        """Remove all parts, and the directory."""
        if self._kept:
            filesystem, path = open_storage(self.root)
            filesystem.delete_dir(path)
            self._kept.clear()


def fetch(reference: dict[str, Any]) -> bytes:
    """A part that a task refers to, checked against its name.

    Raises:
        EnvelopeError: the reference is none, or the part is not what its name says.
        OSError: it cannot be read here.
    """
    name, root, packed = (reference.get(key) for key in ("digest", "root", "packed"))
    if isinstance(packed, str):
        data = unpack(packed)
    elif isinstance(root, str) and isinstance(name, str) and name.isalnum():
        filesystem, path = open_storage(root)
        with filesystem.open_input_stream(f"{path}/{name}", compression=None) as stream:
            data = stream.read(MOST_UNPACKED)
    else:
        raise EnvelopeError("names no part", subject="render task")
    if digest_of(data) != name:
        raise EnvelopeError("is not what its name says", subject=f"part {name}")
    return data
