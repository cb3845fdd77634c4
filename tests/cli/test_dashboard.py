"""The view of a run on the whole screen: what it draws, its keys, and the terminal afterwards."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyte
import pytest
from rich.console import Console

from peagen_ray.cli import keys as keys_module
from peagen_ray.cli.dashboard import Dashboard, suits
from peagen_ray.cli.graph import graph
from peagen_ray.cli.keys import Keys
from peagen_ray.evolution.program import Outcome
from peagen_ray.runtime.control import Control
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.progress import Airborne, Aloft, Progress, Told
from peagen_ray.testing.pretended import Pretence, record

PROGRESS = Progress(
    elapsed_s=12.4,
    generation=3,
    told=37,
    in_flight=2,
    accepted=9,
    cells=7,
    best_ratio=2.5,
    screened_ratio=3.5,
    best_ms=80.0,
    reference_ms=200.0,
    rate=3.14,
    outcomes={"ok": 20, "incorrect": 17},
    remaining={"run_timeout": "47 s"},
    tokens=12345,
    usd=0.125,
    aloft=Aloft((Airborne(38, "execute", 4, 1.5), Airborne(39, "confirm", 7, 0.2)), 4, pending=3, claimed=1),
)
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e[red]x[/nope]\r\n\x00"


def drawn(width: int, height: int, **changes: Any) -> str:
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None, markup=False
    )
    dashboard = Dashboard(console, Control(paths=RunPaths(Path("20260301-120000-ab12"))))
    dashboard.note(HOSTILE)
    dashboard.candidate(Told(36, "mutate", 4, "genetic/hoist", Outcome.OK, "", 3.5, accepted=True))
    dashboard.candidate(Told(37, "mutate", 4, HOSTILE, Outcome.ERROR, HOSTILE, None, accepted=False))
    for number in range(10):
        dashboard.progress(replace(PROGRESS, elapsed_s=number + 1.0, best_ratio=1 + number / 6, **changes))
    with console.capture() as capture:
        console.print(dashboard._draw())
    return capture.get()


def test_a_large_screen_shows_all_of_it():
    text = drawn(140, 40)
    for words in (
        "20260301-120000-ab12", "best 2.50x (200 → 80.0 ms), 3.50x waits", "generation 3, 37 candidates",
        "2 of 4", "3 waiting", "1 at work", "12,345", "0.1250 USD", "20 ok, 17 incorrect", "run_timeout", "47 s left",
        "#38    execute  from #4", "#39    confirm  from #7", "+ #36", "3.50x", "█",
    ):  # fmt: skip
        assert words in text, words


def test_a_run_that_an_evaluator_scores_shows_scores_on_a_scale_of_their_own():
    text = drawn(140, 40, best_score=-3.25)
    assert "best score -3.25, generation 3" in text
    assert "waits for confirmation" not in text
    lines = graph([(0.0, -4.0), (1.0, -3.0)], 60, 6, ratios=False)
    assert lines[0].lstrip().startswith("-3 ")
    assert lines[4].lstrip().startswith("-4 ")


def test_a_small_screen_has_the_gauges_in_a_line():
    text = drawn(100, 24)
    assert "10 s; in flight 2 of 4, 1 at work, 3 waiting; 12,345 tokens, 0.1250 USD; run_timeout left" in text


@pytest.mark.parametrize(("width", "height"), [(140, 40), (80, 24), (60, 13), (30, 6), (10, 2)])
def test_a_screen_of_any_size_is_never_overrun_and_text_cannot_drive_it(width, height):
    lines = drawn(width, height).splitlines()
    assert len(lines) <= max(height, 5)
    assert all(len(line) <= width for line in lines)
    assert not any(char in "".join(lines) for char in "\x1b\x07\x00\u202e\r")


def test_a_pause_is_seen():
    assert "PAUSED" not in drawn(100, 40)
    console = Console(file=io.StringIO(), width=100, height=40, force_terminal=True, color_system=None)
    control = Control()
    dashboard = Dashboard(console, control)
    dashboard._pause()
    dashboard.progress(PROGRESS)
    with console.capture() as capture:
        console.print(dashboard._draw())
    assert "PAUSED" in capture.get()
    assert control.paused
    dashboard._pause()
    assert not control.paused


def test_the_report_is_written_where_the_run_is(tmp_path):
    paths = RunPaths(tmp_path / "20260301-120000-ab12")
    paths.root.mkdir()
    record(paths.ledger, Pretence(candidates=3, ends=False))
    control = Control()
    dashboard = Dashboard(Console(file=io.StringIO()), control)
    dashboard._report()
    assert "nothing to report" in dashboard._notes[-1]
    control.paths = paths
    dashboard._report()
    assert str(paths.report) in dashboard._notes[-1]
    assert paths.report.exists()


def test_a_graph_rises_with_the_best_and_keeps_to_its_room():
    lines = graph([(0.0, 1.0), (5.0, 2.0), (10.0, 50.0)], 60, 8)
    assert len(lines) == 8
    assert all(len(line) <= 60 for line in lines)
    assert lines[0].startswith(" 50.00x")
    assert lines[0].rstrip().endswith("█")
    assert lines[0][8:40].strip() == ""
    assert lines[-1].endswith("10 s")
    assert graph([(0.0, 1.0)], 5, 8) == graph([], 60, 8) == []
    assert all(line.isascii() for line in graph([(0.0, 1.0), (1.0, 3.0)], 60, 8, blocks=False))


@pytest.mark.parametrize(("terminal", "term", "suited"), [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)])  # fmt: skip
def test_only_a_terminal_that_can_be_drawn_on_suits(terminal, term, suited):
    console = Console(file=io.StringIO(), force_terminal=terminal, _environ={"TERM": term})
    assert suits(console) is suited


# The terminal


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal: the side of the person, and the side of the program."""
    person, program = pty.openpty()
    termios.tcsetwinsize(person, (40, 120))
    yield person, program
    os.close(person)
    os.close(program)


