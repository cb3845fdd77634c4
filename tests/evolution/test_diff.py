"""Unified diffs, as patch reads them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.evolution.diff import split_lines, unified


def test_it_names_the_file_on_both_sides():
    assert unified("a\nb\n", "a\nc\n", "sort.py") == (
        "--- a/sort.py\n+++ b/sort.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    )


def test_the_same_text_has_no_diff():
    assert unified("a\n", "a\n", "x.py") == ""


def test_a_missing_end_of_line_is_marked():
    assert unified("a", "a\n", "x") == (
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"
    )


def test_only_line_feeds_end_lines():
    assert split_lines("a\x0cb\u2028c\r\nd") == ["a\x0cb\u2028c\r\n", "d"]
    assert split_lines("") == []
    assert split_lines("\n") == ["\n"]


@given(st.text("ab\n\r\f ", max_size=30))
def test_lines_put_together_are_the_text(text):
    assert "".join(split_lines(text)) == text


@pytest.mark.skipif(shutil.which("patch") is None, reason="the patch program is not installed")
@pytest.mark.parametrize(("before", "after"), [("a\nb\nc\n", "a\nx\nc"), ("", "new\n"), ("a\nb", "b\n")])
def test_patch_applies_it(tmp_path, before, after):
    (tmp_path / "f.py").write_text(before)
    command = ["patch", "-p1", "--no-backup-if-mismatch"]
    subprocess.run(command, cwd=tmp_path, input=unified(before, after, "f.py").encode(), check=True)
    assert (tmp_path / "f.py").read_text() == after
