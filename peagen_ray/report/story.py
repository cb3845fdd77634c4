"""What happened in a run, read once from its ledger: every program that was told, and how the best rose."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from peagen_ray.errors import LedgerError
from peagen_ray.evolution import ledger
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Confirm

_HEAVY: Final = ("source", "diff", "seq", "fingerprint", "seed")
"""Columns that are read only of those rows that need them."""

_NEEDED: Final = (
    "run", "seed", "mutator", "subject.source", "subject.path", "subject.entry", "subject.workload_path",
    "config.evolve.archive",
)  # fmt: skip


@dataclass(slots=True)
class Told:
    """A program that was told back, or that the run began with.

    Attributes:
        n: its number.
        row: where the ledger has it.
        told: candidates told back until then, itself included.
        spent: LLM tokens spent until then.
        gen: 1 + the largest of its parents'; 0 for a seed.
        fitness: as it was last measured; None where it failed, or was refuted.
        confirmed: that was measured by a confirmation.
        metrics: what was measured beside it.
    """

    n: int
    row: int
    time_s: float
    told: int
    spent: int
    parents: tuple[int, ...]
    gen: int
    operator: str
    outcome: str
    reason: str
    fitness: float | None
    speed_ms: float | None
    peak_kb: float | None
    confirmed: bool
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A program measured again, out of its reach and on inputs that nobody had seen."""

    program: int
    time_s: float
    told: int
    spent: int
    outcome: str
    reason: str
    fitness: float | None
    metrics: Mapping[str, Any]


