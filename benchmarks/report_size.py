"""The report of a run of 10 000 candidates: under 5 MB, and first painted in under 2 s by headless Chromium.

Prints one JSON line. The run is pretended: the real engine and the real ledger, with candidates that never ran. The
page is opened from the disk in a fresh context each time; the median of the first contentful paints counts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from peagen_ray.report.html import page
from peagen_ray.testing.pretended import Pretence, record

MB = 5.0
PAINT_S = 2.0
FIRST_PAINT = """() => new Promise(done => new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (entry.name === "first-contentful-paint") done(entry.startTime);
}).observe({type: "paint", buffered: true}))"""


def paints(path: Path, rounds: int) -> list[float]:
    """Milliseconds until the first contentful paint, each time."""
    program = shutil.which("chromium") or sys.exit("chromium is not installed")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        taken = []
        for _ in range(rounds):
            context = browser.new_context()
            tab = context.new_page()
            tab.goto(path.as_uri())
            taken.append(float(tab.evaluate(FIRST_PAINT)))
            context.close()
        browser.close()
    return taken


def measure(candidates: int, lines: int, rounds: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        ledger = Path(scratch) / "ledger.arrow"
        record(ledger, Pretence(candidates=candidates, lines=lines, tokens=1000))
        start = time.perf_counter()
        text = page(ledger).encode()
        made_s = time.perf_counter() - start
        path = Path(scratch) / "report.html"
        path.write_bytes(text)
        taken = paints(path, rounds)
        ledger_mb = ledger.stat().st_size / 1e6
    size, paint_s = len(text) / 1e6, statistics.median(taken) / 1000
    return {
        "benchmark": "report_size",
        "candidates": candidates,
        "mb": round(size, 3),
        "bound_mb": MB,
        "paint_s": round(paint_s, 3),
        "bound_paint_s": PAINT_S,
        "ok": size < MB and paint_s < PAINT_S,
        "made_s": round(made_s, 2),
        "ledger_mb": round(ledger_mb, 1),
        "rounds": rounds,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=100, help="of each program (default 100)")
    parser.add_argument("--rounds", type=int, default=5, help="how often the page is opened (default 5)")
    options = parser.parse_args()
    found = measure(options.candidates, options.lines, options.rounds)
    print(json.dumps(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
