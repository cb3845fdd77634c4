"""What is wanted of a jail: the profile, the bounds, and the layers that may not be missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, Self

from peagen_ray.errors import LackingLayer


class Profile(StrEnum):
    """What a jailed process may do beside computing."""

    PURE = "pure"
    """One thread, no fork, no exec."""
    THREADS = "threads"
    """Threads too; no fork, no exec."""
    TREE = "tree"
    """Threads, fork and exec, within a process-id namespace of its own."""
    GPU = "gpu"
    """As ``tree``, with the device nodes of GPUs and no limit of address space: containment only."""

    @property
    def forks(self) -> bool:
        """Whether it may have further processes."""
        return self in (Profile.TREE, Profile.GPU)


class Layer(StrEnum):
    """One measure of isolation."""

    RLIMITS = "rlimits"
    NO_NEW_PRIVILEGES = "no-new-privileges"
    UID = "uid"
    SECCOMP = "seccomp"
    LANDLOCK = "landlock"
    NAMESPACES = "namespaces"
    PRIVATE_ROOT = "private-root"
    PID_NAMESPACE = "pid-namespace"
    CGROUP = "cgroup"


_REMEDIES: Final = {
    Layer.UID: "let the launcher change its user id (CAP_SETUID), or run it as an ordinary user",
    Layer.SECCOMP: "use a kernel with CONFIG_SECCOMP_FILTER",
    Layer.LANDLOCK: "use Linux 5.13 or later with landlock among its security modules (boot option lsm=); "
    "[execute] ports takes Linux 6.7",
    Layer.NAMESPACES: "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1), or "
    "install bubblewrap or podman and use that sandbox",
    Layer.PRIVATE_ROOT: "allow user namespaces, or use the sandbox `container`",
    Layer.PID_NAMESPACE: "allow user namespaces, or use the sandbox `container`",
    Layer.CGROUP: "run where a memory control group can be made (root, or a delegated cgroup v2)",
}

ALWAYS: Final = frozenset({Layer.RLIMITS, Layer.NO_NEW_PRIVILEGES, Layer.SECCOMP})
"""Layers that every jail has to have."""

_FILES: Final = frozenset({Layer.LANDLOCK, Layer.PRIVATE_ROOT})
"""One of these has to keep files apart."""


@dataclass(frozen=True)
class Jail:
    """What a process is to be kept within.

    Attributes:
        profile: what it may do.
        memory_bytes: memory of it, and of all its processes together where it may have several.
        scratch_bytes: what it may write to files in all.
        processes: processes and threads at a time.
        readable: paths beside Python's own libraries that it may read.
        require: layers that may not be missing, beside those that no jail goes without.
        lax: go without any layer that is not to be had here, in place of refusing.
        ports: of TCP, of whatever machine, that it may connect to, in the profiles that fork; with one it is in the
            machine's own network, and sends datagrams too, since names are asked for with these.
        gpus: whose device nodes it sees in the profile ``gpu``, by index or UUID; None is those of all.
    """

    profile: Profile = Profile.PURE
    memory_bytes: int = 1 << 30
    scratch_bytes: int = 64 << 20
    processes: int = 64
    readable: tuple[str, ...] = ()
    require: frozenset[Layer] = frozenset()
    lax: bool = False
    ports: tuple[int, ...] = ()
    gpus: tuple[str, ...] | None = None

    def check(self, active: Collection[Layer], *, root: bool) -> None:
        """Refuse to go on without a layer that is demanded.

        Args:
            active: what there is.
            root: whether it was started by root, who has to become somebody else.

        Raises:
            LackingLayer: names the layers, and what to do about them.
        """
        if self.lax:
            return
        demanded = ALWAYS | self.require | ({Layer.UID} if root else set())
        demanded |= {Layer.PID_NAMESPACE} if self.profile.forks else set()
        demanded |= {Layer.LANDLOCK} if self.ports else set()
        missing = sorted(demanded - set(active))
        if not missing and not _FILES & set(active):
            missing = sorted(_FILES)
        if missing:
            remedies = "; ".join(dict.fromkeys(_REMEDIES[layer] for layer in missing if layer in _REMEDIES))
            raise LackingLayer(
                f"untrusted code is not run without {' or '.join(missing)}, which this machine lacks",
                hint=f"{remedies}, or go without at your own risk: --unsafe",
            )

    def to_wire(self) -> dict[str, Any]:
        """Its JSON form."""
        lists = {"readable": list(self.readable), "ports": list(self.ports)}
        return {**asdict(self), **lists, "require": sorted(self.require)}

    @classmethod
    def from_wire(cls, fields: dict[str, Any]) -> Self:
        """Read what :meth:`to_wire` made; raises ValueError, TypeError or KeyError."""
        made = {
            "profile": Profile(fields["profile"]),
            "readable": tuple(map(str, fields["readable"])),
            "ports": tuple(map(int, fields["ports"])),
            "require": frozenset(map(Layer, fields["require"])),
            "gpus": None if fields["gpus"] is None else tuple(map(str, fields["gpus"])),
        }
        return cls(**{**fields, **made})
