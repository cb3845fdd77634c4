"""A worker's references: made once, shared by its processes, and the latest kept."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from peagen_ray.sandbox import keeping
from peagen_ray.sandbox.keeping import References, key_of
from peagen_ray.sandbox.reference import Facts, Reference, Subject

REFERENCE = Reference(10, 2, 0.005, 200.0, (b"call",), (b"answer",), 1, (b"more",))
SUBJECT = Subject("def f(): ...", "f")
FACTS = Facts(10, 2, 0.005, 200.0)


class Maker:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Reference:
        self.made += 1
        return REFERENCE


def test_a_reference_is_made_once_and_then_read(tmp_path: Path) -> None:
    make, directory = Maker(), tmp_path / "not" / "there yet"
    for _ in range(3):
        assert References(directory).get("key", make) == REFERENCE
    assert make.made == 1


def test_without_a_directory_it_is_made_every_time() -> None:
    make = Maker()
    for _ in range(2):
        assert References(None).get("key", make) == REFERENCE
    assert make.made == 2


def test_what_was_put_is_not_made(tmp_path: Path) -> None:
    References(tmp_path).put("key", REFERENCE)
    assert References(tmp_path).get("key", lambda: pytest.fail("made")) == REFERENCE


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"\xff" * 9])
def test_one_that_is_damaged_is_made_again(tmp_path: Path, damage: bytes) -> None:
    references, make = References(tmp_path), Maker()
    references.put("key", REFERENCE)
    (tmp_path / "key.bin").write_bytes(damage)
    assert references.get("key", make) == REFERENCE
    assert make.made == 1


def test_many_who_want_it_wait_for_one_who_makes_it(tmp_path: Path) -> None:
    make = Maker()
    found: list[Reference] = []
    threads = [
        threading.Thread(target=lambda: found.append(References(tmp_path).get("key", make))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [REFERENCE] * 8
    assert make.made == 1


def test_only_the_latest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "KEPT", 2)
    references = References(tmp_path)
    for number in range(3):
        references.put(f"key{number}", REFERENCE)
        os.utime(tmp_path / f"key{number}.bin", (number, number))
    references.put("key3", REFERENCE)
    assert sorted(path.name for path in tmp_path.glob("*.bin")) == ["key2.bin", "key3.bin"]


def test_whatever_changes_the_reference_changes_its_name() -> None:
    keys = {
        key_of(SUBJECT, 1, FACTS, "speed_ms"),
        key_of(SUBJECT, 2, FACTS, "speed_ms"),
        key_of(SUBJECT, 1, replace(FACTS, size=11), "speed_ms"),
        key_of(SUBJECT, 1, FACTS, "instructions"),
        key_of(replace(SUBJECT, source="def f(): pass"), 1, FACTS, "speed_ms"),
        key_of(replace(SUBJECT, entry="g"), 1, FACTS, "speed_ms"),
        key_of(replace(SUBJECT, workload="sizes = (1, 2)"), 1, FACTS, "speed_ms"),
    }
    assert len(keys) == 7
    assert key_of(replace(SUBJECT, path="/elsewhere"), 1, FACTS, "speed_ms") in keys
