"""The system calls that Python has no name for, and the walk over a process's descendants."""

from __future__ import annotations

import ctypes
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_CLONE_NEWNS: Final = 0x0002_0000
_CLONE_NEWUSER: Final = 0x1000_0000
_MS_NOSUID: Final = 1 << 1
_MS_NODEV: Final = 1 << 2
_MS_BIND: Final = 1 << 12
_MS_REC: Final = 1 << 14
_MS_SLAVE: Final = 1 << 19

PUBLIC: Final = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108 - these are what is covered
"""The directories where everybody may leave something."""

_TMPFS: Final = b"mode=1777,size=256m"
"""Each is bounded: its pages are memory that no limit of the process counts."""


def die_with_parent(signal: int, parent: int) -> None:
    """Have the kernel send ``signal`` when the thread that forked us ends; exit if it already has."""
    _prctl(_PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, instead of init."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children(pid: int) -> list[int]:
    """Processes whose parent is ``pid``; none if it is gone."""
    return _children_listed(pid) if _HAS_CHILDREN else _children_by_scan(pid)


def descendants(pid: int) -> Iterator[int]:
    """Every process below ``pid``, parents before their children."""
    found = children(pid)
    for child in found:
        yield child
        found += children(child)


def enter_private_tmp(keep: Iterable[Path]) -> None:
    """Cover the public temporary directories with empty ones that end with this process's tree.

    It takes a mount namespace and, without the capability for that, a user namespace in which one
    keeps one's own identity. The process must have one thread.

    Args:
        keep: what stays visible, at its own path, although it lies under one of them.

    Raises:
        OSError: the kernel refuses, or a mount failed; the process is of no more use then.
    """
    _unshare()
    _mount(b"none", Path("/"), None, _MS_REC | _MS_SLAVE)
    covers = sorted({cover.resolve() for cover in PUBLIC if cover.is_dir()})
    kept = [(path, os.open(path, os.O_PATH)) for path in _under(covers, keep)]
    for cover in covers:
        _mount(b"tmpfs", cover, b"tmpfs", _MS_NOSUID | _MS_NODEV, _TMPFS)
    for path, fd in kept:
        _mount_point(path, directory=stat.S_ISDIR(os.fstat(fd).st_mode))
        _mount(b"/proc/self/fd/%d" % fd, path, None, _MS_BIND | _MS_REC)
        os.close(fd)


def has_private_tmp() -> bool:
    """Whether the kernel allows :func:`enter_private_tmp`; tried in a process of its own."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            enter_private_tmp(())
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def _under(covers: list[Path], keep: Iterable[Path]) -> list[Path]:
    """The outermost of ``keep`` that exist and lie under one of ``covers``, resolved."""
    chosen: list[Path] = []
    for path in sorted({path.resolve() for path in keep}):
        hidden = any(path != cover and path.is_relative_to(cover) for cover in covers)
        if hidden and path.exists() and not any(path.is_relative_to(outer) for outer in chosen):
            chosen.append(path)
    return chosen


def _mount_point(path: Path, *, directory: bool) -> None:
    (path if directory else path.parent).mkdir(mode=0o755, parents=True, exist_ok=True)
    if not directory:
        path.touch()


def _children_listed(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def _children_by_scan(pid: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                status = Path("/proc", name, "stat").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            # The name, in parentheses, may hold anything; state and parent follow the last one.
            if int(status.rpartition(b")")[2].split()[1]) == pid:
                found.append(int(name))
    return found


def _unshare() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if _LIBC.unshare(_CLONE_NEWNS) != 0:
        _check(_LIBC.unshare(_CLONE_NEWNS | _CLONE_NEWUSER), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _mount(
    source: bytes, target: Path, kind: bytes | None, flags: int, options: bytes | None = None
) -> None:
    _check(_LIBC.mount(source, os.fsencode(target), kind, ctypes.c_ulong(flags), options), f"mount {target}")


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_LIBC.prctl(option, ctypes.c_ulong(value), zero, zero, zero), f"prctl {option}")


def _check(returned: int, what: str) -> None:
    if returned != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


_HAS_CHILDREN: Final = Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()
