"""Values of the configuration: the types of its keys, and what each refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from peagen_ray.task import Tags, check_tag, is_reserved

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhd]))+")
_NAME = re.compile(r"[\w.+-]*")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhd])")

_Numbers = TypeVar("_Numbers", bound=tuple[float, ...])

_SMALLEST_SHARE: Final = 0.0001
"""Of a resource: what Ray tells from nothing."""


def parse_duration(value: object) -> object:
    """Turn ``"4h"``, ``"1h30m"`` or a number of seconds into a timedelta; pass anything else on.

    Raises:
        ValueError: a string that is no duration, or a number that no timedelta can hold.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    if isinstance(value, int | float):
        seconds = float(value)
    elif _DURATION.fullmatch(text := value.replace(" ", "")):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    else:
        msg = f"{value!r} is no duration; write seconds, or a number with ms, s, m, h or d such as '4h'"
        raise ValueError(msg)
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError) as error:
        msg = f"{value!r} is no length of time"
        raise ValueError(msg) from error


def format_duration(duration: timedelta) -> str:
    """The text that :func:`parse_duration` reads back: ``4h``, ``1h30m``, ``0.5s``."""
    minutes, seconds = divmod(duration.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes), _seconds(seconds) * bool(seconds)]
    return "".join(parts) or "0s"


def _seconds(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def _positive(duration: timedelta) -> timedelta:
    if duration <= timedelta(0):
        msg = "must be longer than no time at all"
        raise ValueError(msg)
    return duration


def _share_or_whole(gpus: float | None) -> float | None:
    if gpus is not None and not (
        gpus == 0 or _SMALLEST_SHARE <= gpus <= 1 or (gpus > 1 and gpus.is_integer())
    ):
        msg = "must be a share of one, such as 0.5, or a whole number"
        raise ValueError(msg)
    return gpus


def _provider(text: str) -> str:
    if "://" not in text and not _NAME.fullmatch(text):
        # The text itself is not repeated: an address may hold a password.
        msg = "must be a provider's name, such as redis, or an address, such as redis://host:6379"
        raise ValueError(msg)
    return text


def _variable_name(text: str) -> str:
    if text and not text.isidentifier():
        # The text itself is not repeated: it may be a key that was pasted here.
        msg = "must be the name of an environment variable, never the key itself"
        raise ValueError(msg)
    return text


def _endpoint(text: str) -> str:
    """An address with nothing secret in it; the text itself is not repeated, since it may hold a password."""
    if not text:
        return text
    try:
        parts = urlsplit(text)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    if not plain:
        msg = "must be an address such as https://host/v1"
        raise ValueError(msg)
    if "@" in parts.netloc or parts.query or parts.fragment:
        msg = (
            "must be an address alone, with no name, password or query in it; the key comes from api_key_env"
        )
        raise ValueError(msg)
    return text


def _descriptors(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        msg = "there must be one at least"
        raise ValueError(msg)
    if "" in names or len(set(names)) < len(names):
        msg = "each has a name of its own"
        raise ValueError(msg)
    return names


def _rising(numbers: _Numbers) -> _Numbers:
    if not numbers or any(a >= b for a, b in pairwise(numbers)):
        msg = "there must be rising numbers, one at least"
        raise ValueError(msg)
    return numbers


def _not_reserved(tags: frozenset[str]) -> frozenset[str]:
    reserved = sorted(filter(is_reserved, tags))
    if reserved:
        msg = f"{', '.join(reserved)}: what a handler itself needs is asked for without being named"
        raise ValueError(msg)
    return tags


def _split(value: object) -> object:
    """A comma separated string, or any list of strings, as a tuple of strings."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Iterable) and not isinstance(value, dict | bytes):
        return tuple(value)
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str | Path) else tuple(value) if isinstance(value, list) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(_positive),
    PlainSerializer(format_duration, return_type=str),
]
"""A positive length of time; seconds as a number, or text such as ``"4h"`` or ``"1h30m"``."""

Caps = Annotated[Tags, BeforeValidator(_split), Field(min_length=1, strict=False)]
"""Capability tags, as a list or as one comma separated string."""

Labels = Annotated[Tags, BeforeValidator(_split), AfterValidator(_not_reserved), Field(strict=False)]
"""Capability tags of software and the like, as a list or as one comma separated string."""

Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Names, as a list or as one comma separated string."""

Tag = Annotated[str, AfterValidator(check_tag)]
"""A capability tag."""

LaxPath = Annotated[Path, Field(strict=False)]
Paths = Annotated[tuple[LaxPath, ...], BeforeValidator(_one_or_many)]
"""Paths, as a list or as one string."""

Edges = Annotated[
    tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(strict=False), AfterValidator(_rising)
]
"""Rising numbers."""

Range = Annotated[
    tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]],
    Field(strict=False),
    AfterValidator(_rising),
]
"""The lowest and the highest of some values."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above zero."""

Provider = Annotated[str, AfterValidator(_provider)]
"""The name of a queue's provider, or its address."""

VariableName = Annotated[str, AfterValidator(_variable_name)]
"""The name of an environment variable that holds a secret."""

Endpoint = Annotated[str, AfterValidator(_endpoint)]
"""An address with nothing secret in it."""

GpuShare = Annotated[float | None, AfterValidator(_share_or_whole)]
"""A share of one GPU, or a whole number of them."""

Descriptors = Annotated[Names, AfterValidator(_descriptors)]
"""Names of descriptors, each once."""

Words = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
"""Words as a list, or one word."""
