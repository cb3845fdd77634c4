"""Where outputs may go: relative paths below one directory, each of them once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from peagen_ray.errors import ProjectError

_LONGEST_NAME: Final = 255
"""Bytes of one component."""
_LONGEST_PATH: Final = 4096


def check_place(text: str, subject: str) -> str:
    """The path of an output, ``a/b/c``, or ProjectError if it could lie outside of its directory.

    Args:
        text: the path.
        subject: who names it, for the message.
    """
    problem = _problem(text)
    if problem:
        raise ProjectError(f"the path {text[:200]!r} {problem}", subject=subject)
    return str(PurePosixPath(text))


def _problem(text: str) -> str:
    parts = PurePosixPath(text).parts
    if not text.strip() or not parts:
        return "is empty"
    if text.startswith("/"):
        return "is absolute; outputs lie below --out"
    if ".." in parts:
        return "leads out of its directory"
    if "\\" in text or not text.isprintable():
        return "has a backslash or a character that cannot be printed"
    if text.endswith("/"):
        return "names a directory"
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "is no Unicode text"
    if max(sizes) > _LONGEST_NAME or len(text.encode()) > _LONGEST_PATH:
        return "is too long"
    return ""


def check_distinct(places: Iterable[tuple[str, str]]) -> None:
    """Raises ProjectError if two outputs have one path, or one lies below the other.

    Args:
        places: each path, and who names it.
    """
    owners: dict[str, str] = {}
    for path, owner in places:
        if path in owners:
            what = f"the path {path!r} is that of another output"
            raise ProjectError(what, subject=owner, hint=f"{owners[path]} has it too")
        owners[path] = owner
    for path, owner in owners.items():
        for above in map(str, PurePosixPath(path).parents):
            if above in owners:
                what = f"the path {path!r} lies below another output, {above!r}"
                raise ProjectError(what, subject=owner, hint=f"{owners[above]} has that")
