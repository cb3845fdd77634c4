"""``doctor``: what it prints, for people and for programs, and when it fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.handler import Confinement
from peagen_ray.runtime import checkup
from peagen_ray.runtime.checkup import Check, Verdict
from peagen_ray.sandbox import examination
from peagen_ray.sandbox.examination import Examination, Finding, State
from peagen_ray.sandbox.probes import PROBES


def findings(state: State, **other: State) -> tuple[Finding, ...]:
    return tuple(Finding(probe.name, other.get(probe.name, state), "") for probe in PROBES)


FREE = Examination("none", findings=findings(State.POSSIBLE, tcp6=State.BLOCKED), start_ms=3.0)
GOOD = Examination(
    "process", layers=frozenset({"seccomp", "uid"}), start_ms=12.34, findings=findings(State.BLOCKED)
)
ABSENT = Examination("container", problem="no engine is installed", hint="install podman")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pretend(monkeypatch: pytest.MonkeyPatch, *found: Examination) -> None:
    def examine_all(
        names: Sequence[str], workspace: Path, confinement: Confinement
    ) -> tuple[Examination, list[Examination]]:
        assert confinement.image
        assert "process" in names
        assert workspace == Path.cwd()
        return FREE, list(found)

    monkeypatch.setattr(examination, "examine_all", examine_all)


def test_it_says_what_each_sandbox_stops_and_what_it_is_made_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, ABSENT, GOOD)
    assert run(["doctor", "--sandbox"]) == 0
    said = capsys.readouterr().out
    assert "container: cannot be used here: no engine is installed (install podman)" in said
    assert "process: a guest starts in 12.3 ms (median); layers: seccomp, uid" in said
    assert f"process stops all {len(PROBES)} probes" in said
    rows = {line.split()[0]: line.split()[1:3] for line in said.splitlines() if " possible " in line}
    assert rows["fork"] == ["possible", "blocked"]
    assert len(rows) == len(PROBES) - 1


@pytest.mark.parametrize(
    ("process", "reason"),
    [
        (replace(GOOD, findings=findings(State.BLOCKED, fork=State.POSSIBLE)), "does not stop 1 of"),
        (replace(GOOD, findings=findings(State.BLOCKED, tcp=State.UNCLEAR)), "probes: tcp"),
        (Examination("process", problem="the kernel refuses"), "process cannot be used"),
    ],
)
def test_it_fails_when_the_default_sandbox_does_not_hold(
    process: Examination, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, process)
    assert run(["doctor", "--sandbox"]) == 1
    assert reason in capsys.readouterr().out


def test_a_sandbox_beside_the_default_may_be_absent_or_leak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leaky = Examination("other", findings=findings(State.POSSIBLE), start_ms=1.0)
    pretend(monkeypatch, leaky, GOOD)
    assert run(["doctor", "--sandbox"]) == 0
    assert "layers: none" in capsys.readouterr().out


def test_json_is_all_that_is_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, ABSENT, GOOD)
    assert run(["doctor", "--json"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["python"].startswith("3.")
    container, process = document["sandboxes"]
    assert (container["holds"], container["hint"]) == (False, "install podman")
    assert (process["holds"], process["layers"]) == (True, ["seccomp", "uid"])
    assert document["unconfined"]["findings"][0] == {"probe": PROBES[0].name, "state": "possible", "how": ""}
    assert "process stops all" in said.err


def test_without_a_flag_it_says_what_machine_this_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, GOOD)
    assert run(["doctor"]) == 0
    assert "kernel: linux" in capsys.readouterr().out
    assert run(["doctor", "--sandbox"]) == 0
    assert "kernel: linux" not in capsys.readouterr().out


def test_dry_run_runs_no_probe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(examination, "examine_all", None)
    assert run(["doctor", "--sandbox", "--dry-run"]) == 0
    assert "would run the probes unconfined and in " in capsys.readouterr().out


def test_a_place_where_no_bait_can_be_laid_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(examination, "bait", refuse)
    assert run(["doctor", "--sandbox"]) == 1
    assert "run it in a directory that you may write to" in capsys.readouterr().err


def test_what_has_to_be_mended_is_said_with_how_and_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def checks(_: object) -> list[Check]:
        return [Check("ray", Verdict.OK, "fine"), Check("keys", Verdict.BAD, "K is not set", "export K")]

    monkeypatch.setattr(checkup, "checks", checks)
    pretend(monkeypatch, GOOD)
    assert run(["doctor", "--json"]) == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["checks"][-1] == {
        "name": "keys",
        "verdict": "bad",
        "found": "K is not set",
        "mend": "export K",
    }
    assert not document["ok"]
    assert "bad   keys: K is not set; export K" in said.err
    assert "to be mended: keys" in said.err
    assert run(["doctor", "--sandbox", "--json"]) == 0
    assert "checks" not in json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_this_machine_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--sandbox", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (process,) = (each for each in document["sandboxes"] if each["sandbox"] == "process")
    assert process["holds"]
    assert process["start_ms"] > 0
