"""Paths: where in a value something is, written out only when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

_PATH_PARTS = 12

Label = Callable[[int], str]


class Path(NamedTuple):
    """Where in a value something is: ``Path("args").at("[3]")``. ``suffix`` follows the whole path.

    A name may be a function of ``place``, called only when the path is written out.
    """

    name: str | Label
    suffix: str = ""
    parent: Path | None = None
    place: int = 0

    def at(self, name: str | Label, place: int = 0) -> Path:
        """One step further in."""
        return Path(name, self.suffix, self, place)

    def __str__(self) -> str:
        parts: list[str] = []
        step: Path | None = self
        while step is not None:
            parts.append(step.name if isinstance(step.name, str) else step.name(step.place))
            step = step.parent
        parts.reverse()
        if len(parts) > _PATH_PARTS:
            half = _PATH_PARTS // 2
            parts[half:-half] = ["..."]
        return "".join(parts) + self.suffix


class Pair(NamedTuple):
    """Two slots that have to be equal, the expected one first."""

    expected: Any
    actual: Any
    path: Path


Found = str | list[Pair]