def test_keys_are_heard_in_either_case_and_the_terminal_is_as_before(terminal, monkeypatch):
    person, program = terminal
    heard = {"p": threading.Event(), "q": threading.Event()}
    before = termios.tcgetattr(program)
    with os.fdopen(os.dup(program), "r") as stream:
        monkeypatch.setattr(keys_module.sys, "stdin", stream)
        with Keys({key: event.set for key, event in heard.items()}) as keys:
            assert keys.there
            os.write(person, b"\xffxPq")  # what means nothing is passed over
            assert all(event.wait(10) for event in heard.values())
    assert termios.tcgetattr(program) == before


def test_without_a_terminal_there_are_no_keys(monkeypatch):
    monkeypatch.setattr(keys_module.sys, "stdin", io.StringIO("p"))
    with Keys({"p": pytest.fail}) as keys:
        assert not keys.there


class Shown:
    """A program on a terminal, and what its screen shows."""

    def __init__(self, person: int, program: int, command: list[str], cwd: Path) -> None:
        self.person = person
        self.raw = b""
        self.screen = pyte.Screen(120, 40)
        self._stream = pyte.ByteStream(self.screen)
        # Of its own session, so that it is this terminal's, as in a person's shell.
        self.process = subprocess.Popen(
            command, cwd=cwd, stdin=program, stdout=program, stderr=program, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip

    def until(self, wanted: Callable[[], bool]) -> None:
        """Read until that holds; fails when the program has ended, and all that it said is read, without it."""
        while not wanted():
            ended = self.process.poll() is not None  # looked at first, so that its last words are read
            ready, _, _ = select.select([self.person], [], [], 0.5)
            if not ready:
                assert wanted() or not ended, "\n".join(self.screen.display)
                continue
            data = os.read(self.person, 65536)
            self.raw += data
            self._stream.feed(data)

    def shows(self, words: str) -> None:
        self.until(lambda: any(words in line for line in self.screen.display))

    def after(self) -> bytes:
        """What was printed after the screen was given back."""
        return bytes(self.raw).partition(b"\x1b[?1049l")[2]

    def press(self, keys: bytes) -> None:
        os.write(self.person, keys)


_WAITING = """
import signal, sys
from rich.console import Console
from peagen_ray.cli.dashboard import Dashboard
from peagen_ray.runtime.control import Control
with Dashboard(Console(), Control()) as dashboard:
    dashboard.note("the run is in .peagen")
    dashboard.phase("waiting for a signal")
    signal.pause()
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -2)]
)
def test_the_terminal_is_given_back_when_the_process_is_ended(terminal, tmp_path, number, code):
    person, program = terminal
    before = termios.tcgetattr(program)
    shown = Shown(person, program, [sys.executable, "-c", _WAITING], tmp_path)
    shown.shows("waiting for a signal")
    assert termios.tcgetattr(program) != before
    shown.process.send_signal(number)
    shown.until(lambda: b"\x1b[?1049l" in shown.raw and b"\x1b[?25h" in shown.raw)
    shown.until(lambda: b"the run is in .peagen" in shown.after())  # said again, for the scrollback
    assert shown.process.wait(30) == code
    assert termios.tcgetattr(program) == before


def long_run(terminal: tuple[int, int], tmp_path: Path) -> Shown:
    """A run on the whole screen that goes on until somebody ends it."""
    person, program = terminal
    (tmp_path / "slow.py").write_text(
        "def total(items: list[int]) -> int:\n"
        "    found = 0\n"
        "    for i in range(len(items)):\n"
        "        for j in range(len(items)):\n"
        "            if i == j:\n"
        "                found += items[j]\n"
        "    return found\n"
    )
    command = [sys.executable, "-m", "peagen_ray", "evolve", "run", "--sync", "--target-file", "slow.py"]
    command += ["--dashboard", "--generations", "100000", "--no-improve", "100000", "--run-timeout", "5m"]
    shown = Shown(person, program, command, tmp_path)
    shown.shows("candidates, ")
    return shown


@pytest.mark.slow
def test_a_run_is_paused_continued_reported_on_and_stopped_by_keys(terminal, tmp_path, monkeypatch):
    monkeypatch.setenv("PEAGEN__EVALUATE__WINNER_S", "1")
    shown = long_run(terminal, tmp_path)
    shown.press(b"p")
    shown.shows("PAUSED")
    shown.shows("0 of ")
    shown.press(b"p")
    shown.shows("p pause")
    shown.press(b"r")
    shown.shows("report.html")
    shown.press(b"q")
    shown.until(lambda: b"\x1b[?1049l" in shown.raw)
    shown.until(lambda: b"stopping: keeping the best" in shown.after())  # said for the scrollback
    shown.until(lambda: shown.process.poll() is not None)
    assert shown.process.returncode == 0
    (report,) = tmp_path.glob(".peagen/runs/*/report.html")
    assert "under way" in report.read_text()


@pytest.mark.slow
def test_q_twice_leaves_a_run_at_once_and_it_can_be_resumed(terminal, tmp_path, monkeypatch):
    monkeypatch.setenv("PEAGEN__EVALUATE__WINNER_S", "600")  # what the second one does not wait for
    before = termios.tcgetattr(terminal[1])
    shown = long_run(terminal, tmp_path)
    best = re.compile(r"\bbest (?!1\.00x)\d")
    shown.until(lambda: any(map(best.search, shown.screen.display)))  # confirmed: there is something to keep
    shown.press(b"q")
    shown.shows("stopping: keeping the best")
    shown.press(b"q")
    shown.until(lambda: b"\x1b[?1049l" in shown.raw)
    shown.until(lambda: b"--resume" in shown.after())
    shown.until(lambda: shown.process.poll() is not None)
    assert shown.process.returncode == 130
    assert termios.tcgetattr(terminal[1]) == before
    (run,) = (tmp_path / ".peagen" / "runs").iterdir()
    assert not list(run.glob("winner*"))
