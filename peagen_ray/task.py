"""Task and Result: the envelope that travels on every queue, and the capability tags."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    ValidationError,
    WithJsonSchema,
)

from peagen_ray.errors import EnvelopeError, UnsupportedSchema

SCHEMA_V: Final = 1
"""The newest major version of the envelope that this program speaks."""

RESERVED_TAGS: Final = frozenset({"cpu", "gpu", "llm", "docker", "internet"})
"""Tags that a handler must provide itself; ``cudaNN`` is reserved too (see :func:`is_reserved`)."""

_TAG = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9_.-]+)*")
_CUDA = re.compile(r"cuda\d+(/\d+)*")


class TaskKind(StrEnum):
    """What a task asks for; selects the handler. Kinds are appended, never reused."""

    RENDER = "render"
    MUTATE = "mutate"
    EXECUTE = "execute"
    EVALUATE = "evaluate"


class Status(StrEnum):
    """How a handler's run ended."""

    OK = "ok"
    ERROR = "error"
    SKIP = "skip"


def check_tag(tag: str) -> str:
    """Return ``tag`` if it is a well-formed capability tag, else raise ValueError."""
    if not _TAG.fullmatch(tag):
        msg = f"capability tag {tag!r} must be lower-case kebab or snake case, with no blanks"
        raise ValueError(msg)
    return tag


def check_tags(tags: Iterable[str]) -> frozenset[str]:
    """Return the tags as a set, each one checked by :func:`check_tag`."""
    return frozenset(check_tag(tag) for tag in tags)


def is_reserved(tag: str) -> bool:
    """Whether a handler itself must provide the tag, beside the worker offering it."""
    return tag in RESERVED_TAGS or _CUDA.fullmatch(tag) is not None


def alternatives(tag: str) -> frozenset[str]:
    """The tags that satisfy ``tag``: ``cuda11/12`` is satisfied by ``cuda11`` or ``cuda12``."""
    first, *rest = tag.split("/")
    stem = first.rstrip("0123456789")
    return frozenset([first, *(stem + other if other.isdigit() else other for other in rest)])


def missing_tags(wanted: Iterable[str], offered: frozenset[str]) -> tuple[str, ...]:
    """The tags of ``wanted`` that ``offered`` does not satisfy, sorted."""
    return tuple(sorted(tag for tag in wanted if not alternatives(tag) & (offered | _spread(offered))))


def _spread(offered: frozenset[str]) -> frozenset[str]:
    return frozenset(single for tag in offered if "/" in tag for single in alternatives(tag))


_NAME_CHARS: Final = 80
"""Characters of a foreign id that a message shows."""

_E = TypeVar("_E", bound="_Envelope")


def new_id() -> str:
    """A fresh task id: 32 lower-case hexadecimal characters."""
    return uuid.uuid4().hex


def utcnow() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _from_iso(value: object) -> object:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value
    msg = "a moment must be an ISO-8601 string"
    raise ValueError(msg)


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        msg = "the moment is outside the calendar in UTC"
        raise ValueError(msg) from error


