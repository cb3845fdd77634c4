from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from runtime_script import SLOW, Recorder, Script, ScriptedFabric

from peagen_ray.config.model import Config
from peagen_ray.runtime.settings import RunRequest

TARGET = """
def helper(xs, x):
    found = False
    for y in xs:
        if y == x:
            found = True
    return found


def unique(xs: list[int]) -> list[int]:
    # keeps the first of each
    result = []
    for x in xs:
        if not helper(result, x):
            result = result + [x]
    return result
"""


@dataclass
class Workspace:
    """A directory with a target, and the program to run in it."""

    path: Path
    target: Path

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "peagen_ray", *args]

    def start(self, *args: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "COLUMNS": "200", "PEAGEN__EVALUATE__WINNER_S": "0.5"}
        return subprocess.Popen(
            self.command(*args),
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        process = self.start(*args)
        out, err = process.communicate(timeout=240)
        assert process.returncode == code, (process.returncode, out, err)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def evolve(self, *args: str, code: int = 0) -> dict[str, Any]:
        done = self.run(
            "evolve",
            "run",
            "--sync",
            "--json",
            "--target-file",
            "slow.py",
            "--entry-fn",
            "unique",
            *args,
            code=code,
        )
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    def runs(self) -> list[Path]:
        return sorted((self.path / ".peagen" / "runs").iterdir())


@pytest.fixture(scope="session")
def made_workspace() -> Callable[[Path], Workspace]:
    """Makes a workspace of a directory: its target is laid into it."""

    def make(path: Path) -> Workspace:
        target = path / "slow.py"
        target.write_text(TARGET)
        return Workspace(path, target)

    return make


@pytest.fixture
def workspace(tmp_path: Path, made_workspace: Callable[[Path], Workspace]) -> Workspace:
    return made_workspace(tmp_path)


@pytest.fixture
def make_workspace(tmp_path: Path) -> Callable[[str, str], Workspace]:
    def make(name: str, source: str) -> Workspace:
        target = tmp_path / name
        target.write_text(source)
        return Workspace(tmp_path, target)

    return make


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, which is the working directory, with ``slow.py`` in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


@pytest.fixture
def observer() -> Recorder:
    return Recorder()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """What answers the tasks of ``runtime.run.evolve`` in place of a fabric of processes."""
    made = Script()
    monkeypatch.setattr("peagen_ray.runtime.run.LocalFabric", lambda *_, **__: ScriptedFabric(made))
    return made


@pytest.fixture
def request_of() -> Callable[..., RunRequest]:
    """Makes the request of a short run of ``slow.py``."""

    def make(config: Config, **options: Any) -> RunRequest:
        short: dict[str, Any] = {"target": Path("slow.py"), "concurrency": 2, "fresh_inputs": 7}
        return RunRequest(config, **{**short, **options})

    return make
