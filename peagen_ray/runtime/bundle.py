"""The evaluator's files as one archive, the same to the byte for the same files: it goes where they judge."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from peagen_ray.errors import UsageError

MOST_BYTES: Final = 64 << 20
MOST_FILES: Final = 5000

LEFT_OUT: Final = (
    ".*",
    "__pycache__/",
    "*.pyc",
    "venv/",
    "node_modules/",
    "openevolve_output*/",
    "winner.py",
)
"""What no evaluator reads, as gitignore has it: hidden files, caches, environments, what runs wrote."""

_THEN: Final = (1980, 1, 1, 0, 0, 0)


def pack(root: Path, wanted: Sequence[str] = (), hidden: Sequence[str] = ()) -> bytes:
    """A zip of the files under a directory; links are followed as long as they stay within it.

    Args:
        root: the directory.
        wanted: patterns, as gitignore has them, of what is needed; all of it by default.
        hidden: patterns of what must not be among it.

    Raises:
        UsageError: it cannot be read, or there is more than :data:`MOST_BYTES` or :data:`MOST_FILES`.
    """
    buffer, total, sizes = io.BytesIO(), 0, dict[str, int]()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in _chosen(root, wanted, hidden):
            try:
                content, mode = path.read_bytes(), path.stat().st_mode
            except OSError as error:
                raise UsageError(f"cannot be read: {error.strerror}", subject=str(path)) from error
            sizes[name] = len(content)
            total += len(content)
            if total > MOST_BYTES or len(sizes) > MOST_FILES:
                raise _too_much(root, sizes)
            entry = zipfile.ZipInfo(name, _THEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if mode & stat.S_IXUSR else 0o644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def _chosen(root: Path, wanted: Sequence[str], hidden: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Names and paths of the files, in the order of their names."""
    out = GitIgnoreSpec.from_lines([*LEFT_OUT, *hidden])
    chosen = GitIgnoreSpec.from_lines(wanted) if wanted else None
    within = root.resolve()
    for directory, folders, files in os.walk(root):
        here = Path(directory).relative_to(root)
        folders[:] = sorted(name for name in folders if not out.match_file(f"{here / name}/"))
        for name in sorted(files):
            where = str(here / name)
            path = root / where
            if out.match_file(where) or not (chosen is None or chosen.match_file(where)):
                continue
            if path.is_file() and path.resolve().is_relative_to(within):
                yield where, path


def _too_much(root: Path, sizes: dict[str, int]) -> UsageError:
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    return UsageError(
        f"holds more than an evaluator may bring ({MOST_BYTES >> 20} MiB, {MOST_FILES} files), such as "
        f"{', '.join(largest)}",
        subject=str(root),
        hint="say what it needs: [evaluate] files = [patterns]; large data may stay where it is: [execute] readable",
    )
