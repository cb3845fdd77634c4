"""What the fork server answers."""

from __future__ import annotations

import json
import socket
from typing import Any, Final

from peagen_ray.errors import LaunchError

_LIMIT: Final = 64 * 1024
"""Bytes of the longest answer."""


def receive_answer(sock: socket.socket) -> dict[str, Any] | None:
    """The next answer; None if the fork server is gone."""
    try:
        message = sock.recv(_LIMIT)
    except ConnectionError:
        return None
    if not message:
        return None
    answer: dict[str, Any] = json.loads(message)
    return answer


def expect_answer(sock: socket.socket, patience: float) -> dict[str, Any]:
    """The next answer, which must come within ``patience`` seconds.

    Raises:
        LaunchError: the fork server is gone, or says nothing.
    """
    sock.settimeout(patience)
    try:
        answer = receive_answer(sock)
    except TimeoutError as error:
        raise LaunchError(f"the launcher did not answer within {patience:g} s") from error
    if answer is None:
        raise LaunchError("the launcher is gone", hint="start another")
    sock.settimeout(None)
    return answer
