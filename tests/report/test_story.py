"""What the ledger of a run is taken to say: the archive, the lineage, the reasons, the table."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.ledger import meta
from peagen_ray.evolution.ledger import read as events
from peagen_ray.evolution.replay import replay
from peagen_ray.report.cells import MOST, champions, maps
from peagen_ray.report.failures import endings
from peagen_ray.report.frame import frame
from peagen_ray.report.html import page
from peagen_ray.report.lineage import diff_lines, steps
from peagen_ray.report.story import read
from peagen_ray.report.text import alike, number, seconds, shown
from peagen_ray.runtime.run import build_engine


@pytest.fixture
def both(ledger):
    """A run as it is told, and the engine as it was at the end."""
    path = ledger(candidates=150, tokens=100)
    engine: Engine = build_engine(meta(path))
    replay(events(path), engine)
    return read(path), engine


def test_counts_and_costs_are_the_engines(both):
    story, engine = both
    told = {end.outcome: end.count for end in endings(story.programs.values())}
    assert sum(told.values()) == story.told == sum(engine.counts.values())
    refuted = told.pop("refuted", 0)
    assert refuted == engine.refuted
    assert told["ok"] + refuted == engine.counts["ok"]
    progress = engine.progress(0.0)
    assert story.cpu["execute"] == pytest.approx(0.1 * story.told)
    assert (story.tokens, story.usd) == (progress.tokens, pytest.approx(progress.usd))


def test_the_best_and_every_champion_are_the_engines(both):
    story, engine = both
    assert story.best is not None
    assert story.best.n == engine.best.id
    found, binning = champions(story)
    ours = {program.bucket: program.id for program in found}
    theirs = {program.bucket: program.id for program in engine.db.champions()}
    assert ours == theirs
    for each in maps(found, binning):
        assert sum(spot.cells for spot in each.spots) == len(found)
        assert max(len(each.columns), len(each.rows)) <= MOST


def test_the_lineage_leads_from_the_original_to_the_best(both):
    story, _ = both
    line = [step for step in steps(story) if step.on_line]
    assert line[0].program.parents == ()
    assert line[-1].program.n == story.best.n
    for before, after in pairwise(line):
        assert after.program.parents[0] == before.program.n
        assert any(kind == "add" for kind, _ in after.lines)


def test_the_table_has_a_row_for_each_program_with_its_measurements(both):
    story, engine = both
    rows = frame(story.path).to_pylist()
    assert [row["n"] for row in rows] == list(story.programs)
    assert sum(row["tokens"] for row in rows) == story.tokens
    best = next(row for row in rows if row["n"] == engine.best.id)
    assert best["confirmed_fitness"] == engine.best.fitness
    assert {row["execute_s"] is None for row in rows[1:]} == {False}
    assert {row["execute_cpu_s"] for row in rows} == {None, 0.1}
    assert {row["guests_cpu_s"] for row in rows} == {None, 0.4}
    assert "CPU seconds: candidates and originals" in page(story.path)


def test_a_score_that_is_no_ratio_is_shown_as_it_is(ledger):
    path = ledger(candidates=20, scored=True)
    assert read(path).value(0.25) == 0.25
    text = page(path)
    assert "fitness against seconds since the start" in text
    assert "the original's speed" not in text
    assert "self-reported by the evaluator" in text
    assert "fresh inputs" not in text
    assert "derived from type hints" not in text


def test_a_scored_run_has_no_map_of_what_nobody_measured(ledger):
    path = ledger(candidates=20, scored=True)
    text, (found, binning) = page(path), champions(read(path))
    assert {name for each in maps(found, binning) for name in (each.across, each.up)} == {"size", "age"}
    assert "speed and memory are not measured where an evaluator scores programs" in text
    assert "peak kB" not in text
    assert "cell: speed, memory, size, age" in text


def test_a_fitness_of_speed_is_shown_as_a_ratio(ledger):
    assert read(ledger(candidates=10)).value(math.log(2)) == pytest.approx(2.0)


def test_reasons_that_differ_in_numbers_and_quotations_are_one():
    assert alike("result[3]: expected -7, got 'a b'") == alike("result[12]: expected 1.5e3, got ''")
    assert alike("took more than 3 s") != alike("took more than 3 MiB")


def test_texts_are_cut_and_spelt_out():
    assert shown("a\x1b[0m\u202eb\n\t") == "a\\x1b[0m\\u202eb\n\t"
    assert shown("x" * 30, 10) == "x" * 10 + " … (20 more characters)"
    lines, left_out = diff_lines("--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n" + " same\n" * 50, 40)
    assert [kind for kind, _ in lines[:3]] == ["hunk", "del", "add"]
    assert "more lines" in left_out


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "-"), (0, "0"), (82.536, "82.5"), (1234567, "1,234,567"), (0.01234, "0.0123"), (1e-9, "1.00e-09"), (100, "100")],
)  # fmt: skip
def test_numbers_are_short(value, words):
    assert number(value) == words


@pytest.mark.parametrize(("value", "words"), [(3.456, "3.46 s"), (150, "2 min 30 s"), (7300, "2 h 1 min")])
def test_durations_are_in_the_unit_that_suits_them(value, words):
    assert seconds(value) == words
