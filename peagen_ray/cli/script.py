"""Who owns the command ``peagen``: another published wheel installs a program of that name too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from peagen_ray.config.user import cache_directory

NAME: Final = "peagen"
_OURS: Final = b"peagen_ray"
_MARK: Final = "peagen-script"
_MOST_READ: Final = 4096


def scripts_directory() -> Path:
    """Where wheels put their programs."""
    return Path(sys.executable).parent


def owner(scripts: Path) -> str | None:
    """The wheel that the program ``peagen`` in that directory is of; None if it is ours, empty if there is none."""
    try:
        with (scripts / NAME).open("rb") as file:
            head = file.read(_MOST_READ)
    except OSError:
        return ""
    return None if _OURS in head else _foreign()


def _foreign() -> str:
    from importlib.metadata import entry_points

    for entry in entry_points(group="console_scripts", name=NAME):
        if entry.dist is not None and entry.dist.name.replace("_", "-") != "peagen-ray":
            return f"the wheel {entry.dist.name} {entry.dist.version}"
    return "another program"


def words(scripts: Path) -> str:
    """Whose the program is, for a person; empty if that is as it should be."""
    found = owner(scripts)
    return f"the command peagen is that of {found}; this program is always peagen-ray" if found else ""


def words_once(scripts: Path, cache: Path | None = None) -> str:
    """What :func:`words` says, but only if it has not been said to this user before.

    Args:
        scripts: where programs are.
        cache: where it is noted that it was said; where it cannot be noted it is said each time.
    """
    said = words(scripts)
    if not said:
        return ""
    mark, line = (cache or cache_directory()) / _MARK, f"{scripts}: {said}"
    try:
        if line in mark.read_text(encoding="utf-8").splitlines():
            return ""
    except (OSError, UnicodeDecodeError):
        pass
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        with mark.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError:
        pass
    return said
