"""The job's side without Ray: the command works in a copy, its output is passed on, and its files are sent."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from peagen_ray.runtime import jobbing
from peagen_ray.runtime.packaging import FOLDER
from peagen_ray.runtime.parcel import MARK, Unwrapper

SLOW = "def f(xs: list[int]) -> int:\n    total = 0\n    for x in xs:\n        total = total + x\n    return total\n"
MUTATE = ("mutate", "--sync", "--target-file", "slow.py", "--seed", "1")
EVOLVE = ("evolve", "run", "--sync", "--target-file", "slow.py", "--no-improve", "100000")


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """The directory as Ray makes it."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "slow.py").write_text(SLOW)
    return tmp_path


def start(place: Path, *words: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "peagen_ray.runtime.jobbing", "--", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PEAGEN__EVALUATE__WINNER_S": "0.5"}
    return subprocess.Popen(
        command,
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def ended(process: subprocess.Popen[str], before: str = "") -> tuple[int, str, Unwrapper]:
    log, _ = process.communicate(timeout=120)
    unwrapper = Unwrapper()
    seen = unwrapper.feed(before + log) + unwrapper.finish()
    return process.returncode, seen, unwrapper


def test_a_command_works_in_a_copy_and_its_files_are_sent(given):
    code, seen, unwrapper = ended(start(given, *MUTATE))
    assert code == 0, seen
    assert "wrote slow_mutated.py" in seen
    assert unwrapper.parcel is not None
    assert set(unwrapper.parcel.files) == {"slow_mutated.py"}
    assert [path.name for path in (given / FOLDER).iterdir()] == ["slow.py"]


def test_the_exit_code_is_the_commands(given):
    code, seen, unwrapper = ended(start(given, "mutate", "--sync", "--target-file", "none.py"))
    assert code == 2
    assert "none.py: cannot be read" in seen
    assert unwrapper.parcel is not None
    assert (unwrapper.parcel.exit_code, unwrapper.parcel.files) == (2, {})


def test_modules_in_the_directory_do_not_take_the_place_of_pythons(given):
    for name in ("queue", "random", "json", "peagen_ray", "typer"):
        (given / FOLDER / f"{name}.py").write_text("raise SystemExit(9)\n")
    code, seen, _ = ended(start(given, *MUTATE))
    assert code == 0, seen


def test_one_sigterm_lets_a_run_keep_its_best_even_where_rays_processes_block_sigint(given):
    process = start(
        given,
        *EVOLVE,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}),
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("evolving"):
            break
    process.send_signal(signal.SIGTERM)
    code, seen, unwrapper = ended(process, said)
    assert code == 0, seen
    assert "stopping: keeping the best" in seen
    assert unwrapper.parcel is not None
    assert any(name.endswith("/summary.json") for name in unwrapper.parcel.files)


def test_a_command_that_is_killed_is_said_and_sends_what_there_is(given, monkeypatch, capsys):
    monkeypatch.chdir(given)
    code = "import os, pathlib; pathlib.Path('a.json').write_text('{}'); os.kill(os.getpid(), 9)"
    before = signal.getsignal(signal.SIGTERM)
    try:
        killed = jobbing._Command([sys.executable, "-c", code], given / FOLDER).run()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert killed == 1
    assert "ended by SIGKILL" in capsys.readouterr().out


def test_output_that_looks_like_a_parcel_or_is_no_text_stays_output(capsys):
    said = f"{MARK}end\nhalf".encode() + b"\xff\n" + f"x{MARK}end".encode()
    jobbing.relay(io.BytesIO(said))
    unwrapper = Unwrapper()
    seen = unwrapper.feed(capsys.readouterr().out)
    assert seen == f" {MARK}end\nhalf\ufffd\nx{MARK}end\n"


def test_a_long_line_is_not_broken_and_its_pieces_begin_nothing(capsys):
    said = "y" * jobbing._PIECE + f"{MARK}end\n"
    jobbing.relay(io.BytesIO(said.encode()))
    assert capsys.readouterr().out == said


# ---- which files --------------------------------------------------------------------------------------


def made(place: Path, *names: str, size: int = 10) -> None:
    for name in names:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)


def test_new_and_changed_files_are_sent_and_no_others(tmp_path):
    made(tmp_path, "same.py", "changed.py")
    before = jobbing.stamps(tmp_path)
    made(tmp_path, "changed.py", "sub/new.json", ".peagen/runs/r/winner.py", ".peagen/results/x", size=11)
    made(tmp_path, "__pycache__/a.pyc", ".peagen/runs/r/reference.bin")
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    sent = jobbing.parcel(tmp_path, before, 0)
    assert list(sent.files) == [".peagen/runs/r/winner.py", "changed.py", "sub/new.json"]


def test_what_matters_most_is_sent_where_there_is_no_room_for_all(tmp_path):
    run = ".peagen/runs/r"
    made(tmp_path, f"{run}/ledger.arrow", f"{run}/winner.py", f"{run}/summary.json", "winner.py", "zz.json")
    made(tmp_path, "huge.bin", size=1000)
    sent = jobbing.parcel(tmp_path, {}, 0, limit=45)
    assert list(sent.files) == [f"{run}/summary.json", f"{run}/winner.py", "winner.py", "zz.json"]
    assert [(each.name, each.size) for each in sent.left_out] == [
        ("huge.bin", 1000),
        (f"{run}/ledger.arrow", 10),
    ]
    assert all("in all" in each.reason for each in sent.left_out)


def test_a_name_that_is_no_text_is_left_out_and_named(tmp_path):
    made(tmp_path, os.fsdecode(b"\xff"), "new\nline")
    sent = jobbing.parcel(tmp_path, {}, 0)
    assert list(sent.files) == ["new\nline"]
    assert [(each.name, each.reason) for each in sent.left_out] == [("?", "its name is not UTF-8")]
    unwrapper = Unwrapper()
    unwrapper.feed("".join(f"{line}\n" for line in sent.lines()))
    assert unwrapper.parcel == sent


def test_a_file_that_was_replaced_by_its_equal_counts_as_made(tmp_path):
    made(tmp_path, "winner.py")
    before = jobbing.stamps(tmp_path)
    made(tmp_path, "part")
    (tmp_path / "part").replace(tmp_path / "winner.py")
    assert PurePosixPath("winner.py") in before
    assert list(jobbing.parcel(tmp_path, before, 0).files) == ["winner.py"]
