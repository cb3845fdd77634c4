"""``plugin new``: a wheel with one plugin in it, which works, and a test that proves its contract."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from peagen_ray._version import __version__
from peagen_ray.errors import UsageError
from peagen_ray.plugins import KINDS, registrations

SCAFFOLDS: Final = ("handler", "selector", "mutator", "evaluator", "queue", "backend")
"""Kinds of plugins that there is a scaffold for."""

_WORDS: Final = {
    "handler": "task handler",
    "selector": "parent selector",
    "mutator": "mutator",
    "evaluator": "evaluator",
    "queue": "task queue",
    "backend": "result back-end",
}


@dataclass(frozen=True)
class Wheel:
    """The names in a new wheel.

    Attributes:
        kind: of the plugin.
        name: as the person gave it.
    """

    kind: str
    name: str

    @property
    def distribution(self) -> str:
        """The wheel, and its directory."""
        return f"peagen-{self._stem.replace('_', '-')}-{self.kind}"

    @property
    def module(self) -> str:
        """The importable module."""
        return self.distribution.replace("-", "_")

    @property
    def cls(self) -> str:
        """The class."""
        return "".join(part.title() for part in (*self._stem.split("_"), self.kind))

    @property
    def _stem(self) -> str:
        """The name without the kind at its end, which is not said twice."""
        return self.name.removesuffix(f"_{self.kind}")

    @property
    def entry(self) -> str:
        """What it is registered under: a handler by its class, since workers name handlers so."""
        return self.cls if self.kind == "handler" else self.name


def plan(kind: str, name: str) -> tuple[Wheel, dict[str, str]]:
    """The names of a new wheel, and its files by their path.

    Raises:
        UsageError: there is no such kind, the name cannot be one, or an installed wheel has it.
    """
    if kind not in SCAFFOLDS:
        raise UsageError(f"there is no scaffold for {kind!r}", hint=f"there are {', '.join(SCAFFOLDS)}")
    _check_name(name)
    wheel = Wheel(kind, name)
    for each in registrations():
        if each.kind == kind and each.name == wheel.entry:
            raise UsageError(
                f"is taken: {each.wheel} {each.version} registers it".replace(" " * 2, " "),
                subject=f"{kind} {wheel.entry!r}",
                hint="two plugins of one name are an error; choose another one",
            )
    words = {
        "name": wheel.entry,
        "distribution": wheel.distribution,
        "module": wheel.module,
        "cls": wheel.cls,
        "kind": kind,
        "what": _WORDS[kind],
        "group": str(KINDS[kind]),
        "version": __version__,
    }
    made = {
        "pyproject.toml": _filled("pyproject.toml", words),
        "README.md": _filled("README.md", words | {"use": _filled(f"{kind}.use", words).strip()}),
        f"{wheel.module}.py": _filled(f"{kind}.py", words),
        "tests/test_contract.py": _filled(f"test_{kind}.py", words),
    }
    return wheel, made


def write(directory: Path, made: Mapping[str, str]) -> None:
    """Write the files into a new directory, which is there as a whole or not at all.

    Raises:
        UsageError: there is one already, or it cannot be written.
    """
    if directory.exists() or directory.is_symlink():
        raise UsageError("exists already", subject=str(directory), hint="name another one with --out")
    try:
        part = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.absolute().parent))
    except OSError as error:
        raise UsageError(f"cannot be made: {error.strerror}", subject=str(directory)) from error
    try:
        for name, text in made.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_text(text, encoding="utf-8")
        part.chmod(0o777 & ~_umask())
        part.rename(directory)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise UsageError(f"cannot be written: {error.strerror}", subject=str(directory)) from error


def _check_name(name: str) -> None:
    """Raises UsageError where a name is no identifier of ours, and says what it might be instead."""
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) and not keyword.iskeyword(name) and len(name) <= _LONGEST:
        return
    mended = re.sub(r"_+", "_", re.sub(r"[^a-z0-9]+", "_", name.lower())).strip("_").lstrip("0123456789_")
    if keyword.iskeyword(mended):
        mended += "_one"
    raise UsageError(
        f"is no name: lower-case letters, digits and _, a letter first, {_LONGEST} at most, no word of Python",
        subject=repr(name),
        hint=f"such as {mended[:_LONGEST].rstrip('_') or 'my_own'}",
    )


_LONGEST: Final = 40


def _filled(name: str, words: Mapping[str, str]) -> str:
    """A scaffold's file, with ``@name@`` and the other words in their places."""
    text = (files("peagen_ray.runtime") / "scaffolds" / f"{name}.txt").read_text(encoding="utf-8")
    return re.sub(r"@(\w+)@", lambda found: words[found[1]], text)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
