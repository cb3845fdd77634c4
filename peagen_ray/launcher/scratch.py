"""Scratch directories: made empty, and removed for certain."""

from __future__ import annotations

import tempfile
import uuid
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


def remove_tree(root: Path) -> None:
    """Remove a directory and all in it, whatever was done to make that hard.

    Directories that may not be written are made writable. Nested ones are moved up first, so that
    neither the depth of recursion nor the longest path is a bound. Links are not followed. Nobody
    else may write there meanwhile.

    Raises:
        OSError: something cannot be removed, such as a file of another user's.
    """
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
