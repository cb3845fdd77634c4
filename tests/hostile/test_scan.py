"""The scan sees everything that it is there to see: each kind of trace is left here on purpose, and found."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from corpus import Expected, read
from scan import LEFT_BEHIND, MARK, left, traces

from peagen_ray.sandbox.measure import Interval, Verdict


def test_nothing_is_left_of_nothing(tmp_path: Path) -> None:
    assert left(traces(tmp_path), tmp_path) == {}


def test_files_of_the_workspace_are_seen(tmp_path: Path) -> None:
    before = traces(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").touch()
    assert left(before, tmp_path, patience_s=0) == {
        "files": [str(tmp_path / "deep"), str(tmp_path / "deep" / "file")]
    }


def test_files_where_everybody_may_write_are_seen() -> None:
    before = traces()
    place = Path("/dev/shm", f"{LEFT_BEHIND}-{os.getpid()}")
    place.touch()
    try:
        assert left(before, patience_s=0) == {"files": [str(place)]}
    finally:
        place.unlink()


def test_descendants_are_seen_and_so_is_what_bears_the_mark() -> None:
    before = traces()
    sleeping = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(sleeping, stdin=subprocess.PIPE) as process:
        assert [text.split()[0] for text in left(before, patience_s=0)["processes"]] == [str(process.pid)]
        assert process.stdin
        process.stdin.close()
    # Its parent is gone, so it is nobody's descendant that we know of.
    fork = f"import os, sys; os.fork() and os._exit(0); print(os.getpid(), flush=True); {sleeping[-1]}"
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", fork],
        stdin=reading,
        stdout=subprocess.PIPE,
        env={**os.environ, MARK: str(os.getpid())},
        text=True,
    ) as process:
        os.close(reading)
        assert process.stdout
        orphan = process.stdout.readline().strip()
        assert process.wait(20) == 0
        assert [text.split()[0] for text in left(before, patience_s=0)["processes"]] == [orphan]
        os.close(writing)
        process.stdout.read()


def test_abstract_sockets_are_seen() -> None:
    before = traces()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"\0{LEFT_BEHIND}")
        assert left(before, patience_s=0)["sockets"] == [f"@{LEFT_BEHIND}"]


def test_shared_segments_are_seen() -> None:
    import ctypes

    before = traces()
    libc = ctypes.CDLL(None)
    segment = libc.shmget(0, 4096, 0o1600)
    if segment < 0:
        pytest.skip("this kernel has no shared segments")
    try:
        (found,) = left(before, patience_s=0)["segments"]
        assert found.split()[0] == "shm"
    finally:
        libc.shmctl(segment, 0, None)


def verdict(
    outcome: str, ratio: float | None = None, *, confirmed: bool = True, gain: bool = True
) -> Verdict:
    speed = Interval(ratio, ratio, ratio, 9) if ratio else None
    return Verdict(outcome, "a reason", speed=speed, confirmed=confirmed, gain=gain)


@pytest.mark.parametrize(
    ("expected", "met", "unmet"),
    [
        (
            "no-gain",
            [verdict("ok", 1.01), verdict("ok"), verdict("ok", 9.0, gain=False)],
            [verdict("ok", 2.0), verdict("error")],
        ),
        ("ok", [verdict("ok", 9.0), verdict("ok", 1.0)], [verdict("incorrect")]),
        (
            "error|killed a rea",
            [verdict("error"), verdict("killed")],
            [verdict("timeout"), verdict("ok", 1.0)],
        ),
        ("error another", [], [verdict("error")]),
        ("ok", [verdict("ok", 9.0, confirmed=False)], []),
        ("no-gain", [], [verdict("ok", 1.0, confirmed=False)]),
    ],
)
def test_a_verdict_meets_what_is_expected_or_not(
    expected: str, met: list[Verdict], unmet: list[Verdict]
) -> None:
    wanted = Expected.read(expected)
    assert all(map(wanted.met_by, met))
    assert not any(map(wanted.met_by, unmet))


@pytest.mark.parametrize(
    "head",
    [
        "x = 1\n",
        "# tries: x\n# screening: ok\n",
        "# tries: x\n# screening: fine\n# confirmation: ok\n",
        "# tries: x\n# screening: ok\n# confirmation: ok\n# more: x\n",
    ],
)
def test_a_program_whose_keys_are_wrong_is_refused(head: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(head)
    with pytest.raises((AssertionError, KeyError)):
        read(path)
