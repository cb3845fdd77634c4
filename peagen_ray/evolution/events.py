"""Event: one line of a run's record. The engine makes them; the ledger keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.evolution.questions import Confirm, Mutate, Observation, Question


class Kind(StrEnum):
    """What happened."""

    SEED = "seed"
    """A program that the run starts from."""
    ASK = "ask"
    TELL = "tell"
    LEASE = "lease"
    """The worst case of what a question may cost, before a model is asked; whoever runs the engine writes it."""
    DROP = "drop"
    """An answer that came too late; only what it cost counts."""
    STOP = "stop"
    RESUME = "resume"
    """A new life of the run begins: what was asked without an answer is asked again."""
    FINAL = "final"
    """The end, as the person was told it; whoever runs the engine writes it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a run's record; what does not apply keeps its default.

    Attributes:
        event: what happened.
        n: the question, or the id of a seed program.
        epoch: the life of the run.
        kind: of the question: ``mutate`` or ``confirm``.
        time_s: when, seconds since the run's start.
        parents: ids of the parents; of a confirmation, the program to confirm.
        mutator: name of the mutator.
        operator: name of its operator, or of several joined by ``+``.
        seed: of the question.
        outcome: what became of the candidate.
        reason: one line of why.
        fitness: higher is better.
        speed_ms: reference_ms / ratio to the original.
        peak_kb: kB.
        confirmed: the fitness is final.
        fingerprint: of the source.
        source: the candidate's source text; "" where it was recorded before.
        base: the parent's source text, from which the ledger makes the diff; not recorded itself.
        tokens: LLM tokens spent.
        usd: money spent.
        wall: seconds by phase.
        metrics: whatever else the evaluator reported.
        detail: whatever else belongs to this event; of an answer, ``cpu``: CPU seconds by phase, where they are known.
        seq: its number in the ledger; -1 until it is in one.
    """

    event: Kind
    n: int = -1
    epoch: int = 0
    kind: str = ""
    time_s: float = 0.0
    parents: tuple[int, ...] = ()
    mutator: str = ""
    operator: str = ""
    seed: int = 0
    outcome: Outcome | None = None
    reason: str = ""
    fitness: float | None = None
    speed_ms: float | None = None
    peak_kb: float | None = None
    confirmed: bool = False
    fingerprint: str = ""
    source: str = ""
    base: str = field(default="", compare=False, repr=False)
    tokens: int = 0
    usd: float = 0.0
    wall: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    seq: int = field(default=-1, compare=False)


def seeded(program: Program, now: float) -> Event:
    """A program that the run starts from."""
    return Event(
        Kind.SEED,
        n=program.id,
        time_s=now,
        mutator=program.mutator,
        seed=program.seed,
        outcome=program.outcome,
        reason=program.reason,
        fitness=program.fitness,
        speed_ms=program.speed_ms,
        peak_kb=program.peak_kb,
        confirmed=program.confirmed,
        fingerprint=program.fingerprint,
        source=program.src,
        metrics=program.metrics,
    )


def seed_program(event: Event) -> Program:
    """The program that :func:`seeded` recorded."""
    return Program(
        id=event.n,
        src=event.source,
        mutator=event.mutator,
        seed=event.seed,
        outcome=event.outcome or Outcome.OK,
        reason=event.reason,
        fitness=event.fitness,
        speed_ms=event.speed_ms,
        peak_kb=event.peak_kb,
        confirmed=event.confirmed,
        metrics=dict(event.metrics),
        fingerprint=event.fingerprint,
    )


def asked(question: Question, now: float, inspirations: tuple[int, ...] = ()) -> Event:
    """A question, with its digest, so that a replay can be compared with it."""
    detail: dict[str, Any] = {"digest": question.digest()}
    if isinstance(question, Mutate):
        detail["inspirations"] = list(inspirations)
        if question.island:
            detail["island"] = question.island
    else:
        detail["attempt"] = question.attempt
    return Event(
        Kind.ASK,
        n=question.n,
        epoch=question.epoch,
        kind=question.KIND,
        time_s=now,
        parents=_subjects(question),
        seed=question.seed,
        detail=detail,
    )


def told(question: Question, observation: Observation, now: float) -> Event:
    """An answer. What was recorded before, or never ran, is recorded without its source."""
    new = isinstance(question, Mutate) and observation.outcome is not Outcome.DUPLICATE
    return Event(
        Kind.TELL,
        n=question.n,
        epoch=question.epoch,
        kind=question.KIND,
        time_s=now,
        parents=_subjects(question),
        mutator=observation.mutator,
        operator=observation.operator,
        seed=question.seed,
        outcome=observation.outcome,
        reason=observation.reason,
        fitness=observation.fitness,
        speed_ms=observation.speed_ms,
        peak_kb=observation.peak_kb,
        confirmed=observation.confirmed,
        fingerprint=observation.fingerprint,
        source=observation.source if new else "",
        base=question.parent.src if isinstance(question, Mutate) else "",
        tokens=observation.tokens,
        usd=observation.usd,
        wall=observation.wall,
        metrics=observation.metrics,
        detail={"cpu": dict(observation.cpu)} if observation.cpu else {},
    )


def dropped(n: int, epoch: int, seen: Observation, now: float) -> Event:
    """An answer that came too late, or a charge."""
    return Event(
        Kind.DROP,
        n=n,
        epoch=epoch,
        time_s=now,
        reason=seen.reason,
        tokens=seen.tokens,
        usd=seen.usd,
        wall=seen.wall,
    )


def observation(event: Event) -> Observation:
    """The answer that :func:`told` recorded."""
    return Observation(
        outcome=event.outcome or Outcome.LOST,
        reason=event.reason,
        fitness=event.fitness,
        speed_ms=event.speed_ms,
        peak_kb=event.peak_kb,
        confirmed=event.confirmed,
        metrics=event.metrics,
        source=event.source,
        mutator=event.mutator,
        operator=event.operator,
        fingerprint=event.fingerprint,
        tokens=event.tokens,
        usd=event.usd,
        wall=event.wall,
        cpu=event.detail.get("cpu", {}),
    )


def printable(text: str) -> str:
    """The text with what UTF-8 cannot hold written as escapes, so that it can be recorded."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _subjects(question: Question) -> tuple[int, ...]:
    if isinstance(question, Confirm):
        return (question.program.id,)
    return tuple(parent.id for parent in question.parents)
