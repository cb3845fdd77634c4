"""An image for containers, made from the interpreter that runs: nothing is downloaded."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sysconfig
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peagen_ray.errors import SandboxError
from peagen_ray.sandbox.engine import Engine
from peagen_ray.sandbox.interpreter import Interpreter

LEFT_OUT = {
    "test",
    "idlelib",
    "tkinter",
    "ensurepip",
    "turtledemo",
    "lib2to3",
    "site-packages",
    "dist-packages",
}


@contextmanager
def image(engine: Engine) -> Iterator[str]:
    """The name of an image with ``python3`` in it, which is there for the block; raises SandboxError."""
    name = f"localhost/peagen-test:{os.getpid()}-{secrets.token_hex(4)}"
    importing = subprocess.Popen(
        engine.command("import", "-", name),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert importing.stdin
    try:
        with tarfile.open(fileobj=importing.stdin, mode="w|") as archive:
            _fill(archive)
    finally:
        _, said = importing.communicate()
    if importing.returncode:
        raise SandboxError(f"the image cannot be imported: {said.decode().strip()}")
    try:
        yield name
    finally:
        engine.ask("rmi", "--force", name)


def _fill(archive: tarfile.TarFile) -> None:
    interpreter = Interpreter.running()
    standard = Path(sysconfig.get_path("stdlib"))
    for directory in ("tmp", "proc", "dev", "sys", "etc", "usr", "usr/bin"):
        entry = tarfile.TarInfo(directory)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if directory == "tmp" else 0o755
        archive.addfile(entry)
    archive.add(interpreter.executable)
    archive.add(standard, filter=_wanted)
    shell = Path("/bin/sh").resolve()
    archive.addfile(_file(Path("/usr/bin/sh"), shell), shell.open("rb"))
    for library in sorted(_libraries([interpreter.executable, shell, *standard.glob("lib-dynload/*.so")])):
        # Under the name by which it is looked for, as a file of its own.
        archive.addfile(_file(library, library), library.open("rb"))
    links = {"usr/bin/python3": str(interpreter.executable), "bin": "usr/bin"}
    for place, target in links.items():
        if target != f"/{place}":
            link = tarfile.TarInfo(place)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(entry.name).name
    if name in LEFT_OUT or name.startswith("config-"):
        return None
    entry.uid = entry.gid = 0
    return entry


def _file(place: Path, path: Path) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(str(place).lstrip("/"))
    entry.size, entry.mode = path.stat().st_size, 0o755
    return entry


def _libraries(programs: list[Path]) -> set[Path]:
    """The shared libraries that they are linked with, as ``ldd`` finds them."""
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout  # noqa: S607 - found by PATH
    return {Path(found) for found in re.findall(r"(/\S+\.so\S*)(?=\s\()", said)}
