"""Numbers: when two floats agree, and what the bytes of an array mean."""

from __future__ import annotations

import array
import math
import re
import struct
from typing import Any, NamedTuple

_LETTERS = {"f2": "e", "f4": "f", "f8": "d", "c8": "f", "c16": "d", "b1": "?"} | {
    f"{kind}{size}": letter.upper() if kind == "u" else letter
    for kind in "iu"
    for size, letter in ((1, "b"), (2, "h"), (4, "i"), (8, "q"))
}
"""Letter of ``struct`` for a dtype; a complex number is two floats."""

_PRECISION = {"e": (1e-3, 1e-5), "f": (1e-5, 1e-8), "d": (0.0, 0.0)}
"""Tolerances that the less precise types deserve, relative and absolute."""


class Tolerance(NamedTuple):
    """How far apart two floats may be, as for ``math.isclose``; NaN agrees with NaN."""

    rel_tol: float
    abs_tol: float

    def close(self, left: float, right: float) -> bool:
        """Whether two floats agree."""
        if left == right:
            return True
        if math.isclose(left, right, rel_tol=self.rel_tol, abs_tol=self.abs_tol):
            return True
        return math.isnan(left) and math.isnan(right)

    def close_complex(self, left: complex, right: complex) -> bool:
        """Whether both parts agree."""
        return self.close(left.real, right.real) and self.close(left.imag, right.imag)

    def for_letter(self, letter: str) -> Tolerance:
        """The tolerance for a type of ``struct``: never tighter than its precision."""
        rel_tol, abs_tol = _PRECISION[letter]
        return Tolerance(max(self.rel_tol, rel_tol), max(self.abs_tol, abs_tol))


def unpack(left: list[Any], right: list[Any], tolerance: Tolerance) -> tuple[list[Any], list[Any], Tolerance]:
    """The numbers in two nodes of one numeric type, and the tolerance that the type deserves.

    A complex number comes as two floats; an item of a type that ``struct`` does not know as its bytes.
    """
    layout, size = _layout(left)
    found = []
    for data in (left[-1], right[-1]):
        if layout:
            usable = data[: len(data) - len(data) % size]
            found.append(list(struct.unpack(f"{layout[0]}{len(usable) // size}{layout[1]}", usable)))
        else:
            found.append([data[at : at + size] for at in range(0, len(data), size)])
    deserved = tolerance.for_letter(layout[1]) if layout and layout[1] in _PRECISION else tolerance
    return found[0], found[1], deserved


def _layout(node: list[Any]) -> tuple[str, int]:
    """Byte order and letter of ``struct``, or nothing, and the bytes of one item."""
    if node[0] == "array":
        known = node[1] in "bBhHiIlLqQfd"
        return f"@{node[1]}" if known else "", array.array(node[1]).itemsize
    match = re.fullmatch(r"([<>|=])([a-zA-Z]\d+)", node[1])
    if match is not None and match[2] in _LETTERS:
        layout = match[1].replace("|", "=") + _LETTERS[match[2]]
        return layout, struct.calcsize(layout)
    items = math.prod(node[2])
    return "", max(1, len(node[-1]) // items) if items else 1
