"""The way in: what a freshly forked process does to become a prisoner, layer by layer."""

from __future__ import annotations

import json
import os
import platform
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, NoReturn

from peagen_ray.errors import LackingLayer
from peagen_ray.launcher import linux
from peagen_ray.launcher.jail import identity, landlock, seccomp
from peagen_ray.launcher.jail.cgroup import Group, Groups
from peagen_ray.launcher.jail.gpus import device_nodes
from peagen_ray.launcher.jail.init import fork_tree
from peagen_ray.launcher.jail.policy import Jail, Layer, Profile
from peagen_ray.launcher.jail.world import DEVICES, SCRATCH, World

_ANY_PID: Final = 0x0BAD_F00D
"""Stands for a prisoner's own process id in a filter that was made beforehand."""

_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""What keeps numeric libraries from starting threads of their own."""

_PROGRAMS: Final = ("/usr/local/bin", "/usr/bin", "/bin")
_OPEN_FILES: Final = 64
_OPEN_FILES_OF_TREES: Final = 1024


class Warden:
    """Makes the worlds of one launcher, and takes processes into them."""

    def __init__(self, code: Sequence[str]) -> None:
        self._code = tuple(code)
        self._groups: Groups | None = None
        self._worlds: dict[tuple[tuple[str, ...], tuple[str, ...], bool], World | None] = {}

    def world(self, jail: Jail) -> World | None:
        """The world of such prisoners, made when first asked for; None where the kernel refuses.

        Raises:
            LackingLayer: a GPU that they are to have is not there.
        """
        devices = _devices(jail)
        network = _is_networked(jail)
        key = (jail.readable, devices, network)
        if key not in self._worlds:
            _filter(jail.profile, network)  # what is found out here, no prisoner has to
            landlock.version()
            try:
                self._worlds[key] = World([*self._code, *jail.readable], devices, network=network)
            except OSError:
                self._worlds[key] = None
        return self._worlds[key]

    def group(self, jail: Jail) -> Group | None:
        """A control group for one tree; None where there can be none, or one process is all that there will be."""
        if not jail.profile.forks:
            return None
        self._groups = self._groups or Groups()
        return self._groups.make(jail.memory_bytes, jail.processes)

    @property
    def code(self) -> tuple[str, ...]:
        """What prisoners may read."""
        return self._code


def imprison(
    jail: Jail, warden: Warden, group: Group | None, scratch: Path, server: int, connection: int
) -> list[str]:
    """Take this process, freshly forked and with one thread, into jail.

    In a ``tree`` it returns in the second process of a process-id namespace; the process that was forked stays
    outside, tells on ``connection`` what comes of it, and ends as it ends.

    Args:
        jail: what is wanted.
        warden: the launcher's.
        group: its control group, if it has one.
        scratch: its scratch directory, used where there is no private root.
        server: process id of the fork server.
        connection: descriptor on which the launcher's user is told that it has started.

    Returns:
        the layers that are active.

    Raises:
        LackingLayer: a layer that is demanded is not to be had.
        OSError: the kernel refuses.
    """
    root, pid = os.geteuid() == 0, os.getpid()
    world, devices = warden.world(jail), _devices(jail)  # in there nothing tells one GPU from another
    layers = {Layer.RLIMITS, Layer.NO_NEW_PRIVILEGES}
    if group is not None:
        group.join()
        layers.add(Layer.CGROUP)
    if world is None:
        _give_away(scratch, identity.apart(pid)) if root else None
    else:
        layers |= {Layer.NAMESPACES, Layer.PRIVATE_ROOT}
        world.enter(jail.scratch_bytes, alone=jail.profile.forks)
    if jail.profile.forks and world is not None:
        _fork_tree(connection, None if group else jail.memory_bytes)
        layers.add(Layer.PID_NAMESPACE)
    _limit(jail, own_user=root or world is not None)
    identity.gain_nothing()
    if landlock.version():
        _lock_files(world, warden, jail, scratch, (*DEVICES, *devices))
        if landlock.version() >= landlock.NETWORK_SINCE or not _is_networked(jail):
            layers.add(Layer.LANDLOCK)
    if root and _become_nobody(pid):
        layers.add(Layer.UID)
    identity.renounce()
    # After the system calls that change who we are: some of those reset it.
    if Layer.PID_NAMESPACE not in layers:
        linux.die_with_parent(signal.SIGKILL, server)
    _forget(warden.code, jail.readable)
    if _filter_calls(jail):
        layers.add(Layer.SECCOMP)
    jail.check(layers, root=root)
    _check_code()
    return sorted(layers)


def _is_networked(jail: Jail) -> bool:
    return bool(jail.ports) and jail.profile.forks


def _filter_calls(jail: Jail) -> bool:
    """Whether the kernel takes the filter."""
    own = os.getpid().to_bytes(4, "little")
    try:
        seccomp.install(
            _filter(jail.profile, _is_networked(jail)).replace(_ANY_PID.to_bytes(4, "little"), own)
        )
    except OSError:
        return False
    return True


def _check_code() -> None:
    """Raises LackingLayer where this user cannot read what Python has yet to import."""
    if not os.access(os.__file__, os.R_OK):
        raise LackingLayer(
            "a jailed process, which is nobody, cannot read Python's own libraries here",
            subject=os.__file__,
            hint="let everybody read them (chmod), or allow namespaces, which need no more than root's own right",
        )


@lru_cache
def _filter(profile: Profile, network: bool) -> bytes:
    # In the machine's own network its sockets with abstract names could be reached too.
    local = not network or landlock.version() >= landlock.SCOPE_SINCE
    return seccomp.program(profile, platform.machine(), _ANY_PID, network=network, local=local)


def _devices(jail: Jail) -> tuple[str, ...]:
    """Device nodes that such prisoners see beside the harmless ones."""
    return device_nodes(jail.gpus) if jail.profile is Profile.GPU else ()


def _give_away(scratch: Path, uid: int) -> None:
    with suppress(OSError):
        os.chown(scratch, uid, uid)


def _become_nobody(pid: int) -> bool:
    """Whether we are somebody else now than root."""
    try:
        identity.become(identity.apart(pid))
    except OSError:
        return False
    return True


def _limit(jail: Jail, *, own_user: bool) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_FSIZE: jail.scratch_bytes,
        resource.RLIMIT_NOFILE: _OPEN_FILES_OF_TREES if jail.profile.forks else _OPEN_FILES,
    }
    if jail.profile is not Profile.GPU:
        limits[resource.RLIMIT_AS] = jail.memory_bytes
    if own_user and jail.profile is not Profile.PURE:
        limits[resource.RLIMIT_NPROC] = jail.processes  # of a user that has nothing else running
    for kind, amount in limits.items():
        set_limit(kind, amount)


def set_limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Set a resource limit, or what is allowed of it."""
    hard = soft if hard is None else hard
    _, ceiling = resource.getrlimit(kind)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def _lock_files(
    world: World | None, warden: Warden, jail: Jail, scratch: Path, devices: Sequence[str]
) -> None:
    ports = jail.ports if _is_networked(jail) else ()
    if world is None:
        landlock.restrict((*warden.code, *jail.readable), (str(scratch),), devices, ports)
    else:
        landlock.restrict(("/",), (SCRATCH,), devices, ports)