Tags = Annotated[
    frozenset[str],
    AfterValidator(check_tags),
    PlainSerializer(lambda tags: sorted(tags), return_type=list[str]),
    WithJsonSchema(
        {"type": "array", "items": {"type": "string", "pattern": f"^{_TAG.pattern}$"}, "uniqueItems": True}
    ),
]

Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_from_iso),
    AfterValidator(_to_utc),
    PlainSerializer(_iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

Count = Annotated[int, Strict()]


class _Envelope(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_wire(self) -> bytes:
        """The UTF-8 JSON that travels, every field written.

        Raises:
            EnvelopeError: the payload or data is no JSON, such as NaN, bytes or half a surrogate pair.
        """
        fields = {name: _plain(getattr(self, name)) for name in type(self).model_fields}
        try:
            return _JSON.encode(fields).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise EnvelopeError(f"not JSON: {error}", subject=type(self).__name__.lower()) from error


def _plain(value: object) -> object:
    match value:
        case frozenset():
            return sorted(value)
        case datetime():
            return _iso(value)
    return value


_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Task(_Envelope):
    """One unit of work.

    Attributes:
        kind: selects the handler.
        id: unique, the idempotency key; lower-case hexadecimal, 16 characters or more.
        payload: opaque to the queue; never holds a secret.
        requires: capability tags, all of which must be offered where it runs.
        attempts: runs started so far, counted by the queue.
        created_at: when, in UTC.
        schema_v: major version of this envelope.
    """

    kind: TaskKind
    id: str = Field(default_factory=new_id, pattern=r"^[0-9a-f]{16,}$")
    payload: dict[str, Any] = Field(default_factory=dict)
    requires: Tags = frozenset()
    attempts: Count = Field(default=0, ge=0)
    created_at: Moment = Field(default_factory=utcnow)
    schema_v: Count = Field(default=SCHEMA_V, ge=1)

    @classmethod
    def from_wire(cls, raw: bytes | str) -> Self:
        """Read a task.

        Raises:
            UnsupportedSchema: it was written in a newer version; nothing else of it was looked at.
            EnvelopeError: it is no task.
        """
        return _read(cls, raw, "id")


class Result(_Envelope):
    """What a handler's run came to.

    Attributes:
        task_id: the task that it answers.
        status: ``ok``, ``error`` or ``skip``.
        data: what the handler returns; ``error`` carries ``msg`` and ``retryable``.
        created_at: when, in UTC.
        attempts: the attempt that produced it, from 1.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"status": {"const": "error"}}},
            "then": {"properties": {"data": {"required": ["msg", "retryable"]}}},
        }
    )

    task_id: str
    status: Status
    data: dict[str, Any] = Field(default_factory=dict)
    created_at: Moment = Field(default_factory=utcnow)
    attempts: Count = Field(default=1, ge=1)

    @classmethod
    def from_wire(cls, raw: bytes | str) -> Self:
        """Read a result; raises EnvelopeError if it is none."""
        return _read(cls, raw, "task_id")

    @classmethod
    def failure(cls, task: Task, msg: str, *, retryable: bool, **extra: Any) -> Self:
        """An ``error`` result for ``task`` with the two fields that every error carries."""
        data = {"msg": msg, "retryable": retryable, **extra}
        return cls(task_id=task.id, status=Status.ERROR, data=data, attempts=max(1, task.attempts))

    @classmethod
    def success(cls, task: Task, data: dict[str, Any]) -> Self:
        """An ``ok`` result for ``task``."""
        return cls(task_id=task.id, status=Status.OK, data=data, attempts=max(1, task.attempts))

    @property
    def retryable(self) -> bool:
        """Whether an ``error`` may be tried again."""
        return self.status is Status.ERROR and bool(self.data.get("retryable", False))


_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def _no_number(constant: str) -> float:
    msg = f"{constant} is no JSON number"
    raise ValueError(msg)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        msg = f"{digits[:_NAME_CHARS]} is out of range"
        raise ValueError(msg)
    return number


def _parse(raw: bytes | str) -> object:
    text = raw if isinstance(raw, str) else raw.decode()
    fields: object = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    if _SURROGATE.search(text):
        _JSON.encode(fields).encode()
    return fields


def _read(cls: type[_E], raw: bytes | str, id_field: str) -> _E:
    what = cls.__name__.lower()
    try:
        fields = _parse(raw)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"not JSON: {error}", subject=what) from error
    if not isinstance(fields, dict):
        raise EnvelopeError("the envelope must be a JSON object", subject=what)
    version, name = fields.get("schema_v", SCHEMA_V), fields.get(id_field)
    name = name[:_NAME_CHARS] if isinstance(name, str) else "without an id"
    if type(version) is int and version > SCHEMA_V:
        raise UnsupportedSchema(version, SCHEMA_V, name)
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise EnvelopeError(f"{where}: {first['msg']}", subject=f"{what} {name}") from error
