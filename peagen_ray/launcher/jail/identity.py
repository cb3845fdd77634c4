"""Who a prisoner is: nobody, with no privileges and no way to gain any."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

from peagen_ray.launcher import linux
from peagen_ray.launcher.jail import calls

_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION: Final = 0x2008_0522

NOBODY: Final = 65534

_BASE: Final = 0x7000_0000
"""Ids from here on belong to nobody; a prisoner of root takes its process id more than this."""


def apart(pid: int) -> int:
    """A user id that no other process has: so neither prisoners nor services share it."""
    return _BASE + pid


def become(uid: int) -> int:
    """Become the user ``uid``, with no group beside its own; NOBODY where there is no such id here.

    Returns:
        the user id that it has become.

    Raises:
        OSError: neither is possible.
    """
    os.setgroups([])
    try:
        os.setresgid(uid, uid, uid)
    except OSError:
        uid = NOBODY  # a user namespace around us maps only some ids
        os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    return uid


def gain_nothing() -> None:
    """Give up the right to gain privileges by executing a program."""
    linux.prctl(_PR_SET_NO_NEW_PRIVS, 1)


def renounce() -> None:
    """Give up every capability.

    The process stays visible to its own user (``dumpable``), so that whoever started it can read its memory's size.
    """
    linux.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    head = struct.pack("<Ii", _CAPABILITY_VERSION, 0)
    nothing = ctypes.create_string_buffer(24)
    linux.syscall(calls.here()["capset"], ctypes.create_string_buffer(head, len(head)), nothing)
    linux.prctl(_PR_SET_DUMPABLE, 1)
