"""Text of programs, models and people as it may be shown: bounded, and with nothing in it that acts."""

from __future__ import annotations

import re
from typing import Final

_NUMBERS: Final = re.compile(r"-?\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?\b", re.IGNORECASE)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")


def shown(value: object, most: int = 2000) -> str:
    """The value as text: control and direction-changing characters spelt out, cut off beyond ``most`` characters."""
    text = str(value)
    cut = len(text) - most
    kept = text if cut <= 0 else text[:most]
    plain = "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in kept)
    return plain if cut <= 0 else f"{plain} … ({cut} more characters)"


def alike(reason: str) -> str:
    """The reason without its numbers and quotations, so that reasons that differ in these alone are one."""
    first = reason.split("\n", 1)[0][:300]
    return _NUMBERS.sub("#", _QUOTED.sub("'…'", first)).strip()


def number(value: float | None, digits: int = 3) -> str:
    """A number with that many significant digits and no exponent where it can be helped; a dash for none."""
    if value is None:
        return "-"
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 1
    text = f"{value:,.{max(0, digits - whole)}f}" if abs(value) >= 1 else f"{value:.{digits}g}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def seconds(value: float | None) -> str:
    """A duration in the unit that suits it."""
    if value is None:
        return "-"
    if value < 120:
        return f"{number(value)} s"
    hours, rest = divmod(round(value), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"
