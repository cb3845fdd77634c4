"""Which layers of isolation are really active around a process: what the kernel says, not what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from peagen_ray.errors import SandboxUnavailable
from peagen_ray.launcher.jail.policy import ALWAYS, Layer

ENCLOSED: Final = ALWAYS | {Layer.UID, Layer.NAMESPACES, Layer.PRIVATE_ROOT, Layer.PID_NAMESPACE}
"""What a guest that was executed in a sandbox must have at least."""

_APART: Final = ("net", "mnt", "ipc", "uts")
_IDENTITIES: Final = ("Uid", "Gid")
_CAPABILITIES: Final = ("CapPrm", "CapEff", "CapInh", "CapAmb")
_GROUPS: Final = Path("/sys/fs/cgroup")
_GROUP_LIMITS: Final = (
    (("memory", "memory.limit_in_bytes"), ("", "memory.max")),
    (("pids", "pids.max"), ("", "pids.max")),
)
"""The controller and the file of each limit that counts, in both versions of control groups."""

_UNLIMITED: Final = 1 << 50
"""What the kernel shows for no limit of memory is beyond this."""


def observe(pid: int) -> frozenset[str]:
    """The layers around the process ``pid``, which must be one that we may look into; unreadable is inactive."""
    process, own = Path("/proc") / str(pid), Path("/proc/self")
    checks: dict[Layer, Callable[[], bool]] = {
        Layer.NAMESPACES: lambda: all(_differ(process, own, f"ns/{kind}") for kind in _APART),
        Layer.PID_NAMESPACE: lambda: _differ(process, own, "ns/pid"),
        Layer.PRIVATE_ROOT: lambda: not (process / "root").samefile(own / "root"),
        Layer.RLIMITS: lambda: "unlimited" not in _row(process / "limits", "Max file size"),
        Layer.NO_NEW_PRIVILEGES: lambda: _status(process)["NoNewPrivs"] == "1",
        Layer.SECCOMP: lambda: _status(process)["Seccomp"] == "2",
        Layer.UID: lambda: _is_nobody(_status(process)),
        Layer.CGROUP: lambda: _is_bounded((process / "cgroup").read_text().splitlines()),
    }
    found = set()
    for layer, holds in checks.items():
        with suppress(OSError, KeyError):
            found |= {str(layer)} if holds() else set()
    return frozenset(found)


def demand(
    found: frozenset[str], wanted: Iterable[str], sandbox: str, hint: str = "", *, lax: bool = False
) -> frozenset[str]:
    """``found``, if all that is ``wanted`` is there; else raises SandboxUnavailable, unless ``lax``."""
    missing = ", ".join(sorted(set(wanted) - found))
    if missing and not lax:
        what = f"untrusted code is not run without {missing}, which it does not provide here"
        raise SandboxUnavailable(what, subject=f"sandbox {sandbox}", hint=hint or "use the sandbox process")
    return found


def _differ(process: Path, own: Path, what: str) -> bool:
    return (process / what).readlink() != (own / what).readlink()


def _row(table: Path, name: str) -> str:
    return next((line for line in table.read_text().splitlines() if line.startswith(name)), "unlimited")


def _status(process: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
    return {name: value.strip() for name, _, value in lines}


def _is_nobody(status: Mapping[str, str]) -> bool:
    """Whether it is not root, and has no capability."""
    ids = {each for name in _IDENTITIES for each in status[name].split()}
    return "0" not in ids and not any(int(status[name], 16) for name in _CAPABILITIES)


def _is_bounded(listing: Iterable[str]) -> bool:
    """Whether memory and processes are limited by the control groups of ``/proc/PID/cgroup``."""
    groups = {}
    for _, controllers, path in (line.split(":", 2) for line in listing):
        for controller in controllers.split(","):
            groups[controller] = _GROUPS / controller / path.lstrip("/")
    return all(any(_limited(groups.get(name), file) for name, file in places) for places in _GROUP_LIMITS)


def _limited(group: Path | None, file: str) -> bool:
    if group is None:
        return False
    try:
        limit = (group / file).read_text().strip()
    except OSError:
        return False
    return limit != "max" and int(limit) < _UNLIMITED
