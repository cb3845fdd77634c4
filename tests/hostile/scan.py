"""Before and after: what a program may leave on a machine, so that it can be seen that it left nothing.

Everything that the corpus leaves on purpose is called :data:`LEFT_BEHIND` or has its key. Processes are known by a
variable that our launchers pass on to all they start, and that can be read from outside.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from peagen_ray.launcher import linux
from peagen_ray.launcher.jail import cgroup

LEFT_BEHIND: Final = "left-behind"

MARK: Final = "LC_PEAGEN_SCAN"
"""Its value is the process id of whoever looks; the launcher lets variables of that beginning pass."""

_PLACES: Final = (
    "/",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/dev/mqueue",
    "/run",
    "/root",
    "/home",
    "/etc",
    "/usr",
)

_PAUSE_S: Final = 0.02

Traces = Mapping[str, frozenset[str]]


def traces(*workspaces: Path) -> Traces:
    """Everything that is there now, by kind.

    Args:
        workspaces: directories of ours, scanned to the bottom.
    """
    return {
        "processes": frozenset(_processes()),
        "descriptors": frozenset(_descriptors()),
        "mounts": frozenset(_mounts()),
        "files": frozenset(_files(workspaces)),
        "segments": frozenset(
            f"{kind} {line.split()[0]} {line.split()[1]}"
            for kind in ("shm", "sem", "msg")
            for line in _lines(f"/proc/sysvipc/{kind}")[1:]
        ),
        "sockets": frozenset(
            line.split()[-1] for line in _lines("/proc/net/unix") if line.endswith(f"@{LEFT_BEHIND}")
        ),
        "control groups": frozenset(_control_groups()),
    }


def left(before: Traces, *workspaces: Path, patience_s: float = 20.0) -> dict[str, list[str]]:
    """What is there and was not there before; empty if nothing is.

    What has just ended may take a moment: a launcher lets go of a child after it has told us that it is dead.
    """
    deadline = time.monotonic() + patience_s
    while True:
        now = traces(*workspaces)
        found = {kind: sorted(now[kind] - before[kind]) for kind in before if now[kind] - before[kind]}
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(_PAUSE_S)


def _processes() -> Iterator[str]:
    """Those that descend from us or came out of a launcher of ours, wherever they hide."""
    mark = f"{MARK}={os.getpid()}".encode()
    kin = set(linux.descendants(os.getpid()))
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            pid = int(entry.name)
            marked = mark in (entry / "environ").read_bytes().split(b"\0")
            if pid != os.getpid() and (marked or pid in kin):
                yield f"{pid} {(entry / 'comm').read_text().strip()}"


def _descriptors() -> Iterator[str]:
    """Those of ours and of what descends from us, as far as we may look."""
    for pid in (os.getpid(), *linux.descendants(os.getpid())):
        with suppress(OSError):
            yield from (f"{pid} {fd.name} {fd.readlink()}" for fd in Path(f"/proc/{pid}/fd").iterdir())


def _mounts() -> Iterator[str]:
    """All but those of container engines, which others may use meanwhile, and which are asked for what is theirs."""
    for line in _lines("/proc/self/mountinfo"):
        if "/containers/" not in (place := line.split()[4]):
            yield place


def _files(workspaces: tuple[Path, ...]) -> Iterator[str]:
    for workspace in workspaces:
        yield from (str(path) for path in workspace.rglob("*"))
    for place in (*_PLACES, str(Path.cwd()), str(Path.home())):
        with suppress(OSError):
            yield from (str(path) for path in Path(place).iterdir() if LEFT_BEHIND in path.name)


def _control_groups() -> Iterator[str]:
    """Those of launchers of ours, and of any launcher that is gone."""
    kin = {os.getpid(), *linux.descendants(os.getpid())}
    for group in (group for parent in cgroup._parents() for group in parent.glob("peagen-*-*")):
        launcher = int(group.name.split("-")[1])
        if launcher in kin or not Path("/proc", str(launcher)).exists():
            yield str(group)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
