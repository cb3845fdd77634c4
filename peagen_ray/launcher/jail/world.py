"""The world of prisoners: namespaces with a private root, made once by a launcher and joined by each of them.

The root holds Python's libraries, read-only, some harmless devices, and an empty scratch directory of each
prisoner's own. There is no network, not even a loopback that is up, unless it is asked for, and no ``/proc``.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import stat
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from peagen_ray.launcher import linux
from peagen_ray.launcher.jail import calls
from peagen_ray.launcher.jail.identity import NOBODY

SCRATCH: Final = "/scratch"
"""A prisoner's own; ``/tmp`` is another name of it, unless code lies there."""

DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

_NAMESPACES: Final = linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWCGROUP

_NAMES: Final = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls",
    "/etc/pki/ca-trust/extracted",
)
"""What names of machines are looked up by, and who may vouch for them."""
_LINKS: Final = {  # where there is nothing of that name already
    "/tmp": SCRATCH,  # noqa: S108
    "/var/tmp": SCRATCH,  # noqa: S108
    "/dev/shm": SCRATCH,  # noqa: S108
    "/dev/fd": "/proc/self/fd",
}
_SITE: Final = "/tmp"  # noqa: S108
"""Where the root is built: covered, in a namespace of its own."""

_INODES_PER_MB: Final = 256
_LEAST_INODES: Final = 1024
_LIFTED: Final = 64
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_READ_ONLY: Final = 1 | 2 | 4
"""MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV."""


class World:
    """Namespaces to join. Raises OSError when they cannot be made.

    Args:
        code: paths to be seen there, read-only.
        devices: device nodes to be seen there beside the harmless ones.
        network: whether they are in this machine's network, and see what names are looked up by.
    """

    def __init__(self, code: Iterable[str], devices: Sequence[str] = (), *, network: bool = False) -> None:
        self._apart = 0 if network else linux.CLONE_NEWNET
        visible = {*code, *(_NAMES if network else ()), *(_targets(_NAMES) if network else ())}
        self._user: int | None = None
        self._others: list[int] = []
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            pid = os.fork()
            if pid == 0:
                _build(theirs, sorted(visible), (*DEVICES, *devices), _NAMESPACES | self._apart)
            theirs.close()
            message, fds, _, _ = socket.recv_fds(ours, 4096, 8)
            os.waitpid(pid, 0)
        if not fds:
            raise OSError(f"no namespaces: {message.decode(errors='replace') or 'the builder died'}")
        # Above the places where a child's descriptors go.
        lifted = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LIFTED) for fd in fds]
        for fd in fds:
            os.close(fd)
        if message == b"user":
            self._user = lifted.pop(0)
        self._others = lifted

    @property
    def descriptors(self) -> frozenset[int]:
        """What has to stay open until :meth:`enter`."""
        return frozenset(self._others) | (frozenset() if self._user is None else {self._user})

    @property
    def rootless(self) -> bool:
        """Whether it has a user namespace, in which everybody is nobody already."""
        return self._user is not None

    def enter(self, scratch_bytes: int, *, alone: bool) -> None:
        """Go in, with a scratch directory of one's own, which becomes the working directory.

        Args:
            scratch_bytes: what that holds.
            alone: with a process-id and, where there is no network, a network namespace of one's own; the next fork is
                its first process.
        """
        if self._user is not None:
            linux.join(self._user, linux.CLONE_NEWUSER)
        for fd in self._others:
            linux.join(fd)
        linux.unshare(linux.CLONE_NEWNS | (linux.CLONE_NEWPID | self._apart) * alone)
        if self._user is not None and not alone:
            linux.unmount("/proc")
        options = f"mode=777,{bounds(scratch_bytes)}"
        linux.mount("tmpfs", SCRATCH, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
        os.chdir(SCRATCH)
        for fd in self.descriptors:
            os.close(fd)


def bounds(scratch_bytes: int) -> str:
    """The mount options that bound a scratch directory in memory, and how many files it may have."""
    inodes = max(_LEAST_INODES, _INODES_PER_MB * (scratch_bytes >> 20))
    return f"size={scratch_bytes},nr_inodes={inodes}"


def show_processes() -> bool:
    """Mount the ``/proc`` of a process-id namespace, as its first process; whether that is allowed."""
    try:
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    except OSError:
        return False
    return True


def _targets(paths: Iterable[str]) -> set[str]:
    """What those of them that are links lead to."""
    return {str(Path(path).resolve()) for path in paths if Path(path).is_symlink()}


def _build(
    channel: socket.socket, visible: Sequence[str], devices: Sequence[str], namespaces: int
) -> NoReturn:
    """In a process of its own: make the namespaces, and hand them over."""
    os.umask(0o022)  # in a task's own process it is stricter, and nobody could pass the root's directories
    try:
        rootless = _leave(namespaces)
        _make_root(visible, devices, processes=rootless)
        socket.sethostname("sandbox")
        net = ["net"] if namespaces & linux.CLONE_NEWNET else []
        names = (["user"] if rootless else []) + [*net, "ipc", "uts", "cgroup", "mnt"]
        fds = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in names[:-1]]
        # The root changes last, and with it what ``/proc`` is.
        own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        _pivot()
        socket.send_fds(channel, [b"user" if rootless else b"root"], [*fds, own])
    except (OSError, ValueError) as error:
        channel.send(str(error).encode()[:4000])
    finally:
        os._exit(0)


