"""Runs in a program's hands: opened by name, looked at, watched, and going on in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import peagen_ray
from peagen_ray.errors import TargetError, UsageError
from peagen_ray.evolution.ledger import Ledger
from peagen_ray.report import plots
from peagen_ray.runtime import embedding, following
from peagen_ray.runtime.background import Running
from peagen_ray.runtime.following import Sight, follow
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.testing.pretended import Pretence, record


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Records a pretended run in the working directory; returns its ledger."""
    monkeypatch.chdir(tmp_path)

    def made(**settings: Any) -> Path:
        path = tmp_path / ".peagen" / "runs" / "20260301-120000-ab12" / "ledger.arrow"
        path.parent.mkdir(parents=True)
        record(path, Pretence(**settings))
        return path

    return made


def test_a_finished_run_is_opened_by_name_with_its_winner(recorded):
    path = recorded()
    run = peagen_ray.open_run()
    assert run.id == path.parent.name
    best = run.best
    assert best.confirmed
    assert best.ratio is not None
    assert best.low is not None
    assert best.low < best.ratio
    assert best.diff.startswith("--- a/slow.py")
    assert str(best) == best.source
    assert run.table().num_rows == 61
    assert f"{best.ratio:.2f}x" in repr(run)
    assert run.report().name == "report.html"


def test_a_run_without_a_gain_has_its_original_as_the_best(recorded):
    recorded(candidates=5, gains=False)
    best = peagen_ray.open_run().best
    assert (best.n, best.ratio, best.diff) == (0, 1.0, "")
    assert best.source.startswith("def slow")
    assert "no better program" in repr(peagen_ray.open_run())


def test_the_best_of_an_interrupted_run_says_whether_it_is_confirmed(recorded):
    recorded(ends=False)
    best = peagen_ray.open_run("20260301-120000-ab12").best
    assert best.n > 0
    assert best.confirmed
    assert best.ratio is not None


def test_what_is_no_run_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no such run"):
        peagen_ray.open_run()


def test_a_plot_is_a_picture_against_each_axis(recorded):
    pytest.importorskip("matplotlib")
    recorded(candidates=20, tokens=100)
    run = peagen_ray.open_run()
    for against in plots.AXES:
        figure: Any = run.plot(against)
        assert figure._repr_png_().startswith(b"\x89PNG")
        assert figure.axes[0].get_xlabel() == plots.AXES[against]
    with pytest.raises(UsageError, match="axis"):
        run.plot("money")


def test_a_run_that_has_ended_is_watched_to_its_end_at_once(recorded, capsys):
    recorded()
    run = peagen_ray.open_run()
    assert run.watch() is run
    assert "60 candidates, best confirmed" in capsys.readouterr().out


def test_following_shows_what_is_new_and_ends_with_whoever_writes(recorded):
    path = recorded(ends=False)
    events = list(peagen_ray.open_run().table()["n"].to_pylist())
    sights = follow(path)
    with Ledger.open(path) as ledger:
        first = next(sights)
        assert (first.told, first.over) == (len(events) - 1, False)
        ledger.append([])
        assert next(sights).told == first.told
    last = next(sights)
    assert last.over
    assert "interrupted" in last.line()
    assert list(sights) == []


def test_a_notebook_draws_in_place(recorded):
    path = recorded()
    (sight,) = follow(path)
    drawn = following._drawing(sight)
    assert drawn.startswith("<style>.peagen-ray {")
    assert "<svg" in drawn
    assert "ended: max_generations" in drawn
    assert "<script" not in following._drawing(Sight(ended="</style><script>"))


# In the background


class Work:
    """A pretended run that begins, and ends when it is let go."""

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.begin, self.end = threading.Event(), threading.Event()
        self.control: Any = None

    def __call__(self, control: Any) -> Any:
        self.control = control
        self.begin.wait(30)
        control.paths = RunPaths(self.ledger.parent)
        with Ledger.open(self.ledger):
            control.begun.set()
            self.end.wait(30)
        return "the result"


def test_a_run_goes_on_in_the_background_until_it_has_a_result(recorded):
    work = Work(recorded(ends=False))
    run = Running(work)
    assert repr(run) == "<run that begins>"
    assert "begins" in run._repr_html_()
    work.begin.set()
    assert run.id == "20260301-120000-ab12"
    assert "under way" in repr(run)
    with pytest.raises(TimeoutError):
        run.result(timeout=0)
    run.pause()
    assert work.control.paused
    run.go_on().stop()
    assert (work.control.paused, work.control.stopped) == (False, True)
    work.end.set()
    assert run.result() == "the result"  # type: ignore[comparison-overlap]
    assert run.done
    assert run.watch() is run


def test_what_a_run_fails_of_is_raised_where_it_is_waited_for():
    def fail(_: Any) -> Any:
        raise TargetError("no such file")

    run = Running(fail)
    for look in (run.result, run.watch, lambda: run.best):
        with pytest.raises(TargetError, match="no such file"):
            look()
    assert "did not begin" in repr(run)
    assert "did not begin" in run._repr_html_()


def test_a_lambda_is_refused_since_it_could_not_be_found_by_name():
    with pytest.raises(UsageError, match="lambda"):
        peagen_ray.evolve(lambda x: x)


def test_a_run_that_is_not_waited_for_is_handed_its_control(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedding, "_on_ray", lambda: False)
    monkeypatch.setattr(embedding, "run_evolution", lambda request, observer, control: (request, control))
    run = peagen_ray.evolve("t.py", "f", wait=False, generations=2)
    request, control = run.result()  # type: ignore[misc]
    assert request.config.evolve.stop.max_generations == 2
    run.stop()
    assert control.stopped
