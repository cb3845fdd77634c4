"""Outputs stay below their directory, whatever lies in the way; what is as it should be is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import ProjectError, RenderError
from peagen_ray.rendering.places import check_distinct, check_place
from peagen_ray.rendering.tree import Change, OutputTree


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a/..",
        "",
        " ",
        "a/",
        ".",
        "a\\b",
        "a\0b",
        "a\nb",
        "x" * 256,
        "\ud800",
        3000 * "a/" + "b",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ProjectError, match="the path "):
        check_place(path, "owner")


@given(st.text(max_size=30))
def test_an_accepted_path_lies_below(path: str) -> None:
    try:
        accepted = check_place(path, "owner")
    except ProjectError:
        return
    assert os.path.normpath(Path("/out") / accepted).startswith("/out/")


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b"), ("a/b/c", "a")])
def test_outputs_that_are_in_each_others_way_are_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(ProjectError) as caught:
        check_distinct(zip(paths, ("one", "two"), strict=True))
    assert "one" in str(caught.value)
    assert "two" in str(caught.value)


def test_new_changed_and_unchanged_are_told_apart(tmp_path: Path) -> None:
    with OutputTree(tmp_path / "deep" / "out") as tree:
        assert [tree.put("a/b.txt", data) for data in (b"1", b"1", b"2", b"22")] == [
            Change.NEW,
            Change.UNCHANGED,
            Change.CHANGED,
            Change.CHANGED,
        ]
    assert (tmp_path / "deep/out/a/b.txt").read_bytes() == b"22"
    assert sorted(path.name for path in (tmp_path / "deep/out/a").iterdir()) == ["b.txt"]


def test_an_unchanged_file_keeps_its_time_and_a_changed_one_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "run.sh"
    path.write_bytes(b"old")
    path.chmod(0o750)
    os.utime(path, ns=(1, 1))
    with OutputTree(tmp_path) as tree:
        tree.put("run.sh", b"old")
        assert path.stat().st_mtime_ns == 1
        tree.put("run.sh", b"new")
    assert path.stat().st_mode & 0o777 == 0o750


def test_checking_writes_nothing_at_all(tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"1")
    (tmp_path / "other").write_bytes(b"1")
    before = sorted(tmp_path.rglob("*"))
    with OutputTree(tmp_path, check=True) as tree:
        found = [tree.put("same", b"1"), tree.put("other", b"2"), tree.put("new/deep", b"3")]
    assert found == [Change.UNCHANGED, Change.CHANGED, Change.NEW]
    assert sorted(tmp_path.rglob("*")) == before
    with OutputTree(tmp_path / "not there", check=True) as tree:
        assert tree.put("a", b"") is Change.NEW
    assert not (tmp_path / "not there").exists()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    path = tmp_path / "outside"
    path.mkdir()
    (path / "file").write_bytes(b"precious")
    return path


@pytest.mark.parametrize(
    ("link", "target"), [("a", "outside"), ("a/b", "outside"), ("a/file", "outside/file")]
)
@pytest.mark.parametrize("check", [False, True])
def test_links_below_the_directory_are_not_followed(
    tmp_path: Path, outside: Path, link: str, target: str, check: bool
) -> None:
    place = tmp_path / "out" / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(tmp_path / target)
    path = {"a": "a/file", "a/b": "a/b/file", "a/file": "a/file"}[link]
    with (
        OutputTree(tmp_path / "out", check=check) as tree,
        pytest.raises(RenderError, match="links are not followed"),
    ):
        tree.put(path, b"mine")
    assert (outside / "file").read_bytes() == b"precious"
    assert sorted(each.name for each in outside.iterdir()) == ["file"]


def test_a_dangling_link_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    with OutputTree(tmp_path) as tree, pytest.raises(RenderError, match="symbolic link"):
        tree.put("a", b"")
    assert not (tmp_path / "nowhere").exists()


def test_a_link_that_another_process_puts_there_meanwhile_leads_nowhere(
    tmp_path: Path, outside: Path
) -> None:
    out = tmp_path / "out"
    with OutputTree(out) as tree:
        tree.put("a/one", b"1")
        (out / "a").rename(out / "b")
        (out / "a").symlink_to(outside)
        with pytest.raises(RenderError, match="links are not followed"):
            tree.put("a/file", b"2")
    assert (outside / "file").read_bytes() == b"precious"


def test_the_directory_itself_may_be_a_link(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "link").symlink_to(outside)
    with OutputTree(tmp_path / "link") as tree:
        assert tree.put("new", b"1") is Change.NEW
    assert (outside / "new").read_bytes() == b"1"


@pytest.mark.timeout(20)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "plain").write_bytes(b"")
    with OutputTree(tmp_path) as tree:
        for path in ("folder", "pipe", "plain/below"):
            with pytest.raises(RenderError, match=path):
                tree.put(path, b"x")


def test_a_root_that_is_a_file_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    (tmp_path / "dangling").symlink_to("gone")
    for name, check in (("out", False), ("out", True), ("dangling", False)):
        with (
            pytest.raises(RenderError, match=f"{name}: .*directory"),
            OutputTree(tmp_path / name, check=check),
        ):
            pass


def test_other_names_of_a_file_keep_what_they_had(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    os.link(tmp_path / "a", tmp_path / "b")
    with OutputTree(tmp_path) as tree:
        tree.put("a", b"new")
    assert (tmp_path / "b").read_bytes() == b"old"


def test_drafts_of_a_killed_process_are_removed_where_outputs_go_and_nothing_like_them(
    tmp_path: Path,
) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        for name in (".0123456789abcdef.tmp", ".mine.tmp", "0123456789abcdef.tmp"):
            (folder / name).write_text("left")
    with OutputTree(tmp_path) as tree:
        for name in ("x", "y"):
            tree.put(f"a/{name}", b"")
        (tmp_path / "a/.fedcba9876543210.tmp").write_text("of one that began later")
        tree.put("a/z", b"")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        ".fedcba9876543210.tmp",
        ".mine.tmp",
        "0123456789abcdef.tmp",
        "x",
        "y",
        "z",
    ]
    assert (tmp_path / "b/.0123456789abcdef.tmp").exists()


def test_while_another_one_writes_no_draft_is_removed(tmp_path: Path) -> None:
    draft = tmp_path / ".0123456789abcdef.tmp"
    with OutputTree(tmp_path):
        draft.write_text("its own")
        with OutputTree(tmp_path) as tree:
            tree.put("x", b"")
    assert draft.exists()
