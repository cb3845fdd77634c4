"""Seccomp: which system calls a prisoner may make, as a program for the kernel's filter machine.

What is not listed does not exist (ENOSYS), so a call that a later kernel brings is refused before anybody
has heard of it. What ordinary libraries try, such as opening a socket, is refused with an error; what only an
attack tries ends the process (SIGSYS).
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from peagen_ray.launcher import linux
from peagen_ray.launcher.jail import calls
from peagen_ray.launcher.jail.policy import Profile

_LD, _JEQ, _JGT, _JGE, _JSET, _RET = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16
"""Offsets in ``struct seccomp_data``; arguments take eight bytes each, the low half first."""

ALLOW: Final = 0x7FFF_0000
KILL: Final = 0x8000_0000
_ERRNO: Final = 0x0005_0000

_AUDIT: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_X32: Final = 0x4000_0000

_CLONE_THREAD: Final = 0x0001_0000
_CLONE_NAMESPACES: Final = 0x7E02_0080
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_TERMINAL_IOCTLS: Final = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which put words into a terminal's mouth."""

_OWNER_IOCTLS: Final = (0x8901, 0x8902)
_OWNER_FCNTLS: Final = (8, 10, 15)
"""FIOSETOWN, SIOCSPGRP; F_SETOWN, F_SETSIG, F_SETOWN_EX: with these the kernel sends signals on a prisoner's behalf."""

_PRCTL_ALLOWED: Final = (3, 15, 16, 21, 23, 0x5356_4D41)
"""PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_SET_VMA."""

_SECCOMP_SET_MODE_FILTER: Final = 1
_TSYNC: Final = 1

Instruction = tuple[int, int, int, int]


def program(profile: Profile, machine: str, pid: int, *, network: bool = False, local: bool = True) -> bytes:
    """The filter for one prisoner.

    Args:
        profile: what it may do.
        machine: as ``platform.machine()`` says it.
        pid: its own process id, as it sees that itself: the only process that it may signal. A ``tree`` or
            ``gpu`` has a process-id namespace or control group around it instead.
        network: whether a ``tree`` or ``gpu`` may have internet sockets.
        local: whether it may have sockets of this machine's that have a name.
    """
    numbers = calls.numbers(machine)
    code: list[Instruction] = [
        (_LD, 0, 0, _ARCH),
        (_JEQ, 1, 0, _AUDIT[machine]),
        _ret(KILL),
        (_LD, 0, 0, _NR),
    ]
    if machine == "x86_64":
        code += [(_JGE, 0, 1, _X32), _ret(KILL)]
    families = [_AF_UNIX] * local + [_AF_INET, _AF_INET6] * network
    for name, block in _examined(profile, pid, families):
        if name in numbers:
            code += [(_JEQ, 0, len(block), numbers[name]), *block]
    for names, action in _plain(profile):
        code += _ranges([numbers[name] for name in names if name in numbers], action)
    code.append(_error(errno.ENOSYS))
    return b"".join(struct.pack("<HBBI", *each) for each in code)


def install(filters: bytes) -> None:
    """Put the calling process, and all it will start, under a filter for good; raises OSError."""
    buffer = ctypes.create_string_buffer(filters, len(filters))
    head = struct.pack("HxxxxxxQ", len(filters) // 8, ctypes.addressof(buffer))
    linux.syscall(
        calls.here()["seccomp"],
        _SECCOMP_SET_MODE_FILTER,
        _TSYNC,
        ctypes.create_string_buffer(head, len(head)),
    )


def _plain(profile: Profile) -> Iterable[tuple[Iterable[str], int]]:
    tree = profile in (Profile.TREE, Profile.GPU)
    allowed = set(calls.COMMON)
    allowed |= calls.SOCKETS if tree else set()
    allowed |= calls.PROCESSES if tree else set()
    allowed |= calls.DEVICES if profile is Profile.GPU else set()
    refused = (calls.SOCKETS | calls.PROCESSES | calls.DEVICES | calls.REFUSED) - allowed
    yield allowed, ALLOW
    yield calls.ATTACKS, KILL
    yield refused, _ERRNO | errno.EPERM


def _examined(profile: Profile, pid: int, families: Sequence[int]) -> Iterable[tuple[str, list[Instruction]]]:
    """Calls that are allowed or not by their arguments."""
    yield (
        "clone3",
        [_error(errno.ENOSYS)],
    )  # its flags lie in memory, out of our sight: libc falls back to clone
    tree = profile in (Profile.TREE, Profile.GPU)
    if tree:
        yield "clone", [_argument(0), (_JSET, 0, 1, _CLONE_NAMESPACES), _error(errno.EPERM), _ret(ALLOW)]
        yield "socket", _only(0, families, errno.EAFNOSUPPORT)
    else:
        thread = ALLOW if profile is Profile.THREADS else _ERRNO | errno.EAGAIN
        yield (
            "clone",
            [
                _argument(0),
                (_JSET, 2, 0, _CLONE_NAMESPACES),
                (_JSET, 0, 1, _CLONE_THREAD),
                _ret(thread),
                _error(errno.EPERM),
            ],
        )
        for name in ("kill", "tgkill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
            yield name, _only(0, [pid], errno.EPERM)
    yield "prlimit64", _only(0, [0], errno.EPERM)
    yield "socketpair", _only(0, [_AF_UNIX], errno.EAFNOSUPPORT)
    yield "prctl", _only(0, _PRCTL_ALLOWED, errno.EPERM)
    yield "ioctl", _none_of(1, (*_TERMINAL_IOCTLS, *_OWNER_IOCTLS), errno.EPERM)
    yield "fcntl", _none_of(1, _OWNER_FCNTLS, errno.EPERM)


def _only(argument: int, values: Sequence[int], error: int) -> list[Instruction]:
    """Allow the call if the argument is one of those values."""
    tests = [(_JEQ, len(values) - number, 0, value) for number, value in enumerate(values)]
    return [_argument(argument), *tests, _error(error), _ret(ALLOW)]


def _none_of(argument: int, values: Sequence[int], error: int) -> list[Instruction]:
    tests = [(_JEQ, len(values) - number, 0, value) for number, value in enumerate(values)]
    return [_argument(argument), *tests, _ret(ALLOW), _error(error)]


def _ranges(numbers: Iterable[int], action: int) -> list[Instruction]:
    """The action for those calls, neighbours in one step."""
    code: list[Instruction] = []
    for _, run in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        if len(found) == 1:
            code += [(_JEQ, 0, 1, found[0]), _ret(action)]
        else:
            code += [(_JGE, 0, 2, found[0]), (_JGT, 1, 0, found[-1]), _ret(action)]
    return code


def _argument(number: int) -> Instruction:
    return (_LD, 0, 0, _ARGS + 8 * number)


def _ret(action: int) -> Instruction:
    return (_RET, 0, 0, action)


def _error(number: int) -> Instruction:
    return _ret(_ERRNO | number)
