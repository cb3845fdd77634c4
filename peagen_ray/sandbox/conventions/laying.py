"""In the guest: lays the evaluator's files and the candidate's out in the scratch directory, and has them judged."""

from __future__ import annotations

import encodings.cp437  # noqa: F401 - of names in a zip: loaded once by the launcher, not by each guest
import importlib
import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from peagen_ray.sandbox.conventions.base import Assignment, Judgement, failed

TASK, PROGRAM, RESULTS = "task", "program", "results"
"""Directories of the scratch directory."""

_OTHERS_MAY_READ: Final = 0o022


def judge(header: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """What the convention says of the candidate; whatever it raises is the candidate's failure.

    Args:
        header: ``convention`` (``module:function``), ``options``, ``files`` (the candidate's: path → text), ``main``
            (the path of one of them). The option ``place`` lays the candidate out among the evaluator's files, in
            that directory, over the original; else it has a directory of its own.
        body: a zip of the evaluator's files.
    """
    os.umask(_OTHERS_MAY_READ)
    here = Path.cwd()
    task, program, results = (_made(here / name) for name in (TASK, PROGRAM, RESULTS))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        archive.extractall(task)
        for entry in archive.infolist():
            (task / entry.filename).chmod(entry.external_attr >> 16 & 0o755 or 0o644)
    place = header["options"].get("place")
    program = program if place is None else task / place
    for name, text in header["files"].items():
        path = program / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    os.chdir(task)
    options = {**header["options"], "root": str(program), "several": len(header["files"]) > 1}
    module, _, function = str(header["convention"]).partition(":")
    convention: Callable[[Assignment], Judgement] = getattr(importlib.import_module(module), function)
    try:
        said = convention(Assignment(program / header["main"], task, results, options))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever is raised there is the candidate's outcome
        said = failed(error)
    return said.to_data()


def _made(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path
