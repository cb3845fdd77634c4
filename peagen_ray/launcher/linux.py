"""The system calls that Python has no name for, and the walk over a process's descendants."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_LIBC.mount.argtypes = [*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p]
_LIBC.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_LIBC.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWCGROUP: Final = 0x0200_0000
CLONE_NEWUTS: Final = 0x0400_0000
CLONE_NEWIPC: Final = 0x0800_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000
CLONE_NEWNET: Final = 0x4000_0000

_MNT_DETACH: Final = 2
MS_RDONLY: Final = 1 << 0
MS_NOSUID: Final = 1 << 1
MS_NODEV: Final = 1 << 2
MS_NOEXEC: Final = 1 << 3
MS_REMOUNT: Final = 1 << 5
MS_BIND: Final = 1 << 12
MS_REC: Final = 1 << 14
MS_PRIVATE: Final = 1 << 18
MS_SLAVE: Final = 1 << 19


def die_with_parent(signal: int, parent: int) -> None:
    """Have the kernel send ``signal`` when the thread that forked us ends; exit if it already has."""
    prctl(PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, instead of init."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children(pid: int) -> list[int]:
    """Processes whose parent is ``pid``; none if it is gone."""
    return _children_listed(pid) if _HAS_CHILDREN else _children_by_scan(pid)


def descendants(pid: int) -> Iterator[int]:
    """Every process below ``pid``, parents before their children."""
    found = children(pid)
    for child in found:
        yield child
        found += children(child)


def own_children() -> Callable[[], list[int]]:
    """What lists the children of the calling thread, for as long as it lives, at little cost."""
    if not _HAS_CHILDREN:
        return partial(_children_by_scan, os.getpid())
    listing = os.open("/proc/thread-self/children", os.O_RDONLY | os.O_CLOEXEC)
    return partial(_read_children, listing)


def unshare_mounts() -> None:
    """Enter a mount namespace of our own; nothing that is mounted here is seen outside.

    Without the capability for that it takes a user namespace too, in which one keeps one's own
    identity; then the process must have one thread.

    Raises:
        OSError: the kernel refuses.
    """
    own = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWNS)
    except OSError:
        unshare(CLONE_NEWNS | CLONE_NEWUSER)
        map_ids(own, own)
    mount("none", "/", flags=MS_REC | MS_SLAVE)


def unshare(namespaces: int) -> None:
    """Enter new namespaces (``CLONE_NEW…``); raises OSError."""
    _check(_LIBC.unshare(namespaces), "unshare")


def join(namespace: int, kind: int = 0) -> None:
    """Enter the namespace that a descriptor stands for; raises OSError."""
    _check(_LIBC.setns(namespace, kind), "setns")


def map_ids(inside: tuple[int, int], outside: tuple[int, int]) -> None:
    """In a new user namespace: say which user and group we are there, and were before; raises OSError."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside[0]} {outside[0]} 1")
    Path("/proc/self/gid_map").write_text(f"{inside[1]} {outside[1]} 1")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """The call ``mount(2)``."""
    returned = _LIBC.mount(os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode())
    _check(returned, f"mount {target}")


def unmount(target: str) -> None:
    """Take what is mounted at ``target`` out of sight at once (``MNT_DETACH``)."""
    _check(_LIBC.umount2(os.fsencode(target), _MNT_DETACH), f"umount {target}")


def syscall(number: int, *arguments: int | bytes | ctypes.Array[Any]) -> int:
    """A system call that has no function of its own; integers go as longs, buffers by address.

    Raises:
        OSError: it failed.
    """
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    returned: int = _LIBC.syscall(ctypes.c_long(number), *words)
    if returned == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"system call {number}: {os.strerror(code)}")
    return returned


def prctl(option: int, value: int = 0, third: int = 0) -> None:
    """The call ``prctl(2)``; raises OSError."""
    _check(_LIBC.prctl(option, value, third, 0, 0), f"prctl {option}")


def _children_listed(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_bytes().split())
    return found


def _read_children(listing: int) -> list[int]:
    text = b""
    while more := os.pread(listing, 65536, len(text)):
        text += more
    return [int(pid) for pid in text.split()]


def _children_by_scan(pid: int) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            status = (process / "stat").read_bytes()
            # The name, in parentheses, may hold anything; state and parent follow the last one.
            if int(status.rpartition(b")")[2].split()[1]) == pid:
                found.append(int(process.name))
    return found


def _check(returned: int, what: str) -> None:
    if returned != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


_HAS_CHILDREN: Final = Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()
"""Not every kernel is configured to list children."""
