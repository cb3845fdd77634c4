"""What of the file system an interpreter needs to run a guest, and how it is called."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import peagen_ray
from peagen_ray.errors import SandboxUnavailable

FLAGS: Final = ("-s", "-P", "-S", "-B", "-X", "utf8")
"""Nothing on its path but the standard library, and nothing written; ``-I`` would ignore ``PYTHONHASHSEED``."""

PACKAGE: Final = Path(peagen_ray.__file__).parent
"""Our own code, which a guest speaks with."""

_LOADER_DIRECTORIES: Final = ("lib", "usr/lib")
_FOREIGN: Final = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Interpreter:
    """The interpreter that runs this process, without any virtual environment.

    Attributes:
        executable: the program itself, links resolved.
        needed: files and directories that it reads, shared libraries included.
        hidden: directories in those that hold what others installed.
    """

    executable: Path
    needed: tuple[Path, ...]
    hidden: tuple[Path, ...]

    @classmethod
    def running(cls) -> Interpreter:
        """The one of this process."""
        executable = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
        standard = Path(sysconfig.get_path("stdlib"))
        needed = [executable, standard, *_own_library(), *_loader_paths()]
        extensions = sysconfig.get_config_var("DESTSHARED")
        if extensions and not Path(extensions).is_relative_to(standard):
            needed.append(Path(extensions))
        hidden = tuple(standard / name for name in _FOREIGN if (standard / name).is_dir())
        return cls(executable, tuple(path for path in needed if path.exists()), hidden)


def command(executable: str, root: str, *, stdio: bool) -> tuple[str, ...]:
    """The command line that makes a guest of an interpreter.

    Args:
        executable: the interpreter, as it is called in the sandbox.
        root: the directory there in which our package is.
        stdio: see ``boot.main``.
    """
    code = f"import sys; sys.path.insert(0, {root!r}); from peagen_ray.sandbox.boot import main; "
    return (executable, *FLAGS, "-c", f"{code}main(stdio={stdio})")


def site_packages(venv: Path) -> tuple[str, ...]:
    """The directories of a virtual environment from which packages are imported; raises SandboxUnavailable."""
    found = tuple(map(str, sorted(venv.glob("lib/python*/site-packages"))))
    if not found:
        raise SandboxUnavailable(
            "is no virtual environment", subject=str(venv), hint="make one: python -m venv DIRECTORY"
        )
    return found


def _own_library() -> list[Path]:
    """Where the interpreter is a shared library: its file."""
    name = sysconfig.get_config_var("INSTSONAME")
    places = {Path(sys.base_prefix) / "lib", Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")}
    return [place / name for place in sorted(places)] if name and ".so" in name else []


def _loader_paths() -> list[Path]:
    """The dynamic loader, and the directories that it searches."""
    triplet = sysconfig.get_config_var("MULTIARCH") or f"{platform.machine()}-linux-gnu"
    found = [Path("/") / top / triplet for top in _LOADER_DIRECTORIES]
    found += [Path("/lib64"), Path("/usr/lib64")]
    return found + sorted(Path("/lib").glob("ld-*.so*"))
