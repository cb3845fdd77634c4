"""Run: a run in a program's or a notebook's hands, whether it has ended or not; its ledger says all."""

from __future__ import annotations

import html
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.reporting import write_report

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Best:
    """The best program of a run.

    Attributes:
        source: its source text; the original's where nothing better was found.
        diff: unified diff from the original; "" for none.
        fitness: higher is better; of the original 0.0 where speed is measured, else its score.
        ratio: speed as a multiple of the original's; None in a run that measures something else.
        low: lower end of its 95 % interval; None where there is none.
        high: upper end.
        confirmed: it was measured out of its reach; else it was only screened, and may be worse.
        n: its number in the run; 0 is the original.
    """

    source: str = field(repr=False)
    diff: str = field(repr=False)
    fitness: float | None
    ratio: float | None
    low: float | None
    high: float | None
    confirmed: bool
    n: int

    def __str__(self) -> str:
        """Its source text, so that ``print`` shows it."""
        return self.source


class Run:
    """A run on this machine's disk.

    Everything is read from its ledger when it is asked for, so that a run under way shows what it has come to. See
    :func:`peagen_ray.open_run`, and :func:`peagen_ray.evolve`, whose results are runs too.

    Attributes:
        paths: where everything is.
    """

    paths: RunPaths

    @property
    def id(self) -> str:
        """Its name."""
        return self.paths.id

    @property
    def best(self) -> Best:
        """The winner; of a run under way, or one that was interrupted, the best program so far.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        from peagen_ray.evolution.diff import unified
        from peagen_ray.report.lineage import winner_source
        from peagen_ray.report.story import read

        story = read(self.paths.ledger)
        original, found, final = story.meta["subject"]["source"], story.best, story.final
        if found is None:
            first = next(iter(story.programs.values()), None)
            score = 0.0 if story.timed or first is None else first.fitness
            timed = 1.0 if story.timed else None
            return Best(original, "", score, timed, None, None, confirmed=True, n=0)
        source = winner_source(story) or story.text(found.row)
        fitness, metrics = found.fitness, found.metrics
        if final is not None and final["confirmed"]:
            fitness, metrics = final["fitness"], final["metrics"]
        name = Path(story.meta["subject"]["path"]).name
        return Best(
            source=source,
            diff=unified(original, source, name),
            fitness=fitness,
            ratio=math.exp(fitness) if story.timed and fitness is not None else None,
            low=metrics.get("ratio_low"),
            high=metrics.get("ratio_high"),
            confirmed=found.confirmed,
            n=found.n,
        )

    def table(self) -> pa.Table:
        """A row for each program that was told back, see :func:`peagen_ray.report.frame.frame`.

        ``run.table().to_pandas()`` is a data frame.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        from peagen_ray.report.frame import frame

        return frame(self.paths.ledger)

    def plot(self, against: str = "time") -> Figure:
        """How the best rose, and what became of the candidates.

        Args:
            against: ``time``, ``candidates`` or ``tokens``.

        Raises:
            UsageError: there is no such axis.
            MissingExtra: matplotlib is not installed.
            LedgerError: the ledger cannot be read.
        """
        from peagen_ray.report.plots import plot

        return plot(self.paths.ledger, against)

    def report(self, output: str | Path | None = None) -> Path:
        """Write what happened as one HTML page, by default into the run's directory; see ``peagen-ray report``."""
        return write_report(self.paths, None if output is None else Path(output))

    def watch(self, every: float = 1.0) -> Self:
        """Show how the run goes on until it ends, or until Ctrl-C, which ends the watching and not the run.

        In a notebook a graph is drawn anew in place; elsewhere a line is printed when something changed. The run may
        be another process's.

        Args:
            every: seconds between two looks.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        from peagen_ray.runtime.following import follow, screen

        show = screen()
        try:
            for sight in follow(self.paths.ledger):
                show(sight)
                if not sight.over:
                    time.sleep(every)
        except KeyboardInterrupt:
            print("no longer watched; the run goes on")  # noqa: T201 - said to whoever called this
        return self

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        return f"<p>run <code>{html.escape(self.id)}</code>: {html.escape(summary(self.best))}</p>"


def summary(best: Best) -> str:
    """The best program in a line."""
    if best.n == 0:
        return "no better program was found"
    how = "" if best.confirmed else ", not confirmed yet"
    if best.ratio is None:
        return f"fitness {best.fitness:.4g}{how}"
    ends = "" if best.low is None or best.high is None else f" (95 %: {best.low:.2f} to {best.high:.2f})"
    return f"{best.ratio:.2f}x the original's speed{ends}{how}"


class RecordedRun(Run):
    """A run that is known by its directory alone."""

    def __init__(self, paths: RunPaths) -> None:
        self.paths = paths

    def __repr__(self) -> str:
        return f"<run {self.id}: {summary(self.best)}>"
