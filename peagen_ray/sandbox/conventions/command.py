"""Convention ``command``: any executable; the last line that it prints is a JSON object of metrics, or a number.

Options: ``command``, its words. In them ``{program}`` is the candidate's main file, ``{results}`` a directory whose
pictures and texts become artifacts; where no word names the program, it is added at the end.
"""

from __future__ import annotations

import json
from typing import Any

from peagen_ray.sandbox.conventions.base import Assignment, Done, Failure, Judgement, fitness_of, python, run
from peagen_ray.sandbox.conventions.script import left_behind


def judge(assignment: Assignment) -> Judgement:
    """Run the command and read its last line."""
    done = run(_words(assignment), assignment)
    artifacts = {**done.artifacts(), **left_behind(assignment.results)}
    if done.code:
        raise Failure(done.last_words, artifacts=artifacts)
    metrics = _metrics(done, artifacts)
    if metrics.get("correct") is False:
        raise Failure(str(metrics.get("error") or "it says that it is not correct"), "incorrect", artifacts)
    said = metrics.pop("artifacts", None)
    artifacts |= said if isinstance(said, dict) else {}
    fitness = fitness_of(metrics)
    if fitness is None:
        raise Failure(f"no number among its metrics: {sorted(metrics)}", artifacts=artifacts)
    return Judgement(fitness, metrics, artifacts)


def _words(assignment: Assignment) -> list[str]:
    template = [str(word) for word in assignment.options["command"]]
    if not any("{program}" in word for word in template):
        template.append("{program}")
    named = {"{program}": str(assignment.program), "{results}": str(assignment.results)}
    words = []
    for word in template:
        for name, value in named.items():
            word = word.replace(name, value)
        words.append(word)
    return [python() if words[0] in {"python", "python3"} else words[0], *words[1:]]


def _metrics(done: Done, artifacts: dict[str, Any]) -> dict[str, Any]:
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    try:
        said = json.loads(lines[-1])
    except (IndexError, ValueError, RecursionError):
        last = repr(lines[-1][:100]) if lines else "nothing"
        raise Failure(f"its last line is no JSON: {last}", artifacts=artifacts) from None
    if isinstance(said, int | float) and not isinstance(said, bool):
        return {"combined_score": said}
    if not isinstance(said, dict):
        raise Failure(f"its last line is no object and no number: {lines[-1][:100]!r}", artifacts=artifacts)
    return said
