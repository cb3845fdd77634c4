"""What a person sees of a run while it goes on, on a terminal and elsewhere."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from peagen_ray.cli import display as module
from peagen_ray.cli.display import Display, outcomes_line, plain_line, sparkline, table
from peagen_ray.evolution.program import Outcome
from peagen_ray.runtime.progress import Progress, Told

PROGRESS = Progress(
    elapsed_s=12.4,
    generation=3,
    told=37,
    in_flight=4,
    accepted=9,
    cells=7,
    best_ratio=2.5,
    screened_ratio=2.5,
    best_ms=80.0,
    reference_ms=200.0,
    rate=3.14,
    outcomes={"ok": 20, "incorrect": 12, "error": 5, "memory": 0},
    remaining={"max_generations": "7 generations (~30 s)", "run_timeout": "47 s"},
)
TOLD = Told(
    n=5,
    kind="mutate",
    parent=2,
    operator="genetic/any-loop",
    outcome=Outcome.OK,
    reason="",
    ratio=1.5,
    accepted=True,
)
HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\u202e[red]x[/nope]:smile:\x00"


def console(stream: io.StringIO, *, terminal: bool) -> Console:
    """As the program's own are, but for where they write."""
    return Console(
        file=stream,
        width=160,
        force_terminal=terminal,
        color_system=None,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )


@pytest.fixture
def shown() -> Callable[..., str]:
    """What a display writes while a function drives it."""

    def drive(use: Callable[[Display], Any], *, terminal: bool = False, verbose: bool = False) -> str:
        stream = io.StringIO()
        with Display(console(stream, terminal=terminal), verbose=verbose) as display:
            use(display)
        return stream.getvalue()

    return drive


# Elsewhere than on a terminal


def test_phases_and_notes_are_lines(shown: Callable[..., str]) -> None:
    def use(display: Display) -> None:
        display.phase("measuring the original", "f in slow.py")
        display.phase("evolving")
        display.note("run 1 in here")

    assert shown(use) == "measuring the original: f in slow.py\nevolving\nrun 1 in here\n"


def test_one_line_says_where_the_run_is() -> None:
    assert plain_line(PROGRESS) == (
        "   12 s  generation   3     37 candidates (3.1/s)  best 2.50x  accepted 9  "
        "20 ok, 12 incorrect, 5 error  (left: max_generations 7 generations (~30 s); run_timeout 47 s)"
    )


def test_a_line_is_printed_now_and_then_and_whenever_there_is_a_better_program(
    shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 101.0, 102.0, 102.5, 103.0, 107.9, 108.1])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    ratios = [1.0, 1.0, 1.5, 1.5, 1.501, 1.501, 1.501]

    def use(display: Display) -> None:
        for second, ratio in enumerate(ratios):
            display.progress(replace(PROGRESS, elapsed_s=float(second), best_ratio=ratio))

    lines = shown(use).splitlines()
    assert [line.split(" s ")[0].strip() for line in lines] == ["0", "2", "5"]


def test_outcomes_are_named_the_commonest_first() -> None:
    assert outcomes_line(PROGRESS) == "20 ok, 12 incorrect, 5 error"
    assert outcomes_line(replace(PROGRESS, outcomes={"b": 1, "a": 1})) == "1 a, 1 b"
    assert outcomes_line(replace(PROGRESS, outcomes={"ok": 0})) == "none yet"
    assert "left" not in plain_line(replace(PROGRESS, remaining={}))


# Candidates


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (TOLD, "+ mutate      5 from 2          1.50x  genetic/any-loop"),
        (
            replace(TOLD, accepted=False, ratio=None, outcome=Outcome.ERROR, reason="exit 3"),
            "  mutate      5 from 2          error  genetic/any-loop  exit 3",
        ),
        (
            replace(TOLD, kind="seed", n=0, parent=None, ratio=1.0, operator="seed"),
            "+ seed        0                 1.00x  seed",
        ),
    ],
)
def test_verbose_shows_every_candidate(shown: Callable[..., str], told: Told, line: str) -> None:
    assert shown(lambda display: display.candidate(told), verbose=True) == f"{line}\n"
    assert shown(lambda display: display.candidate(told)) == ""


