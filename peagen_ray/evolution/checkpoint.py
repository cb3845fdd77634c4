"""Checkpoints: JSON files that are replaced in one step. Each is only a cache of the ledger."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FORMAT: Final = 1
"""Version of the file's form; a file of another version is as good as none."""


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content``; whoever reads the file, even after a crash, finds the old one or the new one.

    Raises:
        OSError: the directory cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **content}, file, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Any] | None:
    """What :func:`save` wrote; None if the file is missing, damaged or of another version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        return None
    return content
