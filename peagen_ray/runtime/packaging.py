"""A directory as a job gets it: which files are in it, how large they are, and the archive that is uploaded."""

from __future__ import annotations

import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from peagen_ray.errors import UsageError
from peagen_ray.runtime.ignoring import Ignoring

LIMIT: Final = 500 << 20
"""Bytes of files that Ray keeps for a job at most."""

UPLOAD_LIMIT: Final = 100 << 20
"""Bytes of an archive that Ray's web server takes at most (its ``DASHBOARD_CLIENT_MAX_SIZE``)."""

FOLDER: Final = "peagen-files"
"""The directory in the archive that has everything in it: Ray puts the archive's root on Python's path, where a file
named as a module of the standard library would take its place."""

_NEVER: Final = frozenset(
    {
        *(".git", ".hg", ".svn", ".venv", "__pycache__", "node_modules"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".cache"),
        *(".tox", ".nox", ".ipynb_checkpoints", ".DS_Store"),
    }
)
_NEVER_PATHS: Final = frozenset(
    PurePosixPath(".peagen", each) for each in ("runs", "results", "dead_letters")
)
_SECRETS: Final = frozenset({".env", ".envrc", ".netrc", ".pypirc"})
"""Files that are there to hold secrets, which a cluster's other users could read."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The oldest time that an archive can hold; every file gets it, so that equal directories give equal archives."""

_SHOWN: Final = 5


@dataclass(frozen=True)
class Entry:
    """One file.

    Attributes:
        path: relative to the directory.
        size: bytes.
    """

    path: PurePosixPath
    size: int


@dataclass(frozen=True)
class Package:
    """What of a directory is uploaded.

    Attributes:
        root: the directory.
        files: sorted by path.
        odd: what is left out although nobody asked for that, each with the reason.
    """

    root: Path
    files: tuple[Entry, ...]
    odd: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files, before they are compressed."""
        return sum(entry.size for entry in self.files)

    def has(self, path: PurePosixPath) -> bool:
        """Whether a file is in it."""
        return any(entry.path == path for entry in self.files)

    def words(self) -> str:
        """How many files, and how large, for a person."""
        count = len(self.files)
        return f"{count} file{'' if count == 1 else 's'}, {in_bytes(self.size)}"

    def largest(self) -> str:
        """The largest entries of the directory, a subdirectory counted as one, for a person."""
        sizes = Counter[str]()
        for entry in self.files:
            sizes[entry.path.parts[0] + ("/" if len(entry.path.parts) > 1 else "")] += entry.size
        return ", ".join(f"{name} {in_bytes(size)}" for name, size in sizes.most_common(_SHOWN))

    def write(self, path: Path, limit: int = UPLOAD_LIMIT) -> None:
        """Write the archive.

        Raises:
            UsageError: a file cannot be read, or the archive is larger than ``limit`` bytes.
        """
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(f"{FOLDER}/", _EPOCH), b"")
            for entry in self.files:
                self._add(archive, entry)
        size = path.stat().st_size
        if size > limit:
            raise self.too_large(f"{in_bytes(size)} when compressed", limit, "a job server")

    def too_large(self, size: str, limit: int, who: str) -> UsageError:
        """The error for a directory that does not fit; names its largest entries."""
        return UsageError(
            f"{size}, is more than the {in_bytes(limit)} that {who} takes; largest: {self.largest()}",
            subject=str(self.root),
            hint="add what the job does not need to .gitignore, or work in a smaller directory",
        )

    def _add(self, archive: zipfile.ZipFile, entry: Entry) -> None:
        source = self.root / entry.path
        info = zipfile.ZipInfo(f"{FOLDER}/{entry.path}", _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        try:
            info.external_attr = (stat.S_IFREG | 0o600 | source.stat().st_mode & 0o111) << 16
            archive.writestr(info, source.read_bytes())
        except OSError as error:
            raise UsageError(
                f"cannot be read: {error.strerror}", subject=str(source), hint="or add it to .gitignore"
            ) from error


def package(root: Path, limit: int = LIMIT) -> Package:
    """What of a directory a job gets: all of it but what git ignores, histories, environments, caches and old runs.

    Raises:
        UsageError: it is larger than ``limit`` bytes; names the largest entries.
    """
    odd: list[tuple[str, str]] = []
    files = sorted(_files(root, PurePosixPath(), Ignoring.at(root), odd), key=lambda entry: entry.path)
    found = Package(root, tuple(files), tuple(odd))
    if found.size > limit:
        raise found.too_large(found.words(), limit, "Ray")
    return found


def _files(root: Path, below: PurePosixPath, rules: Ignoring, odd: list[tuple[str, str]]) -> Iterator[Entry]:
    try:
        entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
    except OSError as error:
        odd.append((f"{below}/", error.strerror or "cannot be read"))
        return
    for entry in entries:
        path = below / entry.name
        directory = entry.is_dir(follow_symlinks=False)
        if entry.name in _NEVER or path in _NEVER_PATHS or rules.ignores(entry.name, directory=directory):
            continue
        if reason := _oddity(root, entry):
            odd.append((str(path), reason))
        elif directory:
            yield from _files(root, path, rules.below(entry.name), odd)
        else:
            yield Entry(path, entry.stat().st_size)


def _oddity(root: Path, entry: os.DirEntry[str]) -> str:
    """Why an entry is not uploaded; empty if it is."""
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if entry.name in _SECRETS:
        return "it may hold secrets; give those to the nodes of the cluster"
    if entry.is_symlink():
        try:
            inside = Path(entry.path).resolve(strict=True).is_relative_to(root.resolve())
        except (OSError, RuntimeError):
            return "a link that leads nowhere"
        if not inside:
            return "a link that leads out of the directory"
        if entry.is_dir():
            return "a link to a directory"
    return "" if entry.is_file() or entry.is_dir() else "no ordinary file"


def in_bytes(size: int) -> str:
    """A size for a person."""
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << bits:
            return f"{size / (1 << bits):.1f} {unit}"
    return f"{size} B"
