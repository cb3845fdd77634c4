"""What a freshly executed interpreter does in a sandbox before it is a guest: its last limits, and hello.

It is told what to do by an order, the first message on its channel; see :class:`Order`. Where the channel
is its standard input and output (in a container), a keeper stands between: see ``keeper``.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from peagen_ray.launcher import framing, linux
from peagen_ray.launcher.jail import calls, identity, landlock, seccomp
from peagen_ray.launcher.jail.enter import set_limit
from peagen_ray.launcher.jail.policy import Layer, Profile
from peagen_ray.launcher.jail.world import DEVICES
from peagen_ray.sandbox import guest, keeper

CHANNEL: Final = 3
"""The descriptor on which a guest speaks."""

KEPT: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "PYTHONHASHSEED")
"""What a guest keeps of the environment that it finds, beside what the order adds."""

SCRATCH: Final = "/tmp"  # noqa: S108 - the guest's own, which nobody else sees
SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - of a tree's own processes
WRITABLE: Final = (SCRATCH, SHARED_MEMORY)
FILES: Final = ("/etc/ld.so.cache", "/etc/localtime")
"""Of the system's own files, what libraries need."""

_ORDER_LIMIT: Final = 1 << 20


@dataclass(frozen=True)
class Order:
    """What the host wants of a guest.

    Attributes:
        profile: what it may do beside computing, the value of a ``Profile``.
        uid: the user and group to become; None is who it is already.
        bounds: mount options by which what can be written is bounded further; it takes the right to mount.
        hidden: directories right below the root that may not be read, of an image that brings more than a jail has.
        address_space: bytes of address space; None is no limit.
        file_bytes: bytes of the largest file.
        open_files: descriptors open at a time.
        processes: processes and threads of that user; None is no limit here.
        memory_bytes: resident memory of all its processes together; None leaves that to a control group.
        path: directories to import from, beside the standard library.
        environment: further variables.
    """

    profile: str
    uid: int | None = None
    bounds: str = ""
    hidden: tuple[str, ...] = ()
    address_space: int | None = None
    file_bytes: int | None = None
    open_files: int = 64
    processes: int | None = None
    memory_bytes: int | None = None
    path: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    def to_wire(self) -> bytes:
        """The order as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_wire(cls, message: bytes) -> Self:
        """Read what :meth:`to_wire` wrote."""
        fields = json.loads(message)
        path, hidden = tuple(fields.pop("path")), tuple(fields.pop("hidden"))
        environment = tuple(map(tuple, fields.pop("environment")))
        return cls(path=path, hidden=hidden, environment=environment, **fields)


def main(*, stdio: bool) -> None:
    """Become a guest: take the order, give up all that is not needed, say hello, and answer.

    Args:
        stdio: the channel is standard input and output, and this is the first process of its namespace.
    """
    if stdio:
        keeper.keep(CHANNEL)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=CHANNEL)
    order = Order.from_wire(framing.receive(channel, _ORDER_LIMIT))
    if order.memory_bytes is not None:
        keeper.stand_by(order.memory_bytes, order.uid)
    _furnish(order)
    _limit(order)
    place = whereabouts("self")
    layers = _confine(order)
    if not os.access(".", os.W_OK):
        sys.exit("its /tmp cannot be written: let the image have one that everybody may write (mode 1777)")
    framing.send(channel, json.dumps({"place": place, "layers": layers}).encode())
    try:
        guest.main(channel)
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001 - the outermost frame of the process: the reason goes to stderr
        traceback.print_exc()
        sys.exit(1)


def _furnish(order: Order) -> None:
    """The surroundings of every guest: an environment of few names, and output that is not held back."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(kept | dict(order.environment))
    sys.path += order.path
    sys.argv = ["guest"]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def _limit(order: Order) -> None:
    amounts = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: order.open_files,
        resource.RLIMIT_FSIZE: order.file_bytes,
        resource.RLIMIT_AS: order.address_space,
        resource.RLIMIT_NPROC: 0 if Profile(order.profile) is Profile.PURE else order.processes,
    }
    for kind, amount in amounts.items():
        if amount is not None:
            set_limit(kind, amount)


def _confine(order: Order) -> list[str]:
    """Give up identity and privileges, and put ourselves under the filter of the profile, for good.

    Returns:
        those of the layers that cannot be seen from outside.
    """
    identity.gain_nothing()
    for path in WRITABLE if order.bounds else ():
        if os.path.ismount(path):
            flags = linux.MS_REMOUNT | linux.MS_NOSUID | linux.MS_NODEV
            linux.mount("none", path, flags=flags, options=order.bounds)
    if order.uid is not None:
        identity.become(order.uid)
    if platform.machine() not in calls.ARCHITECTURES:
        return []  # the host sees that there is no filter of ours, and decides
    profile, layers = Profile(order.profile), []
    if landlock.version() and profile is not Profile.GPU:
        landlock.restrict(_readable(order.hidden), WRITABLE, DEVICES)
        layers.append(str(Layer.LANDLOCK))
    identity.renounce()
    seccomp.install(seccomp.program(profile, platform.machine(), os.getpid()))
    return layers


def _readable(hidden: tuple[str, ...]) -> list[str]:
    """What may be read: everything, or what is not hidden."""
    if not hidden:
        return ["/"]
    return [*FILES, *({str(path) for path in Path("/").iterdir()} - set(hidden))]


def whereabouts(process: str) -> dict[str, str]:
    """Which kernel a process runs on, and in which process-id namespace; nothing if it is not to be seen."""
    facts = {}
    with suppress(OSError):
        facts["namespace"] = str(Path(f"/proc/{process}/ns/pid").readlink())
        facts["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return facts
