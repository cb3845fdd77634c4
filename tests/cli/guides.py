"""Guides whose commands a test runs as they stand, in the environment of a new user. Not a test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from peagen_ray._version import __version__
from peagen_ray.testing.servers import server_program

ROOT = Path(__file__).parents[2]


def blocks(guide: Path) -> list[str]:
    """The commands of a guide, block by block."""
    return re.findall(r"```sh\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)


@contextmanager
def empty_directory() -> Iterator[Path]:
    """An empty directory whose path is short enough for a socket; the server that a guide left behind ends with it."""
    path = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        yield path
    finally:
        for pid in path.glob("work/**/queue.pid"):
            subprocess.run(["kill", "-9", pid.read_text().strip()], check=False)
        shutil.rmtree(path)


def follow(guide: Path, here: Path) -> str:
    """Run the commands of a guide in ``here / "work"``; what they print, each block after a line with its number.

    The first block makes the environment.
    """
    first, *rest = blocks(guide)
    marked = [f"echo '### {number}'\n{block}" for number, block in enumerate(rest)]
    script = here / "guide.sh"
    script.write_text("set -euo pipefail\n" + first + dependencies() + "".join(marked))
    (here / "work").mkdir()
    with (here / "said").open("w") as said:
        ended = subprocess.run(
            ["bash", str(script)],
            cwd=here / "work",
            env=environment(here),
            stdout=said,
            stderr=subprocess.STDOUT,
            timeout=280,
            check=False,
        )
    out = (here / "said").read_text()
    assert ended.returncode == 0, out
    return out


def wheel(folder: Path) -> None:
    """Our wheel, as ``pyproject.toml`` says what is in it."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, info = tables["project"], f"peagen_ray-{__version__}.dist-info"
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    entries = [
        line
        for group, names in groups.items()
        for line in (f"[{group}]", *(f"{a} = {b}" for a, b in names.items()))
    ]
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: peagen-ray\nVersion: {__version__}\nProvides-Extra: redis\nProvides-Extra: test\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "entry_points.txt": "\n".join(entries) + "\n",
    }
    with zipfile.ZipFile(folder / f"peagen_ray-{__version__}-py3-none-any.whl", "w") as archive:
        for package in tables["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
            for file in sorted((ROOT / package).rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to((ROOT / package).parent))
        for name, text in texts.items():
            archive.writestr(f"{info}/{name}", text)
        archive.writestr(
            f"{info}/RECORD", "".join(f"{name},,\n" for name in archive.namelist()) + f"{info}/RECORD,,\n"
        )


def environment(here: Path) -> dict[str, str]:
    """What a new user has, and where this test keeps what pip would otherwise fetch."""
    (here / "bin").mkdir()
    (here / "bin" / "redis-server").symlink_to(server_program("valkey"))
    (here / "wheels").mkdir()
    wheel(here / "wheels")
    found = {
        "PATH": f"{here / 'bin'}:{Path(sys.executable).resolve().parent}:/usr/bin:/bin",
        "HOME": str(here),
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_FIND_LINKS": str(here / "wheels"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # that is what turns it off
        "PEAGEN__EVALUATE__WINNER_S": "0.5",
        "PEAGEN__EVOLVE__GENERATION_SIZE": "3",
    }
    return {**found, **{name: os.environ[name] for name in ("TMPDIR",) if name in os.environ}}


def dependencies() -> str:
    """Lets the guide's environment see the packages of this one, after its own."""
    places = {sysconfig.get_path("purelib")}
    builder = find_spec("hatchling")
    if builder is not None and builder.origin is not None:
        places.add(str(Path(builder.origin).parents[1]))
    lines = "\\n".join(sorted(places))
    return f'printf "{lines}\\n" > "$(python -c "import sysconfig; print(sysconfig.get_path(\'purelib\'))")/dependencies.pth"\n'
