"""References on a worker: made again from what the run measured, and kept while they are used."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from peagen_ray.sandbox.reference import Facts, Reference, Subject

KEPT: Final = 32
"""References that a worker keeps, the latest ones."""


def key_of(subject: Subject, seed: int, facts: Facts, metric: str) -> str:
    """The name of a reference: the same for the same original, inputs, facts and metric."""
    program = [subject.source, subject.entry, subject.workload]
    text = json.dumps([program, seed, asdict(facts), metric], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class References:
    """The references that a worker has. Processes share the directory; one makes what the others wait for.

    Args:
        directory: where they are kept; it is made. None keeps none.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def get(self, key: str, make: Callable[[], Reference]) -> Reference:
        """The reference of that name, made if it is not here."""
        if self._directory is None:
            return make()
        path = self._directory / f"{key}.bin"
        found = _read(path)
        if found is not None:
            return found
        self._directory.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            found = _read(path)
            if found is None:
                found = make()
                self._write(path, found)
        return found

    def put(self, key: str, reference: Reference) -> None:
        """Keep one that was made."""
        self.get(key, lambda: reference)

    def _write(self, path: Path, reference: Reference) -> None:
        part = path.with_suffix(".part")
        part.write_bytes(reference.to_bytes())
        part.replace(path)
        latest = sorted(path.parent.glob("*.bin"), key=lambda each: each.stat().st_mtime, reverse=True)
        for old in latest[KEPT:]:
            old.unlink(missing_ok=True)
            old.with_suffix(".lock").unlink(missing_ok=True)


def _read(path: Path) -> Reference | None:
    """What is kept there; None if nothing is, or what is there is damaged."""
    try:
        return Reference.from_bytes(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Within the block no other process is in one of that path; a process that dies leaves it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