def _leave(namespaces: int) -> bool:
    """Enter new namespaces; whether that took a user namespace."""
    own = os.geteuid(), os.getegid()
    try:
        linux.unshare(namespaces)
    except OSError:
        linux.unshare(namespaces | linux.CLONE_NEWUSER)
        linux.map_ids((NOBODY, NOBODY), own)
        return True
    return False


def _make_root(visible: Sequence[str], devices: Sequence[str], *, processes: bool) -> None:
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    links = {path: str(Path(path).readlink()) for path in visible if Path(path).is_symlink()}
    opened = _opened(visible, set(links))
    nodes = _opened([*devices, *(["/proc"] if processes else [])], set())
    linux.mount("tmpfs", _SITE, "tmpfs", linux.MS_NOSUID, "mode=755,size=4m")
    root = Path(_SITE)
    for path, fd in opened:
        _bind(root, path, fd)
    for path, fd in nodes:
        _mount_point(root, path, directory=stat.S_ISDIR(os.fstat(fd).st_mode))
    for directory in (SCRATCH, "/proc", "/var", "/dev"):
        _mount_point(root, directory, directory=True)
    for link, target in {**links, **_LINKS}.items():
        where = root / link.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            where.symlink_to(target)
    _make_read_only(_SITE)
    for path, fd in nodes:
        _bind(root, path, fd)


def _opened(paths: Iterable[str], but: set[str]) -> list[tuple[str, int]]:
    """Descriptors of those that exist, outer ones first, without what lies in another."""
    found: list[tuple[str, int]] = []
    for path in sorted(set(paths) - but):
        if any(path.startswith(f"{outer}/") for outer, _ in found):
            continue
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            found.append((path, os.open(path, os.O_PATH | os.O_CLOEXEC)))
    return found


def _bind(root: Path, path: str, fd: int) -> None:
    place = _mount_point(root, path, directory=stat.S_ISDIR(os.fstat(fd).st_mode))
    linux.mount(f"/proc/self/fd/{fd}", str(place), flags=linux.MS_BIND | linux.MS_REC)
    os.close(fd)


def _mount_point(root: Path, path: str, *, directory: bool) -> Path:
    place = root / path.lstrip("/")
    (place if directory else place.parent).mkdir(parents=True, exist_ok=True)
    if not directory and not place.exists():
        place.touch()
    return place


def _make_read_only(path: str) -> None:
    """Everything below as well, whatever is mounted there (``mount_setattr``, Linux 5.12)."""
    attributes = struct.pack("<QQQQ", _READ_ONLY, 0, 0, 0)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    linux.syscall(
        calls.here()["mount_setattr"], _AT_FDCWD, path.encode(), _AT_RECURSIVE, buffer, len(attributes)
    )


def _pivot() -> None:
    os.chdir(_SITE)
    linux.syscall(calls.here()["pivot_root"], b".", b".")
    linux.unmount(".")
    os.chdir("/")
