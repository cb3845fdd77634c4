"""One headless browser for all tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.testing.pretended import Pretence, record

FIRST_PAINT = """() => new Promise(done => new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (entry.name === "first-contentful-paint") done(entry.startTime);
}).observe({type: "paint", buffered: true}))"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api") if "CI" not in os.environ else None
    if sync_api is None:
        from playwright import sync_api
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("no Chromium is installed")
    with sync_api.sync_playwright() as play:
        # As root it has no sandbox of its own; what it shows are our own pages, which load nothing.
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page, and fails at the end if one said anything on its console or asked for anything."""
    said: list[str] = []
    contexts = []

    def opened(path: Path, **settings: Any) -> Any:
        context = chromium.new_context(**settings)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: said.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}") or dialog.dismiss())
        tab.on("request", lambda request: said.append(request.url) if request.url != path.as_uri() else None)
        tab.goto(path.as_uri())
        assert tab.evaluate(FIRST_PAINT) >= 0
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert [line for line in said if not line.startswith("data:")] == []


@pytest.fixture
def ledger(tmp_path: Path) -> Callable[..., Path]:
    """Records a pretended run; returns its ledger."""

    def made(**settings: Any) -> Path:
        path = tmp_path / "runs" / "20260301-120000-ab12" / "ledger.arrow"
        path.parent.mkdir(parents=True)
        record(path, Pretence(**settings))
        return path

    return made
