"""The sandbox port: a conversation with a program that is not trusted.

A :class:`Sandbox` starts guests. A guest is one process that runs ``peagen_ray.sandbox.guest`` and
answers messages: a JSON header and a body of bytes. The host (trusted) owns the inputs, the expected
outputs and the clock; nothing that comes from a guest is unpickled, and every answer has a bounded
length. Neither class is safe for use by several threads at once.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

from peagen_ray.errors import SandboxError


@dataclass(frozen=True)
class GuestLimits:
    """What a guest may use.

    Attributes:
        wall_s: seconds that one answer may take.
        cpu_s: CPU seconds that the guest may use in all.
        memory_mb: MiB of address space.
        output_kb: KiB that the outcome of one call may have.
        scratch_mb: MiB that one file in its scratch directory may have.
    """

    wall_s: float = 10.0
    cpu_s: float = 60.0
    memory_mb: int = 1024
    output_kb: int = 1024
    scratch_mb: int = 64


class Answer(NamedTuple):
    """What a guest answered: the header, and a body whose meaning the header says."""

    header: dict[str, Any]
    body: bytes


class GuestFailed(SandboxError):
    """A guest gave no answer that can be used.

    Args:
        outcome: ``timeout``, ``crash``, ``memory`` or ``output``.
        reason: one line of what happened.
    """

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(f"{outcome}: {reason}")
        self.outcome = outcome
        self.reason = reason


class Guest(ABC):
    """One process of untrusted code. Use it as a context manager: it is dead when the block ends."""

    @abstractmethod
    def ask(
        self, header: dict[str, Any], body: bytes = b"", *, wall_s: float | None = None, answers: int = 1
    ) -> Answer:
        """Send a message and wait for its answer.

        Args:
            header: the operation and what it takes; ``limit`` is added.
            body: what else it takes.
            wall_s: seconds to wait, by default ``GuestLimits.wall_s``.
            answers: how many times ``GuestLimits.output_kb`` the answer may have.

        Raises:
            GuestFailed: it died, took too long or answered too much; it is dead then.
        """

    @abstractmethod
    def cpu_ns(self) -> int:
        """CPU time of the guest's process so far, in nanoseconds, read from outside."""

    @abstractmethod
    def reset_peak(self) -> None:
        """Start a new measurement of peak memory."""

    @abstractmethod
    def peak_kb(self) -> int:
        """Peak of resident memory beyond what was resident at :meth:`reset_peak`, in kB."""

    @abstractmethod
    def close(self) -> None:
        """End it, and everything that it started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Sandbox(ABC):
    """Starts guests.

    Attributes:
        NAME: its name in ``peagen.sandboxes``.
    """

    NAME: ClassVar[str]

    @abstractmethod
    def start(self, limits: GuestLimits) -> Guest:
        """A fresh guest under those limits; raises SandboxError if it cannot be started."""


def pack(header: dict[str, Any], body: bytes = b"") -> bytes:
    """One message: the header as a line of JSON, then the body."""
    return json.dumps(header, separators=(",", ":")).encode() + b"\n" + body


def unpack(message: bytes) -> Answer:
    """Take a message apart.

    Raises:
        ValueError: its first line is not a JSON object.
    """
    line, _, body = message.partition(b"\n")
    try:
        header = json.loads(line)
    except RecursionError as error:
        raise ValueError("the header is nested too deeply") from error
    if not isinstance(header, dict):
        raise ValueError("the header is not an object")
    return Answer(header, body)


def split(body: bytes, lengths: Sequence[int]) -> list[bytes]:
    """Parts of those lengths, from the beginning of ``body`` on.

    Raises:
        ValueError: they are more than there is.
    """
    ends = list(accumulate(lengths, initial=0))
    if ends[-1] > len(body) or min(lengths, default=0) < 0:
        raise ValueError("the parts are longer than the whole")
    return [body[start:end] for start, end in pairwise(ends)]


def naturals(value: object, count: int) -> list[int]:
    """``value``, if it is a list of so many natural numbers of 62 bits at most: a guest may answer anything.

    Raises:
        GuestFailed: it is something else.
    """
    if isinstance(value, list) and len(value) == count and all(map(_is_natural, value)):
        return value
    raise GuestFailed("crash", f"answered rubbish: {value!r:.80} where {count} numbers belong")


def _is_natural(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 62