@dataclass
class Story:
    """A run, as its ledger has it.

    Attributes:
        path: the ledger.
        meta: what the run was started with.
        events: the ledger as a table.
        programs: by number, in the order of telling.
        confirmations: in the order of telling.
        rises: confirmations, and programs told with a final fitness, that raised the confirmed best.
        wall: seconds of wall clock by stage, of all tasks.
        cpu: CPU seconds by stage, of the handlers, where they are known.
        tokens: spent on language models.
        usd: spent on language models.
        elapsed_s: seconds, over all lives.
        lives: how often the run was started and resumed.
        final: the last event of a run that ended; None before.
        facts: versions and machine of the last life.
        timed: fitness is the logarithm of a ratio of speeds, rather than an evaluator's score.
    """

    path: Path
    meta: Mapping[str, Any]
    events: pa.Table
    programs: dict[int, Told] = field(default_factory=dict)
    confirmations: list[Confirmation] = field(default_factory=list)
    rises: list[Confirmation] = field(default_factory=list)
    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    tokens: int = 0
    usd: float = 0.0
    elapsed_s: float = 0.0
    lives: int = 1
    told: int = 0
    final: Mapping[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    timed: bool = True

    @property
    def best(self) -> Told | None:
        """The best program: of a confirmed gain; else the fittest screened one; None if nothing beats the original."""
        original = next(iter(self.programs.values()), None)
        bar = original.fitness if original is not None and original.fitness is not None else 0.0
        if self.rises:
            found = self.programs.get(self.rises[-1].program)
            return found if found is not None and found.parents else None
        if self.final is not None:
            return None
        better = [each for each in self.programs.values() if each.fitness is not None and each.fitness > bar]
        return max(better, key=lambda each: each.fitness or 0.0, default=None)

    def value(self, fitness: float | None) -> float | None:
        """A fitness as a person reads it: times the original's speed, or the score itself."""
        if fitness is None or not self.timed:
            return fitness
        return math.exp(min(fitness, 700.0))

    def text(self, row: int, column: str = "source") -> str:
        """A text of one event."""
        return self.events[column][row].as_py() or ""


def read(path: Path) -> Story:
    """Read a run's ledger; the run may go on meanwhile.

    Raises:
        LedgerError: there is none, it cannot be read, or it is of no run.
    """
    story = Story(path, ledger.meta(path), ledger.table(path).combine_chunks())
    story.facts = {name: story.meta.get(name) for name in ("versions", "machine")}
    try:
        _check(story.meta)
        for row, event in enumerate(_rows(story.events)):
            _take(story, row, event)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise LedgerError(f"is of no run that this version knows: {error!r}", subject=str(path)) from error
    return story


def _check(meta: Mapping[str, Any]) -> None:
    """KeyError or TypeError, if the meta is not that of a run."""
    for names in _NEEDED:
        found: Any = meta
        for name in names.split("."):
            found = found[name]


def _rows(events: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in events.drop_columns(list(_HEAVY)).to_batches():
        yield from batch.to_pylist()


def _take(story: Story, row: int, event: dict[str, Any]) -> None:
    story.elapsed_s = max(story.elapsed_s, event["time_s"])
    match event["event"]:
        case Kind.TELL | Kind.DROP | Kind.SEED as kind:
            story.tokens += event["tokens"]
            story.usd += event["usd"]
            for stage, seconds in event["wall"] or ():
                story.wall[stage] = story.wall.get(stage, 0.0) + seconds
            for stage, seconds in json.loads(event["detail"]).get("cpu", {}).items():
                story.cpu[stage] = story.cpu.get(stage, 0.0) + seconds
            if kind == Kind.TELL and event["kind"] == Confirm.KIND:
                _confirmed(story, event)
            elif kind != Kind.DROP:
                _told(story, row, event)
        case Kind.RESUME:
            story.lives += 1
            story.final = None
            again = json.loads(event["metrics"])
            story.facts |= {name: again[name] for name in ("versions", "machine") if name in again}
        case Kind.FINAL:
            story.final = (
                event | {"row": row} | {name: json.loads(event[name]) for name in ("metrics", "detail")}
            )


def _told(story: Story, row: int, event: dict[str, Any]) -> None:
    story.told += event["event"] == Kind.TELL
    parents = tuple(event["parents"] or ())
    known = [story.programs[each].gen for each in parents if each in story.programs]
    ok = event["outcome"] == Outcome.OK
    program = Told(
        n=event["n"],
        row=row,
        time_s=event["time_s"],
        told=story.told,
        spent=story.tokens,
        parents=parents,
        gen=1 + max(known, default=0) if parents else 0,
        operator=event["operator"] or event["mutator"],
        outcome=event["outcome"] or Outcome.OK,
        reason=event["reason"],
        fitness=event["fitness"] if ok else None,
        speed_ms=event["speed_ms"],
        peak_kb=event["peak_kb"],
        confirmed=bool(event["confirmed"]) and ok,
        metrics=json.loads(event["metrics"]),
    )
    story.programs[program.n] = program
    if program.fitness is not None and "ratio" not in program.metrics:
        story.timed = False
    if program.confirmed and program.fitness is not None:
        _rise(story, _measurement(story, program.n, event, program.metrics))


def _confirmed(story: Story, event: dict[str, Any]) -> None:
    found = _measurement(story, event["parents"][0], event, json.loads(event["metrics"]))
    story.confirmations.append(found)
    program = story.programs.get(found.program)
    if program is None:
        return
    if found.fitness is not None:
        program.fitness, program.confirmed, program.metrics = found.fitness, True, found.metrics
        program.speed_ms, program.peak_kb = event["speed_ms"], event["peak_kb"]
        _rise(story, found)
    elif found.outcome != Outcome.LOST:
        program.fitness, program.outcome, program.reason = None, Outcome.REFUTED, found.reason


def _measurement(story: Story, n: int, event: dict[str, Any], metrics: Mapping[str, Any]) -> Confirmation:
    ok = event["outcome"] in {Outcome.OK, None}
    return Confirmation(
        n, event["time_s"], story.told, story.tokens, event["outcome"] or Outcome.OK, event["reason"],
        event["fitness"] if ok else None, metrics,
    )  # fmt: skip


def _rise(story: Story, found: Confirmation) -> None:
    best = story.rises[-1].fitness if story.rises else None
    if found.fitness is not None and (best is None or found.fitness > best):
        story.rises.append(found)
