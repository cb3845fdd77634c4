"""A run whose candidates are judged by somebody's own evaluator: what that is, and what its tasks say."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from peagen_ray.config.model import Config
from peagen_ray.errors import ConfigError, UsageError
from peagen_ray.plugins import Group, load
from peagen_ray.runtime.bundle import pack
from peagen_ray.sandbox.base import GuestLimits, Profile

SPEED: Final = "speed"
"""The evaluator that measures candidates against the original, and takes no files."""

MOST_ON_THE_WAY: Final = 4 << 20
"""Bytes of an evaluator's files that may travel with every task, where workers share no files."""

_CPUS: Final = 64
"""CPU seconds in a second of wall time, at most: an evaluation is bounded by the clock on the wall."""


@dataclass(frozen=True)
class Evaluation:
    """How candidates are judged.

    Attributes:
        evaluator: its name in ``peagen.evaluators``.
        options: what its convention is told.
        content: a zip of its files.
        main: the program's main file, as the evaluator sees it.
        names: all its files.
        timeout_s: wall time of one evaluation.
        repeats: evaluations of one candidate at most.
        profile: what an evaluation may do beside computing.
        limits: what its guest may use.
    """

    evaluator: str
    options: Mapping[str, Any]
    content: bytes = field(repr=False)
    main: str = "program.py"
    names: tuple[str, ...] = ()
    timeout_s: float = 300.0
    repeats: int = 1
    profile: Profile = Profile.TREE
    limits: GuestLimits = field(default_factory=GuestLimits)

    def with_content(self, content: bytes) -> Evaluation:
        """The same with other files."""
        return replace(self, content=content)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the files, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    def keep(self, bundle: Path) -> None:
        """Lay the files where tasks, and later lives of the run, look for them."""
        if not bundle.exists():
            part = bundle.with_suffix(".part")
            part.write_bytes(self.content)
            part.replace(bundle)

    def facts(self) -> dict[str, Any]:
        """What the run's record keeps of it."""
        return {
            "evaluator": self.evaluator,
            "options": dict(self.options),
            "digest": self.digest,
            "main": self.main,
            "names": list(self.names),
            "repeats": self.repeats,
        }

    def payload(self, bundle: Path | None) -> dict[str, Any]:
        """What its tasks say, but for the candidate.

        Args:
            bundle: where :attr:`content` lies; None where workers share no files.

        Raises:
            UsageError: there is too much of it to travel with every task.
        """
        if bundle is None and len(self.content) > MOST_ON_THE_WAY:
            raise UsageError(
                f"take {len(self.content) >> 20} MiB, {MOST_ON_THE_WAY >> 20} MiB may travel with every task",
                subject="the evaluator's files",
                hint="say what it needs: [evaluate] files = [patterns], or put data on the workers: [execute] readable",
            )
        return {
            "mode": "evaluate",
            "evaluator": self.evaluator,
            "options": dict(self.options),
            "bundle": None if bundle is None else str(bundle),
            "content": base64.b64encode(self.content).decode() if bundle is None else "",
            "digest": self.digest,
            "main": self.main,
            "names": list(self.names),
            "timeout_s": self.timeout_s,
            "repeats": self.repeats,
            "limits": asdict(self.limits),
            "profile": str(self.profile),
        }


def evaluation_of(config: Config, target: Path, names: tuple[str, ...]) -> Evaluation | None:
    """The configured evaluator with its files; None if candidates are measured for speed.

    Args:
        config: the effective configuration.
        target: the program's main file.
        names: all files of the program, the main one first.

    Raises:
        ConfigError: the table ``[evaluate]`` lacks what the evaluator needs.
        UsageError: its files cannot be read.
        PluginError: there is no such evaluator.
    """
    table = config.evaluate
    if table.evaluator == SPEED:
        return None
    hidden = [str(each) for each in (table.held_out.file, *table.held_out.files) if each]
    return _made(config, target, names, table.file, [f"/{each}" if "/" in each else each for each in hidden])


