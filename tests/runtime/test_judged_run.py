"""Runs whose programs an evaluator of somebody's own scores, through all of the machinery."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runtime_script import Recorder

from peagen_ray.config.load import load
from peagen_ray.errors import TargetError, UsageError
from peagen_ray.runtime.replaying import replay
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.run import evolve
from peagen_ray.runtime.settings import RunRequest

MAIN = """from part import scale

# EVOLVE-BLOCK-START
def answer(x):
    total = 0
    for i in range(10):
        total = total + scale(x)
    return total
# EVOLVE-BLOCK-END
"""
PART = "LIMIT = 7\n\n# EVOLVE-BLOCK-START\ndef scale(x):\n    y = x * 2\n    return y\n# EVOLVE-BLOCK-END\n"
EVALUATOR = """
import importlib.util
def evaluate(path):
    spec = importlib.util.spec_from_file_location("candidate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    score = module.answer(3)
    return Said({"combined_score": -abs(score - 7.0), "size": len(open(path).read()), "private.key": 5})
class Said:
    def __init__(self, metrics):
        self.metrics, self.artifacts = metrics, {"note": f"it scored {metrics['combined_score']}"}
"""
HELD = "from evaluator import evaluate as e\ndef evaluate(path):\n    return {'combined_score': e(path).metrics['size'] * 10}\n"


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"main.py": MAIN, "part.py": PART, "evaluator.py": EVALUATOR, "held.py": HELD}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def run(task: Path, observer: Recorder) -> Callable[..., RunResult]:
    def of(candidates: int = 8, resume: str | None = None, **flags: Any) -> RunResult:
        values = {
            "evaluate.evaluator": "module",
            "evaluate.file": "evaluator.py",
            "evolve.files": ["part.py"],
            "evolve.seed": 5,
            "evolve.stop.max_candidates": candidates,
            **{name.replace("__", "."): value for name, value in flags.items()},
        }
        config = load(None, {}, values).config
        return evolve(
            RunRequest(config, Path("main.py"), concurrency=2, resume=resume, best=Path("out/best")), observer
        )

    return of


@pytest.mark.slow
def test_a_program_of_two_files_is_scored_judged_on_what_was_held_out_resumed_and_replayed(
    run: Callable[..., RunResult], task: Path, observer: Recorder
) -> None:
    first = run(evaluate__objectives=["fitness", "-size"], evaluate__held_out__file="held.py")
    assert first.told == 8
    scores = first.scores
    assert scores is not None
    assert scores.before == -53.0
    assert scores.after >= scores.before
    assert scores.held_out is not None
    assert scores.held_out["before"] == {"score": len(MAIN) * 10}
    assert max(point["fitness"] for point in scores.front) == scores.after

    (task / "evaluator.py").write_text("raise SystemExit('changed')\n")
    second = run(14, "last", evaluate__objectives=["fitness", "-size"])
    assert second.told == 14
    assert "goes on with those it began with" in " ".join(observer.notes)
    lived = replay(second.paths)
    assert (lived["questions"], lived["mutations"]) == (14, 14)

    best = json.loads((task / "out/best/best_program_info.json").read_text())
    assert best["metrics"]["combined_score"] == second.scores.after if second.scores else 0
    assert best["metrics"]["measured"] == "self-reported"
    assert sorted(path.name for path in (task / "out/best").iterdir()) == [
        "best_program_info.json",
        "main.py",
        "part.py",
    ]
    note = (
        (second.paths.artifacts / f"{int(best['id']):06d}" / "note.txt").read_text()
        if best["id"] != "0"
        else ""
    )
    assert not note or note == f"it scored {best['metrics']['combined_score']}"


def test_an_original_without_a_score_ends_the_run_with_what_the_evaluator_said(
    run: Callable[..., RunResult], task: Path
) -> None:
    (task / "evaluator.py").write_text("import nothing_like_it\n")
    with pytest.raises(TargetError) as error:
        run()
    assert "no score: error: ModuleNotFoundError: No module named 'nothing_like_it'" in str(error.value)
    assert not (task / ".peagen/runs").exists() or not list((task / ".peagen/runs").iterdir())


def test_a_file_of_the_program_that_lies_elsewhere_is_refused(task: Path) -> None:
    flags = {"evaluate.evaluator": "module", "evolve.files": [str(task.parent / "other.py")]}
    with pytest.raises(UsageError, match="does not lie under"):
        RunRequest(load(None, {}, flags).config, Path("main.py")).subject()


def test_a_program_in_another_language_is_scored_without_a_model_too(task: Path, observer: Recorder) -> None:
    (task / "prompt.txt").write_text("Is it {text}, or not?\n")
    (task / "evaluator.py").write_text(
        "def evaluate(path):\n    return {'words': len(open(path).read().split())}\n"
    )
    flags = {
        "evaluate.evaluator": "module",
        "evaluate.file": "evaluator.py",
        "evolve.stop.max_candidates": 2,
    }
    request = RunRequest(load(None, {}, flags).config, Path("prompt.txt"), best=task / "best")
    ended = evolve(request, observer)
    assert (ended.told, ended.improved) == (2, False)
    assert ended.scores
    assert ended.scores.before == 5
    assert (task / "best" / "best_program.txt").read_text() == "Is it {text}, or not?\n"


def test_changed_parts_of_a_package_lie_among_its_other_parts(
    task: Path, run: Callable[..., RunResult]
) -> None:
    for name, text in {"__init__": "from pkg.scale import FIVE\n", "scale": "FIVE = 5\n"}.items():
        (task / "pkg").mkdir(exist_ok=True)
        (task / "pkg" / f"{name}.py").write_text(text)
    (task / "pkg" / "part.py").write_text("from pkg import FIVE\ndef scale(x):\n    return FIVE * x\n")
    (task / "main.py").write_text(MAIN.replace("from part", "from pkg.part"))
    ended = run(1, evolve__files=["pkg/part.py"])
    assert ended.scores
    assert ended.scores.before == 7.0 - 150.0