def _forget(code: Sequence[str], readable: Sequence[str]) -> None:
    """Leave nothing in the interpreter that tells of the world outside; what is let in stays on the path."""
    seen = tuple(f"{path}/" for path in code)
    hidden = [entry for entry in sys.path if not f"{entry}/".startswith(seen)]
    for entry in hidden:
        sys.path.remove(entry)
        sys.path_importer_cache.pop(entry, None)
    sys.orig_argv[:] = sys.argv[:1]
    let_in = tuple(f"{path}/" for path in readable)
    known = [entry for entry in os.environ.get("PATH", "").split(":") if f"{entry}/".startswith(let_in)]
    os.environ["PATH"] = ":".join([f"{sys.prefix}/bin", *known, *_PROGRAMS])
    os.environ.update(_ONE_THREAD)
    os.environ["HOME"] = os.environ["TMPDIR"] = str(Path.cwd())


def _fork_tree(connection: int, memory_bytes: int | None) -> None:
    """Return in the second process of a process-id namespace, whose ``connection`` leads to the process outside."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ended, report = os.pipe()
    pid = os.fork()
    if pid:
        theirs.close()
        os.close(report)
        _stand_outside(pid, ours, ended, connection)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    ours.close()
    os.close(ended)
    fork_tree(report, memory_bytes)
    os.dup2(theirs.fileno(), connection, inheritable=False)
    theirs.close()


def _stand_outside(pid: int, inside: socket.socket, ended: int, connection: int) -> NoReturn:
    """Hand on what the tree says of its start, with its process id as it is out here; end as it ends."""
    status = 1 << 8
    try:
        for fd in range(4):  # its streams and its channel
            with suppress(OSError):
                os.close(fd)
        message, ancillary, _, _ = inside.recvmsg(4096, socket.CMSG_SPACE(12))
        inside.close()
        if message:
            answer = json.loads(message)
            if "pid" in answer:
                (answer["pid"],) = (int.from_bytes(data[:4], sys.byteorder) for _, _, data in ancillary)
            os.write(connection, json.dumps(answer).encode())
        os.close(connection)
        status = int(os.read(ended, 64) or status)
        os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(
                status
            ) != signal.SIGKILL else None
            os.kill(os.getpid(), os.WTERMSIG(status))
    finally:
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
