"""``config show`` and ``config upgrade`` as a person uses them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from peagen_ray.cli.boundary import run

SECTION = '[task_queue]\nprovider = "stub"\n'


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, and an environment that says nothing to us."""
    for name in [name for name in os.environ if name.startswith(("PEAGEN_", "WORKER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_show_says_where_each_value_came_from(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / ".peagen.toml").write_text("[evolve]\n\nseed = 3\n")
    monkeypatch.setenv("PEAGEN__EVOLVE__GOAL", "shorter")
    assert run(["config", "show"]) == 0
    rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    said = {row[0]: [part.strip() for part in row[1:]] for row in rows}
    assert said["evolve.seed"] == ["3", "file .peagen.toml:3"]
    assert said["evolve.goal"] == ['"shorter"', "env PEAGEN__EVOLVE__GOAL"]
    assert said["evolve.ordered"] == ["false", "default"]
    assert said["evolve.stop.target_ms"] == ["-", "default"]


def test_show_as_json_is_json_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEAGEN_QUEUE", "stub")
    monkeypatch.setenv("PEAGEN__TASK_QUEUE__PROVIDER", "redis://:secret@host")
    assert run(["config", "show", "--json"]) == 0
    said = capsys.readouterr()
    shown = json.loads(said.out)
    assert shown["task_queue.provider"] == {"value": "stub", "origin": "env PEAGEN_QUEUE"}
    assert shown["worker.defaults.caps"] == {"value": ["cpu"], "origin": "default"}
    assert said.err.startswith("Warning: PEAGEN_QUEUE")


@pytest.mark.parametrize("args", [["config", "show"], ["config", "show", "--json"]])
def test_show_masks_passwords(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEAGEN_QUEUE", "redis://user:hunter2@host/0")
    assert run(args) == 0
    said = capsys.readouterr()
    assert "redis://user:***@host/0" in said.out
    assert "hunter2" not in said.out + said.err


def test_a_value_that_is_no_text_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEAGEN__EVOLVE__GOAL", os.fsdecode(b"\xff [red] \x1b[2J"))
    assert run(["config", "show"]) == 0
    assert '"\\udcff [red] \\u001b[2J"' in capsys.readouterr().out
    assert run(["config", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["evolve.goal"]["value"] == "\udcff [red] \x1b[2J"


def test_show_reads_the_file_that_is_named(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "other.toml").write_text("[evolve]\nseed = 5\n")
    assert run(["config", "show", "--json", "--config", "other.toml"]) == 0
    assert json.loads(capsys.readouterr().out)["evolve.seed"] == {"value": 5, "origin": "file other.toml:2"}


def test_a_broken_configuration_is_exit_2_and_names_the_line(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / ".peagen.toml").write_text("[evolve]\nsed = 3\n")
    assert run(["config", "show"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "Error: .peagen.toml:2: evolve.sed: unknown key\nHint: did you mean evolve.seed?\n"


def test_several_problems_are_one_message(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / ".peagen.toml").write_text("[evolve]\nsed = 3\nlook_ahead = 0\n")
    assert run(["config", "show"]) == 2
    assert capsys.readouterr().err.splitlines()[0] == "Error: configuration: 2 problems"


def test_upgrade_adds_the_section_and_keeps_everything_else(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = workspace / ".peagen.toml"
    old = b"# ours\r\n[evolve]   # search\r\nseed=1"
    file.write_bytes(old)
    file.chmod(0o640)
    assert run(["config", "upgrade"]) == 0
    assert capsys.readouterr().out == ".peagen.toml: added [task_queue]\n"
    assert file.read_bytes() == old + b"\r\n\r\n" + SECTION.replace("\n", "\r\n").encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in workspace.iterdir()] == [".peagen.toml"]
    assert run(["config", "upgrade"]) == 0
    assert capsys.readouterr().out == ".peagen.toml is up to date\n"


def test_upgrade_follows_a_link_and_leaves_it_one(workspace: Path) -> None:
    (workspace / "real.toml").write_text("")
    (workspace / ".peagen.toml").symlink_to("real.toml")
    assert run(["config", "upgrade"]) == 0
    assert (workspace / ".peagen.toml").is_symlink()
    assert (workspace / "real.toml").read_text() == SECTION


def test_check_changes_nothing_and_says_by_its_exit_code(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = workspace / ".peagen.toml"
    file.write_text("[evolve]\n")
    assert run(["config", "upgrade", "--check"]) == 1
    assert "has no [task_queue] section" in capsys.readouterr().out
    assert file.read_text() == "[evolve]\n"
    file.write_text(SECTION)
    assert run(["config", "upgrade", "--check"]) == 0


@pytest.mark.parametrize("old", ["[evolve]\nseed = 1\n", "[evolve]\nseed = 1", ""])
def test_dry_run_shows_the_difference_and_changes_nothing(
    old: str, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = workspace / ".peagen.toml"
    file.write_text(old)
    assert run(["config", "upgrade", "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "--- .peagen.toml"
    assert [line[1:] for line in said[2:] if line.startswith("+")][-2:] == SECTION.splitlines()
    assert not [line for line in said[2:] if line.startswith("-")]
    assert file.read_text() == old


def test_upgrade_upgrades_the_file_that_is_named(workspace: Path) -> None:
    (workspace / "other.toml").write_text("")
    assert run(["--config", "other.toml", "config", "upgrade"]) == 0
    assert (workspace / "other.toml").read_text() == SECTION


def test_upgrade_without_a_file_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "upgrade"]) == 2
    assert "Error: .peagen.toml: cannot be read: No such file or directory" in capsys.readouterr().err


def test_upgrade_leaves_a_broken_file_alone(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = workspace / ".peagen.toml"
    file.write_text("[evolve\n")
    assert run(["config", "upgrade"]) == 2
    assert "Error: .peagen.toml:1:8: not TOML" in capsys.readouterr().err
    assert file.read_text() == "[evolve\n"


def test_an_upgrade_that_cannot_be_written_leaves_nothing_behind(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / ".peagen.toml").write_text("")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert run(["config", "upgrade"]) == 1
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in workspace.iterdir()] == [(".peagen.toml", "")]
