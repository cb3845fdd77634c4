"""Where a run keeps what it knows, and how a person names one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from peagen_ray.errors import UsageError
from peagen_ray.evolution import checkpoint
from peagen_ray.runtime.paths import WORKSPACE, RunPaths

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def made(second: int, *, recorded: bool = True) -> RunPaths:
    paths = RunPaths.new(NOW.replace(second=second))
    if recorded:
        paths.ledger.write_bytes(b"x")
    return paths


def test_a_new_run_has_a_directory_of_its_own_named_by_the_time(here: Path) -> None:
    one, two = made(5), made(5)
    assert one.root.is_dir()
    assert one.root.parent == WORKSPACE / "runs"
    assert one.id.startswith("20300102-030405-")
    assert one.id != two.id


def test_every_file_lies_in_the_runs_directory(here: Path) -> None:
    paths = made(5)
    files = [paths.ledger, paths.checkpoint, paths.reference, paths.winner, paths.diff, paths.summary]
    assert {path.parent for path in files} == {paths.root}
    assert len(set(files)) == 6


def test_a_workspace_that_cannot_be_written_is_wrong_use(here: Path) -> None:
    (here / ".peagen").write_text("a file where the directory belongs")
    with pytest.raises(UsageError, match="directory cannot be made: Not a directory") as refused:
        RunPaths.new(NOW)
    assert str(here) in refused.value.subject
    assert refused.value.hint


def test_a_run_is_found_by_id_directory_ledger_and_checkpoint(here: Path) -> None:
    paths = made(5)
    paths.checkpoint.write_text("{}")
    names = [paths.id, str(paths.root), str(paths.root.absolute()), str(paths.ledger), str(paths.checkpoint)]
    assert {RunPaths.find(name).root.resolve() for name in names} == {paths.root.resolve()}


def test_last_is_the_newest_that_has_a_record(here: Path) -> None:
    made(5)
    newest = made(9)
    made(11, recorded=False)
    assert RunPaths.find("last") == newest


def test_a_checkpoint_that_is_kept_elsewhere_leads_to_its_run(here: Path) -> None:
    paths = made(5)
    made(9)
    elsewhere = here / "elsewhere" / "mine.json"
    elsewhere.parent.mkdir()
    checkpoint.save(elsewhere, {"run": paths.id, "position": [0, 0], "engine": {}})
    assert RunPaths.find(str(elsewhere)) == paths


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', '{"format": 1, "run": "../../etc"}', "\x00"])
def test_a_file_that_is_no_checkpoint_of_a_known_run_leads_nowhere(here: Path, content: str) -> None:
    made(5)
    (here / "mine.json").write_text(content)
    with pytest.raises(UsageError, match="no such run"):
        RunPaths.find("mine.json")


def test_an_unknown_name_is_refused_with_the_known_ones(here: Path) -> None:
    with pytest.raises(UsageError, match="no such run") as refused:
        RunPaths.find("last")
    assert "no run under" in refused.value.hint
    known = [made(second).id for second in range(7)]
    with pytest.raises(UsageError) as refused:
        RunPaths.find("nope")
    assert refused.value.subject == "nope"
    assert all(name in refused.value.hint for name in known[-5:])
    assert known[0] not in refused.value.hint


def test_only_a_run_that_has_nothing_recorded_is_discarded(here: Path) -> None:
    kept, empty = made(5), made(6, recorded=False)
    empty.reference.write_bytes(b"half")
    for paths in (kept, empty):
        paths.discard_if_empty()
    assert kept.root.is_dir()
    assert not empty.root.exists()
    empty.discard_if_empty()
