"""A script: run by root, it becomes an ordinary user and says what a guest of bubblewrap's is for that one."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

from programs import EVALUATE, load, value

import peagen_ray
from peagen_ray.launcher import linux
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.bubblewrap import BubblewrapSandbox

UID = 12345


def become_ordinary() -> None:
    """Become a user who reads what we run from, wherever that lies, and nothing else of root's."""
    needed = {sys.prefix, sys.base_prefix, *map(str, Path(peagen_ray.__file__).parents[:2]), *sys.path}
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    opened = {path: os.open(path, os.O_PATH) for path in sorted(needed) if Path(path).is_dir()}
    closed = {str(parent) for path in opened for parent in Path(path).parents if not _is_open(parent)}
    outermost = [path for path in closed if not any(path.startswith(f"{other}/") for other in closed)]
    for path in outermost:
        linux.mount("tmpfs", path, "tmpfs", 0, "mode=755")
    for path, fd in opened.items():
        if path.startswith(tuple(f"{cover}/" for cover in outermost)) and not Path(path).exists():
            Path(path).mkdir(parents=True)
            linux.mount(f"/proc/self/fd/{fd}", path, flags=linux.MS_BIND | linux.MS_REC)
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    os.chdir("/")


def _is_open(directory: Path) -> bool:
    return bool(directory.stat().st_mode & stat.S_IXOTH)


if __name__ == "__main__":
    become_ordinary()
    with Launcher.start() as launcher, load(BubblewrapSandbox(launcher), EVALUATE) as guest:
        guest.pause()
        guest.resume()
        guest.reset_peak()
        told = {
            "ids": value(guest, "(*os.getresuid(), *os.getresgid())"),
            "layers": sorted(guest.layers),
            "made": value(guest, "len(bytearray(b'x') * (32 << 20))"),
            "peak_kb": guest.peak_kb(),
            "cpu_ns": guest.cpu_ns(),
        }
    sys.stdout.write(json.dumps(told))
