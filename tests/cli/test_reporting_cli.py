"""``peagen-ray report``: where the page goes, and what is said."""

from __future__ import annotations

import webbrowser

import pytest
from typer.testing import CliRunner

from peagen_ray.cli.app import app
from peagen_ray.errors import UsageError
from peagen_ray.runtime.reporting import open_page
from peagen_ray.testing.pretended import Pretence, record


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A workspace with a recorded run; its directory."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / ".peagen" / "runs" / "20260301-120000-ab12"
    root.mkdir(parents=True)
    record(root / "ledger.arrow", Pretence(candidates=5))
    return root


def test_the_page_lies_beside_the_ledger_or_where_it_is_wanted_and_is_named(run, tmp_path):
    done = CliRunner().invoke(app, ["report", "last"], catch_exceptions=False)
    assert done.stdout.split() == [".peagen/runs/20260301-120000-ab12/report.html"]
    assert (run / "report.html").read_text().startswith("<!doctype html>")
    done = CliRunner().invoke(app, ["report", run.name, "--output", "new/here.html"], catch_exceptions=False)
    assert done.stdout.split() == ["new/here.html"]
    assert (tmp_path / "new" / "here.html").is_file()


def test_a_dry_run_writes_nothing(run):
    done = CliRunner().invoke(app, ["--dry-run", "report"], catch_exceptions=False)
    assert "would write" in done.stdout
    assert not (run / "report.html").exists()


def test_a_page_that_cannot_be_written_is_told(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        CliRunner().invoke(app, ["report", "--output", "file/here.html"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("browser", "shown"),
    [
        (webbrowser.GenericBrowser("lynx"), False),  # it would take the terminal
        (webbrowser.BackgroundBrowser(["true"]), True),
        (webbrowser.GenericBrowser("true"), True),  # a command of $BROWSER, such as an editor's helper
    ],
)
def test_a_page_is_opened_in_a_window_and_never_in_the_terminal(run, monkeypatch, browser, shown):
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    assert open_page(run / "ledger.arrow") is shown
