"""What host and guest say to each other: a JSON header and a body of bytes. Nothing is ever unpickled here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What a guest answered: the header, and a body whose meaning the header says."""

    header: dict[str, Any]
    body: bytes


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
