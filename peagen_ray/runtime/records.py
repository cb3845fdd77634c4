"""Records: what the ledgers of a workspace say about its runs. Nothing is written, and a run may go on meanwhile."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from peagen_ray.config.layers import flatten
from peagen_ray.config.load import Flag
from peagen_ray.config.problems import dotted
from peagen_ray.errors import LedgerError
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import meta, read
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Confirm, Mutate
from peagen_ray.runtime.paths import WORKSPACE, RunPaths
from peagen_ray.storage import is_locked


class State(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    """A process has it open."""
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    """It was not brought to its end, or was taken up again and not brought to its end; it can be resumed."""


@dataclass(frozen=True)
class Gain:
    """Speed as a multiple of the original's, with its 95 % interval where it was measured at the end.

    Attributes:
        ratio: 2.0 is twice as fast.
        low: lower end; None before the end of a run.
        high: upper end.
    """

    ratio: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.ratio:.2f}x"
        return f"{self.ratio:.2f}x ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Scored:
    """Scores by somebody's own evaluator, in place of a gain in speed.

    Attributes:
        before: of the original.
        after: of the best program.
    """

    before: float
    after: float

    def __str__(self) -> str:
        return f"score {self.before:.6g} to {self.after:.6g}"


@dataclass
class RunRecord:
    """A run, as its ledger has it.

    Attributes:
        paths: its files.
        meta: what it was started with.
        state: how far it is.
        stopped: the rule that ended it, "" where it has not ended.
        gain: of the winner; before the end of the best confirmed program; None if none is better than the original.
        winner: source of the winner, "" without one.
        told: candidates told back.
        outcomes: of these, by outcome.
        elapsed_s: seconds, over all its lives.
        lives: how often it was started and resumed.
        best_s: seconds until the best confirmed program was told; None without one.
        selector: that chooses the parents, in its last life.
        versions: in its last life.
        machine: of its last life.
        tokens: spent on language models.
        usd: spent on language models.
        final: the summary of a run that ended.
        original: fitness of the original; 0 where speed is measured.
    """

    paths: RunPaths
    meta: Mapping[str, Any]
    state: State = State.INTERRUPTED
    stopped: str = ""
    gain: Gain | Scored | None = None
    winner: str = field(default="", repr=False)
    told: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    elapsed_s: float = 0.0
    lives: int = 1
    best_s: float | None = None
    selector: str = ""
    versions: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    tokens: int = 0
    usd: float = 0.0
    final: Mapping[str, Any] = field(default_factory=dict)
    original: float = 0.0

    @property
    def evaluator(self) -> str:
        """Who scores the programs; ``speed`` where their speed is measured."""
        return str(self.meta["config"]["evaluate"].get("evaluator", "speed"))

    @property
    def target(self) -> str:
        """The file, and after a colon the function."""
        subject = self.meta["subject"]
        return f"{subject['path']}:{subject['entry']}" if subject["entry"] else str(subject["path"])

    @property
    def began(self) -> datetime:
        """When it began; of a run that does not say, when its directory was named."""
        if "began" in self.meta:
            return datetime.fromisoformat(self.meta["began"])
        return datetime.strptime(self.paths.id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)

    @property
    def generations(self) -> int:
        """Whole generations told back."""
        return self.told // int(self.meta["config"]["evolve"]["generation_size"])

    def to_data(self) -> dict[str, Any]:
        """What a person is told of it, JSON-able; without sources and configuration."""
        return {
            "run": self.paths.id,
            "began": self.began.isoformat(),
            "state": str(self.state),
            "stopped": self.stopped,
            "target": self.meta["subject"]["path"],
            "entry": self.meta["subject"]["entry"],
            "gain": None if self.gain is None else asdict(self.gain),
            "candidates": self.told,
            "outcomes": dict(sorted(self.outcomes.items())),
            "generations": self.generations,
            "lives": self.lives,
            "elapsed_s": round(self.elapsed_s, 2),
            "best_s": None if self.best_s is None else round(self.best_s, 2),
            "seed": self.meta["seed"],
            "selector": self.selector,
            "mutator": self.meta["mutator"],
            "tokens": self.tokens,
            "usd": round(self.usd, 6),
            "versions": self.versions,
            "machine": self.machine,
            "run_dir": str(self.paths.root),
        }


def all_runs(workspace: Path = WORKSPACE) -> list[RunRecord | LedgerError]:
    """The runs of a workspace, the newest last; in place of one that cannot be read, why."""
    found: list[RunRecord | LedgerError] = []
    for path in sorted(workspace.glob("runs/*/ledger.arrow")):
        try:
            found.append(record_of(RunPaths(path.parent)))
        except LedgerError as error:
            found.append(error)
    return found


def subject_flags(paths: RunPaths) -> dict[str, Flag]:
    """The keys of the configuration that say what a run is about, as its ledger has them.

    Raises:
        LedgerError: it cannot be read.
    """
    found = meta(paths.ledger)
    subject, config = found["subject"], found["config"]
    said = {"mutate.target_file": subject["path"], "evolve.entry_fn": subject["entry"]}
    said["evolve.files"] = config["evolve"].get("files")
    if found.get("evaluation"):
        said |= {f"evaluate.{key}": config["evaluate"].get(key) for key in ("evaluator", "file", "command")}
    return {key: Flag(f"run {paths.id}", value) for key, value in said.items() if value}


def record_of(paths: RunPaths) -> RunRecord:
    """What a run's ledger says.

    Raises:
        LedgerError: it cannot be read, or is of no run.
    """
    found = meta(paths.ledger)
    try:
        record = RunRecord(
            paths,
            found,
            selector=found["config"]["evolve"]["selector"],
            versions=found["versions"],
            machine=found.get("machine", {}),
        )
        for event in read(paths.ledger):
            _take(event, record)
        record.to_data()
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            f"is of no run that this version knows: {error!r}", subject=str(paths.ledger)
        ) from error
    if is_locked(paths.ledger):
        record.state, record.stopped = State.RUNNING, ""
    return record


def _take(event: Event, record: RunRecord) -> None:
    record.elapsed_s = max(record.elapsed_s, event.time_s)
    record.tokens += event.tokens if event.event in {Kind.TELL, Kind.DROP} else 0
    record.usd += event.usd if event.event in {Kind.TELL, Kind.DROP} else 0.0
    match event.event:
        case Kind.SEED if event.n == 0:
            record.original = event.fitness or 0.0
        case Kind.TELL:
            if event.kind == Mutate.KIND:
                record.told += 1
                record.outcomes[str(event.outcome)] += 1
            if event.confirmed or event.kind == Confirm.KIND:
                _confirmed(event, record)
        case Kind.RESUME:
            record.state, record.stopped, record.winner, record.final = State.INTERRUPTED, "", "", {}
            record.lives += 1
            record.selector = event.detail.get("selector", record.selector)
            record.versions = event.metrics.get("versions", record.versions)
            record.machine = event.metrics.get("machine", record.machine)
        case Kind.FINAL:
            record.state, record.stopped, record.final = State.FINISHED, event.reason, event.detail
            record.winner, record.gain = event.source, None
            if event.confirmed and event.fitness is not None:
                record.gain = _gain(event, record)


def _confirmed(event: Event, record: RunRecord) -> None:
    """Take note of a confirmed program that is better than those before."""
    if event.outcome is not Outcome.OK or event.fitness is None:
        return
    best = record.original
    if record.gain is not None:
        best = record.gain.after if isinstance(record.gain, Scored) else math.log(record.gain.ratio)
    if event.fitness > best:
        record.gain, record.best_s = _gain(event, record), event.time_s


def _gain(event: Event, record: RunRecord) -> Gain | Scored:
    assert event.fitness is not None
    if record.evaluator != "speed":
        return Scored(record.original, event.fitness)
    low, high = (event.detail.get(name) for name in ("ratio_low", "ratio_high"))
    return Gain(math.exp(event.fitness), low, high)


def settings_apart(one: RunRecord, other: RunRecord) -> dict[str, tuple[Any, Any]]:
    """The keys of the configuration that two runs differ in, with both values."""
    first, second = (
        {dotted(path): value for path, value in flatten(each.meta["config"])} for each in (one, other)
    )
    keys = sorted({*first, *second})
    return {key: (first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)}
