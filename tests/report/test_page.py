"""The page of a run, as a browser shows it and as a person reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from peagen_ray.errors import LedgerError
from peagen_ray.evolution.ledger import Ledger
from peagen_ray.report.html import page
from peagen_ray.report.story import read

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[2J\u202e\udcff\x00{{7*7}}"


def written(ledger: Path) -> Path:
    path = ledger.with_name("report.html")
    path.write_text(page(ledger), encoding="utf-8")
    return path


def test_a_page_shows_all_its_parts_and_its_links_lead_to_them(ledger, show):
    tab = show(written(ledger(tokens=500)))
    for part in [
        "progress",
        "failures",
        "archive",
        "lineage",
        "measurements",
        "cost",
        "configuration",
        "environment",
    ]:
        assert tab.locator(f"#{part}").is_visible()
    hrefs = tab.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert hrefs
    assert all(href.startswith("#") for href in hrefs)
    assert tab.evaluate("hrefs => hrefs.filter(h => !document.getElementById(h.slice(1)))", hrefs) == []


def test_a_node_of_the_lineage_opens_its_step_with_the_diff(ledger, show):
    path = ledger()
    tab = show(written(path))
    best = read(path).best
    assert best is not None
    assert not tab.locator(f"#p{best.n} pre").is_visible()
    tab.locator(f'#lineage svg a[href="#p{best.n}"]').click()
    assert tab.locator(f"#p{best.n} pre .add").first.is_visible()
    tab.locator("button[data-all]").click()
    assert tab.evaluate("document.querySelectorAll('#lineage details:not([open])').length") == 0


def test_the_best_is_shown_against_time_candidates_and_tokens_in_turn(ledger, show):
    tab = show(written(ledger(tokens=500)))
    for number, words in enumerate(("seconds", "candidates told back", "LLM tokens spent"), 1):
        tab.locator(f"label[for=rise-{number}]").click()
        assert tab.locator(f'#progress svg[aria-label*="{words}"]').is_visible()
        assert tab.locator("#progress svg:visible").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_a_phone_and_is_legible_in_dark_and_light(ledger, show, scheme):
    tab = show(written(ledger()), viewport={"width": 360, "height": 780}, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    size = "getComputedStyle(document.querySelector('#progress svg .tick')).fontSize"
    scale = "document.querySelector('#progress svg').getBoundingClientRect().width / 640"
    assert tab.evaluate(f"parseFloat({size}) * {scale}") >= 9  # pixels on the screen
    colours = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    assert contrast(*tab.evaluate(colours)) >= 7  # WCAG 2.2, AAA


def contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG 2.2."""

    def luminance(colour: str) -> float:
        shares = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_of_candidates_and_models_does_nothing_in_the_page(ledger, show):
    tab = show(written(ledger(text=HOSTILE, path="</title><b>\udcff.py")))
    text = tab.inner_text("body")
    assert "<script>alert(1)</script>" in text
    assert "\\x1b[2J\\u202e\\udcff\\x00{{7*7}}" in text
    assert tab.evaluate("document.querySelectorAll('img, b, script').length") == 1  # our own script


def test_what_colour_tells_is_told_without_it_too(ledger):
    text = page(ledger())
    added = re.findall(r'<span class="add">(.)', text)
    removed = re.findall(r'<span class="del">(.)', text)
    assert set(added) == {"+"}
    assert set(removed) == {"-"}
    squares = re.findall(r'class="cell" fill-opacity="([\d.]+)" x="[\d.]+" y="[\d.]+" width="([\d.]+)"', text)
    assert len({width for _, width in squares}) > 1  # the fitter, the larger


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"candidates": 0, "ends": False}, "No better program so far."),
        ({"candidates": 1}, "No better program was found"),
        ({"candidates": 30, "gains": False}, "No better program was found"),
        ({"candidates": 40, "ends": False}, "interrupted: it was not brought to its end"),
    ],
    ids=["nothing yet", "one candidate", "no gain", "killed"],
)
def test_a_run_that_came_to_little_has_a_page(ledger, show, settings, words):
    assert words in show(written(ledger(**settings))).inner_text("header")


def test_a_run_under_way_has_a_page_that_says_so(ledger):
    path = ledger(ends=False)
    with Ledger.open(path):
        assert "under way" in page(path)
    assert "under way" not in page(path)


def test_a_torn_ledger_is_told_up_to_where_it_is_whole(ledger):
    path = ledger()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)
    assert "interrupted" in page(path)


def test_long_programs_make_no_long_page(ledger):
    path = ledger(candidates=20, lines=9000)
    assert len(read(path).meta["subject"]["source"]) > 200_000
    text = page(path)
    assert len(text) < 500_000
    assert "too long to be compared here" in text


def test_the_secret_of_a_run_is_not_in_its_page(ledger):
    path = ledger()
    assert read(path).meta["secret"] not in page(path)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="there is no ledger"):
        page(tmp_path / "ledger.arrow")
    with Ledger.create(tmp_path / "ledger.arrow", {"run": "x"}):
        pass
    with pytest.raises(LedgerError, match="no run that this version knows"):
        page(tmp_path / "ledger.arrow")
