"""What evaluators leave beside a score: kept on disk, and in short with the program, so that prompts can tell it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from peagen_ray.evolution.briefing import ARTIFACTS
from peagen_ray.evolution.events import printable

_UNSAFE: Final = re.compile(r"[^\w.+-]+")
_LONGEST_NAME: Final = 80
_KEPT: Final = 5000
"""Programs whose artifacts are kept; a run of many more should not fill a disk."""


class Keepsakes:
    """Keeps artifacts in a directory for each program; what cannot be written is done without.

    Args:
        root: where.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._count = 0

    def keep(self, n: int, artifacts: Mapping[str, Mapping[str, str]]) -> None:
        """Write the artifacts of a program down, under names that lead nowhere else."""
        if not artifacts or self._count >= _KEPT:
            return
        self._count += 1
        directory = self._root / f"{n:06d}"
        with suppress(OSError):
            directory.mkdir(parents=True, exist_ok=True)
            for name, value in artifacts.items():
                content = _content(value)
                if content is not None:
                    (directory / file_name(name, is_text="text" in value)).write_bytes(content)


def file_name(name: str, *, is_text: bool) -> str:
    """A name for a file, whatever an artifact is called."""
    safe = _UNSAFE.sub("_", name).lstrip(".")[:_LONGEST_NAME] or "artifact"
    return safe if "." in safe or not is_text else f"{safe}.txt"


def told_metrics(metrics: Mapping[str, Any], data: Mapping[str, Any], chars: int) -> dict[str, Any]:
    """Metrics, with the beginning of each artifact that is a text.

    Args:
        metrics: of a program.
        data: of the Result that judged it.
        chars: characters of each text; 0 for none of them.
    """
    found = data.get("artifacts", {}) if chars else {}
    texts = {name: printable(value["text"])[:chars] for name, value in found.items() if value.get("text")}
    return {**metrics, ARTIFACTS: texts} if texts else dict(metrics)


def _content(value: Mapping[str, str]) -> bytes | None:
    if "base64" in value:
        with suppress(ValueError):
            return base64.b64decode(value["base64"])
        return None
    text = value.get("text")
    return None if text is None else text.encode("utf-8", "backslashreplace")
