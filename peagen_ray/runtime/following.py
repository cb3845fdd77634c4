"""Following a run by its ledger, from whichever process."""

from __future__ import annotations

import html
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import news
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Confirm
from peagen_ray.storage import is_locked


@dataclass
class Sight:
    """What was seen of a run so far.

    Attributes:
        elapsed_s: seconds since its start.
        told: candidates told back.
        outcomes: of these, by outcome.
        best: the best confirmed ratio, or score, by the second from which on it held.
        screened: of each program that was measured, the second and its ratio or score.
        failed: seconds at which a candidate failed.
        timed: values are ratios to the original's speed.
        ended: the rule that ended it; "" while it has not been brought to its end.
        over: nobody works on it any more.
    """

    elapsed_s: float = 0.0
    told: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    best: list[tuple[float, float]] = field(default_factory=list)
    screened: list[tuple[float, float]] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    timed: bool = True
    ended: str = ""
    over: bool = False

    def take(self, event: Event) -> None:
        """Take note of what happened."""
        self.elapsed_s = max(self.elapsed_s, event.time_s)
        if event.event is Kind.FINAL:
            self.ended = event.reason
        if event.event is Kind.RESUME:
            self.ended = ""
        if event.event not in {Kind.TELL, Kind.SEED}:
            return
        confirms = event.kind == Confirm.KIND
        if event.event is Kind.TELL and not confirms:
            self.told += 1
            self.outcomes[str(event.outcome)] += 1
        if event.outcome is not Outcome.OK or event.fitness is None:
            if not confirms:
                self.failed.append(event.time_s)
            return
        self.timed = self.timed and "ratio" in event.metrics
        value = math.exp(event.fitness) if self.timed else event.fitness
        if not (confirms or event.confirmed):
            self.screened.append((event.time_s, value))
        elif not self.best or value > self.best[-1][1]:
            self.best.append((event.time_s, value))

    def line(self) -> str:
        """It in a line."""
        best = "nothing yet" if not self.best else f"{self.best[-1][1]:.4g}{'x' if self.timed else ''}"
        found = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common())
        end = f"; ended: {self.ended}" if self.ended else "; interrupted" if self.over else ""
        return f"{self.elapsed_s:.0f} s, {self.told} candidates, best confirmed {best}: {found or 'none yet'}{end}"


def follow(ledger: Path) -> Iterator[Sight]:
    """What has been seen, again and again until nobody works on the run any more; then once more.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    sight, position = Sight(), None
    while not sight.over:
        sight.over = not is_locked(ledger)  # before reading, so that what it wrote last is read
        events, position = news(ledger, position)
        for event in events:
            sight.take(event)
        yield sight


def screen() -> Callable[[Sight], None]:
    """What shows a sight: in a notebook a graph in place, elsewhere a line if it says something new."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return _Lines()
    return _Notebook()


class _Lines:
    def __init__(self) -> None:
        self._last = ""

    def __call__(self, sight: Sight) -> None:
        line = sight.line()
        if line != self._last:
            print(line, flush=True)  # noqa: T201 - that is what it is for
        self._last = line


class _Notebook:
    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, sight: Sight) -> None:
        import IPython.display as ipython

        page: Any = ipython  # which says little of its types
        shown = page.HTML(_drawing(sight))
        if self._handle is None:
            self._handle = page.display(shown, display_id=True)
        else:
            self._handle.update(shown)


def _drawing(sight: Sight) -> str:
    from peagen_ray.report.html import figure
    from peagen_ray.report.svg import Rise, rise

    chart = Rise(
        steps=sight.best,
        screened=sight.screened,
        failed=sight.failed,
        end=max(sight.elapsed_s, 1e-9),
        xlabel="seconds since the start",
        ylabel="times the original's speed" if sight.timed else "fitness",
        log=sight.timed,
    )
    return figure(rise(chart), html.escape(sight.line()))
