"""The comparison of selectors: what its figures come to, and that a run that fails is named."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_compare_selectors", FOLDER / "_compare_selectors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


selectors = loaded()
GAINS = {
    "bad_sort": {"epsilon": [1.0, 3.0], "ucb": [1.0, 2.0]},
    "slow_shortest": {"epsilon": [0.0, 0.0], "ucb": [4.0, 2.0]},
}


def test_the_best_is_the_one_with_the_largest_mean_over_workloads_and_seeds() -> None:
    found = selectors.summary(GAINS)
    assert found["best"] == "ucb"
    assert found["selectors"]["epsilon"]["gain"] == 1.0
    assert found["selectors"]["ucb"]["gain"] == 2.25
    assert found["selectors"]["epsilon"]["first"] == 2
    assert found["selectors"]["ucb"]["first"] == 3
    assert found["selectors"]["ucb"]["workloads"]["slow_shortest"] == {"gain": 3.0, "sd": 1.0}


def test_the_default_is_favoured_unless_another_is_clearly_beyond_it() -> None:
    assert selectors.summary(GAINS)["favoured"] == "epsilon"
    ahead = {"epsilon": [1.0, 1.1, 0.9], "ucb": [1.5, 1.7, 1.6], "rank": [1.3, 1.4, 1.2]}
    found = selectors.summary({"bad_sort": ahead, "slow_shortest": ahead})
    assert found["favoured"] == found["best"] == "ucb"
    assert found["beyond"]["ucb"]["mean"] == 0.6
    assert 0 < found["beyond"]["ucb"]["half_width"] < 0.2
    single = {"epsilon": [1.0], "ucb": [9.0]}
    assert selectors.summary({"bad_sort": single, "slow_shortest": single})["favoured"] == "epsilon"


def test_an_earlier_comparison_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command[command.index("--seed") + 1])
        return subprocess.CompletedProcess(command, 0, '{"ratio": 2.0}', "")

    monkeypatch.setattr(selectors.subprocess, "run", run)
    before = tmp_path / "line.json"
    before.write_text(json.dumps({"gains": GAINS}))
    monkeypatch.setattr(sys, "argv", ["selectors.py", "--seeds", "3", "--continue", str(before)])
    assert selectors.main() == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["seeds"], set(asked)) == (3, {"3"})
    assert line["gains"]["bad_sort"]["epsilon"] == [1.0, 3.0, math.log(2.0)]
    for rubbish in ("", "[]", '{"gains": 3}', '{"gains": {"bad_sort": {"ucb": [1], "rank": []}}}'):
        before.write_text(rubbish)
        with pytest.raises(SystemExit):
            selectors.main()


def test_no_seed_is_begun_that_would_not_be_done_in_time() -> None:
    assert selectors._in_time(0.0, 0, 0.0), "the first one always is"
    assert selectors._in_time(300.0, 1, 10.0)
    assert not selectors._in_time(301.0, 1, 10.0)
    assert selectors._in_time(1e9, 3, None)


@pytest.mark.parametrize("name", ["plot", "plot.txt", "no-such-directory/plot.png"])
def test_a_plot_that_cannot_be_saved_is_refused_before_the_hours_that_it_takes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["selectors.py", "--plot", name])
    with pytest.raises(SystemExit):
        selectors.main()
    assert "--plot" in capsys.readouterr().err


def test_the_table_shows_speed_ups() -> None:
    assert f"{math.exp(2.0):.2f}x ({math.exp(1.0):.2f} to {math.exp(3.0):.2f})" in selectors.table(GAINS)


@pytest.mark.parametrize("said", ["", "nonsense", "[]", "{}", '{"ratio": null}', '{"ratio": 0}'])
def test_a_run_that_fails_counts_as_no_gain_and_is_named(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        well = "ucb" in command
        return subprocess.CompletedProcess(command, 0, '{"ratio": 2.0}' if well else said, "")

    monkeypatch.setattr(selectors.subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["selectors.py", "--seeds", "2", "--selectors", "epsilon", "ucb"])
    assert selectors.main() == 1
    line = json.loads(capsys.readouterr().out)
    assert line["failed"] == [
        "bad_sort epsilon 1",
        "slow_shortest epsilon 1",
        "bad_sort epsilon 2",
        "slow_shortest epsilon 2",
    ]
    assert line["best"] == "ucb"
    assert line["selectors"]["epsilon"]["gain"] == 0.0


def test_a_slower_winner_is_no_gain_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], 0, '{"ratio": 0.99}', "")
    monkeypatch.setattr(selectors.subprocess, "run", lambda *_, **__: done)
    monkeypatch.setattr(sys, "argv", ["selectors.py", "--seeds", "1"])
    assert selectors.main() == 0


def test_the_script_runs_and_hides_no_module_of_the_standard_library_from_its_neighbours() -> None:
    script = [sys.executable, str(FOLDER / "selectors.py"), "--help"]
    assert "--seeds" in subprocess.run(script, capture_output=True, text=True, check=True).stdout
    code = "import sys; sys.path.insert(0, sys.argv[1]); import selectors, subprocess; selectors.DefaultSelector()"
    subprocess.run([sys.executable, "-I", "-c", code, str(FOLDER)], check=True)


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed")
def test_the_plot_is_an_image(tmp_path: Path) -> None:
    selectors.plot(GAINS, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
