"""The configuration file as text: read whole, parsed, and named with line and column when it is broken."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from peagen_ray.errors import ConfigError

FILE_NAME: Final = ".peagen.toml"
"""The file's name in the workspace root."""

_PLACE = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def parse(text: str, name: str) -> dict[str, Any]:
    """Parse a file's text.

    Raises:
        ConfigError: it is no TOML; names the line and the column.
    """
    try:
        return tomllib.loads(without_mark(text))
    except (ValueError, RecursionError) as error:
        place = _PLACE.match(str(error))
        if place is None:
            raise ConfigError(f"not TOML: {error}", subject=name) from error
        line, column = place["line"], place["column"]
        where = f"{name}:{line}:{column}" if line else f"{name}:{len(text.splitlines())}"
        raise ConfigError(f"not TOML: {place['what']}", subject=where) from error


def without_mark(text: str) -> str:
    """The text without the byte order mark that some editors put before it."""
    return text.removeprefix("\ufeff")


def read_text(path: Path) -> str:
    """A configuration file's text, its line endings as they are; ConfigError when it cannot be read."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", subject=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text", subject=str(path)) from error
