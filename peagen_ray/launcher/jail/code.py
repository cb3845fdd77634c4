"""Which of the machine's files a prisoner may read: libraries, Python's and the system's, and this package."""

from __future__ import annotations

import site
import sys
from pathlib import Path
from typing import Final

import peagen_ray

_SYSTEM: Final = (
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/include",
    "/usr/share",
    "/usr/local/bin",
    "/usr/local/include",
    "/usr/local/lib",
    "/usr/bin",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
)
"""What the libraries, the compilers and the interpreters of a distribution need; programs are for a tree."""


def prisoners_code() -> list[str]:
    """Paths of the interpreter, of the packages installed for it, and of this package; not of a workspace."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found = {Path(prefix, part) for prefix in prefixes for part in ("lib", "lib64", "bin", "pyvenv.cfg")}
    found |= {Path(entry) for entry in sys.path if entry and _is_installed(Path(entry))}
    found |= set(map(Path, _SYSTEM))
    found |= set(Path("/etc").glob("java-*-openjdk"))  # where Debian keeps parts of its Java
    found.add(Path(peagen_ray.__file__).parent)
    if site.ENABLE_USER_SITE:
        found.add(Path(site.getusersitepackages()))
    return sorted(str(path) for path in found if path.exists())


def _is_installed(path: Path) -> bool:
    """Whether packages are installed there, as against a directory where somebody works."""
    return path.name in {"site-packages", "dist-packages"}
