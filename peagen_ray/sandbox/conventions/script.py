"""Convention ``script``: ``evaluate.py --program_path P --results_dir R`` writes ``metrics.json`` and ``correct.json``.

Options: ``file``; ``arguments``, further words of the command line. Where both files are there, they decide, whatever
the exit code; without ``combined_score`` the score is 0, as it is for the engine whose convention this is. Pictures
and texts that it leaves in the results directory are artifacts. Private metrics are kept and shown to the person, under
``private.``; no prompt has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from peagen_ray.sandbox.conventions.base import Assignment, Done, Failure, Judgement, fitness_of, python, run

_PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"})
_TEXTS: Final = frozenset({".txt", ".md", ".log", ".csv"})
_OURS: Final = frozenset({"stdout.txt", "stderr.txt"})


def judge(assignment: Assignment) -> Judgement:
    """Run the script and read what it wrote."""
    where = ["--program_path", str(assignment.program), "--results_dir", str(assignment.results)]
    words = [str(word) for word in assignment.options.get("arguments") or ()]
    done = run([python(), str(assignment.file()), *where, *words], assignment)
    told = _read(assignment.results / "metrics.json")
    correct = _read(assignment.results / "correct.json")
    artifacts = done.artifacts() | left_behind(assignment.results)
    if correct is not None and not correct.get("correct", False):
        raise Failure(str(correct.get("error") or "it says that it is not correct"), "incorrect", artifacts)
    if told is None or correct is None:
        missing = " and ".join(
            name for name, read in (("metrics", told), ("correct", correct)) if read is None
        )
        raise Failure(_reason(done, f"wrote no {missing}.json"), artifacts=artifacts)
    feedback = told.get("text_feedback")
    metrics = _flat(told)
    fitness = fitness_of({"combined_score": told.get("combined_score", 0.0)})
    if fitness is None:
        raise Failure("combined_score in metrics.json is no number", artifacts=artifacts)
    return Judgement(fitness, metrics, {**({"text_feedback": feedback} if feedback else {}), **artifacts})


def left_behind(results: Path) -> dict[str, Any]:
    """The pictures and texts in the results directory."""
    found: dict[str, Any] = {}
    for path in sorted(results.rglob("*")):
        name = str(path.relative_to(results))
        if not path.is_file() or path.is_symlink() or name in _OURS:
            continue
        if path.suffix.lower() in _PICTURES:
            found[name] = path.read_bytes()
        elif path.suffix.lower() in _TEXTS:
            found[name] = path.read_text(encoding="utf-8", errors="backslashreplace")
    return found


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    """All metrics in one level: ``combined_score``, ``public``'s by their names, ``private``'s with a prefix."""
    metrics: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, dict):
            prefix = "" if name == "public" else f"{name}."
            metrics |= {f"{prefix}{inner}": each for inner, each in value.items()}
        elif name != "text_feedback":
            metrics[name] = value
    return metrics


def _reason(done: Done, what: str) -> str:
    return f"{what}; {done.last_words}" if done.code or done.stderr.strip() else what


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is no such file. Raises Failure where it holds something else."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Failure(f"{path.name} cannot be read: {error}") from error
    if not isinstance(read, dict):
        raise Failure(f"{path.name} holds no object")
    return read
