"""The directory that outputs go to; nothing outside of it is ever written."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Final, Self

from peagen_ray.errors import RenderError

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DRAFT_NAME: Final = re.compile(r"\.[0-9a-f]{16}\.tmp")
_DRAFT: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Change(StrEnum):
    """What an output is to the file that is there."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class OutputTree:
    """Writes files below a directory, each in one step, and leaves alone what is as it should be.

    Every component of a path is opened by itself below the one before, and no symbolic link is followed; so
    no link that is there, and none that another process puts there meanwhile, leads anywhere else. The
    directory itself may be a link. A file that is replaced keeps its mode. Drafts that a killed process left beside
    outputs are removed, unless another process was writing to the tree when this one began.

    Used by one thread at a time, as a context manager.

    Args:
        root: the directory; it is made with the first output that is written.
        check: compare only, and write nothing.
    """

    def __init__(self, root: Path, *, check: bool = False) -> None:
        self._root = root
        self._check = check
        self._fd = -1
        self._left_before = 0
        self._swept = set[tuple[str, ...]]()

    def __enter__(self) -> Self:
        if not self._check:
            try:
                self._root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._failure("", error) from error
        with suppress(FileNotFoundError):
            try:
                self._fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise self._failure("", error) from error
        if self._fd >= 0 and not self._check:
            self._find_out_who_else_writes()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def put(self, path: str, data: bytes) -> Change:
        """Make a file hold these bytes.

        Args:
            path: relative, as :func:`peagen_ray.rendering.places.check_place` has it.
            data: the bytes.

        Returns:
            What that changed, or would have changed.

        Raises:
            RenderError: there is a link, a directory or another thing in its way, or it cannot be written.
        """
        *above, name = PurePosixPath(path).parts
        try:
            folder = self._folder(above)
        except OSError as error:
            raise self._failure(path, error) from error
        if folder < 0:
            return Change.NEW
        try:
            self._sweep(folder, tuple(above))
            return self._put(folder, name, data)
        except OSError as error:
            raise self._failure(path, error) from error
        finally:
            os.close(folder)

    def holds(self, path: str) -> bool:
        """Whether there is something of this path."""
        return os.path.lexists(self._root / path)

    def _find_out_who_else_writes(self) -> None:
        """Whoever writes has a shared lock; who could have it alone knows that older drafts are nobody's."""
        now = time.time_ns()
        with suppress(OSError):  # somebody else writes, or there are no locks here
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._left_before = now
        with suppress(OSError):
            fcntl.flock(self._fd, fcntl.LOCK_SH)

    def _sweep(self, folder: int, above: tuple[str, ...]) -> None:
        """Remove drafts that were left in a directory, once."""
        if not self._left_before or above in self._swept:
            return
        self._swept.add(above)
        for name in filter(_DRAFT_NAME.fullmatch, os.listdir(folder)):
            with suppress(OSError):
                if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns < self._left_before:
                    os.unlink(name, dir_fd=folder)

    def _folder(self, names: list[str]) -> int:
        """A descriptor of the directory, made where it is to be written to; -1 where there is none."""
        if self._fd < 0:
            return -1
        folder = os.dup(self._fd)
        try:
            for name in names:
                below = self._below(folder, name)
                os.close(folder)
                folder = below
                if folder < 0:
                    return -1
        except BaseException:
            os.close(folder)
            raise
        return folder

    def _below(self, folder: int, name: str) -> int:
        try:
            return os.open(name, _DIRECTORY, dir_fd=folder)
        except FileNotFoundError:
            if self._check:
                return -1
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
        return os.open(name, _DIRECTORY, dir_fd=folder)

    def _put(self, folder: int, name: str, data: bytes) -> Change:
        old, mode = _read(folder, name, len(data))
        if mode is not None and old == data:
            return Change.UNCHANGED
        change = Change.NEW if mode is None else Change.CHANGED
        if not self._check:
            _replace(folder, name, data, mode)
        return change

    def _failure(self, path: str, error: OSError) -> RenderError:
        words = {
            errno.ELOOP: "a symbolic link is in its place; links are not followed",
            errno.ENOTDIR: "a symbolic link or a file is where a directory should be; links are not followed",
            errno.EISDIR: "a directory is in its place",
            errno.EEXIST: f"something that is no {'file' if path else 'directory'} is in its place",
        }
        what = words.get(error.errno or 0, f"cannot be written: {error.strerror}")
        return RenderError(what, subject=str(self._root / path) if path else str(self._root))


def _read(folder: int, name: str, size: int) -> tuple[bytes | None, int | None]:
    """What a file holds, None if it has another size; and its mode, None if there is none."""
    try:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    except FileNotFoundError:
        return None, None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        held = file.read() if status.st_size == size else None
    return held, stat.S_IMODE(status.st_mode)


def _replace(folder: int, name: str, data: bytes, mode: int | None) -> None:
    draft = f".{secrets.token_hex(8)}.tmp"
    descriptor = os.open(draft, _DRAFT, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if mode is not None:
                os.fchmod(descriptor, mode)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise
