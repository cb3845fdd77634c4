"""Which layers of isolation are really active around a process: what the kernel says of it, not what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from peagen_ray.errors import SandboxError

_NAMESPACES: Final = {
    "pid": "pid-namespace",
    "net": "network-namespace",
    "mnt": "mount-namespace",
    "ipc": "ipc-namespace",
    "uts": "uts-namespace",
    "user": "user-namespace",
    "cgroup": "cgroup-namespace",
}

ENCLOSED: Final = frozenset(
    {
        "pid-namespace",
        "network-namespace",
        "mount-namespace",
        "ipc-namespace",
        "no-capabilities",
        "no-new-privileges",
        "own-user",
    }
)
"""What a guest that was executed in a sandbox must have at least."""

_MEMORY: Final = (("memory", "memory.limit_in_bytes"), ("", "memory.max"))
_PROCESSES: Final = (("pids", "pids.max"), ("", "pids.max"))
_UNLIMITED: Final = 1 << 50
"""A limit of memory beyond this is what the kernel shows for none."""


def observe(pid: int, root: Path = Path("/proc")) -> frozenset[str]:
    """The layers around the process ``pid``.

    Namespaces that are not ours; ``no-capabilities``; ``no-new-privileges``;
    ``seccomp``; ``own-user``, it is not root, or root of a namespace alone; ``memory-cgroup`` and
    ``pids-cgroup``, a control group of its own limits those. What cannot be read is not there.
    """
    found = {name for kind, name in _NAMESPACES.items() if _apart(root, pid, kind)}
    with suppress(OSError):
        status = _fields((root / str(pid) / "status").read_text().splitlines())
        found |= {name for name, holds in _rules(status).items() if holds}
    return frozenset(found | _groups(root / str(pid) / "cgroup"))


def demand(found: frozenset[str], wanted: Iterable[str], sandbox: str, hint: str) -> frozenset[str]:
    """``found``, if all that is ``wanted`` is there; raises SandboxError else."""
    missing = sorted(set(wanted) - found)
    if missing:
        raise SandboxError(
            f"is not isolated by {', '.join(missing)}", subject=f"sandbox {sandbox}", hint=hint
        )
    return found


def _apart(root: Path, pid: int, kind: str) -> bool:
    try:
        return (root / str(pid) / "ns" / kind).readlink() != (root / "self" / "ns" / kind).readlink()
    except OSError:
        return False


def _fields(lines: Iterable[str]) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _rules(status: Mapping[str, str]) -> dict[str, bool]:
    capabilities = [int(status.get(f"Cap{kind}", "1"), 16) for kind in ("Prm", "Eff", "Amb")]
    return {
        "no-capabilities": not any(capabilities),
        "no-new-privileges": status.get("NoNewPrivs") == "1",
        "seccomp": status.get("Seccomp") == "2",
        "own-user": all(uid != "0" for uid in status.get("Uid", "0").split()),
    }


def _groups(listing: Path) -> set[str]:
    """Which limits of control groups of its own bind it."""
    with suppress(OSError):
        groups = _own_groups(listing.read_text().splitlines())
        limits = {"memory-cgroup": _MEMORY, "pids-cgroup": _PROCESSES}
        return {name for name, places in limits.items() if any(_limited(groups, *place) for place in places)}
    return set()


def _own_groups(lines: Iterable[str]) -> dict[str, Path]:
    """The directory of each controller's group; that of version 2, which has all in one, under ``""``."""
    found = {}
    for _, controllers, path in (line.split(":", 2) for line in lines):
        for controller in controllers.split(","):
            found[controller] = Path("/sys/fs/cgroup") / controller / path.lstrip("/")
    return found


def _limited(groups: Mapping[str, Path], controller: str, file: str) -> bool:
    try:
        limit = (groups[controller] / file).read_text().strip()
    except (OSError, KeyError):
        return False
    return limit != "max" and int(limit) < _UNLIMITED
