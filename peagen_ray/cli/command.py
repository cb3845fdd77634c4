"""One of our own command lines, parsed and not run: which files it reads and writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import typer

from peagen_ray.cli.app import app
from peagen_ray.cli.boundary import hoist
from peagen_ray.errors import UsageError

_WRITTEN: Final = frozenset({"output", "checkpoint", "out"})
"""Options whose file the command writes; all other files it reads."""

_RESUMING: Final = ("resume", "replay")
_HINT: Final = "write it after --, such as: peagen-ray submit -- evolve run --sync --target-file sort.py"


@dataclass(frozen=True)
class Command:
    """A command line.

    Attributes:
        words: as they were given.
        path: the command's names, such as ``("evolve", "run")``.
        values: of its options and of the global ones.
    """

    words: tuple[str, ...]
    path: tuple[str, ...]
    values: dict[str, Any]

    def reads(self) -> Iterator[tuple[str, Path]]:
        """The files that its options name, with the option."""
        return ((name, path) for name, path in self._files() if name not in _WRITTEN)

    def writes(self) -> Iterator[tuple[str, Path]]:
        """The files that it writes, where an option names them."""
        return ((name, path) for name, path in self._files() if name in _WRITTEN)

    def outputs(self) -> frozenset[PurePosixPath]:
        """The places in the working directory that it writes to; raises UsageError if one lies elsewhere."""
        named = {place_of(path, option) for option, path in self.writes()}
        target = self.values.get("target_file")
        if self.path == ("mutate",) and not named and target is not None:
            named.add(place_of(target.with_name(f"{target.stem}_mutated.py"), "output"))
        return frozenset(named)

    @property
    def resumes(self) -> str:
        """The option that goes back to an earlier run; empty if none does."""
        return next((f"--{name}" for name in _RESUMING if self.values.get(name)), "")

    def _files(self) -> Iterator[tuple[str, Path]]:
        for name, value in self.values.items():
            for each in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(each, Path):
                    yield name, each


def parsed(words: Sequence[str]) -> Command:
    """One of our command lines.

    Raises:
        UsageError: it is none, or one of its options is wrong.
    """
    if not words:
        raise UsageError("which command?", subject="peagen-ray submit", hint=_HINT)
    command: Any = typer.main.get_command(app)
    try:
        context = command.make_context("peagen-ray", hoist(words))
        values, path = dict(context.params), list[str]()
        while hasattr(command, "resolve_command"):
            name, command, rest = command.resolve_command(context, _rest(context))
            context = command.make_context(name, rest, parent=context)
            command = context.command
            path.append(str(name))
            values |= context.params
    except typer.Exit as leaving:  # such as --help
        raise UsageError("only shows something, which needs no cluster", subject=" ".join(words)) from leaving
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        said = str(error.format_message()).rstrip(".")
        if said.startswith("Usage:"):  # all that a group says when no command of it is named
            raise UsageError("which command of it?", subject=" ".join(words), hint=_HINT) from error
        raise UsageError(said, subject=" ".join(words)) from error
    return Command(tuple(words), tuple(path), values)


def _rest(context: Any) -> list[str]:
    """The words that a group of commands has left, its next command the first of them."""
    return [*context._protected_args, *context.args]  # noqa: SLF001 - click has no public name for them


def place_of(path: Path, option: str) -> PurePosixPath:
    """A file's place in the working directory.

    Raises:
        UsageError: it lies elsewhere, where the cluster cannot see it.
    """
    flag = f"--{option.replace('_', '-')} {path}"
    if path.is_absolute():
        raise UsageError(
            "is not where the job can see it: only the working directory is uploaded",
            subject=flag,
            hint="name a file in this directory, without a leading /",
        )
    here = Path.cwd().resolve()
    found = PurePosixPath(*_normal(path, flag))
    if not (here / found).resolve().is_relative_to(here):
        raise _outside(flag)
    return found


def _normal(path: Path, flag: str) -> list[str]:
    parts: list[str] = []
    for part in path.parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            raise _outside(flag)
    return parts


def _outside(flag: str) -> UsageError:
    return UsageError(
        "lies outside of the working directory, which is all that is uploaded",
        subject=flag,
        hint="work in the directory that has everything in it",
    )
