"""Who owns the command ``peagen``, and that it is said once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from peagen_ray.cli import doctor
from peagen_ray.cli.boundary import run
from peagen_ray.cli.script import owner, words_once

THEIRS = "#!/usr/bin/python\nimport sys\nfrom peagen.cli import app\nsys.exit(app())\n"
OURS = THEIRS.replace("peagen.cli", "peagen_ray.cli")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    path = tmp_path / "bin"
    path.mkdir()
    return path


@pytest.fixture
def other_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "wheel" / "peagen-9.9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: peagen\nVersion: 9.9\n")
    (info / "entry_points.txt").write_text("[console_scripts]\npeagen = peagen.cli:app\n")
    monkeypatch.syspath_prepend(str(tmp_path / "wheel"))


def test_our_own_program_is_nothing_to_speak_of(scripts: Path, other_wheel: None) -> None:
    (scripts / "peagen").write_text(OURS)
    assert owner(scripts) is None
    assert words_once(scripts, scripts) == ""


def test_no_program_is_nothing_to_speak_of(scripts: Path) -> None:
    assert owner(scripts) == ""
    assert words_once(scripts, scripts) == ""


def test_another_wheels_program_is_named_once(scripts: Path, other_wheel: None, tmp_path: Path) -> None:
    (scripts / "peagen").write_text(THEIRS)
    assert words_once(scripts, tmp_path / "cache") == (
        "the command peagen is that of the wheel peagen 9.9; this program is always peagen-ray"
    )
    assert words_once(scripts, tmp_path / "cache") == ""


def test_a_program_of_no_wheel_is_told_too(scripts: Path, tmp_path: Path) -> None:
    (scripts / "peagen").write_bytes(b"\xff\xfe")
    assert "another program" in words_once(scripts, tmp_path / "cache")


def test_where_it_cannot_be_noted_it_is_said_each_time(scripts: Path, tmp_path: Path) -> None:
    (scripts / "peagen").write_text(THEIRS)
    (tmp_path / "cache").write_text("")
    assert words_once(scripts, tmp_path / "cache")
    assert words_once(scripts, tmp_path / "cache")


def test_the_first_run_says_it_and_works(scripts: Path, tmp_path: Path) -> None:
    (scripts / "peagen").write_text(THEIRS)
    (scripts / "python").symlink_to(sys.executable)
    program = f"import sys; sys.executable = {str(scripts / 'python')!r}; sys.argv[1:] = ['--version']\n"
    program += "from peagen_ray.cli import main; main()"
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        for _ in "12"
    ]
    assert ["peagen is that of" in each.stderr for each in said] == [True, False]
    assert all(each.stdout.startswith("peagen-ray ") for each in said)


def test_doctor_says_it(
    scripts: Path, other_wheel: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (scripts / "peagen").write_text(THEIRS)
    monkeypatch.setattr(doctor, "scripts_directory", lambda: scripts)
    assert run(["doctor", "--dry-run"]) == 0
    assert "command peagen: that of the wheel peagen 9.9" in capsys.readouterr().out
    (scripts / "peagen").write_text(OURS)
    assert run(["doctor", "--dry-run", "--json"]) == 0
    assert "command peagen: ours" in capsys.readouterr().err
