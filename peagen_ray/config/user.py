"""Directories of the user's own."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """Where this program keeps what it may forget: under ``XDG_CACHE_HOME``, else ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(root) if Path(root).is_absolute() else Path(os.environ.get("HOME") or "/") / ".cache"
    return base / "peagen-ray"
