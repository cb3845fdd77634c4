"""What a run is asked to do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from peagen_ray.config.model import Config
from peagen_ray.errors import TargetError, UsageError, WorkloadError
from peagen_ray.runtime.evaluation import SPEED, Evaluation, evaluation_of, held_out_of
from peagen_ray.runtime.models import LLM_MUTATORS
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.reference import Subject
from peagen_ray.workload.files import join
from peagen_ray.workload.target import callable_entries, inspect_source

_PYTHON: Final = frozenset({".py", ".pyi", ".pyw", ""})
"""Ends of names of programs that have to be Python."""


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
        concurrency_chosen: whether somebody said it; otherwise a cluster's room takes its place.
        ray_options: further options of every Ray task.
        best: where to lay the best program of a run with an evaluator of its own, and what is known of it.
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
    concurrency_chosen: bool = False
    ray_options: Mapping[str, Any] = field(default_factory=dict)
    best: Path | None = None

    @property
    def judged(self) -> bool:
        """Whether somebody's own evaluator judges the candidates."""
        return self.config.evaluate.evaluator != SPEED

    def evaluation(self) -> Evaluation | None:
        """Somebody's own evaluator, which judges the candidates; None where speed is measured.

        Raises:
            ConfigError, UsageError, PluginError: see :func:`~peagen_ray.runtime.evaluation.evaluation_of`.
        """
        return evaluation_of(self.config, self.target, tuple(self._files()))

    def held_out(self) -> Evaluation | None:
        """What judges the winner alone; None if nothing is held out. Raises like :meth:`evaluation`."""
        return held_out_of(self.config, self.target, tuple(self._files()))

    def _files(self) -> dict[str, Path]:
        """The program's files by their names, the main one first.

        Raises:
            UsageError: one lies elsewhere than under the directory of the first.
        """
        root = self.target.absolute().parent
        found = {self.target.name: self.target}
        for path in self.config.evolve.files:
            try:
                found[path.absolute().relative_to(root).as_posix()] = path
            except ValueError:
                raise UsageError(f"does not lie under {root}", subject=str(path)) from None
        return found

    def subject(self) -> Subject:
        """The program and its workload, read.

        Raises:
            TargetError: the target cannot be read, or has no such entry.
            WorkloadError: the workload file cannot be read.
        """
        entry = self.config.evolve.entry_fn or self.config.mutate.entry_fn
        if self.judged:
            source = join({name: read_target(path) for name, path in self._files().items()})
            if is_python(self.target):
                inspect_source(source, entry, str(self.target))
            return Subject(source, entry, None, str(self.target), "")
        source = read_target(self.target)
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

    def in_flight(self) -> int:
        """Candidates at a time."""
        return self.config.evolve.max_in_flight or 2 * self.concurrency

    def most_candidates(self) -> int:
        """Candidates that a run may come to, those in flight at its end included."""
        stop = self.config.evolve.stop
        generations = self.more_generations or stop.max_generations
        most = generations * self.config.evolve.generation_size
        return min(most, stop.max_candidates or most) + self.in_flight()

    def mutator(self) -> str:
        """The mutator's name, ``auto`` resolved.

        Raises:
            UsageError: it needs a language model, and none is configured.
        """
        table = self.config
        wanted = table.evolve.mutator if table.evolve.mutator != "auto" else table.mutate.mutator
        if wanted == "auto":
            wanted = "patch" if table.llm.backends else "genetic"
        if wanted in LLM_MUTATORS and not table.llm.backends:
            raise UsageError(
                "asks a language model, and no back-end is configured",
                subject=f"mutator {wanted}",
                hint="add [[llm.backends]], or use --mutator genetic, which works offline",
            )
        return wanted


def is_python(path: Path) -> bool:
    """Whether a program has to be Python, by its name; an evaluator may score other languages, and texts."""
    return path.suffix in _PYTHON


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
