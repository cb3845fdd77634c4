"""A program of several files as one text, so that a change may touch several and all that compares texts works.

Each file follows a line that names it, a comment that mutators leave where it is. A program of one file is that file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from peagen_ray.errors import TargetError

_LINE: Final = re.compile(r"^# ---- file: (?P<name>[^\n]+?) ----\r?\n", re.MULTILINE)


def join(files: Mapping[str, str]) -> str:
    """The files as one text, in their order; each of several ends with a line end.

    Raises:
        TargetError: a file has such a line itself, or a name that cannot be written on one.
    """
    for name, text in files.items():
        if _LINE.search(text) or not _LINE.fullmatch(_line(name)):
            raise TargetError("cannot be one of several files", subject=name)
    if len(files) == 1:
        return next(iter(files.values()))
    return "".join(_line(name) + text + ("" if text.endswith("\n") else "\n") for name, text in files.items())


def split(text: str, main: str) -> dict[str, str]:
    """The files of a text that :func:`join` made and somebody may have changed; one file is called ``main``.

    Raises:
        ValueError: a file is there twice, has a name that leads elsewhere, or something stands before the first one.
    """
    found = list(_LINE.finditer(text))
    if not found:
        return {main: text}
    if text[: found[0].start()].strip():
        msg = "something stands before the first file"
        raise ValueError(msg)
    ends = [*(mark.start() for mark in found[1:]), len(text)]
    files: dict[str, str] = {}
    for mark, end in zip(found, ends, strict=True):
        name = mark["name"]
        path = PurePosixPath(name)
        if name in files or path.is_absolute() or ".." in path.parts:
            msg = f"{name} is there twice" if name in files else f"{name} leads elsewhere"
            raise ValueError(msg)
        files[name] = text[mark.end() : end]
    return files


def _line(name: str) -> str:
    return f"# ---- file: {name} ----\n"
