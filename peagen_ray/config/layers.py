"""The places that settings come from: file, environment and flags, each read into one flat layer."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic import ValidationError

from peagen_ray.config.lines import KeyPath, key_lines, line_of
from peagen_ray.config.model import Config
from peagen_ray.config.problems import Problem, explain, secret_problem, secrets
from peagen_ray.config.text import parse, read_text, without_mark

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

ENV_PREFIX: Final = "PEAGEN__"
_ALIASES: Final = {
    "WORKER_CAPS": ("worker", "defaults", "caps"),
    "WORKER_PLUGINS": ("worker", "defaults", "plugins"),
}
_PROVIDER: Final = ("task_queue", "provider")
_URL: Final = ("task_queue", "url")
_SCHEMES: Final = {"rediss": "redis", "unix": "redis", "redis+sentinel": "redis"}


@dataclass(frozen=True)
class Setting:
    """A value and where it came from."""

    value: Any
    origin: str


@dataclass(frozen=True)
class Flag:
    """A command-line flag's value and its name, where the name does not follow from the key."""

    name: str
    value: Any


Layer: TypeAlias = dict[KeyPath, Setting]


def flatten(table: Mapping[str, Any], prefix: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value of nested tables with its path; empty tables have none."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flatten(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def nest(layer: Mapping[KeyPath, Setting]) -> dict[str, Any]:
    """The inverse of :func:`flatten`."""
    root: dict[str, Any] = {}
    for path, setting in layer.items():
        node = root
        for part in path[:-1]:
            node = node.setdefault(str(part), {})
        node[str(path[-1])] = setting.value
    return root


def file_layer(path: Path, problems: list[Problem]) -> Layer:
    """What a file says; what is wrong with it is appended to ``problems``."""
    text = without_mark(read_text(path))
    table = parse(text, str(path))
    lines = key_lines(text)

    def where(key: KeyPath) -> str:
        line = line_of(lines, key)
        return f"{path}:{line}" if line else str(path)

    found: dict[KeyPath, Problem] = {key: secret_problem(key, where(key)) for key in secrets(table)}
    for error in _errors(table):
        found.setdefault(error["loc"], explain(error, where(error["loc"])))
    problems += [found[key] for key in sorted(found, key=lambda key: line_of(lines, key) or 0)]
    return {key: Setting(value, f"file {where(key)}") for key, value in flatten(table)}


def environment_layer(environ: Mapping[str, str], problems: list[Problem]) -> Layer:
    """What the environment says: ``PEAGEN__<TABLE>__<KEY>``, then ``WORKER_CAPS`` and ``WORKER_PLUGINS``."""
    named: list[tuple[str, KeyPath]] = [(name, key) for name, key in _ALIASES.items() if environ.get(name)]
    for name in sorted(name for name in environ if name.startswith(ENV_PREFIX)):
        path: KeyPath = tuple(name.removeprefix(ENV_PREFIX).lower().split("__"))
        if all(path):
            named.append((name, path))
        else:
            problems.append(Problem(f"env {name}", "", "is no key", f"write {ENV_PREFIX}<TABLE>__<KEY>"))
    layer: Layer = {}
    for name, path in named:
        value, wrong = _literal(path, environ[name])
        problems += [explain(error, f"env {name}") for error in wrong]
        _put(layer, path, Setting(value, f"env {name}"))
    return layer


def flag_layer(flags: Mapping[str, Any], problems: list[Problem]) -> Layer:
    """What the command line says, by dotted key; a flag that is None was not given."""
    layer: Layer = {}
    for key, given in flags.items():
        path = tuple(key.split("."))
        flag = given if isinstance(given, Flag) else Flag("--" + path[-1].replace("_", "-"), given)
        if flag.value is None:
            continue
        problems += [explain(error, f"flag {flag.name}") for error in _errors(_tree(path, flag.value))]
        _put(layer, path, Setting(flag.value, f"flag {flag.name}"))
    return layer


def queue_layer(environ: Mapping[str, str], problems: list[Problem]) -> Layer:
    """What ``PEAGEN_QUEUE`` says, a provider's name or a URL; it comes before everything else."""
    value = environ.get("PEAGEN_QUEUE", "").strip()
    if value:
        problems += [explain(error, "env PEAGEN_QUEUE") for error in _errors(_tree(_PROVIDER, value))]
    return {_PROVIDER: Setting(value, "env PEAGEN_QUEUE")} if value else {}


def merge(layers: Iterable[Layer]) -> Layer:
    """One layer of several, the later ones first; a broker's URL stays only with its own provider."""
    merged: Layer = {}
    for layer in map(_split_provider, layers):
        if _URL not in layer and _leaves(merged, layer):
            merged.pop(_URL, None)
        for path, setting in layer.items():
            _put(merged, path, setting)
    return merged


def _leaves(merged: Layer, layer: Layer) -> bool:
    """Whether the layer names another provider than before, which the URL of before is not for."""
    before, after = merged.get(_PROVIDER), layer.get(_PROVIDER)
    if before is None or after is None or before.value == after.value or _URL not in merged:
        return False
    return bool(_provider_of(str(merged[_URL].value)) != after.value)


def _split_provider(layer: Layer) -> Layer:
    """A URL that was given as the provider names the provider by its scheme."""
    setting = layer.get(_PROVIDER)
    if setting is None or "://" not in str(setting.value):
        return layer
    url = str(setting.value)
    return layer | {
        _PROVIDER: Setting(_provider_of(url), setting.origin),
        _URL: Setting(url, setting.origin),
    }


def _provider_of(url: str) -> str:
    scheme = url.partition("://")[0].lower()
    return _SCHEMES.get(scheme, scheme)


def _put(layer: Layer, path: KeyPath, setting: Setting) -> None:
    """Set a key, or each key of a table; whatever stood above or below it gives way."""
    if isinstance(setting.value, dict):
        for inner, value in list(flatten(setting.value, path)):
            _put(layer, inner, Setting(value, setting.origin))
        return
    for other in [other for other in layer if other[: len(path)] == path or path[: len(other)] == other]:
        del layer[other]
    layer[path] = setting


def _literal(path: KeyPath, text: str) -> tuple[Any, list[ErrorDetails]]:
    """A variable's value, as a TOML literal or else as the text itself, and what is wrong with it."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        table = {}
    value = table["value"] if set(table) == {"value"} else text
    wrong = _errors(_tree(path, value))
    if wrong and not isinstance(value, str) and not _errors(_tree(path, text)):
        return text, []
    return value, wrong


def _tree(path: KeyPath, value: Any) -> dict[str, Any]:
    return nest({path: Setting(value, "")})


def _errors(table: Mapping[str, Any]) -> list[ErrorDetails]:
    try:
        Config.model_validate(table)
    except ValidationError as error:
        return list(error.errors(include_url=False))
    return []
