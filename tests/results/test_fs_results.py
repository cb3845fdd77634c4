"""What the file back-end adds to the contract: names, damage, crashes, storages."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from peagen_ray.errors import ConfigError, ResultBackendError
from peagen_ray.results.base import Record
from peagen_ray.results.fs import FsResultBackend
from peagen_ray.testing.result_suite import a_record


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "results"


def file_of(root: Path, record: Record) -> Path:
    (path,) = root.rglob(f"{record.task.id}*")
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_a_person_finds_and_reads_a_record_by_hand(root: Path, compress: bool) -> None:
    record = a_record(answer=42)
    FsResultBackend(root, compress=compress).put(record)
    path = root / "2026-03-01" / "execute" / (record.task.id + (".json.gz" if compress else ".json"))
    raw = path.read_bytes()
    fields = json.loads(gzip.decompress(raw) if compress else raw)
    assert fields["task"]["id"] == fields["result"]["task_id"] == record.task.id
    assert fields["result"]["data"] == {"answer": 42}


def test_the_same_record_is_the_same_bytes(root: Path, tmp_path: Path) -> None:
    record = a_record()
    for place in (root, tmp_path / "other"):
        FsResultBackend(place, compress=True).put(record)
    assert file_of(root, record).read_bytes() == file_of(tmp_path / "other", record).read_bytes()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"\x1f\x8b\x08",
        b'{"task": 1, "result": 2}',
        b'{"task": {}}',
        b"[" * 100_000,
        gzip.compress(b"x", mtime=0),
        gzip.compress(b'{"task"', mtime=0),
        gzip.compress(b"x" * 999, mtime=0)[:-9],
        gzip.compress(b"x" * 999, mtime=0)[:10] + b"\xff" * 20,
    ],
)
def test_a_damaged_file_is_named_and_the_listing_goes_on(root: Path, compress: bool, damage: bytes) -> None:
    backend = FsResultBackend(root, compress=compress)
    records = sorted((a_record() for _ in range(3)), key=lambda record: record.task.id)
    for record in records:
        backend.put(record)
    path = file_of(root, records[1])
    path.write_bytes(damage)
    first, broken, last = backend.list()
    assert (first, last) == (records[0], records[2])
    assert isinstance(broken, ResultBackendError)
    assert str(path) in str(broken)
    with pytest.raises(ResultBackendError, match=records[1].task.id):
        backend.get(records[1].task.id)


def test_a_record_under_another_name_is_not_taken_for_it(root: Path) -> None:
    backend = FsResultBackend(root, compress=False)
    record = a_record()
    backend.put(record)
    path = file_of(root, record)
    path.rename(path.with_name("f" * 32 + ".json"))
    with pytest.raises(ResultBackendError, match=record.task.id):
        backend.get("f" * 32)


def test_a_newer_envelope_is_an_error_that_says_so(root: Path) -> None:
    backend = FsResultBackend(root, compress=False)
    record = a_record()
    backend.put(record)
    path = file_of(root, record)
    path.write_bytes(path.read_bytes().replace(b'"schema_v":1', b'"schema_v":2'))
    with pytest.raises(ResultBackendError, match="schema_v 2"):
        backend.get(record.task.id)


def test_foreign_files_are_named_and_hidden_ones_are_not_ours_to_see(root: Path) -> None:
    backend = FsResultBackend(root, compress=True)
    record = a_record()
    backend.put(record)
    directory = file_of(root, record).parent
    foreign = [root / "notes.txt", directory / "notes.txt", directory / "0123.json", directory / "f" / "x"]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (directory / f".{record.task.id}.json.gz.half").write_bytes(b"\x1f")
    (root / ".DS_Store").touch()
    listed = list(backend.list())
    assert [item for item in listed if isinstance(item, Record)] == [record]
    errors = {item.subject for item in listed if isinstance(item, ResultBackendError)}
    assert errors == {str(root / "notes.txt"), *map(str, [*foreign[1:3], directory / "f"])}
    assert backend.get(record.task.id) == record


def test_of_two_formats_left_by_a_crash_the_configured_one_counts(root: Path) -> None:
    plain, packed = FsResultBackend(root, compress=False), FsResultBackend(root, compress=True)
    old, new = (a_record(n=n) for n in (1, 2))
    new = Record(old.task, new.result.model_copy(update={"task_id": old.task.id}))
    plain.put(old)
    left = file_of(root, old)
    raw = left.read_bytes()
    packed.put(new)
    left.write_bytes(raw)
    assert packed.get(old.task.id) == new
    assert list(packed.list()) == [new]


KILLED = """
import os, pathlib, sys
from peagen_ray.results import fs
from peagen_ray.testing.result_suite import a_record

def die(*args):
    os._exit(9)

setattr(os, "fsync", die) if sys.argv[2] == "sync" else setattr(pathlib.Path, "replace", die)
os.makedirs(f"{sys.argv[1]}/2026-03-01/execute")
fs.FsResultBackend(sys.argv[1], compress=False).put(a_record(bulk="x" * 1_000_000))
"""


@pytest.mark.parametrize("moment", ["sync", "rename"])
def test_a_writer_killed_before_the_end_leaves_no_record(root: Path, moment: str) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(root), moment], check=False)
    assert died.returncode == 9
    backend = FsResultBackend(root, compress=False)
    assert list(backend.list()) == []
    record = a_record()
    backend.put(record)
    assert list(backend.list()) == [record]


def test_a_failed_write_is_named_and_leaves_nothing_behind(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    backend, record = FsResultBackend(root, compress=True), a_record()
    (root / "2026-03-01" / "execute").mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultBackendError, match="No space left") as caught:
        backend.put(record)
    assert record.task.id in caught.value.subject
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_a_root_that_is_a_file_is_an_error_from_every_method(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    backend = FsResultBackend(tmp_path / "file", compress=True)
    with pytest.raises(ResultBackendError):
        backend.put(a_record())
    with pytest.raises(ResultBackendError):
        backend.get("f" * 32)
    with pytest.raises(ResultBackendError):
        list(backend.list())


def test_an_id_too_long_for_a_file_is_an_error(root: Path) -> None:
    backend, record = FsResultBackend(root, compress=True), a_record()
    task = record.task.model_copy(update={"id": "a" * 400})
    with pytest.raises(ResultBackendError):
        backend.put(Record(task, record.result.model_copy(update={"task_id": task.id})))


@pytest.mark.parametrize("url", ["ftp://x/y", "nope://x", "s3://"])
def test_an_unknown_storage_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError):
        FsResultBackend(url, compress=True)


def test_uris_of_files_are_written_as_carefully_as_paths(tmp_path: Path) -> None:
    record = a_record()
    FsResultBackend(f"file://{tmp_path}", compress=False).put(record)
    assert FsResultBackend(tmp_path, compress=False).get(record.task.id) == record


def test_pyarrow_is_imported_when_a_back_end_is_opened() -> None:
    code = "import sys, peagen_ray.results.fs; sys.exit('pyarrow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
