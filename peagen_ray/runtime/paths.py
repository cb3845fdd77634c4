"""Where a run keeps what it knows."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from peagen_ray.errors import UsageError
from peagen_ray.evolution.checkpoint import load

WORKSPACE: Final = Path(".peagen")
"""Directory of the workspace, under the working directory."""


@dataclass(frozen=True)
class RunPaths:
    """The files of one run.

    Attributes:
        root: the run's directory, ``.peagen/runs/<id>``.
    """

    root: Path

    @property
    def id(self) -> str:
        """The run's name."""
        return self.root.name

    @property
    def ledger(self) -> Path:
        """The record of every candidate; the truth."""
        return self.root / "ledger.arrow"

    @property
    def checkpoint(self) -> Path:
        """The engine's state at some offset of the ledger; a cache."""
        return self.root / "checkpoint.json"

    @property
    def exchanges(self) -> Path:
        """What models were asked and answered, a line of JSON for each asking."""
        return self.root / "exchanges.jsonl"

    @property
    def reference(self) -> Path:
        """What the original does on the standard input set."""
        return self.root / "reference.bin"

    @property
    def bundle(self) -> Path:
        """The files of the evaluator that judges the candidates, where there is one."""
        return self.root / "evaluator.zip"

    @property
    def artifacts(self) -> Path:
        """What evaluators left: a directory for each program, named by its number."""
        return self.root / "artifacts"

    @property
    def front(self) -> Path:
        """The Pareto front: its programs, and ``front.json``."""
        return self.root / "front"

    @property
    def winner(self) -> Path:
        """The best program."""
        return self.root / "winner.py"

    @property
    def diff(self) -> Path:
        """What changed from the original to the winner."""
        return self.root / "winner.diff"

    @property
    def summary(self) -> Path:
        """What the run came to, as JSON."""
        return self.root / "summary.json"

    @property
    def report(self) -> Path:
        """What happened in the run, as a page."""
        return self.root / "report.html"

    @classmethod
    def new(cls, now: datetime, workspace: Path = WORKSPACE) -> RunPaths:
        """A directory for a new run, made.

        Raises:
            UsageError: it cannot be made there.
        """
        root = workspace / "runs" / f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        try:
            root.mkdir(parents=True)
        except OSError as error:
            raise UsageError(
                f"the run's directory cannot be made: {error.strerror}",
                subject=str(root.absolute()),
                hint="work in a directory that may be written",
            ) from error
        return cls(root)

    def discard_if_empty(self) -> None:
        """Remove the directory of a run that ended before it had anything to record."""
        if not self.ledger.exists():
            shutil.rmtree(self.root, ignore_errors=True)

    @classmethod
    def find(cls, name: str, workspace: Path = WORKSPACE) -> RunPaths:
        """The run with that id, directory, ledger or checkpoint file; ``last`` is the newest.

        Raises:
            UsageError: there is none.
        """
        runs = workspace / "runs"
        known = sorted(path.parent for path in runs.glob("*/ledger.arrow"))
        if name == "last" and known:
            return cls(known[-1])
        for path in (Path(name), runs / name):
            root = path.parent if path.is_file() else path
            for found in (root, runs / _run_of(path)):
                if (found / "ledger.arrow").is_file():
                    return cls(found)
        raise UsageError(
            "no such run",
            subject=name,
            hint=f"known: {', '.join(path.name for path in known[-5:])}"
            if known
            else f"no run under {runs} yet",
        )


def _run_of(checkpoint: Path) -> str:
    """The run that a checkpoint file is of; the name of no run if it is no such file."""
    saved = load(checkpoint) or {}
    return str(saved.get("run") or "none")
