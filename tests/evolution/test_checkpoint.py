"""Checkpoint files: replaced in one step, and worth nothing when damaged."""

from __future__ import annotations

import json

import pytest

from peagen_ray.evolution import checkpoint


def test_what_was_saved_is_loaded(tmp_path):
    path = tmp_path / "c.json"
    checkpoint.save(path, {"a": [1, 2.5, None], "ü": {"b": "\ud800"}})
    assert checkpoint.load(path) == {"a": [1, 2.5, None], "ü": {"b": "\ud800"}}


def test_floats_come_back_exactly(tmp_path):
    values = [0.1 + 0.2, 1e-308, 2.0**-1074, 1 / 3]
    checkpoint.save(tmp_path / "c.json", {"values": values})
    assert checkpoint.load(tmp_path / "c.json") == {"values": values}


def test_saving_leaves_nothing_else_behind(tmp_path):
    for n in range(3):
        checkpoint.save(tmp_path / "c.json", {"n": n})
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


def test_a_save_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "c.json"
    checkpoint.save(path, {"n": 1})
    with pytest.raises(TypeError):
        checkpoint.save(path, {"n": object()})
    assert checkpoint.load(path) == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"n": 1}', b'{"format": 999, "n": 1}'],
)
def test_a_damaged_or_foreign_file_is_as_good_as_none(tmp_path, content):
    (tmp_path / "c.json").write_bytes(content)
    assert checkpoint.load(tmp_path / "c.json") is None


def test_a_missing_file_is_none(tmp_path):
    assert checkpoint.load(tmp_path / "c.json") is None
    assert checkpoint.load(tmp_path) is None


def test_every_prefix_of_a_file_is_none_or_whole(tmp_path):
    path = tmp_path / "c.json"
    checkpoint.save(path, {"n": 12, "text": "abc"})
    whole = path.read_bytes()
    assert json.loads(whole)["n"] == 12
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert checkpoint.load(path) is None
