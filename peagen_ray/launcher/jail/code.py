"""Which of the machine's files a prisoner may read: Python's own libraries, and this package."""

from __future__ import annotations

import site
import sys
from pathlib import Path

import peagen_ray


def prisoners_code() -> list[str]:
    """Paths of the interpreter, of the packages installed for it, and of this package; not of a workspace."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found = {Path(prefix, part) for prefix in prefixes for part in ("lib", "lib64", "bin", "pyvenv.cfg")}
    found |= {Path(entry) for entry in sys.path if entry and _is_installed(Path(entry))}
    found.add(Path(peagen_ray.__file__).parent)
    if site.ENABLE_USER_SITE:
        found.add(Path(site.getusersitepackages()))
    return sorted(str(path) for path in found if path.exists())


def _is_installed(path: Path) -> bool:
    """Whether packages are installed there, as against a directory where somebody works."""
    return path.name in {"site-packages", "dist-packages"}
