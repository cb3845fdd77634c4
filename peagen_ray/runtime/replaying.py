"""``--replay``: a recorded run lived again, with nothing run, nothing measured and nobody asked."""

from __future__ import annotations

import json
from typing import Any, Final

from peagen_ray.config.model import Config
from peagen_ray.errors import MutationRejected, ReplayDivergence, TargetError
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import meta, read
from peagen_ray.evolution.mutators.base import MutationRequest, Mutator
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Mutate
from peagen_ray.evolution.replay import relive
from peagen_ray.llm.recording import Player
from peagen_ray.plugins import load
from peagen_ray.runtime.models import LLM_MUTATORS
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.rereading import Rereader
from peagen_ray.runtime.run import build_engine
from peagen_ray.workload.fingerprint import fingerprint

GENETIC: Final = "genetic"

_REPEATABLE = frozenset({GENETIC, *LLM_MUTATORS})
"""Mutators of runs whose offline proposals depend on the question alone, so that a replay can make them again."""


def replay(paths: RunPaths) -> dict[str, Any]:
    """Live a run again from its ledger.

    The engine is asked every question again and must ask the same; a mutator that depends on the question
    alone makes its proposals again, and so does one that asks models, whose prompts must be the same and whose answers
    come from the recording; proposals must be the same to the byte. The programs are written to ``replay/`` in the
    run's directory, numbered as they were made.

    Returns:
        How many ``questions``, ``mutations`` and ``programs`` there were, the ``best`` program's number, the
        ``run`` and the ``directory``.

    Raises:
        ReplayDivergence: something differs; names the event and both.
        LedgerError: the record cannot be read.
    """
    recorded = meta(paths.ledger)
    engine = build_engine(recorded)
    config = Config.model_validate_json(json.dumps(recorded["config"]))
    rereader = None
    if recorded["mutator"] in LLM_MUTATORS:
        rereader = Rereader(recorded, config, Player(paths.exchanges))
    mutator = _mutator(recorded)
    directory = paths.root / "replay"
    directory.mkdir(exist_ok=True)
    questions: dict[int, Mutate] = {}
    asked = made = programs = 0
    for event in read(paths.ledger):
        question = relive(event, engine)
        engine.take_events()
        engine.take_news()
        asked += question is not None
        if isinstance(question, Mutate):
            questions[question.n] = question
        if event.event is Kind.TELL and event.kind == Mutate.KIND:
            question = questions.pop(event.n)
            if rereader is not None and event.mutator != GENETIC:
                made += rereader.made_again(event, question)
            else:
                made += _made_again(event, question, mutator, recorded)
        if event.source and event.event is not Kind.FINAL:
            programs += 1
            (directory / f"{event.n:06d}.py").write_bytes(event.source.encode())
    return {
        "run": paths.id,
        "questions": asked,
        "mutations": made,
        "programs": programs,
        "best": None if engine.best is None else engine.best.id,
        "directory": str(directory),
    }


def _mutator(recorded: dict[str, Any]) -> Mutator | None:
    if recorded["mutator"] not in _REPEATABLE:
        return None
    made: Mutator = load("peagen.mutators", GENETIC)()
    return made


def _made_again(event: Event, question: Mutate, mutator: Mutator | None, recorded: dict[str, Any]) -> bool:
    """Whether the proposal was made again; raises ReplayDivergence if it came out differently."""
    if mutator is None or not (event.operator or event.outcome is Outcome.REJECTED):
        return False  # No proposal came of it: the task was lost, or timed out.
    config = recorded["config"]
    request = MutationRequest(
        source=question.parent.src,
        entry=recorded["subject"]["entry"],
        seed=question.seed,
        inspirations=question.inspirations,
        weights=question.weights,
        exclude=frozenset(question.exclude),
        goal=config["evolve"]["goal"],
        temperature=config["mutate"]["temperature"],
    )
    try:
        source, operator = (proposal := mutator.propose(request)).source, proposal.operator
        fingerprint(source)
    except (MutationRejected, SyntaxError, TargetError):
        source, operator = "", ""
    if operator != event.operator or (event.source and source != event.source):
        raise ReplayDivergence(
            f"{GENETIC} proposed {event.operator or 'nothing'}, and now {operator or 'nothing'}",
            subject=f"event {event.seq} (question {event.n})",
            hint="the version of peagen-ray or of Python differs from the recorded run's",
        )
    return True
