"""Connecting a process to a Ray cluster, without a word of Ray's on its stdout."""

from __future__ import annotations

import logging
from typing import Any, Final

import ray
from ray._private import worker

_PRINT: Final = worker.print_to_stdstream


def join(address: str, namespace: str) -> None:
    """Connect this process; raises whatever Ray does.

    What Ray has to say of its nodes and of workers that died, which it prints to stdout whatever it is told,
    goes to stderr: the stdout of a command is its answer.
    """
    worker.print_to_stdstream = on_stderr
    ray.init(address=address, namespace=namespace, log_to_driver=False, logging_level=logging.ERROR)


def on_stderr(data: dict[str, Any], ignore_prefix: bool) -> None:
    """Print lines of Ray's, as Ray does, to stderr."""
    _PRINT({**data, "is_err": True}, ignore_prefix)
