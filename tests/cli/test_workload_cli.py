"""``workload init`` writes the file that a person fills in."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from peagen_ray.cli.boundary import run

SOURCE = "def slow(items, key=None):\n    return sorted(items, key=key)\n"


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that holds ``slow.py``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(SOURCE)
    return tmp_path


def init(*more: str) -> int:
    return run(["workload", "init", "--target-file", "slow.py", "--entry-fn", "slow", *more])


def test_it_writes_python_that_makes_inputs(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init() == 0
    tree = ast.parse((workspace / "slow_workload.py").read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert [arg.arg for arg in functions["inputs"].args.args] == ["rng", "size"]
    assert "wrote slow_workload.py" in capsys.readouterr().out


def test_the_file_may_be_named(workspace: Path) -> None:
    assert init("--output", "other.py") == 0
    assert (workspace / "other.py").exists()
    assert not (workspace / "slow_workload.py").exists()


def test_it_replaces_nothing_unless_told(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "slow_workload.py").write_text("# mine\n")
    assert init() == 2
    assert (
        capsys.readouterr().err == "Error: slow_workload.py: it exists already\nHint: --force replaces it\n"
    )
    assert (workspace / "slow_workload.py").read_text() == "# mine\n"
    assert init("--force") == 0
    assert "def inputs(" in (workspace / "slow_workload.py").read_text()


def test_dry_run_shows_the_file_and_writes_none(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init("--dry-run") == 0
    assert "def inputs(" in capsys.readouterr().out
    assert not (workspace / "slow_workload.py").exists()


def test_a_function_that_is_not_there_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["workload", "init", "--target-file", "slow.py", "--entry-fn", "slo"]) == 2
    assert "slow" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "reason"), [("none.py", "No such file"), ("latin.py", "is not UTF-8 text")])
def test_a_target_that_cannot_be_read_is_wrong_use(
    name: str, reason: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "latin.py").write_bytes(b"# caf\xe9\n")
    assert run(["workload", "init", "--target-file", name, "--entry-fn", "slow"]) == 2
    assert f"Error: {name}: " in (said := capsys.readouterr().err)
    assert reason in said


def test_a_place_that_cannot_be_written_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert init("--output", "no/such/place.py") == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
