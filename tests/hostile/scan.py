"""Before and after: what a program may leave on a machine, so that it can be seen that it left nothing.

Everything that the corpus leaves on purpose is called :data:`LEFT_BEHIND` or has its key. Processes are known by a
variable that our launchers pass on to all they start, and that can be read from outside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from peagen_ray.launcher import linux

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

Traces = Mapping[str, frozenset[str]]


def traces(*workspaces: Path) -> Traces:
    """Everything that is there now, by kind.

    Args:
        workspaces: directories of ours, scanned to the bottom.
    """
    return {
        "processes": frozenset(_processes()),
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


def left(before: Traces, after: Traces) -> dict[str, list[str]]:
    """What is there after that was not there before; empty if nothing is."""
    return {kind: sorted(after[kind] - before[kind]) for kind in before if after[kind] - before[kind]}


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
    for directory, names, _ in os.walk("/sys/fs/cgroup"):
        for name in names:
            found = re.fullmatch(r"peagen-(\d+)-\d+", name)
            if found and (int(found[1]) in kin or not Path("/proc", found[1]).exists()):
                yield f"{directory}/{name}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
