"""Writes what a job sent back into a directory, and nothing anywhere else: the names are the cluster's word."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from peagen_ray.runtime.parcel import LeftOut, Parcel
from peagen_ray.runtime.paths import WORKSPACE


@dataclass(frozen=True)
class Unpacked:
    """What came of a parcel.

    Attributes:
        written: the files.
        left_out: files that the job did not send, or that were not written.
    """

    written: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def unpack(parcel: Parcel, directory: Path, outputs: Collection[PurePosixPath]) -> Unpacked:
    """Write a parcel's files.

    A file that exists is replaced only if it is one of ``outputs``, below one of them, or in a run's directory.

    Args:
        parcel: what the job sent.
        directory: where to; it is made if need be.
        outputs: files and directories that the command was asked to write, relative to the directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    left_out = list(parcel.left_out)
    for name, content in parcel.files.items():
        path = PurePosixPath(name)
        reason = _refusal(name, path, directory, outputs) or _written(directory / path, content)
        if reason:
            left_out.append(LeftOut(name, len(content), reason))
        else:
            written.append(directory / path)
    return Unpacked(tuple(written), tuple(left_out))


def _refusal(name: str, path: PurePosixPath, directory: Path, outputs: Collection[PurePosixPath]) -> str:
    """Why a file is not written; empty if it is."""
    if not name.isprintable() or "\\" in name or path.is_absolute() or ".." in path.parts or not path.parts:
        return "its name is not one that a job may use"
    in_run = len(path.parts) > 3 and path.parts[:2] == (*WORKSPACE.parts, "runs")
    if any(part.startswith(".") for part in path.parts[2 * in_run :]):
        return "it is hidden"
    target = directory / path
    if not target.parent.resolve().is_relative_to(directory.resolve()):
        return "a link here leads out of the directory"
    asked_for = any(each in outputs for each in (path, *path.parents[:-1]))
    if (target.exists() or target.is_symlink()) and not in_run and not asked_for:
        return "a file of that name is here already"
    return ""


def _written(target: Path, content: bytes) -> str:
    """Write a file whole or not at all; returns why it could not be."""
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        return f"it cannot be written: {error.strerror}"
    return ""
