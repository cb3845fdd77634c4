"""What both ends of the codec agree on: leaves, stand-ins and errors."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from types import EllipsisType, NoneType, NotImplementedType
from typing import Any

VERSION = 1
"""First item of every encoded text."""

SCALARS: frozenset[type] = frozenset({NoneType, bool, int, float, str})
"""Types that JSON carries as they are."""

MAX_PLAIN_INT = 2**64
"""Larger integers travel in hexadecimal: decimal text takes quadratic time, and Python limits its length."""

_MAX_FRACTION_BITS = 2**17
"""Fraction's constructor takes a gcd, in quadratic time: larger ones stay opaque on the trusted side."""


class ValueTooLarge(ValueError):
    """The value's encoding would be longer than the limit."""


class MalformedValue(ValueError):
    """The bytes were not written by ``encode``."""


@dataclass(frozen=True, slots=True)
class Named:
    """A function, class or module, known by its qualified name only."""

    name: str


@dataclass(frozen=True, slots=True)
class Array:
    """A numpy array where numpy is not loaded: dtype text, shape and the bytes in C order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass(eq=False, slots=True, repr=False)
class Opaque:
    """An object of a class that is not built in: what it holds, without its behaviour.

    Its fields read as attributes, and ``len``, indexing and iteration reach the content of its built-in base.

    Attributes:
        type_name: ``module.qualname`` of its class.
        state: its attributes; for an exception ``message``, for an enum member ``name`` and ``value``.
        content: what its built-in base class holds (the items of a list's subclass), or None.
    """

    type_name: str
    state: dict[str, Any] = field(default_factory=dict)
    content: Any = None

    def __getattr__(self, name: str) -> Any:
        if name in Opaque.__slots__ or name not in self.state:
            raise AttributeError(f"{self.type_name} object has no attribute {name!r}")
        return self.state[name]

    def __len__(self) -> int:
        return len(self.content)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: Any) -> Any:
        return self.content[key]

    def __iter__(self) -> Any:
        return iter(self.content)

    def __repr__(self) -> str:
        return f"<{self.type_name} with {', '.join(self.state) or 'no attributes'}>"


def identical(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Whether two sequences of scalars are equal in value and type, as far as C can tell: NaN is not."""
    return left == right and list(map(type, left)) == list(map(type, right))


def to_base64(data: bytes) -> str:
    """Standard base64 text."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Strict inverse of ``to_base64``."""
    return base64.b64decode(text, validate=True)


def write_leaf(value: Any) -> list[Any] | None:
    """The slot of a leaf that JSON has no word for, or None where ``value`` is no leaf."""
    writer = _WRITERS.get(type(value))
    return None if writer is None else writer(value)


def read_leaf(slot: list[Any]) -> Any:
    """The value of a leaf's slot.

    Raises:
        MalformedValue: no such leaf, or its text is wrong.
    """
    reader = _READERS.get(slot[0])
    if reader is None:
        raise MalformedValue(f"no leaf is called {slot[0]!r:.40}")
    try:
        return reader(*slot[1:])
    except (ValueError, TypeError, ArithmeticError) as error:
        raise MalformedValue(f"bad {slot[0]}: {error}") from error


def _moment(tag: str, value: dt.datetime | dt.time) -> list[Any] | None:
    """A zone other than a fixed offset has no built-in form: such a value is encoded as an object."""
    if value.tzinfo is not None and type(value.tzinfo) is not dt.timezone:
        return None
    return [tag, value.isoformat(), value.fold]


def _read_range(start: str, stop: str, step: str) -> range:
    return range(int(start, 16), int(stop, 16), int(step, 16))


def _read_fraction(numerator: str, denominator: str) -> Fraction | Opaque:
    top, bottom = int(numerator, 16), int(denominator, 16)
    if max(top.bit_length(), bottom.bit_length()) > _MAX_FRACTION_BITS:
        return Opaque("fractions.Fraction", {"numerator": top, "denominator": bottom})
    return Fraction(top, bottom)


_WRITERS: dict[type, Any] = {
    int: lambda v: ["int", hex(v)],
    bytes: lambda v: ["bytes", to_base64(v)],
    complex: lambda v: ["complex", v.real, v.imag],
    range: lambda v: ["range", hex(v.start), hex(v.stop), hex(v.step)],
    Decimal: lambda v: ["decimal", str(v)],
    Fraction: lambda v: ["fraction", hex(v.numerator), hex(v.denominator)],
    dt.date: lambda v: ["date", v.isoformat()],
    dt.datetime: lambda v: _moment("datetime", v),
    dt.time: lambda v: _moment("time", v),
    dt.timedelta: lambda v: ["timedelta", v.days, v.seconds, v.microseconds],
    EllipsisType: lambda _: ["constant", "Ellipsis"],
    NotImplementedType: lambda _: ["constant", "NotImplemented"],
    Named: lambda v: ["named", v.name],
}

_READERS: dict[str, Any] = {
    "int": lambda text: int(text, 16),
    "bytes": from_base64,
    "complex": lambda real, imag: complex(float(real), float(imag)),
    "range": _read_range,
    "decimal": lambda text: Decimal(_text(text)),
    "fraction": _read_fraction,
    "date": dt.date.fromisoformat,
    "datetime": lambda text, fold: dt.datetime.fromisoformat(text).replace(fold=fold),
    "time": lambda text, fold: dt.time.fromisoformat(text).replace(fold=fold),
    "timedelta": lambda days, seconds, micros: dt.timedelta(days, seconds, micros),
    "constant": lambda name: {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}[_constant(name)],
    "named": lambda name: Named(_text(name)),
}

LEAF_TAGS = frozenset(_READERS)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("not a text")
    return value


def _constant(name: Any) -> str:
    if name not in ("Ellipsis", "NotImplemented"):
        raise ValueError("no such constant")
    return _text(name)
