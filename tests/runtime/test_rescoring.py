"""``runs verify`` of runs that an evaluator scored: the record holds if the evaluator still says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.config.load import load
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import Ledger
from peagen_ray.evolution.program import Outcome
from peagen_ray.runtime.evaluation import evaluation_of
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.rescoring import Rescored, expected, hold

EVALUATOR = """
from pathlib import Path
def evaluate(path):
    return {"combined_score": float(Path(path).read_text().split()[-1])}
"""
NOISY = EVALUATOR.replace("])}", "]) + __import__('random').gauss(0, 1)}")


def test_a_deterministic_score_is_reproduced_if_it_is_the_same() -> None:
    assert Rescored("winner", 0.1 + 0.2, "", [0.3]).reproduced
    assert not Rescored("winner", 0.3, "", [0.30001]).reproduced
    assert not Rescored("winner", 0.3, "", [0.4, 0.4, 0.4]).reproduced
    assert not Rescored("winner", 0.3, "", [0.3], "timeout: 5 s").reproduced


def test_a_noisy_score_is_reproduced_if_one_more_could_be_like_it() -> None:
    scores = [9.0, 10.0, 11.0, 10.5, 9.5]
    low, high = expected(scores)
    assert (low, high) == pytest.approx((10 - 2.405, 10 + 2.405), abs=0.03)  # t = 2.776, s = 0.7906
    assert Rescored("winner", 12.3, "", scores).reproduced
    assert not Rescored("winner", 12.5, "", scores).reproduced


def test_a_gain_that_is_gone_does_not_hold_although_both_scores_are_within_their_spreads() -> None:
    original = Rescored("original", 9.0, "", [9.0, 10.0, 11.0])
    assert hold(original, Rescored("winner", 11.0, "", [10.0, 11.0, 12.0]))
    assert not hold(original, Rescored("winner", 11.0, "", [8.0, 9.0, 10.0]))


Recorded = Callable[..., RunPaths]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Makes what a run keeps of its evaluator and its two programs."""
    monkeypatch.chdir(tmp_path)

    def make(evaluator: str, before: float, after: float) -> RunPaths:
        (tmp_path / "evaluator.py").write_text(evaluator)
        (tmp_path / "p.py").write_text("x = 1\n")
        flags = {"evaluate.evaluator": "module", "evaluate.file": "evaluator.py"}
        config = load(None, {}, flags).config
        evaluation = evaluation_of(config, Path("p.py"), ("p.py",))
        assert evaluation is not None
        paths = RunPaths(Path(".peagen/runs/20260101-000000-aaaa"))
        paths.root.mkdir(parents=True)
        evaluation.keep(paths.bundle)
        (tmp_path / "evaluator.py").write_text("raise SystemExit('another one')\n")
        with Ledger.create(paths.ledger, _meta(config, evaluation.facts())) as ledger:
            ledger.append(_events(before, after))
        return paths

    return make


def _meta(config: Any, facts: dict[str, Any]) -> dict[str, Any]:
    subject = {"path": "p.py", "entry": "", "source": "x = 1\n", "workload": None, "workload_path": ""}
    about = {"config": config.model_dump(mode="json"), "evaluation": facts, "reference": {}}
    versions = {"peagen-ray": "0.1.0", "python": "3.11"}
    return {"run": "r", "seed": 1, "subject": subject, "mutator": "genetic", "versions": versions, **about}


def _events(before: float, after: float) -> list[Event]:
    seed = Event(Kind.SEED, 0, fitness=before, outcome=Outcome.OK, source="x = 1\n")
    end = Event(Kind.FINAL, fitness=after, confirmed=True, source="x = 9\n", reason="max_generations")
    return [seed, end]


def test_the_kept_evaluator_scores_again_and_its_word_decides(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = recorded(EVALUATOR, 1.0, 9.0)
    before = paths.ledger.read_bytes()
    assert run(["runs", "verify", "last", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["holds"]
    assert (told["original"]["scores"], told["winner"]["scores"]) == ([1.0], [9.0])
    assert paths.ledger.read_bytes() == before


def test_a_score_that_the_evaluator_does_not_give_is_an_exit_code(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(EVALUATOR, 1.0, 12.0)
    assert run(["runs", "verify", "last", "--times", "2"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "original: recorded 1, reproduced 2 times" in said
    assert "winner: recorded 12, not reproduced: 9, 2 times" in said


def test_noisy_scores_are_taken_several_times_and_the_record_has_to_be_within_their_spread(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(NOISY, 1.0, 99.0)
    assert run(["runs", "verify", "last", "--json"]) == 1
    winner = json.loads(capsys.readouterr().out)["winner"]
    assert len(winner["scores"]) == len(set(winner["scores"])) == 5
    low, high = winner["spread"]
    assert low < min(winner["scores"]) < max(winner["scores"]) < high < 99
    assert not winner["reproduced"]


def test_an_evaluator_whose_files_are_gone_or_others_is_asked_nothing(
    recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = recorded(EVALUATOR, 1.0, 9.0)
    assert run(["runs", "verify", "last", "--seconds", "3"]) == 2
    assert "--seconds" in capsys.readouterr().err
    paths.bundle.write_bytes(b"others")
    assert run(["runs", "verify", "last"]) == 2
    assert "are not the evaluator's files that the run began with" in capsys.readouterr().err
    paths.bundle.unlink()
    assert run(["runs", "verify", "last"]) == 2
    assert "evaluator.zip" in capsys.readouterr().err
