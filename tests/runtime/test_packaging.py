"""What of a directory goes with a job: what git would take, and nothing that leads out of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.errors import UsageError
from peagen_ray.runtime.packaging import FOLDER, package


def put(root: Path, *names: str, text: str = "y") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def packed(root: Path) -> set[str]:
    return {str(entry.path) for entry in package(root).files}


def test_histories_environments_caches_and_old_runs_stay(tmp_path):
    stay = [".git/config", ".venv/bin/python", "a/__pycache__/x.pyc", ".mypy_cache/x", "b/.ruff_cache/x"]
    stay += ["node_modules/x", ".peagen/runs/r/ledger.arrow", ".peagen/results/x", ".pytest_cache/x"]
    put(tmp_path, *stay, "sort.py", ".peagen.toml", ".gitignore", "runs/x", "data/.keep")
    assert packed(tmp_path) == {"sort.py", ".peagen.toml", ".gitignore", "runs/x", "data/.keep"}


def test_files_that_hold_secrets_stay_and_it_is_said(tmp_path):
    put(tmp_path, ".env", "a/.netrc", "sort.py")
    found = package(tmp_path)
    assert [str(entry.path) for entry in found.files] == ["sort.py"]
    assert [name for name, reason in found.odd if "secrets" in reason] == [".env", "a/.netrc"]


def test_rules_of_the_repository_above_hold_too(tmp_path):
    put(tmp_path, ".git/HEAD", "work/a.log", "work/b.py", "work/deep/c.py")
    (tmp_path / ".gitignore").write_text("*.log\n/work/deep\n")
    assert packed(tmp_path / "work") == {"b.py"}


def test_rules_above_the_repository_do_not_hold(tmp_path):
    put(tmp_path, "repo/.git/HEAD", "repo/a.py")
    (tmp_path / ".gitignore").write_text("*.py\n")
    assert packed(tmp_path / "repo") == {"a.py"}


def test_a_broken_pattern_is_passed_over(tmp_path):
    put(tmp_path, "a.log", "b.py")
    (tmp_path / ".gitignore").write_bytes(b"!\n\\\n[\n/\n\xff\xfe\n*.log\n")
    assert packed(tmp_path) == {"b.py", ".gitignore"}


_PATTERNS = ["*.log", "!keep.log", "/a", "a/", "b/**", "!b/x", "**/deep", "x", "deep/*", "!/deep", "[ab].py"]
_NAMES = [
    "a",
    "a.py",
    "x",
    "keep.log",
    "q.log",
    "b/x",
    "b/y",
    "b/deep/x",
    "c/a",
    "c/deep/k.log",
    "deep/x",
    "c/keep.log",
]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(_PATTERNS), max_size=5), st.lists(st.sampled_from(_PATTERNS), max_size=3))
def test_what_goes_is_what_git_would_take(tmp_path_factory, top, below):
    root = tmp_path_factory.mktemp("repo")
    put(root, *_NAMES)
    (root / ".gitignore").write_text("\n".join(top))
    (root / "c" / ".gitignore").write_text("\n".join(below))
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    command = ["git", "-c", "core.excludesFile=", "ls-files", "-z", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    assert packed(root) == set(filter(None, listed.split("\0")))


def test_links_go_as_files_unless_they_lead_out(tmp_path):
    put(tmp_path, "out/secret", "in/a.py", "in/d/x")
    root = tmp_path / "in"
    (root / "same.py").symlink_to("a.py")
    (root / "leak").symlink_to(tmp_path / "out" / "secret")
    (root / "leaks").symlink_to(tmp_path / "out")
    (root / "gone").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    (root / "dir").symlink_to("d")
    (root / "d" / "up").symlink_to("..")
    found = package(root)
    assert {str(entry.path) for entry in found.files} == {"a.py", "same.py", "d/x"}
    assert {name for name, _ in found.odd} == {"leak", "leaks", "gone", "loop", "dir", "d/up"}


def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = package(tmp_path)
    assert (found.files, found.odd) == ((), (("pipe", "no ordinary file"),))


def test_hostile_names_go_or_are_named(tmp_path):
    names = ["new\nline.py", "-rf", "a b'c\".py", "\x1b[2J", "::peagen-ray:: end", "\u202e.py", "C:\\x", "é"]
    put(tmp_path, *names)
    put(tmp_path, os.fsdecode(b"\xff.py"), os.fsdecode(b"d\xfe/x.py"))
    found = package(tmp_path)
    assert {str(entry.path) for entry in found.files} == set(names)
    assert [reason for _, reason in found.odd] == ["its name is not UTF-8"] * 2
    found.write(tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert set(archive.namelist()) == {f"{FOLDER}/", *(f"{FOLDER}/{name}" for name in names)}


def test_equal_directories_give_equal_archives_and_a_script_stays_one(tmp_path):
    for name in ("one", "two"):
        put(tmp_path / name, "run.sh", "a/b.py")
        (tmp_path / name / "run.sh").chmod(0o755)
        os.utime(tmp_path / name / "a/b.py", (0, len(name)))
        package(tmp_path / name).write(tmp_path / f"{name}.zip")
    os.utime(tmp_path / "two" / "run.sh", (5, 5))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.getinfo(f"{FOLDER}/run.sh").external_attr >> 16 & 0o111 == 0o111
        assert archive.read(f"{FOLDER}/a/b.py") == b"y"


def test_too_much_is_refused_and_the_largest_are_named(tmp_path):
    put(tmp_path, "data/a", "data/b", text="x" * 3000)
    put(tmp_path, "movie", text="x" * 5000)
    put(tmp_path, "small", text="x")
    with pytest.raises(UsageError) as caught:
        package(tmp_path, limit=10_000)
    assert "4 files, 10.7 KiB, is more than the 9.8 KiB" in caught.value.what
    assert "largest: data/ 5.9 KiB, movie 4.9 KiB, small 1 B" in caught.value.what
    assert package(tmp_path, limit=11_001).size == 11_001


def test_an_archive_that_no_job_server_takes_is_refused_before_it_is_sent(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "noise").write_bytes(os.urandom(20_000))
    found = package(tmp_path / "in")
    with pytest.raises(
        UsageError, match=r"when compressed, is more than the 9\.8 KiB .* largest: noise 19\.5 KiB"
    ):
        found.write(tmp_path / "out.zip", limit=10_000)
    found.write(tmp_path / "out.zip")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    put(tmp_path, "a.py")
    found = package(tmp_path)
    (tmp_path / "a.py").unlink()
    with pytest.raises(UsageError, match=r"a\.py: cannot be read"):
        found.write(tmp_path / "out.zip")


def test_what_is_in_it_is_known(tmp_path):
    put(tmp_path, "a/b.py")
    assert package(tmp_path).has(PurePosixPath("a/b.py"))
    assert not package(tmp_path).has(PurePosixPath("a"))
