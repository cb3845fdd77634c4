"""Scratch directories: made empty, and removed for certain."""

from __future__ import annotations

import os
import stat
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path


@contextmanager
def scratch_directory(root: Path | None = None, prefix: str = "peagen-") -> Iterator[Path]:
    """A fresh empty directory that only this user can enter; removed at the end of the block.

    Args:
        root: where to make it; by default where temporary files go.
        prefix: what its name begins with.

    Raises:
        OSError: it cannot be made, or something in it cannot be removed.
    """
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
    try:
        yield directory
    finally:
        remove_tree(directory)


class ScratchPool:
    """Scratch directories for what leaves nothing behind: one that is empty again is handed out once more.

    Making and removing a directory may cost more than all else that a small task does. Any thread may use it.

    Args:
        root: where to make them; by default where temporary files go.
        prefix: what their names begin with.
    """

    def __init__(self, root: Path | None = None, prefix: str = "peagen-") -> None:
        self._root = root
        self._prefix = prefix
        self._free: list[Path] = []
        weakref.finalize(self, _remove_all, self._free)

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """An empty directory, as :func:`scratch_directory` gives one; what is left in it is removed."""
        try:
            directory = self._free.pop()
        except IndexError:
            directory = Path(tempfile.mkdtemp(prefix=self._prefix, dir=self._root))
        try:
            yield directory
        finally:
            if _is_as_new(directory):
                self._free.append(directory)
            else:
                _remove(directory)


def _remove(directory: Path) -> None:
    """Remove what a block has made of its directory."""
    if directory.is_symlink() or directory.is_file():
        directory.unlink()
    elif directory.exists():
        remove_tree(directory)


def _is_as_new(directory: Path) -> bool:
    """Whether it is there, there is nothing in it, and nobody has changed who may enter it."""
    try:
        if directory.lstat().st_mode != stat.S_IFDIR | stat.S_IRWXU:
            return False
        with os.scandir(directory) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def _remove_all(directories: list[Path]) -> None:
    for directory in directories:
        with suppress(OSError):
            directory.rmdir()


def remove_tree(root: Path) -> None:
    """Remove a directory and all in it, whatever was done to make that hard.

    Directories that may not be written are made writable. Nested ones are moved up first, so that
    neither the depth of recursion nor the longest path is a bound. Links are not followed. Nobody
    else may write there meanwhile.

    Raises:
        OSError: something cannot be removed, such as a file of another user's.
    """
    with suppress(OSError):
        root.rmdir()  # most are empty
        return
    mark, number = uuid.uuid4().hex, count()
    waiting = [root]
    with suppress(FileNotFoundError):
        while waiting:
            directory = waiting.pop()
            directory.chmod(0o700)
            for entry in list(directory.iterdir()):
                if entry.is_symlink() or not entry.is_dir():
                    entry.unlink()
                elif directory == root:
                    waiting.append(entry)
                else:
                    entry.chmod(0o700)
                    waiting.append(entry.rename(root / f"{mark}-{next(number)}"))
            if directory != root:
                directory.rmdir()
        root.rmdir()
