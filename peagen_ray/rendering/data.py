"""Data for templates: inline, YAML, JSON, TOML or CSV, all of it plain (what JSON can say), read once."""

from __future__ import annotations

import csv
import io
import json
import math
import tomllib
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

from peagen_ray.errors import ProjectError

MOST_VALUES: Final = 10_000_000
"""Values of one file, counted as often as they are repeated by reference."""

_UTF_8: Final = "utf-8-sig"

_LONGEST_FIELD: Final = 16 * 1024 * 1024
"""Characters of one field of a CSV file."""


def read_data(path: Path, *, form: str = "", encoding: str = _UTF_8, delimiter: str = "") -> Any:
    """What a file says, as mappings, lists, texts, numbers, booleans and None.

    Dates and times become ISO-8601 texts. The rows of a CSV file are mappings from its first line's names
    to texts.

    Args:
        path: the file.
        form: ``yaml``, ``json``, ``toml`` or ``csv``; by default what the file's name ends with.
        encoding: of the file.
        delimiter: between fields of a CSV file; by default a comma, or a tab in a ``.tsv``.

    Raises:
        ProjectError: the file cannot be read; names the line where that is known.
    """
    form = form or path.suffix.removeprefix(".").lower()
    if form not in _READERS:
        hint = f"say which with format: {', '.join(sorted(set(_READERS)))}"
        raise ProjectError(f"is of no known format: {form or 'no suffix'}", subject=str(path), hint=hint)
    text = read_text(path, encoding, "name its encoding in the project file: {path: FILE, encoding: latin-1}")
    if form in _TABLES:
        return _csv(text, path, delimiter or _TABLES[form])
    try:
        return plain(_READERS[form](text, path), str(path))
    except RecursionError as error:
        raise ProjectError("is nested too deeply", subject=str(path)) from error


def read_text(path: Path, encoding: str = _UTF_8, hint: str = "") -> str:
    """The text of a file, line ends as they are, a byte order mark left out.

    Raises:
        ProjectError: it cannot be read, or is in another encoding; with the hint then.
    """
    try:
        return path.read_bytes().decode(encoding)
    except OSError as error:
        raise ProjectError(f"cannot be read: {error.strerror}", subject=str(path)) from error
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding == _UTF_8 else encoding
        what = f"is not {name}: {error.reason} at byte {error.start}"
        raise ProjectError(what, subject=str(path), hint=hint) from error
    except (LookupError, ValueError) as error:
        raise ProjectError(f"there is no encoding {encoding!r}", subject=str(path)) from error


def plain(value: Any, subject: str) -> Any:
    """The value as JSON can say it; raises ProjectError, or RecursionError where it holds itself."""
    return _Plain(subject).convert(value, "")


class _Plain:
    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._left = MOST_VALUES

    def convert(self, value: Any, where: str) -> Any:
        self._left -= 1
        if self._left < 0:
            raise self._refusal(where, f"more than {MOST_VALUES} values, counting repeated references")
        match value:
            case str() | bool() | int() | None:
                return value
            case float():
                if not math.isfinite(value):
                    raise self._refusal(where, f"{value} is no number that JSON has")
                return value
            case dict():
                return {
                    self._key(key, where): self.convert(item, f"{where}.{key}") for key, item in value.items()
                }
            case list() | tuple():
                return [self.convert(item, f"{where}[{number}]") for number, item in enumerate(value)]
            case datetime() | date() | time():
                return value.isoformat()
        raise self._refusal(where, f"a {type(value).__name__} is no data")

    def _key(self, key: object, where: str) -> str:
        if isinstance(key, str):
            return key
        raise self._refusal(where, f"the key {key!r} is no text; write it in quotes")

    def _refusal(self, where: str, what: str) -> ProjectError:
        return ProjectError(what, subject=f"{self._subject}: {where.lstrip('.')}" if where else self._subject)


# ---- formats ---------------------------------------------------------------------------------------


def _yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        return yaml.load(text, _unambiguous())  # noqa: S506 - a safe loader that also refuses double keys
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ProjectError(f"not YAML: {error.problem or error.context}", subject=place) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ProjectError(f"not YAML: {error}", subject=str(path)) from error


def _unambiguous() -> Any:
    """PyYAML's safe loader, in C where there is one, that refuses a key that is given twice."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]  # one of two classes, found at run time
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set[str]()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if key.value in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"the key {key.value!r} is given twice", key.start_mark
                        )
                    seen.add(key.value)
            found: dict[Any, Any] = super().construct_mapping(node, deep)
            return found

    return Loader


def _json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        subject = f"{path}:{error.lineno}:{error.colno}"
        raise ProjectError(f"not JSON: {error.msg}", subject=subject) from error
    except ValueError as error:  # a number of too many digits
        raise ProjectError(f"not JSON: {error}", subject=str(path)) from error


def _toml(text: str, path: Path) -> Any:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise ProjectError(f"not TOML: {error}", subject=str(path)) from error


def _csv(text: str, path: Path, delimiter: str) -> list[dict[str, str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except (TypeError, ValueError) as error:
        raise ProjectError(f"no delimiter: {delimiter!r}", subject=str(path)) from error
    try:
        names = next(reader, [])
        _check_names(names, path)
        return list(_rows(reader, names, path))
    except csv.Error as error:
        raise ProjectError(f"not CSV: {error}", subject=f"{path}:{reader.line_num}") from error


def _rows(reader: Any, names: list[str], path: Path) -> Any:
    width = len(names)
    for fields in reader:
        if len(fields) == width:
            yield dict(zip(names, fields, strict=True))
        elif fields:
            what = f"has {len(fields)} fields, the first line has {width}"
            raise ProjectError(what, subject=f"{path}:{reader.line_num}")


def _check_names(names: list[str], path: Path) -> None:
    if not names:
        raise ProjectError("has no first line with the names of its columns", subject=str(path))
    for name in names:
        if not name.strip() or names.count(name) > 1:
            what = f"the column {name!r} is there twice" if name.strip() else "a column has no name"
            raise ProjectError(what, subject=f"{path}:1")


_READERS: Final[dict[str, Callable[[str, Path], Any]]] = {
    "yaml": _yaml,
    "yml": _yaml,
    "json": _json,
    "toml": _toml,
    "csv": lambda text, path: _csv(text, path, ","),
    "tsv": lambda text, path: _csv(text, path, "\t"),
}

_TABLES: Final = {"csv": ",", "tsv": "\t"}
