"""A run as one HTML page that needs nothing but itself: no network, no font, no library."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from peagen_ray._version import __version__
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.questions import GUESTS
from peagen_ray.report import cells, lineage, svg
from peagen_ray.report.failures import endings
from peagen_ray.report.story import Confirmation, Story, read
from peagen_ray.report.text import number, seconds, shown
from peagen_ray.report.tree import MOST as DRAWN
from peagen_ray.report.tree import tree
from peagen_ray.storage import is_locked

_TEMPLATES: Final = Path(__file__).with_name("templates")
_NOTEBOOK: Final = (
    "--ground: var(--jp-layout-color0, #fff); --text: var(--jp-ui-font-color1, #1d2126); --soft: #7a8491; "
    "--line: #a9b0b966; --best: #2f7fd1; --dot: #7d8b9c; --cell: #2f7fd1; margin: 0;"
)
"""Colours that suit a notebook's own, light or dark."""

_CONFIRMATIONS: Final = 8
_CHAMPIONS: Final = 25
_METRICS: Final = 40


def page(path: Path, now: datetime | None = None) -> str:
    """The page of a run.

    Args:
        path: the run's ledger; the run may go on meanwhile, and the page then says so.
        now: when it is made; by default now.

    Returns:
        HTML, in which nothing refers to anything outside.

    Raises:
        LedgerError: there is no ledger, it cannot be read, or it is of no run.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "number": number, "seconds": seconds}
    style, chart, script = (_text(name) for name in ("report.css", "chart.css", "report.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    story = read(path)
    text = environment.get_template("report.html.j2").render(
        style=Markup(style + chart),  # noqa: S704 - both are ours
        script=Markup(script),  # noqa: S704
        digest=digest,
        version=__version__,
        made=f"{now or datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        **_facts(story, running=is_locked(path)),
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def figure(drawing: Markup, caption: str) -> str:
    """A chart as a piece of HTML that brings its style along, for a notebook.

    Args:
        drawing: see :mod:`peagen_ray.report.svg`.
        caption: HTML.
    """
    style = f"<style>.peagen-ray {{ {_NOTEBOOK} {_text('chart.css')} }}</style>"
    return f'{style}<figure class="peagen-ray">{drawing}<figcaption>{caption}</figcaption></figure>'


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8")


def _facts(story: Story, *, running: bool) -> dict[str, Any]:
    """What the template says."""
    champions, binning = cells.champions(story)
    steps = lineage.steps(story)
    ranked = sorted(champions, key=lambda program: -(program.fitness or 0.0))
    unit = _unit(story)
    return {
        "story": story,
        "meta": story.meta,
        "state": _state(story, running=running),
        "unit": unit,
        "value": lambda fitness: unit.format(number(story.value(fitness))),
        "gain": _gain(story),
        "charts": list(_charts(story)),
        "endings": endings(story.programs.values()),
        "maps": [
            (each, svg.heat(each, lambda fitness: unit.format(number(story.value(fitness)))))
            for each in cells.maps(champions, binning)
        ],
        "champions": [_champion(program) for program in ranked[:_CHAMPIONS]],
        "cells": len(champions),
        "descriptors": binning.descriptors,
        "centroids": len(binning.centroids),
        "unmeasured": cells.unmeasured(champions, binning),
        "steps": steps,
        "drawn": DRAWN,
        "tree": tree(steps, unit) if steps else None,
        "taken_back": lineage.last_step(story),
        "whole": lineage.whole_diff(story),
        "strips": list(_strips(story)),
        "metrics": list(_metrics(story)),
        "config": list(_flat(story.meta["config"])),
        "environment": [pair for pair in _flat(story.facts) if pair[1] not in {"", "None"}],
        "spent": list(_spent(story)),
        "guests": GUESTS in story.cpu,
        "scorer": _scorer(story.meta["config"].get("evaluate", {})),
    }


def _scorer(table: Mapping[str, Any]) -> str:
    """The evaluator and its file, as ``runs show`` says it; "" where speed is measured."""
    name = str(table.get("evaluator", "speed"))
    if name == "speed":
        return ""
    return f"evaluator {shown(name, 80)}" + (f", {shown(table['file'], 300)}" if table.get("file") else "")


def _unit(story: Story) -> str:
    return "{}x" if story.timed else "{}"


def _state(story: Story, *, running: bool) -> str:
    if running:
        return "under way: this page shows it as it was when the page was made"
    if story.final is None:
        return "interrupted: it was not brought to its end, and can be resumed"
    return f"finished: {shown(story.final['reason'], 60).replace('_', ' ')}"


def _gain(story: Story) -> dict[str, Any] | None:
    """The headline: what was gained, and how surely that is known; None for nothing."""
    final, best = story.final, story.best
    if final is not None and final["confirmed"]:
        how = "measured at the end, on fresh inputs" if story.timed else "self-reported by the evaluator"
        return _measured(story, final["fitness"], final["metrics"], how)
    if best is None or final is not None:
        return None
    how = "confirmed" if best.confirmed else "screened only, not confirmed yet"
    if not story.timed:
        how = "self-reported by the evaluator"
    return _measured(story, best.fitness, best.metrics, how)


def _measured(
    story: Story, fitness: float | None, metrics: Mapping[str, Any], how: str
) -> dict[str, Any] | None:
    ends = metrics.get("ratio_low"), metrics.get("ratio_high")
    return {"value": story.value(fitness), "low": ends[0], "high": ends[1], "how": how}


def _charts(story: Story) -> Iterator[tuple[str, Markup]]:
    """Best so far against time, candidates and, where models were asked, tokens."""
    told = [each for each in story.programs.values() if each.parents]
    ylabel = "times the original's speed" if story.timed else "fitness"
    for name, xlabel, of, end, words in (
        ("time", "seconds since the start", lambda each: each.time_s, story.elapsed_s, number),
        ("candidates", "candidates told back", lambda each: float(each.told), float(story.told), number),
        ("tokens", "LLM tokens spent", lambda each: float(each.spent), float(story.tokens), number),
    ):
        if not end:
            continue
        rises: list[tuple[float, float]] = [
            (of(each), story.value(each.fitness) or 0.0) for each in story.rises if each.fitness is not None
        ]
        dots = [(of(each), story.value(each.fitness) or 0.0) for each in told if each.fitness is not None]
        failed = [of(each) for each in told if each.fitness is None]
        chart = svg.Rise(rises, dots, failed, end, xlabel, ylabel, story.timed, words)
        yield name, svg.rise(chart)


def _champion(program: Program) -> dict[str, Any]:
    place = ", ".join(str(each) for each in program.bucket or ())
    return {"n": program.id, "fitness": program.fitness, "confirmed": program.confirmed, "cell": place} | {
        "speed_ms": program.speed_ms, "peak_kb": program.peak_kb, "size": len(program.src)
    }  # fmt: skip


def _strips(story: Story) -> Iterator[Markup]:
    """The measurements of the original, and those of programs that were confirmed, as the ledger has them.

    Each has a scale of its own: on a common one the intervals of a large gain could not be seen.
    """
    final, label = story.final, "times the original's speed"
    metrics = final["metrics"] if final is not None else {}
    noise = metrics.get("noise")
    if noise:
        words = f"the original against itself: {noise[0]:.4g} to {noise[1]:.4g}"
        yield svg.strip([svg.Row(words, float(noise[0]), float(noise[1]), None)], label)
    rows = [
        _interval(f"#{each.program}, after {seconds(each.time_s)}", each.metrics) for each in _last(story)
    ]
    if "ratio_low" in metrics:
        rows.append(_interval("the winner, at the end", metrics))
    if rows:
        yield svg.strip(rows, label)


def _last(story: Story) -> list[Confirmation]:
    measured = [each for each in story.confirmations if "ratio_low" in each.metrics]
    return measured[-_CONFIRMATIONS:]


def _interval(label: str, metrics: Mapping[str, Any]) -> svg.Row:
    points = [float(each) for each in metrics.get("families") or () if each]
    low, high, middle = (float(metrics[name]) for name in ("ratio_low", "ratio_high", "ratio"))
    count = metrics.get("samples")
    words = f"{label}: {number(middle, 4)}x ({number(low, 4)} to {number(high, 4)})"
    return svg.Row(words, low, high, middle, points, f", {count} samples" if count else "")


def _metrics(story: Story) -> Iterator[tuple[str, str, str]]:
    """What was measured of the original and of the best program, by name."""
    original = next(iter(story.programs.values()), None)
    best = story.best
    if original is None:
        return
    after = story.final["metrics"] if story.final and story.final["metrics"] else best.metrics if best else {}
    for name in [*original.metrics, *(name for name in after if name not in original.metrics)][:_METRICS]:
        yield shown(name, 60), _word(original.metrics.get(name)), _word(after.get(name))


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_word, value[:12]))
    if isinstance(value, float):
        return number(value, 4)
    return "-" if value is None else shown(value, 200)


def _flat(table: object, name: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of nested tables, each under its dotted name."""
    if isinstance(table, Mapping) and table:
        for key, value in table.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield shown(name, 200), shown(table if table not in ({}, [], None) else "", 1000)


def _spent(story: Story) -> Iterator[tuple[str, str, str]]:
    """What the run cost: of what, how much, and for a candidate."""
    told = story.told or 1
    yield "LLM tokens", number(story.tokens, 7), number(story.tokens / told)
    yield "LLM, USD", number(story.usd, 4), number(story.usd / told)
    for stage, spent in sorted(story.cpu.items(), key=lambda item: (item[0] == GUESTS, item)):
        whose = "candidates and originals" if stage == GUESTS else f"{shown(stage, 40)}, handlers"
        yield f"CPU seconds: {whose}", number(spent, 4), number(spent / told)
    for stage, spent in sorted(story.wall.items()):
        yield f"{shown(stage, 40)}, seconds of wall clock", number(spent, 4), number(spent / told)
    yield "wall clock of the run, seconds", number(story.elapsed_s, 4), number(story.elapsed_s / told)
