"""What is wrong with a setting, in words: where it stands, what it should be, which key was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel

from peagen_ray.config.lines import KeyPath
from peagen_ray.config.model import Config
from peagen_ray.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SECRET: Final = re.compile(
    r"(^|_)(api_?key|token|password|passwd|passphrase|secret|credentials?|(access|auth|private|secret)_?key)$"
)
_WANTED: Final = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number",
    "frozen_set_type": "a list",
    "int_type": "a whole number",
    "model_type": "a table",
    "path_type": "a path",
    "string_type": "a string",
    "time_delta_type": 'a duration such as "4h"',
    "tuple_type": "a list",
}
_FOUND: Final[Mapping[type, str]] = {
    bool: "true or false",
    dict: "a table",
    float: "a number with a point",
    int: "a whole number",
    list: "a list",
    str: "a string",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        where: file and line, environment variable or flag.
        key: the dotted key, "" when it is the whole file.
        what: what is wrong, with no value in it that may be a secret.
        hint: what to do.
    """

    where: str
    key: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return str(self.error())

    def error(self) -> ConfigError:
        """The error that reports this problem alone."""
        subject = f"{self.where}: {self.key}" if self.key else self.where
        return ConfigError(self.what, subject=subject, hint=self.hint)


def config_error(problems: Sequence[Problem]) -> ConfigError:
    """One error that reports every problem, in the order given."""
    if len(problems) == 1:
        return problems[0].error()
    listed = "\n".join(f"  {problem}" for problem in problems)
    return ConfigError(f"{len(problems)} problems\n{listed}", subject="configuration")


def explain(details: ErrorDetails, where: str) -> Problem:
    """The problem that pydantic found, in the words of a configuration file."""
    path, kind = details["loc"], details["type"]
    key = dotted(path)
    if kind == "extra_forbidden":
        return Problem(where, key, "unknown key", nearest(path))
    if kind == "missing":
        return Problem(where, key, "is missing")
    if kind in _WANTED:
        found = _FOUND.get(type(details["input"]), type(details["input"]).__name__)
        return Problem(where, key, f"must be {_WANTED[kind]}, not {found}")
    if kind in ("too_short", "string_too_short"):
        return Problem(where, key, "must not be empty")
    message = details["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return Problem(where, key, message)


def secret_problem(path: KeyPath, where: str) -> Problem:
    """What is said of a key that :func:`secrets` found."""
    return Problem(where, dotted(path), "holds a secret", "keys come from the environment, use api_key_env")


def secrets(table: Mapping[str, Any], prefix: KeyPath = ()) -> Iterator[KeyPath]:
    """The keys of a file, at any depth, that hold a secret by their name."""
    for key, value in table.items():
        path = (*prefix, key)
        if isinstance(value, dict):
            yield from secrets(value, path)
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for index, item in enumerate(value):
                if isinstance(item, dict):
                    yield from secrets(item, (*path, index))
        elif _SECRET.search(key.lower().replace("-", "_")):
            yield path


def dotted(path: KeyPath) -> str:
    """``llm.backends[0].model`` for ``("llm", "backends", 0, "model")``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def nearest(path: KeyPath) -> str:
    """A hint that names the valid key nearest to an unknown one."""
    *outer, last = [str(part) for part in path if isinstance(part, str)]
    table = _table(outer)
    inside = ".".join(outer)
    close = [".".join([*outer, key]) for key in get_close_matches(last, table.model_fields, n=1)]
    return _suggest(close or _elsewhere(last), inside, sorted(table.model_fields))


def _elsewhere(name: str) -> list[str]:
    """The dotted keys of any table whose last part is ``name``, or nearest to it."""
    known = [(key, key.rpartition(".")[2]) for key in _known(Config)]
    near = get_close_matches(name, {last for _, last in known}, n=1)
    return [key for key, last in known if last in near]


def _suggest(close: Sequence[str], inside: str, keys: Sequence[str]) -> str:
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"the {f'keys of [{inside}]' if inside else 'tables'} are {', '.join(keys)}"


def _known(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _inner(field.annotation)
        yield prefix + name
        if inner is not None:
            yield from _known(inner, f"{prefix}{name}.")


def _table(path: Sequence[str]) -> type[BaseModel]:
    model: type[BaseModel] = Config
    for part in path:
        field = model.model_fields.get(part)
        inner = _inner(field.annotation) if field else None
        if inner is None:
            break
        model = inner
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The table that a field holds, directly or in an array."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for part in get_args(annotation) if (inner := _inner(part))), None)
