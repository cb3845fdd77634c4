"""What the engine asks, and what it is told: plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Final, Self

from peagen_ray.evolution.briefing import Briefing
from peagen_ray.evolution.program import Outcome, Program

ANY_LIFE: Final = -1
"""The epoch of a charge that belongs to a question rather than to an answer of it."""

CHARGE: Final = "charge"
"""The reason of an answer that only says what a question may have cost of which nothing was heard: it is not late."""

GUESTS: Final = "guests"
"""The phase under which the CPU time of guests is told: candidates, and originals that run beside them."""


@dataclass(frozen=True, slots=True)
class Mutate:
    """Change a parent, run what comes of it, and tell.

    Attributes:
        n: its number, and the id of the program that answers it.
        epoch: the life of the run in which it was asked; an answer of another one is dropped.
        parents: the programs to change; the first one is the parent proper.
        inspirations: source texts of other programs, the fittest first.
        seed: for every random choice of the mutator.
        weights: how much each operator has paid off; a missing one counts as 1.0.
        exclude: fingerprints of what was lately tried from this parent, the oldest first.
        briefing: how to change it, and what a model is to be told; None in a run that asks no model.
        island: where the parent is from, and where the candidate goes.
    """

    KIND: ClassVar[str] = "mutate"

    n: int
    epoch: int
    parents: tuple[Program, ...]
    inspirations: tuple[str, ...]
    seed: int
    weights: Mapping[str, float]
    exclude: tuple[str, ...]
    briefing: Briefing | None = None
    island: int = 0

    @property
    def parent(self) -> Program:
        """The program to change."""
        return self.parents[0]

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        parents = [parent.to_data() for parent in self.parents]
        briefing = None if self.briefing is None else self.briefing.to_data()
        return {**_fields(self), "parents": parents, "briefing": briefing}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` wrote."""
        parents = tuple(Program.from_data(parent) for parent in data["parents"])
        texts = {name: tuple(data[name]) for name in ("inspirations", "exclude")}
        told = data.get("briefing")
        briefing = None if told is None else Briefing.from_data(told)
        return cls(**{**data, **texts, "parents": parents, "briefing": briefing})

    def digest(self) -> str:
        """16 hexadecimal digits of everything in it but the epoch."""
        parents = [[parent.id, parent.src] for parent in self.parents]
        rest: list[Any] = [self.n, self.seed, sorted(self.weights.items()), self.inspirations, self.exclude]
        rest += [self.island] if self.island else []  # as it was digested before there were islands
        told = [] if self.briefing is None else [self.briefing.to_data()]
        return _digest([self.KIND, parents, rest, *told])


@dataclass(frozen=True, slots=True)
class Confirm:
    """Measure a program again, out of its reach and on fresh inputs, and tell.

    Attributes:
        n: its number.
        epoch: the life of the run in which it was asked; an answer of another one is dropped.
        program: what to confirm.
        attempt: from 1; more than 1 if our own machinery failed on it before.
        seed: for the fresh inputs.
    """

    KIND: ClassVar[str] = "confirm"

    n: int
    epoch: int
    program: Program
    attempt: int
    seed: int

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return {**_fields(self), "program": self.program.to_data()}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` wrote."""
        return cls(**{**data, "program": Program.from_data(data["program"])})

    def digest(self) -> str:
        """16 hexadecimal digits of everything in it but the epoch."""
        return _digest([self.KIND, self.n, self.program.id, self.program.src, self.attempt, self.seed])


Question = Mutate | Confirm


def question_to_data(question: Question) -> dict[str, Any]:
    """The JSON form of either kind of question."""
    return {"kind": question.KIND, "question": question.to_data()}


def question_from_data(data: Mapping[str, Any]) -> Question:
    """Read what :func:`question_to_data` wrote."""
    kind: type[Question] = Confirm if data["kind"] == Confirm.KIND else Mutate
    return kind.from_data(data["question"])


@dataclass(frozen=True, slots=True)
class Observation:
    """The answer to a question.

    Attributes:
        outcome: what became of the candidate.
        reason: for anything but ``ok``, one line of why.
        fitness: higher is better; needed if the outcome is ``ok``, and finite.
        speed_ms: reference_ms / ratio to the original.
        peak_kb: peak memory of one call beyond the baseline, kB.
        confirmed: the fitness is final and needs no confirmation of its own.
        metrics: whatever else the evaluator reported, JSON-able.
        source: the candidate's whole source text; needed if the outcome is ``ok``.
        mutator: name of the mutator.
        operator: name of its operator, or of several joined by ``+``.
        fingerprint: of the source; "" if there was none that parses.
        tokens: LLM tokens that it took.
        usd: money that it took.
        wall: seconds by phase, such as ``mutate`` and ``execute``.
        cpu: CPU seconds by phase, of the handlers; and of all guests together, under :data:`GUESTS`.
    """

    outcome: Outcome
    reason: str = ""
    fitness: float | None = None
    speed_ms: float | None = None
    peak_kb: float | None = None
    confirmed: bool = False
    metrics: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    mutator: str = ""
    operator: str = ""
    fingerprint: str = ""
    tokens: int = 0
    usd: float = 0.0
    wall: Mapping[str, float] = field(default_factory=dict)
    cpu: Mapping[str, float] = field(default_factory=dict)

    def failed(self, outcome: Outcome, reason: str) -> Observation:
        """The same with another outcome, and so without measurements."""
        return replace(self, outcome=outcome, reason=reason, fitness=None, speed_ms=None, peak_kb=None)

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return _fields(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` wrote."""
        return cls(**{**data, "outcome": Outcome(data["outcome"])})


@dataclass(frozen=True, slots=True)
class Run:
    """The proposal is new: run it, and tell."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The proposal is the program of another question: do not run it. It counts as told back.

    Attributes:
        of: that question.
        outcome: its verdict, which is reused; None while it is in flight.
    """

    of: int
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """The proposal answers a question that was answered already, or of an earlier life: forget it."""


Ruling = Run | Duplicate | Dropped


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an observation amounted to, for whoever shows the run.

    Attributes:
        n: the question.
        program: the candidate, or the program that was to be confirmed.
        confirmation: it answers a :class:`Confirm`.
        accepted: it entered the archive.
        gain: by how much the best screened fitness rose.
        island_gain: by how much that of the candidate's island rose.
        new_best: it is the new confirmed best.
    """

    n: int
    program: Program
    confirmation: bool = False
    accepted: bool = False
    gain: float = 0.0
    island_gain: float = 0.0
    new_best: bool = False


def _fields(value: Any) -> dict[str, Any]:
    return {name.name: getattr(value, name.name) for name in fields(value)}


def _digest(content: list[Any]) -> str:
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()