def held_out_of(config: Config, target: Path, names: tuple[str, ...]) -> Evaluation | None:
    """The evaluator that judges the winner alone; None if none is configured. Raises like :func:`evaluation_of`."""
    table = config.evaluate
    if table.evaluator == SPEED or table.held_out.file is None:
        return None
    return _made(config, target, names, _root(config, target) / table.held_out.file, [])


def _made(
    config: Config, target: Path, names: tuple[str, ...], file: Path | None, hidden: list[str]
) -> Evaluation:
    table = config.evaluate
    hidden += [f"/{name}" for name in names] if len(names) > 1 else []  # or the original's might be imported
    found = load(Group.EVALUATORS, table.evaluator)
    if not getattr(found, "CONVENTION", ""):
        raise ConfigError(
            f"{table.evaluator} judges no program by itself",
            subject="evaluate.evaluator",
            hint="use another one",
        )
    root = _root(config, target)
    options = _options(config, file, root)
    if (table.evaluator == "pytest" or len(names) > 1) and target.absolute().is_relative_to(root):
        # Tests import the program by its name, and would find the original; parts of a package are nothing without the
        # rest of it.
        options["place"] = str(target.absolute().parent.relative_to(root))
    return _bounded(config, table.evaluator, options, pack(root, table.files, hidden), names[0], names)


def kept_evaluation(facts: Mapping[str, Any], bundle: Path, config: Config) -> Evaluation:
    """The evaluator that judged a run's candidates, as it was.

    Args:
        facts: what the run's record keeps of it, see :meth:`Evaluation.facts`.
        bundle: where its files are kept.
        config: the configuration of the run.

    Raises:
        UsageError: its files are gone, or are others.
    """
    try:
        content = bundle.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the evaluator's files cannot be read: {error.strerror}",
            subject=str(bundle),
            hint="they are kept in the run's directory: bring it here as a whole",
        ) from error
    names = tuple(facts["names"])
    kept = _bounded(config, facts["evaluator"], facts["options"], content, facts["main"], names)
    if kept.digest != facts["digest"]:
        raise UsageError("are not the evaluator's files that the run began with", subject=str(bundle))
    return replace(kept, repeats=facts["repeats"])


def _bounded(
    config: Config,
    evaluator: str,
    options: Mapping[str, Any],
    content: bytes,
    main: str,
    names: tuple[str, ...],
) -> Evaluation:
    """An evaluation that may use what the configuration says."""
    table = config.evaluate
    limits = GuestLimits(
        wall_s=table.timeout_s,
        cpu_s=table.timeout_s * _CPUS,
        memory_mb=table.memory_mb,
        output_kb=config.execute.output_kb,
        scratch_mb=table.scratch_mb,
        processes=config.execute.processes,
    )
    profile = Profile.GPU if config.evolve.backend == "gpu" else Profile(table.profile)
    return Evaluation(
        evaluator, options, content, main, names, table.timeout_s, table.repeats, profile, limits
    )


def _root(config: Config, target: Path) -> Path:
    """The directory of the evaluator's files."""
    file = config.evaluate.file
    return (target if file is None else file).absolute().parent


def _options(config: Config, file: Path | None, root: Path) -> dict[str, Any]:
    """What the convention is told.

    Raises:
        ConfigError: the file, or the command, is not named.
        UsageError: there is no such file.
    """
    table = config.evaluate
    options: dict[str, Any] = {"arguments": table.arguments or table.words}
    if file is not None:
        if not file.exists():
            raise UsageError("there is no such evaluator", subject=str(file))
        options["file"] = str(file.absolute().relative_to(root))
    if table.command:
        options["command"] = list(table.command)
    if table.evaluator == "module":
        options |= {
            "cascade": table.cascade,
            "thresholds": list(table.thresholds),
            "ignored": list(table.ignored),
        }
    needs = {"module": "file", "script": "file", "pytest": "file", "command": "command"}.get(table.evaluator)
    if needs and needs not in options:
        raise ConfigError(
            f"the evaluator {table.evaluator} needs it",
            subject=f"evaluate.{needs}",
            hint="or use --evaluator FILE",
        )
    return options
