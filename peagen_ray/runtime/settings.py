"""What a run is asked to do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from peagen_ray.config.model import Config
from peagen_ray.errors import TargetError, UsageError, WorkloadError
from peagen_ray.plugins import names
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.reference import Subject
from peagen_ray.workload.target import callable_entries, inspect_source

LLM_MUTATORS: Final = frozenset({"patch", "rewrite"})
"""Mutators that ask a language model."""


@dataclass(frozen=True)
class RunRequest:
    """A run, as a person asks for it.

    Attributes:
        config: the effective configuration.
        target: the file to improve.
        workload: the workload file; None looks for ``<stem>_workload.py`` beside the target, then derives
            inputs from type hints.
        seeds: further files whose programs start the run.
        concurrency: tasks at a time.
        checkpoint: where to keep the checkpoint; None keeps it in the run's directory.
        resume: a run to continue (id, directory or checkpoint file, or ``last``); None begins a new one.
        output: where to write the best program, beside the run's directory.
        more_generations: run that many generations from here, whatever the configuration says.
        fresh_inputs: inputs on which the winner is compared with the original.
    """

    config: Config
    target: Path
    workload: Path | None = None
    seeds: tuple[Path, ...] = ()
    concurrency: int = 1
    checkpoint: Path | None = None
    resume: str | None = None
    output: Path | None = None
    more_generations: int | None = None
    fresh_inputs: int = 1000

    def subject(self) -> Subject:
        """The program and its workload, read.

        Raises:
            TargetError: the target cannot be read, or has no such entry.
            WorkloadError: the workload file cannot be read.
        """
        source = read_target(self.target)
        entry = self.config.evolve.entry_fn or self.config.mutate.entry_fn
        workload = self.workload or _beside(self.target)
        if not entry and workload is None:
            entry = _only_entry(source, self.target)
        inspect_source(source, entry, str(self.target))
        text = None
        if workload is not None:
            try:
                text = workload.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                raise WorkloadError(f"cannot be read: {error}", subject=str(workload)) from error
        return Subject(source, entry, text, str(self.target), str(workload or ""))

    def check_outputs(self) -> None:
        """Find out before the run, rather than at its end, that its files cannot be written.

        Raises:
            UsageError: names the file.
        """
        for path in filter(None, (self.output, self.checkpoint)):
            directory = path.absolute().parent
            if path.is_dir():
                raise UsageError("is a directory", subject=str(path), hint="name a file")
            if not directory.is_dir():
                raise UsageError("there is no such directory", subject=str(directory), hint="make it first")
            if not os.access(directory, os.W_OK | os.X_OK):
                raise UsageError("the directory cannot be written", subject=str(directory))

    def limits(self) -> GuestLimits:
        """What a guest may use."""
        table = self.config.execute
        return GuestLimits(
            wall_s=table.timeout_s,
            cpu_s=table.cpu_s,
            memory_mb=table.memory_mb,
            output_kb=table.output_kb,
            scratch_mb=table.scratch_mb,
            processes=table.processes,
        )

    def container(self) -> dict[str, Any]:
        """What a task may say of its container; the engine and what is mounted are the worker's own."""
        return self.config.execute.container.model_dump(mode="json", include={"image", "gpus"})

    def mutator(self) -> str:
        """The mutator's name, ``auto`` resolved.

        Raises:
            UsageError: it needs a language model, and none is configured.
        """
        table = self.config
        wanted = table.evolve.mutator if table.evolve.mutator != "auto" else table.mutate.mutator
        if wanted == "auto":
            wanted = "patch" if table.llm.backends and "patch" in names("peagen.mutators") else "genetic"
        if wanted in LLM_MUTATORS and not table.llm.backends:
            raise UsageError(
                "asks a language model, and no back-end is configured",
                subject=f"mutator {wanted}",
                hint="add [[llm.backends]], or use --mutator genetic, which works offline",
            )
        return wanted


def read_target(path: Path) -> str:
    """The source text, line ends as they are, a byte order mark left out; raises TargetError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TargetError(f"cannot be read: {error.strerror}", subject=str(path)) from error
    except UnicodeDecodeError as error:
        raise TargetError(f"is not UTF-8: {error}", subject=str(path), hint="save it as UTF-8") from error


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _beside(target: Path) -> Path | None:
    path = target.with_name(f"{target.stem}_workload.py")
    return path if path.is_file() else None


def _only_entry(source: str, target: Path) -> str:
    """The one function that the file offers; raises TargetError where there is a choice."""
    inspect_source(source, "", str(target))  # what cannot be parsed is refused there
    entries = [name for name in callable_entries(source) if not name.rpartition(".")[2].startswith("_")]
    if len(entries) == 1:
        return entries[0]
    raise TargetError(
        f"has {len(entries)} functions that could be meant" if entries else "defines no function",
        subject=str(target),
        hint=f"choose with --entry-fn: {', '.join(entries[:8])}" if entries else "",
    )
