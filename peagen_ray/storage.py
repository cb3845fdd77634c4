"""Where files are kept: a directory, S3 or Google Cloud, through ``pyarrow.fs``; and whole-file writes."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from peagen_ray.errors import ConfigError, LedgerError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_URI = re.compile(r"[a-z0-9]+://")


def is_uri(root: str) -> bool:
    """Whether a root names a storage by its address, and not a directory."""
    return _URI.match(root) is not None


def open_storage(root: str) -> tuple[FileSystem, str]:
    """The file system of a root, and the path there without a slash at its end.

    Args:
        root: a path, or a URI such as ``s3://bucket/prefix`` or ``gs://bucket/prefix``.

    Raises:
        ConfigError: there is no such storage.
    """
    from pyarrow.fs import FileSystem, LocalFileSystem

    if not is_uri(root):
        return LocalFileSystem(), str(Path(root).absolute())
    hint = "use a path, s3://bucket/prefix or gs://bucket/prefix"
    try:
        filesystem, path = FileSystem.from_uri(root)
    except (OSError, ValueError, NotImplementedError) as error:
        raise ConfigError(f"no such storage: {error}", subject=root, hint=hint) from error
    if not path.strip("/"):
        raise ConfigError("the address names no directory or bucket", subject=root, hint=hint)
    return filesystem, path.rstrip("/")


_TOGETHER: Final = 4
"""Files from which on they are synced together."""


def write_whole(filesystem: FileSystem, path: str, data: bytes) -> None:
    """Write a file such that it is there as a whole or not at all, and stays.

    On a disk it is written under a hidden name, synced, and renamed; an object store shows an object when
    it is complete.

    Raises:
        OSError: it cannot be written.
    """
    if filesystem.type_name == "local":
        replace_file(Path(path), data)
        return
    try:
        stream = filesystem.open_output_stream(path, compression=None)
    except FileNotFoundError:
        filesystem.create_dir(path.rpartition("/")[0], recursive=True)
        stream = filesystem.open_output_stream(path, compression=None)
    with stream:
        stream.write(data)


def write_all(filesystem: FileSystem, files: Mapping[str, bytes]) -> None:
    """Write several files, each of which is there as a whole or not at all, and stays.

    On a disk what is written is synced together, which is far quicker than one file after the other.

    Raises:
        OSError: one cannot be written; some of the others may be there.
    """
    if filesystem.type_name != "local" or len(files) < _TOGETHER:
        for name, data in files.items():
            write_whole(filesystem, name, data)
        return
    written: dict[Path, Path] = {}
    try:
        for name, data in files.items():
            target = Path(name)
            make_directory(target.parent)
            temporary = _beside(target)
            written[temporary] = target
            temporary.write_bytes(data)
        for directory in {target.parent for target in written.values()}:
            sync_filesystem(directory)
        for temporary, target in written.items():
            temporary.replace(target)
    finally:
        for temporary in written:
            temporary.unlink(missing_ok=True)
    for directory in {target.parent for target in written.values()}:
        sync_directory(directory)


def _beside(path: Path) -> Path:
    """A hidden name for what is to become that file."""
    return path.parent / f".{path.name[:64]}.{uuid.uuid4().hex}"


def replace_file(path: Path, data: bytes) -> None:
    """Write a whole file or none: temporary file, sync, rename, sync of the directory."""
    make_directory(path.parent)
    temporary = _beside(path)
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def make_directory(directory: Path) -> None:
    """Make a directory and those above it, such that they stay."""
    if not directory.is_dir():
        make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def sync_filesystem(directory: Path) -> None:
    """Wait until all that was written to the file system of a directory stays, by syncfs(2) where there is one."""
    sync = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if sync is None:
        os.sync()
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if sync(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(directory))
    finally:
        os.close(descriptor)


def lock_alone(file: int, path: Path) -> None:
    """Keep a file that is open for writing to this process; it is closed if another one has it.

    Raises:
        LedgerError: another process writes it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise LedgerError(
            "another process is writing it", subject=str(path), hint="wait for that run to end, or stop it"
        ) from error


def is_locked(path: Path) -> bool:
    """Whether a process keeps a file to itself, see :func:`lock_alone`."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def write_at(file: int, offset: int, data: bytes | memoryview, path: Path, *, sync: bool = True) -> int:
    """Write all of the data there, wait for the disk, and return its size; if the disk refuses, leave nothing.

    Args:
        file: its descriptor.
        offset: the file's end.
        data: what is written.
        path: of the file, for the message.
        sync: wait for the disk.

    Raises:
        LedgerError: the disk refuses.
    """
    view, written = memoryview(data), 0
    try:
        while written < len(view):
            written += os.pwrite(file, view[written:], offset + written)
        if sync:
            os.fdatasync(file)
    except OSError as error:
        os.ftruncate(file, offset)
        raise LedgerError(f"cannot be written: {error.strerror}", subject=str(path)) from error
    return written


def sync_directory(directory: Path) -> None:
    """Wait until what was made, renamed or removed in a directory stays so."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
