"""What a person is told before a run and at its end."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from peagen_ray.cli.report import show_plan, show_result
from peagen_ray.config.model import Config
from peagen_ray.errors import TargetError
from peagen_ray.evolution.diff import unified
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.settings import RunRequest

SLOW = "def f(xs: list[int]) -> int:\n    return sum(xs)\n"
FAST = "def f(xs: list[int]) -> int:\n    return fsum(xs)\n"

RESULT = RunResult(
    paths=RunPaths(Path(".peagen/runs/20300102-030405-abcd")),
    stopped="max_generations",
    improved=True,
    source=FAST,
    diff=unified(SLOW, FAST, "slow.py"),
    ratio=12.34,
    low=12.2,
    high=12.5,
    reference_ms=200.0,
    speed_ms=16.2,
    inputs=1017,
    first_10x_s=3.0,
    best_s=9.0,
    elapsed_s=61.5,
    generation=8,
    told=80,
    outcomes={"ok": 70, "error": 10},
    hunks=(5, 2),
)


def said(show: Callable[..., None], *arguments: Any, width: int = 200, terminal: bool = False) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, force_terminal=terminal, markup=False, emoji=False, highlight=False
    )
    show(console, *arguments)
    return stream.getvalue()


def test_a_gain_is_told_with_its_interval_its_proof_and_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = said(show_result, RESULT)
    assert [line.split() for line in text.splitlines()[:2]] == [
        ["before", "after", "gain"],
        ["CPU", "time,", "ms", "200.0", "16.2", "12.34x", "(95", "%:", "12.20", "to", "12.50)"],
    ]
    assert RESULT.diff in text
    assert text.splitlines()[-4:] == [
        "12.3x faster; no difference from the original on 1017 fresh inputs; 80 candidates in 62 s "
        "(max_generations); 3 of 5 changes were taken back, as they gained nothing",
        "winner  .peagen/runs/20300102-030405-abcd/winner.py",
        "diff    .peagen/runs/20300102-030405-abcd/winner.diff",
        "run     .peagen/runs/20300102-030405-abcd",
    ]


def test_where_no_change_was_taken_back_none_is_mentioned() -> None:
    assert "taken back" not in said(show_result, replace(RESULT, hunks=(2, 2)))


def test_a_run_that_is_not_below_here_is_named_in_full(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "runs" / "1")
    assert f"run     {paths.root}\n" in said(show_result, replace(RESULT, paths=paths))


def test_without_a_gain_nothing_is_claimed() -> None:
    text = said(show_result, replace(RESULT, improved=False))
    assert text == (
        "no faster program was found (max_generations, 80 candidates, 62 s); "
        "the run is kept in .peagen/runs/20300102-030405-abcd\n"
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_long_lines_of_the_diff_are_shown_whole(terminal: bool) -> None:
    long = FAST.replace("fsum(xs)", " + ".join(f"xs[{number}]" for number in range(100)))
    diff = unified(SLOW, long, "slow.py")
    text = said(show_result, replace(RESULT, diff=diff), width=60, terminal=terminal)
    if terminal:
        assert "xs[99]" in text.replace("\x1b[0m", "")
    else:
        assert diff in text


def test_what_a_winner_says_cannot_drive_the_terminal() -> None:
    hostile = f"{FAST}# \x1b[2J\x1b]0;owned\x07 [red]x[/nope]\n"
    text = said(show_result, replace(RESULT, diff=unified(SLOW, hostile, "slow.py")), terminal=True)
    assert "\x1b[2J" not in text
    assert "\x1b]0;" not in text
    assert "\x07" not in text
    assert "\\x1b[2J" in text
    assert "[red]x[/nope]" in said(show_result, replace(RESULT, diff=unified(SLOW, hostile, "slow.py")))


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(SLOW)

    def make(stop: dict[str, Any] | None = None, **request: Any) -> str:
        table = {"generation_size": 4, "stop": {"max_generations": 3, **(stop or {})}}
        config = Config.model_validate({"evolve": {"entry_fn": "f", **table, **request.pop("evolve", {})}})
        return said(show_plan, RunRequest(config, Path("slow.py"), concurrency=2, **request))

    return make


def test_a_plan_says_what_would_be_done_and_what_it_costs(plan: Callable[..., str]) -> None:
    assert plan().splitlines() == [
        "would evolve f in slow.py",
        "inputs: derived from type hints",
        "mutator: genetic; worst-case token spend: 0, no language model is asked",
        "at most 12 candidates, 2 at a time",
        "10 s and 1024 MiB for a candidate",
    ]


def test_a_plan_names_the_workload_the_time_and_the_module(plan: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "slow_workload.py").write_text("# inputs\n")
    text = plan({"run_timeout": "90s"}, evolve={"entry_fn": ""})
    assert "would evolve the module in slow.py\n" in text
    assert "inputs: slow_workload.py\n" in text
    assert "at most 90 s of evolution\n" in text


def test_the_plan_of_a_step_is_one_generation(plan: Callable[..., str]) -> None:
    assert "at most 4 candidates" in plan(more_generations=1)


def test_a_plan_that_cannot_be_carried_out_is_refused(plan: Callable[..., str]) -> None:
    with pytest.raises(TargetError):
        plan(evolve={"entry_fn": "nope"})
