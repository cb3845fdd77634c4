"""How a run is shown while it goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from peagen_ray.cli.console import printable
from peagen_ray.runtime.progress import Progress, Told

_PLAIN_EVERY_S: Final = 5.0
_TREND: Final = "▁▂▃▄▅▆▇█"
_TREND_WIDTH: Final = 48


class Display:
    """An observer that prints. On a terminal it redraws a table in place; elsewhere it prints lines.

    Args:
        console: where to.
        verbose: show every candidate.
    """

    def __init__(self, console: Console, *, verbose: bool) -> None:
        self._console = console
        self._verbose = verbose
        self._live = (
            Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        )
        self._last_line = 0.0
        self._shown_best = 1.0
        self._shown_score: float | None = None
        self._progress: Progress | None = None
        self._phase = ""
        self._trend: list[float] = []

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def phase(self, name: str, detail: str = "") -> None:
        """Say what is being done now."""
        self._phase = name
        line = f"{name}: {detail}" if detail else name
        self._console.print(printable(line), soft_wrap=True)
        self._redraw()

    def note(self, text: str) -> None:
        """Say something that stays on the screen."""
        self._console.print(printable(text), soft_wrap=True)

    def candidate(self, told: Told) -> None:
        """One line a candidate, with ``-v``."""
        if not self._verbose:
            return
        score = told.outcome if told.score is None else f"{told.score:.6g}"
        speed = f"{told.ratio:.2f}x" if told.ratio is not None else score
        mark = "+" if told.accepted else " "
        origin = f"from {told.parent}" if told.parent is not None else ""
        tail = f"  {told.reason}" if told.reason else ""
        line = f"{mark} {told.kind:7} {told.n:5} {origin:10} {speed:>10}  {told.operator}{tail}"
        self._console.print(printable(line.splitlines()[0][:200]), style=None if told.accepted else "dim")

    def progress(self, progress: Progress) -> None:
        """Where the run is."""
        self._progress = progress
        self._trend.append(progress.screened_ratio if progress.best_score is None else progress.best_score)
        if self._live:
            self._redraw()
            return
        better = progress.best_ratio > self._shown_best * 1.02 or self._rose(progress.best_score)
        now = time.monotonic()
        if better or now - self._last_line >= _PLAIN_EVERY_S:
            self._last_line, self._shown_best = now, max(self._shown_best, progress.best_ratio)
            self._console.print(plain_line(progress), soft_wrap=True)

    def _rose(self, score: float | None) -> bool:
        """Whether the best score is higher than the one that was shown last."""
        rose = score is not None and self._shown_score is not None and score > self._shown_score
        self._shown_score = score
        return rose

    def _redraw(self) -> None:
        if self._live and self._progress:
            ratios = self._progress.best_score is None
            trend = Text(sparkline(self._trend, ratios=ratios), style="green")
            self._live.update(Group(table(self._progress, self._phase), trend))


def table(progress: Progress, phase: str) -> Table:
    """The live view of one moment."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    grid.add_row(
        phase, f"generation {progress.generation}, {progress.told} candidates, {progress.rate:.1f}/s"
    )
    grid.add_row("best", progress.standing)
    grid.add_row("in flight", str(progress.in_flight))
    grid.add_row("accepted", f"{progress.accepted} in {progress.cells} cells")
    grid.add_row("outcomes", outcomes_line(progress))
    grid.add_row("time", f"{progress.elapsed_s:.0f} s" + _remaining(progress))
    return grid


def plain_line(progress: Progress) -> str:
    """One line for a log."""
    return (
        f"{progress.elapsed_s:5.0f} s  generation {progress.generation:3}  {progress.told:5} candidates "
        f"({progress.rate:.1f}/s)  best {progress.best_words}  accepted {progress.accepted}  "
        f"{outcomes_line(progress)}{_remaining(progress)}"
    )


def outcomes_line(progress: Progress) -> str:
    """Candidates by outcome, the commonest first."""
    ranked = sorted(progress.outcomes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in ranked if count) or "none yet"


def sparkline(values: list[float], *, ratios: bool = True) -> str:
    """The best so far as a line of blocks: ratios on a logarithmic scale that holds 1, scores on a plain one."""
    if not values:
        return ""
    step = max(1, math.ceil(len(values) / _TREND_WIDTH))
    shown = values[::-step][::-1]  # the latest is among them
    if ratios:
        shown = [math.log(max(ratio, 1e-9)) for ratio in shown]
    low, high = min([0.0, *shown] if ratios else shown), max(shown)
    top = len(_TREND) - 1
    return "".join(_TREND[round((value - low) / max(high - low, 1e-9) * top)] for value in shown)


def _remaining(progress: Progress) -> str:
    left = "; ".join(f"{rule} {words}" for rule, words in progress.remaining.items())
    return f"  (left: {left})" if left else ""
