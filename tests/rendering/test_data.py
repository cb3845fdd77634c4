"""Data files: what each format says, and that broken and hostile ones are refused with their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peagen_ray.errors import ProjectError
from peagen_ray.rendering.data import read_data


def written(tmp_path: Path, name: str, text: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", '{"a": [1, null, true, 1.5, "x"]}', {"a": [1, None, True, 1.5, "x"]}),
        ("a.yaml", "a: [1, null, true, 1.5, x]", {"a": [1, None, True, 1.5, "x"]}),
        ("a.yml", "d: 2024-02-29", {"d": "2024-02-29"}),
        ("a.yaml", "base: &b {x: 1}\nmore: {<<: *b, y: 2}", {"base": {"x": 1}, "more": {"x": 1, "y": 2}}),
        ("a.toml", "d = 2024-02-29T10:00:00Z\n[t]\nx = 1", {"d": "2024-02-29T10:00:00+00:00", "t": {"x": 1}}),
        (
            "a.csv",
            'id,name\n1,"a, b"\n\n2,"c\nd"\n',
            [{"id": "1", "name": "a, b"}, {"id": "2", "name": "c\nd"}],
        ),
        ("a.csv", b"\xef\xbb\xbfid\r\n1\r\n", [{"id": "1"}]),
        ("a.tsv", "id\tname\n1\tx\n", [{"id": "1", "name": "x"}]),
        ("a.csv", "id,name\n", []),
    ],
)
def test_a_file_says_plain_data(tmp_path: Path, name: str, text: str | bytes, expected: Any) -> None:
    assert read_data(written(tmp_path, name, text)) == expected


def test_a_csv_file_may_have_another_delimiter_and_encoding(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "id;name\n1;é\n".encode("latin-1"))
    assert read_data(path, form="csv", encoding="latin-1", delimiter=";") == [{"id": "1", "name": "é"}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "id,name\n1,x\n2\n", r"a\.csv:3: has 1 fields, the first line has 2"),
        ("a.csv", "id,id\n", r"a\.csv:1: the column 'id' is there twice"),
        ("a.csv", "id,\n", r"a\.csv:1: a column has no name"),
        ("a.csv", "", "no first line"),
        ("a.csv", 'id\n"open\n', r"a\.csv:\d: not CSV"),
        ("a.csv", b"id\n\xff\n", r"is not UTF-8: .*encoding: latin-1"),
        ("a.json", '{"a": }', r"a\.json:1:7: not JSON"),
        ("a.json", '{"a": NaN}', "a: nan is no number"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", "1" * 5000, "not JSON"),
        ("a.yaml", "a: [1", r"a\.yaml:\d:\d+: not YAML"),
        ("a.yaml", "a: 1\na: 2", r"a\.yaml:2:1: not YAML: the key 'a' is given twice"),
        ("a.yaml", "1: x", "the key 1 is no text"),
        ("a.yaml", "a: !!python/object/apply:os.system ['true']", "not YAML"),
        ("a.yaml", "a: &a [*a]", "nested too deeply"),
        ("a.yaml", "a: !!binary aGk=", "a bytes is no data"),
        ("a.yaml", "a: !!set {x}", "a set is no data"),
        ("a.toml", "a = ", "not TOML"),
        ("a.toml", "a = inf", "a: inf is no number"),
        ("a.xml", "<a/>", "is of no known format: xml"),
    ],
)
def test_what_is_broken_is_refused_with_its_place(
    tmp_path: Path, name: str, text: str | bytes, message: str
) -> None:
    with pytest.raises(ProjectError, match=message):
        read_data(written(tmp_path, name, text))


def test_an_encoding_that_there_is_not_is_refused(tmp_path: Path) -> None:
    for name in ("klingon", "a\0b", "hex"):
        with pytest.raises(ProjectError, match="there is no encoding"):
            read_data(written(tmp_path, "a.csv", "id\n"), encoding=name)


def test_a_bomb_of_references_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peagen_ray.rendering.data.MOST_VALUES", 10_000)
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    with pytest.raises(ProjectError, match="more than 10000 values"):
        read_data(written(tmp_path, "bomb.yaml", "\n".join(lines)))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"gone\.csv: cannot be read: No such file"):
        read_data(tmp_path / "gone.csv")


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_plain)
def test_json_is_read_as_it_was_written(tmp_path: Path, value: Any) -> None:
    assert read_data(written(tmp_path, "a.json", json.dumps(value))) == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from(["yaml", "json", "toml", "csv", "tsv"]))
def test_rubbish_is_data_or_an_error_of_ours(tmp_path: Path, raw: bytes, form: str) -> None:
    try:
        read_data(written(tmp_path, "rubbish", raw), form=form)
    except ProjectError as error:
        caught = error
    else:
        return
    assert "rubbish" in str(caught)
