"""A wheel of somebody else's: built, installed beside ours, checked, and used by a run, with no change to our code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "peagen-shortcuts"
SLOW = """
def total(xs: list[int]) -> int:
    answer = 0
    for _ in range(40):  # or what is sent to and fro would hide the gain
        total = 0
        for x in xs:
            total = total + x
        answer ^= total
    return answer
"""


def done(*command: str, cwd: Path, path: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": path, "PEAGEN__EVALUATE__WINNER_S": "0.5"}
    ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory into which the built wheel was installed, and nothing else."""
    if find_spec("hatchling") is None and "CI" not in os.environ:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    root = tmp_path_factory.mktemp("third-party")
    shutil.copytree(EXAMPLE, root / "source")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    path = os.pathsep.join(sys.path)
    alone = ["--no-index", "--no-deps"]
    done(*pip, "wheel", *alone, "--no-build-isolation", "-w", "wheels", "./source", cwd=root, path=path)
    (made,) = (root / "wheels").iterdir()
    done(*pip, "install", *alone, "--target", "site", str(made), cwd=root)
    assert sorted(each.name for each in (root / "site").iterdir()) == [
        "peagen_shortcuts",
        "peagen_shortcuts-1.0.0.dist-info",
    ]
    return root / "site"


@pytest.mark.slow
def test_an_installed_wheel_keeps_its_contract_and_serves_a_run(site: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([*sys.path, str(site)])

    def ours(*words: str) -> Any:
        return json.loads(done(sys.executable, "-m", "peagen_ray", *words, "--json", cwd=tmp_path, path=path))

    for name in ("shortcut", "youngest"):
        checked = ours("plugin", "check", name)
        assert (checked["holds"], checked["wheel"], checked["skipped"]) == (True, "peagen-shortcuts", [])
    (tmp_path / "slow.py").write_text(SLOW)
    chosen = ["--mutator", "shortcut", "--selector", "youngest", "--generations", "1"]
    summary = ours("evolve", "run", "--sync", "--target-file", "slow.py", "--seed", "1", *chosen)
    assert summary["improved"]
    assert "total = sum(xs)" in (tmp_path / "winner.py").read_text()
    plugins = ours("runs", "show", "last")["versions"]["plugins"]
    assert plugins["peagen.mutators shortcut"] == "peagen-shortcuts 1.0.0"
    assert plugins["peagen.parent_selectors youngest"] == "peagen-shortcuts 1.0.0"
