"""The effective configuration: command-line flag, then environment, then file, then default."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from peagen_ray.config.layers import (
    Flag,
    Layer,
    Setting,
    environment_layer,
    file_layer,
    flag_layer,
    flatten,
    merge,
    nest,
    queue_layer,
)
from peagen_ray.config.model import Config
from peagen_ray.config.problems import Problem, config_error, dotted
from peagen_ray.config.text import FILE_NAME

__all__ = ["Flag", "Loaded", "load", "mask"]

_USER_INFO = re.compile(r"(?<=://)([^\s:@]*):\S*@")
"""Up to the last @: a password may have characters that an address should not have, such as a slash."""
_ALONE = re.compile(r"(?is)\A([a-z][a-z0-9+.-]*://[^:@]*):.*@")
"""The same where the whole value is an address, in which even a blank is part of the password."""
_QUERY = re.compile(r"(?i)([?&][^=&\s]*(?:key|token|password|secret)=)[^&\s]+")

_PROVIDER: Final = ("task_queue", "provider")
_EVALUATION: Final = ("evaluate", "requests")
_EXECUTION: Final = ("fabric", "requests", "execute")
_ISOLATION: Final = ("worker", "defaults", "isolation")


@dataclass(frozen=True)
class Loaded:
    """A configuration and where each of its values came from.

    Attributes:
        config: the effective configuration.
        origin: for each dotted key ``flag --x``, ``env NAME``, ``file PATH:LINE`` or ``default``.
        path: the file that was read, None when there is none.
        warnings: what the reader should be told once.
    """

    config: Config
    origin: Mapping[str, str]
    path: Path | None = None
    warnings: tuple[str, ...] = field(default=())

    def values(self) -> dict[str, Any]:
        """Every dotted key with its value as JSON has it, passwords in addresses masked."""
        return {dotted(path): mask(value) for path, value in flatten(self.config.model_dump(mode="json"))}


def load(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded:
    """Read the configuration.

    Args:
        path: the file; by default ``.peagen.toml`` in the working directory, where there is one. Parent
            directories are not searched, so that nothing far away changes what a command does.
        environ: the environment; by default the process's own, as it is at the call.
        flags: dotted key → value or :class:`Flag`; None as a value means that it was not given.

    Raises:
        ConfigError: names the file and line, the variable or the flag, the key, and the nearest valid
            key; every problem that was found is in it.
    """
    environ = os.environ if environ is None else environ
    found = path or _found_here()
    problems: list[Problem] = []
    layers = [
        file_layer(found, problems) if found else {},
        environment_layer(environ, problems),
        flag_layer(flags or {}, problems),
    ]
    switch = queue_layer(environ, problems)
    if problems:
        raise config_error(problems)
    asked = merge(layers)
    merged = merge([*layers, switch, _inline(asked, switch)])
    _follow_cluster(merged)
    _follow_evaluation(merged)
    config = Config.model_validate(nest(merged))
    keys = (key for key, _ in flatten(config.model_dump(mode="json")))
    origin = {dotted(key): merged[key].origin if key in merged else "default" for key in keys}
    return Loaded(config, origin, found, _overridden(asked, merged))


def mask(value: Any) -> Any:
    """The value with any password in an address replaced by ``***``."""
    if isinstance(value, str):
        return _QUERY.sub(r"\1***", _USER_INFO.sub(r"\1:***@", _ALONE.sub(r"\1:***@", value)))
    if isinstance(value, list):
        return [mask(item) for item in value]
    if isinstance(value, dict):
        return {key: mask(item) for key, item in value.items()}
    return value


def _found_here() -> Path | None:
    here = Path(FILE_NAME)
    return here if here.exists() else None


def _inline(asked: Layer, switch: Layer) -> Layer:
    """What has to hold with ``PEAGEN_QUEUE=stub``, so that every command works without a cluster."""
    stub = switch.get(_PROVIDER)
    isolation = asked.get(_ISOLATION)
    if stub is None or stub.value != "stub" or isolation is None or isolation.value != "worker":
        return {}
    return {_ISOLATION: Setting("always", stub.origin)}


def _follow_cluster(merged: Layer) -> None:
    """Whoever names a cluster and no queue means the queue of that cluster."""
    address = merged.get(("fabric", "address"))
    if address is not None and address.value:
        merged.setdefault(_PROVIDER, replace(address, value="ray"))


def _follow_evaluation(merged: Layer) -> None:
    """What an evaluation asks a node for is what its task does, which is of the kind ``execute``."""
    for path, setting in list(merged.items()):
        if path[:-1] == _EVALUATION:
            merged.setdefault((*_EXECUTION, path[-1]), setting)


def _overridden(asked: Layer, merged: Layer) -> tuple[str, ...]:
    before, after = asked.get(_PROVIDER), merged.get(_PROVIDER)
    if before is None or after is None or before.value == after.value:
        return ()
    return (f"PEAGEN_QUEUE: the queue is {after.value}, although {before.origin} says {before.value}",)