def test_a_candidate_is_one_line_whatever_its_reason(shown: Callable[..., str]) -> None:
    told = replace(TOLD, reason="first\nsecond\u2028third" + "x" * 5000)
    assert shown(lambda display: display.candidate(told), verbose=True).count("\n") <= 2
    assert "second" not in shown(lambda display: display.candidate(told), verbose=True)


@pytest.mark.parametrize("terminal", [False, True])
def test_what_a_candidate_says_cannot_drive_the_terminal(shown: Callable[..., str], terminal: bool) -> None:
    def use(display: Display) -> None:
        display.candidate(replace(TOLD, reason=f"said {HOSTILE}", operator=f"x{HOSTILE}"))
        display.note(f"turned down: {HOSTILE}")
        display.phase("minimising", HOSTILE)

    quiet = shown(lambda _: None, terminal=terminal)
    said = shown(use, terminal=terminal, verbose=True)
    for control in ("\x1b[2J", "\x1b]0;", "\x07", "\u202e", "\x00"):
        assert control not in said.replace(quiet, "")
    assert "\\x1b[2J" in said
    assert "[red]x[/nope]:smile:" in said


def test_long_lines_are_left_to_the_terminal_to_wrap(shown: Callable[..., str]) -> None:
    def use(display: Display) -> None:
        display.note("a path " * 60)
        display.phase("evolving", "a path " * 60)
        display.progress(replace(PROGRESS, remaining={"rule": "words " * 60}))

    assert shown(use).count("\n") == 3


# On a terminal


def test_a_terminal_shows_a_table_in_place(shown: Callable[..., str]) -> None:
    def use(display: Display) -> None:
        display.phase("evolving", "2 at a time")
        for ratio in (1.0, 1.5, 2.5):
            display.progress(replace(PROGRESS, best_ratio=ratio, screened_ratio=ratio))

    said = shown(use, terminal=True)
    assert "evolving: 2 at a time" in said
    assert "2.50x (200 → 80.0 ms)" in said
    assert "generation 3, 37 candidates, 3.1/s" in said
    assert "9 in 7 cells" in said
    assert "█" in said
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l"), "the cursor is back"
    assert plain_line(PROGRESS) not in said


def test_nothing_is_drawn_before_there_is_progress(shown: Callable[..., str]) -> None:
    assert "generation" not in shown(lambda display: display.phase("evolving"), terminal=True)


def test_the_cursor_comes_back_after_an_error(shown: Callable[..., str]) -> None:
    stream = io.StringIO()

    def fail() -> None:
        with Display(console(stream, terminal=True), verbose=False) as display:
            display.progress(PROGRESS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert stream.getvalue().count("\x1b[?25h") == 1


def test_what_waits_for_confirmation_is_named() -> None:
    def cell(progress: Progress) -> str:
        stream = io.StringIO()
        console(stream, terminal=False).print(table(progress, "evolving"))
        return stream.getvalue()

    assert "waits" not in cell(replace(PROGRESS, screened_ratio=2.51))
    assert "4.00x waits for confirmation" in cell(replace(PROGRESS, screened_ratio=4.0))


# The trend


@given(st.lists(st.floats(0, 1e12), max_size=400))
def test_a_trend_is_short_and_never_fails(ratios: list[float]) -> None:
    line = sparkline(ratios)
    assert len(line) <= 48
    assert bool(line) == bool(ratios)
    assert set(line) <= set("▁▂▃▄▅▆▇█")


@given(st.lists(st.floats(1, 1e9), min_size=1, max_size=48))
def test_a_trend_rises_where_the_ratios_rise(ratios: list[float]) -> None:
    line = sparkline(sorted(ratios))
    assert list(line) == sorted(line)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=48))
def test_a_trend_of_scores_rises_with_them_whatever_their_sign(scores: list[float]) -> None:
    line = sparkline(sorted(scores), ratios=False)
    assert list(line) == sorted(line)


def test_a_trend_ends_with_the_latest_value() -> None:
    """However many values there are: the gain that was just made is seen."""
    for length in range(2, 200):
        line = sparkline([1.0] * (length - 1) + [100.0])
        assert line[-1] == "█", length


def test_a_trend_is_logarithmic() -> None:
    doubling = sparkline([math.exp(power) for power in range(8)])
    assert doubling == "▁▂▃▄▅▆▇█"
    assert sparkline([1.0]) == "▁"
    assert sparkline([1.0, 1.0]) == "▁▁"
