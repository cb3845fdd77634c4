"""``evolve run --dashboard``: a run on the whole screen, with keys to pause it, to stop it and for its report."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter, deque
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from peagen_ray.cli.console import printable
from peagen_ray.cli.display import outcomes_line
from peagen_ray.cli.graph import graph
from peagen_ray.cli.keys import Keys
from peagen_ray.errors import PeagenError
from peagen_ray.runtime.control import Control
from peagen_ray.runtime.progress import Airborne, Progress, Told
from peagen_ray.runtime.reporting import open_page, write_report

_EVENTS: Final = 200
_NOTES: Final = 50
_POINTS: Final = 4000
_GAUGE: Final = 12


def suits(console: Console) -> bool:
    """Whether a whole screen can be drawn there."""
    return console.is_terminal and not console.is_dumb_terminal


class Dashboard:
    """An observer that draws a run on the whole screen.

    As a context manager it takes the terminal over, and gives it back as it was, also when the process is asked to
    end; what was said meanwhile is printed then.

    Args:
        console: a terminal.
        control: of the run.
    """

    def __init__(self, console: Console, control: Control) -> None:
        self._console = console
        self._control = control
        control.gauges = True
        self._keys = Keys({"p": self._pause, "q": self._stop, "r": self._report})
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._phase = "starting"
        self._points: deque[tuple[float, float]] = deque(maxlen=_POINTS)
        self._events: deque[Text] = deque(maxlen=_EVENTS)
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._blocks = "utf" in console.encoding.lower()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._say_all)
            for number in (signal.SIGTERM, signal.SIGHUP):
                stack.callback(signal.signal, number, signal.signal(number, _leave))
            stack.enter_context(self._keys)
            stack.enter_context(
                Live(
                    console=self._console,
                    screen=True,
                    refresh_per_second=4,
                    get_renderable=self._draw,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # What the run says

    def phase(self, name: str, detail: str = "") -> None:
        """Another phase, which is an event too."""
        self._phase = name
        self.note(f"{name}: {detail}" if detail else name)

    def note(self, text: str) -> None:
        """An event that is printed again in the end."""
        with self._lock:
            self._notes.append(text)
            self._events.append(Text(printable(text).replace("\n", " "), style="bold"))

    def candidate(self, told: Told) -> None:
        """An event."""
        speed = f"{told.ratio:.2f}x" if told.ratio is not None else str(told.outcome)
        origin = f"from #{told.parent} " if told.parent is not None else ""
        words = (
            f"{'+' if told.accepted else ' '} #{told.n:<5} {told.kind:7} {speed:>9}  {origin}{told.operator}"
        )
        line = printable(f"{words}  {told.reason}".rstrip()).replace("\n", " ")
        with self._lock:
            self._events.append(Text(line[:300], style="" if told.accepted else "dim"))

    def progress(self, progress: Progress) -> None:
        """What is drawn next."""
        with self._lock:
            self._progress = progress
            best = progress.best_ratio if progress.best_score is None else progress.best_score
            self._points.append((progress.elapsed_s, best))

    # What the person says

    def _pause(self) -> None:
        self._control.paused = not self._control.paused
        self.note("paused: nothing new is asked, time limits go on" if self._control.paused else "going on")

    def _stop(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C: once stops, twice leaves at once

    def _report(self) -> None:
        paths = self._control.paths
        if paths is None:
            self.note("there is nothing to report yet")
            return
        try:
            written = write_report(paths)
        except PeagenError as error:
            self.note(f"no report: {error}")
            return
        self.note(f"report: {written}" + ("" if open_page(written) else " (no graphical browser to open it)"))

    # Drawing

    def _say_all(self) -> None:
        for text in self._notes:
            self._console.print(printable(text), soft_wrap=True)

    def _draw(self) -> RenderableType:
        with self._lock:
            progress, points, events = self._progress, list(self._points), list(self._events)
        width, height = self._console.size
        if progress is None or height < 12 or width < 40:
            return _tail(events, height, self._foot(), self._head(progress))
        middle, third = (9, height // 3) if height >= 30 and width >= 90 else (1, height // 3)
        layout = Layout()
        layout.split_column(
            Layout(self._head(progress), size=2),
            Layout(
                _graph(points, width - 4, third - 2, self._blocks, progress.best_score is None), size=third
            ),
            Layout(name="middle", size=middle),
            Layout(_panel(Group(*_last(events, height - 3 - third - middle - 2)), "events")),
            Layout(self._foot(), size=1),
        )
        if middle == 1:
            layout["middle"].update(_one_line(Text(_short(progress))))
        else:
            layout["middle"].split_row(
                Layout(_gauges(progress, self._blocks)),
                Layout(_cost(progress)),
                Layout(_flights(progress, 7)),
            )
        return layout

    def _head(self, progress: Progress | None) -> RenderableType:
        name = "" if self._control.paths is None else self._control.paths.id
        state = "PAUSED" if self._control.paused else "stopping" if self._control.stopped else self._phase
        first = Text.assemble(
            (printable(state), "bold reverse" if self._control.paused else "bold"), f"  {name}"
        )
        if progress is None:
            return first
        second = (
            f"best {progress.standing}, generation {progress.generation}, {progress.told} candidates, "
            f"{progress.rate:.1f}/s"
        )
        return Group(_one_line(first), _one_line(Text(second)))

    def _foot(self) -> RenderableType:
        if not self._keys.there:
            return _one_line(Text("Ctrl-C stops; no keys, since stdin is no terminal", style="dim"))
        pause = "p go on" if self._control.paused else "p pause"
        stop = "q leave at once" if self._control.stopped else "q stop, keeping the best"
        return _one_line(Text(f"{pause}   {stop}   r report", style="dim"))


def _leave(number: int, _frame: FrameType | None) -> None:
    """Until the run itself takes the signals: leave by way of every ``finally``."""
    sys.exit(128 + number)


def _one_line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _panel(content: RenderableType, title: str) -> Panel:
    return Panel(content, title=title, title_align="left", padding=(0, 1))


def _last(events: list[Text], count: int) -> list[Text]:
    return [_one_line(event) for event in events[-count:]] if count > 0 else []


def _tail(events: list[Text], height: int, foot: RenderableType, head: RenderableType) -> RenderableType:
    return Group(head, *_last(events, height - 4), foot)


def _graph(
    points: list[tuple[float, float]], width: int, height: int, blocks: bool, ratios: bool
) -> RenderableType:
    lines = graph(points, width, height, blocks=blocks, ratios=ratios)
    title = "best confirmed speed" if ratios else "best score"
    return _panel(Text("\n".join(lines), style="green", no_wrap=True), title)


def _bar(part: int, whole: int, blocks: bool) -> str:
    full = 0 if whole <= 0 else min(_GAUGE, round(_GAUGE * part / whole))
    return ("█" if blocks else "#") * full + ("░" if blocks else ".") * (_GAUGE - full)


def _short(progress: Progress) -> str:
    """Gauges and cost in a line, where there is no room for more."""
    aloft = progress.aloft
    queue = "" if aloft.pending is None else f", {aloft.claimed} at work, {aloft.pending} waiting"
    spent = f"{progress.tokens:,} tokens, {progress.usd:.4f} USD"
    left = "".join(f"; {rule} left: {words}" for rule, words in progress.remaining.items())
    return f"{progress.elapsed_s:.0f} s; in flight {progress.in_flight} of {aloft.most}{queue}; {spent}{left}"


def _gauges(progress: Progress, blocks: bool) -> RenderableType:
    aloft = progress.aloft
    table = Table.grid(padding=(0, 1))
    table.add_row(
        "in flight", _bar(progress.in_flight, aloft.most, blocks), f"{progress.in_flight} of {aloft.most}"
    )
    if aloft.pending is not None and aloft.claimed is not None:
        tasks = aloft.pending + aloft.claimed
        table.add_row("workers", _bar(aloft.claimed, tasks, blocks), f"{aloft.claimed} at work")
        table.add_row("queue", _bar(aloft.pending, tasks, blocks), f"{aloft.pending} waiting")
    stages = Counter(each.stage for each in aloft.questions)
    for stage, count in sorted(stages.items()):
        table.add_row(f"  {stage}", _bar(count, aloft.most, blocks), str(count))
    return _panel(table, "queue and workers")


def _cost(progress: Progress) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    rows: list[tuple[str, str]] = [
        ("time", f"{progress.elapsed_s:.0f} s"),
        ("tokens", f"{progress.tokens:,}"),
        ("cost", f"{progress.usd:.4f} USD"),
        ("archive", f"{progress.accepted} accepted, {progress.cells} cells"),
        ("outcomes", outcomes_line(progress)),
        *((rule, f"{words} left") for rule, words in progress.remaining.items()),
    ]
    for name, words in rows:
        table.add_row(_one_line(Text(name, style="bold")), _one_line(Text(printable(words))))
    return _panel(table, "cost and limits")


def _flights(progress: Progress, most: int) -> RenderableType:
    shown = [_flight(each) for each in progress.aloft.questions[:most]]
    more = len(progress.aloft.questions) - len(shown)
    if more > 0:
        shown[-1] = Text(f"and {more + 1} more")
    return _panel(Group(*shown), "in flight")


def _flight(each: Airborne) -> Text:
    return _one_line(Text(f"#{each.n:<5} {each.stage:8} from #{each.parent:<5} {each.seconds:5.1f} s"))
