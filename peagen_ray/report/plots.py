"""Plots of a run with matplotlib, which comes with the extra ``notebook``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from peagen_ray.errors import MissingExtra, UsageError
from peagen_ray.report.story import read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES: Final = {
    "time": "seconds since the start",
    "candidates": "candidates told back",
    "tokens": "LLM tokens spent",
}


def plot(path: Path, against: str = "time") -> Figure:
    """How the best rose, and what became of the candidates.

    No window opens: a notebook shows the figure as a value, elsewhere ``savefig`` writes it.

    Args:
        path: the run's ledger.
        against: a key of :data:`AXES`.

    Raises:
        UsageError: there is no such axis.
        MissingExtra: matplotlib is not installed.
        LedgerError: the ledger cannot be read.
    """
    if against not in AXES:
        raise UsageError("no such axis", subject=against, hint=f"there are {', '.join(AXES)}")
    try:
        from peagen_ray.report._figure import ShownFigure
    except ImportError as error:
        raise MissingExtra(
            "matplotlib is not installed", subject="plot", hint="pip install 'peagen-ray[notebook]'"
        ) from error
    story = read(path)

    def place(each: Any) -> float:
        return float({"time": each.time_s, "candidates": each.told, "tokens": each.spent}[against])

    figure = ShownFigure(figsize=(9, 3.6), layout="constrained")
    rise, bars = figure.subplots(1, 2, width_ratios=[3, 1])
    measured = [each for each in story.programs.values() if each.parents and each.fitness is not None]
    rise.plot(
        [place(each) for each in measured],
        [story.value(each.fitness) for each in measured],
        ".", color="0.55", label="measured",
    )  # fmt: skip
    end = {"time": story.elapsed_s, "candidates": story.told, "tokens": story.tokens}[against]
    steps = [(place(each), story.value(each.fitness)) for each in story.rises]
    if steps:
        xs, ys = zip(*steps, (end, steps[-1][1]), strict=True)
        rise.step(xs, ys, where="post", marker="D", markersize=4, label="confirmed best")
    if story.timed:
        rise.set_yscale("log")
    rise.set(xlabel=AXES[against], ylabel="times the original's speed" if story.timed else "fitness")
    if measured or steps:
        rise.legend(loc="best")
    outcomes = Counter(each.outcome for each in story.programs.values() if each.parents)
    names = [str(name) for name, _ in reversed(outcomes.most_common())]
    bars.barh(names, [outcomes[name] for name in names], color="0.55")
    bars.set(xlabel="candidates", title="outcomes")
    return figure
