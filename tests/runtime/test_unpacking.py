"""What a job sends is written where it belongs, and a hostile cluster can write nowhere else."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from peagen_ray.runtime.parcel import LeftOut, Parcel
from peagen_ray.runtime.unpacking import unpack

OUTPUTS = {PurePosixPath("winner.py"), PurePosixPath("sub/best.py")}


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_files_are_written_under_the_directory(tmp_path):
    files = {"winner.py": b"w", "sub/best.py": b"b", ".peagen/runs/r/winner.diff": b"d", "new.json": b"{}"}
    came = unpack(Parcel(0, files), tmp_path / "not" / "there", OUTPUTS)
    assert everything(tmp_path / "not/there") == files
    assert len(came.written) == 4
    assert came.left_out == ()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "/etc/x",
            "../x",
            "a/../../x",
            "..",
            ".",
            "",
            "a\\..\\x",
            "new\nline",
            "\x1b[2J.py",
            "a\0b",
            "\u202ex",
        ),
        *(".bashrc", ".git/hooks/pre-commit", "a/.ssh/authorized_keys", ".peagen/x", ".peagen/runs/x"),
        *(".peagen/results/r/x", ".peagen/runs/../x/y", ".peagen/runs/r/.git/config", ".peagen.toml"),
    ],
)
def test_a_hostile_name_writes_nothing(tmp_path, name):
    root = tmp_path / "in"
    came = unpack(Parcel(0, {name: b"evil"}), root, OUTPUTS)
    assert everything(tmp_path) == {}
    assert [each.name for each in came.left_out] == [name]


def test_a_link_that_leads_out_is_not_followed(tmp_path):
    (tmp_path / "out").mkdir()
    root = tmp_path / "in"
    (root / ".peagen").mkdir(parents=True)
    (root / ".peagen" / "runs").symlink_to(tmp_path / "out")
    (root / "sub").symlink_to(tmp_path / "out")
    came = unpack(Parcel(0, {".peagen/runs/r/x": b"1", "sub/best.py": b"2"}), root, OUTPUTS)
    assert everything(tmp_path / "out") == {}
    assert {each.reason for each in came.left_out} == {"a link here leads out of the directory"}


def test_a_link_in_the_place_of_an_output_is_replaced_and_not_written_through(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    root = tmp_path / "in"
    root.mkdir()
    (root / "winner.py").symlink_to(outside)
    unpack(Parcel(0, {"winner.py": b"new"}), root, OUTPUTS)
    assert outside.read_bytes() == b"mine"
    assert (root / "winner.py").read_bytes() == b"new"


def test_only_what_the_command_writes_replaces_a_file(tmp_path):
    (tmp_path / "winner.py").write_bytes(b"old")
    (tmp_path / "sort.py").write_bytes(b"mine")
    came = unpack(Parcel(0, {"winner.py": b"new", "sort.py": b"evil"}), tmp_path, OUTPUTS)
    assert everything(tmp_path) == {"winner.py": b"new", "sort.py": b"mine"}
    assert came.left_out == (LeftOut("sort.py", 4, "a file of that name is here already"),)


def test_a_directory_that_the_command_writes_is_written_into_and_others_are_not(tmp_path):
    for name in ("build", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"old")
    outputs = {PurePosixPath("build"), PurePosixPath(".")}
    came = unpack(Parcel(0, {"build/a": b"new", "other/a": b"evil"}), tmp_path, outputs)
    assert (tmp_path / "build/a").read_bytes() == b"new"
    assert (tmp_path / "other/a").read_bytes() == b"old"
    assert [each.name for each in came.left_out] == ["other/a"]


def test_a_directory_in_the_way_is_said_and_the_rest_is_written(tmp_path):
    (tmp_path / "winner.py").mkdir()
    came = unpack(Parcel(0, {"winner.py": b"w", "a/b.json": b"1"}), tmp_path, OUTPUTS)
    assert "cannot be written" in came.left_out[0].reason
    assert everything(tmp_path) == {"a/b.json": b"1"}


def test_what_the_job_left_out_is_passed_on(tmp_path):
    left_out = (LeftOut("big", 9, "too large"),)
    assert unpack(Parcel(0, {}, left_out), tmp_path, ()).left_out == left_out
