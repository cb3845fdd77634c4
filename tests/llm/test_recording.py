"""What was asked and answered is on disk, survives a kill at any byte, and answers a replay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import LedgerError, ReplayDivergence
from peagen_ray.llm.base import FinishReason, Prompt
from peagen_ray.llm.calling import Asked
from peagen_ray.llm.ensemble import Outcome
from peagen_ray.llm.exchange import Exchange
from peagen_ray.llm.recording import Player, Recording, Round, read

PROMPT = Prompt("faster, please")
counts = st.none() | st.integers(0, 10**9)
exchanges = st.builds(
    Exchange,
    prompt=st.just(PROMPT.digest),
    backend=st.text(max_size=5),
    model=st.text(max_size=5),
    outcome=st.sampled_from(Outcome),
    bound_in=st.integers(0, 10**6),
    bound_out=st.integers(0, 10**6),
    text=st.text(max_size=30),
    tokens_in=counts,
    tokens_out=counts,
    latency_s=st.floats(0, 1e6),
    finish=st.none() | st.sampled_from(FinishReason),
    error=st.text(max_size=9),
    billed=st.booleans(),
    retry_after=st.none() | st.floats(0, 1e5),
    attempt=st.integers(1, 9),
)


def asking(task: str = "t1", number: int = 0, text: str = "def f(): …\n") -> Round:
    lost = Exchange(PROMPT.digest, "a", "m", Outcome.NEUTRAL, 9, 9, error="cancelled")
    kept = Exchange(PROMPT.digest, "b", "m", Outcome.OK, 9, 9, text, 3, 4, 0.5, FinishReason.STOP, kept=True)
    return Round(task, number, PROMPT.digest, Asked(kept, (lost, kept)))


def _bad(name: str, value: object) -> bytes:
    wire = asking().asked.exchanges[1].to_wire() | {name: value}
    return json.dumps({"v": 1, "task": "t", "round": 0, "prompt": "p", "exchanges": [wire]}).encode() + b"\n"


@given(exchange=exchanges)
def test_an_exchange_comes_back_from_json_as_it_was(exchange: Exchange) -> None:
    assert Exchange.from_wire(json.loads(json.dumps(exchange.to_wire()))) == exchange


def test_what_was_recorded_is_played(tmp_path: Path) -> None:
    path = tmp_path / "exchanges.jsonl"
    with Recording(path) as recording:
        recording.append(asking())
    with Recording(path) as recording:
        assert recording.cut == 0
        recording.append(asking(number=1, text="\u2028 repaired"))
        recording.append(asking(number=1, text="repaired again"))
    assert len(list(read(path))) == 3
    player = Player(path)
    assert player.ask("t1", 0, PROMPT) == asking().asked
    found = player.ask("t1", 1, PROMPT)
    assert found.kept is not None
    assert found.kept.text == "repaired again"


def test_a_replay_that_asks_something_else_diverges(tmp_path: Path) -> None:
    with Recording(tmp_path / "r") as recording:
        recording.append(asking())
    player = Player(tmp_path / "r")
    with pytest.raises(ReplayDivergence, match="round 1 of task t1: was not recorded"):
        player.ask("t1", 1, PROMPT)
    with pytest.raises(ReplayDivergence, match="something else"):
        player.ask("t1", 0, Prompt("slower, please"))


def test_a_write_that_was_cut_at_any_byte_loses_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with Recording(path) as recording:
        recording.append(asking("t1"))
        first = path.stat().st_size
        recording.append(asking("t2"))
    whole = path.read_bytes()
    for end in range(first, len(whole)):
        path.write_bytes(whole[:end])
        assert [each.task for each in read(path)] == ["t1"]
        if end % 8:
            continue  # each open and each line waits for the disk
        with Recording(path) as recording:
            assert recording.cut == end - first
            recording.append(asking("t3"))
        assert [each.task for each in read(path)] == ["t1", "t3"]


def test_a_tail_longer_than_a_block_is_cut_too(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(b"x" * 200_000)
    with Recording(path) as recording:
        assert recording.cut == 200_000
    assert path.stat().st_size == 0


@pytest.mark.parametrize(
    "line",
    [
        b"{}\n",
        b"null\n",
        b"[]\n",
        b"\xff\n",
        b"\n",
        b"[" * 100_000 + b"\n",
        b'{"v":1,"task":"t","round":0,"prompt":"p","exchanges":[{}]}\n',
        b'{"v":1,"task":"t","round":0,"prompt":"p","exchanges":[{"finish":"x","outcome":"ok"}]}\n',
        _bad("tokens_in", -1),
        _bad("tokens_out", "many"),
        _bad("text", 5),
        b'{"v":1,"task":"t","round":"x","prompt":"p","exchanges":[]}\n',
    ],
)
def test_a_line_that_is_damaged_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "r"
    with Recording(path) as recording:
        recording.append(asking())
    with path.open("ab") as file:
        file.write(line)
    with pytest.raises(LedgerError, match=r"r:2: is damaged"):
        Player(path)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(b'{"v":2}\n')
    with pytest.raises(LedgerError, match="version 2"):
        list(read(path))


def test_there_is_one_writer_at_a_time(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from peagen_ray.llm.recording import Recording; Recording(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "r")]
    with Recording(tmp_path / "r"):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "another process is writing it" in done.stderr
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


def test_a_disk_that_refuses_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r"
    real = os.pwrite

    def full(file: int, data: bytes, offset: int) -> int:
        real(file, data[:10], offset)
        raise OSError(28, "No space left on device")

    with Recording(path) as recording:
        recording.append(asking("t1"))
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(LedgerError, match="No space left"):
            recording.append(asking("t2"))
        monkeypatch.undo()
        assert [each.task for each in read(path)] == ["t1"]
        with pytest.raises(LedgerError, match="an earlier write failed"):
            recording.append(asking("t3"))


def test_where_there_is_no_recording_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="No such file"):
        Player(tmp_path / "none")
    with pytest.raises(LedgerError, match="cannot be opened"):
        Recording(tmp_path / "no" / "directory")
