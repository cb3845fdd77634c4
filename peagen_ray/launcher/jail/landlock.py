"""Landlock: which files a process may touch, whoever owns them, and which ports of TCP; from Linux 5.13 on."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Final

from peagen_ray.launcher import linux
from peagen_ray.launcher.jail import calls

_VERSION: Final = 1
_PATH_BENEATH: Final = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_MAKE_CHAR, _MAKE_BLOCK, _TRUNCATE, _IOCTL_DEV = 1 << 6, 1 << 11, 1 << 14, 1 << 15

_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files each version of the interface knows."""

NETWORK_SINCE: Final = 4
_NETWORK: Final = 3
"""Binding and connecting of TCP."""
_NET_PORT: Final = 2
_CONNECT: Final = 2

SCOPE_SINCE: Final = 6
_SCOPE: Final = 3
"""Abstract sockets and signals, of and to processes outside."""


@cache
def version() -> int:
    """The version of the kernel's interface; 0 where there is none."""
    try:
        return linux.syscall(calls.here()["landlock_create_ruleset"], 0, 0, _VERSION)
    except OSError:
        return 0


def restrict(
    readable: Iterable[str], writable: Iterable[str], devices: Iterable[str], ports: Iterable[int] = ()
) -> None:
    """Deny the calling thread, and all that it will start, every file but those beneath the given paths.

    It must have given up the right to gain privileges. What does not exist is passed over.

    Args:
        readable: may be read, and executed.
        writable: anything may be done there but making device nodes.
        devices: may be read and written, and talked to.
        ports: of TCP, of whatever machine, that may be connected to.

    Raises:
        OSError: the kernel refuses.
    """
    known = version()
    files = (1 << _RIGHTS.get(known, 16)) - 1
    network, scope = _NETWORK * (known >= NETWORK_SINCE), _SCOPE * (known >= SCOPE_SINCE)
    size = 8 if known < NETWORK_SINCE else 16 if known < SCOPE_SINCE else 24
    attributes = _buffer(struct.pack("<QQQ", files, network, scope))
    numbers = calls.here()
    ruleset = linux.syscall(numbers["landlock_create_ruleset"], attributes, size, 0)
    for paths, rights in (
        (readable, _READ),
        (writable, files & ~_MAKE_CHAR & ~_MAKE_BLOCK),
        (devices, _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV),
    ):
        for path in paths:
            with suppress(FileNotFoundError, NotADirectoryError):
                _allow(numbers["landlock_add_rule"], ruleset, path, rights & files)
    for port in ports if network else ():
        rule = _buffer(struct.pack("<QQ", _CONNECT, port))
        linux.syscall(numbers["landlock_add_rule"], ruleset, _NET_PORT, rule, 0)
    linux.syscall(numbers["landlock_restrict_self"], ruleset, 0)
    os.close(ruleset)


def _allow(number: int, ruleset: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_FILES
        linux.syscall(number, ruleset, _PATH_BENEATH, _buffer(struct.pack("<Qi", rights, fd)), 0)
    finally:
        os.close(fd)


def _buffer(raw: bytes) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(raw, len(raw))
