"""The report of a run, written beside its ledger or wherever it is wanted, and shown."""

from __future__ import annotations

import subprocess
import webbrowser
from pathlib import Path
from typing import Final

from peagen_ray.errors import UsageError
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.storage import replace_file

_IN_TERMINAL: Final = frozenset({"www-browser", "links", "elinks", "lynx", "w3m"})
"""Browsers that would take the terminal over."""


def write_report(paths: RunPaths, output: Path | None = None) -> Path:
    """Write the page of a run; it is there whole or not at all.

    Args:
        paths: the run's, which may go on meanwhile.
        output: a file; by default ``report.html`` in the run's directory.

    Raises:
        LedgerError: the ledger cannot be read.
        UsageError: the page cannot be written there.
    """
    from peagen_ray.report.html import page

    target = output or paths.report
    text = page(paths.ledger)
    try:
        replace_file(target, text.encode())
    except OSError as error:
        raise UsageError(
            f"the report cannot be written: {error.strerror}", subject=str(target), hint="--output FILE"
        ) from error
    return target


def open_page(path: Path) -> bool:
    """Show a page in the person's browser; False where there is none that has a window of its own."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    address = path.resolve().as_uri()
    if isinstance(browser, webbrowser.GenericBrowser):
        return Path(browser.name).name not in _IN_TERMINAL and _started(
            [browser.name, *(each.replace("%s", address) for each in browser.args)]
        )
    return browser.open(address)


def _started(command: list[str]) -> bool:
    """Start it, silent and on its own, and do not wait for it, as ``webbrowser`` would."""
    try:
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError:
        return False
    return True
