"""Templates: found by file, directory or glob; what each includes, and which data it uses."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from jinja2 import TemplateSyntaxError, meta

from peagen_ray.errors import ProjectError, RenderError
from peagen_ray.rendering.data import read_text
from peagen_ray.rendering.environment import Settings, make_environment, problem_of

SUFFIXES: Final = (".j2", ".jinja", ".jinja2")
"""Endings that a template's name has and its output's has not."""

_MOST_BUNDLED: Final = 16 * 1024 * 1024
"""Characters of all the templates together that one with a computed include may reach."""


@dataclass(frozen=True)
class Found:
    """A template that an output rule names.

    Attributes:
        name: what it is called in messages and included by.
        file: where it is.
        place: its path below what the rule names.
    """

    name: str
    file: Path
    place: PurePosixPath

    def facts(self) -> dict[str, str]:
        """What templates and paths know as ``template``."""
        bare = without_suffix(str(self.place))
        return {
            "path": bare,
            "name": PurePosixPath(bare).name,
            "stem": PurePosixPath(bare).stem,
            "source": self.name,
        }


def without_suffix(name: str) -> str:
    """The name without an ending such as ``.j2``."""
    suffix = next((end for end in SUFFIXES if name.endswith(end)), "")
    return name.removesuffix(suffix)


def find(rule: str, folder: Path, subject: str) -> list[Found]:
    """The templates that a rule names, sorted; raises ProjectError if there is none.

    Args:
        rule: a file, a directory (every file in it, hidden ones left out) or a glob, relative to ``folder``.
        folder: the project's.
        subject: who names it, for the message.
    """
    path = folder / rule
    if path.is_dir():
        files, base = _below(path), path
    elif path.is_file():
        files, base = [path], folder if path.is_relative_to(folder) else path.parent
    else:
        base = folder / _fixed(rule)
        names = glob.glob(rule, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob refuses patterns that are absolute
        files = [file for name in sorted(names) if (file := folder / name).is_file()]
    if not files:
        raise ProjectError(f"there is no template {rule!r}", subject=subject, hint=f"looked in {folder}")
    return [Found(_name(file, folder), file, PurePosixPath(file.relative_to(base))) for file in files]


def _below(path: Path) -> list[Path]:
    found = (file for file in path.rglob("*") if file.is_file())
    return sorted(
        file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts)
    )


def _fixed(rule: str) -> str:
    """The directories of a glob before the first that is a pattern."""
    parts = []
    for part in PurePosixPath(rule).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return str(PurePosixPath(*parts)) if parts else "."


def _name(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()


@dataclass(frozen=True)
class Needs:
    """What one template needs.

    Attributes:
        templates: itself and all that it includes, imports or extends.
        names: top-level variables that they use; None where an include is computed, so that it may be any.
    """

    templates: frozenset[str]
    names: frozenset[str] | None


class Library:
    """Templates by name, from files that rules name and from directories that may be included from.

    Each file is read once. A name with ``..`` in it is only that of a file which a rule names.

    Args:
        settings: how templates are read.
        roots: directories, the first one first.
        texts: templates that are in no file, by name; they come before files.
    """

    def __init__(
        self, settings: Settings, roots: Iterable[Path], texts: Mapping[str, str] | None = None
    ) -> None:
        self._settings = settings
        self._roots = tuple(roots)
        self._texts: dict[str, str | None] = dict(texts or {})
        self._own: dict[str, tuple[frozenset[str], frozenset[str] | None]] = {}
        self._needs: dict[str, Needs] = {}
        self._environment = make_environment(self.get, settings)

    @property
    def settings(self) -> Settings:
        """How templates are read."""
        return self._settings

    def add(self, name: str, file: Path) -> None:
        """A template that a rule names; ProjectError if it is no text."""
        if self._texts.get(name) is None:
            self._texts[name] = read_text(
                file, hint="a file that is no template is taken as it is with copy: true"
            )

    def get(self, name: str) -> str | None:
        """The text of a template, None if there is none of that name; ProjectError if it cannot be read."""
        if name not in self._texts:
            file = self._file(name)
            self._texts[name] = read_text(file) if file else None
        return self._texts[name]

    def bundle(self, names: Iterable[str]) -> dict[str, str]:
        """The texts of templates, by name."""
        return {name: text for name in sorted(set(names)) if (text := self.get(name)) is not None}

    def needs(self, name: str) -> Needs:
        """What a template needs; RenderError if it, or one that it includes, has wrong syntax."""
        if name not in self._needs:
            self._needs[name] = self._closure(name)
        return self._needs[name]

    def _closure(self, name: str) -> Needs:
        done, waiting, used, computed = set[str](), [name], set[str](), False
        while waiting:
            each = waiting.pop()
            if each in done or self.get(each) is None:
                continue
            done.add(each)
            names, includes = self._reading(each)
            used |= names
            computed = computed or includes is None
            waiting += sorted(includes or ())
        if computed:
            return Needs(frozenset(self._everything()) | done, None)
        return Needs(frozenset(done), frozenset(used))

    def _reading(self, name: str) -> tuple[frozenset[str], frozenset[str] | None]:
        """The variables of one template, and what it includes; None if that is computed."""
        if name not in self._own:
            try:
                tree = self._environment.parse(self.get(name) or "", name, name)
                used = frozenset(meta.find_undeclared_variables(tree))
                found = list(meta.find_referenced_templates(tree))
            except (TemplateSyntaxError, RecursionError) as error:
                raise RenderError(*_told(error, name)) from error
            fixed = frozenset(each for each in found if each is not None)
            self._own[name] = used, None if None in found else fixed
        return self._own[name]

    def _everything(self) -> Iterator[str]:
        """The names of all templates that are text."""
        size = 0
        for name in [*self._texts, *(_name(file, root) for root in self._roots for file in _below(root))]:
            try:
                text = self.get(name)
            except ProjectError:
                continue  # a picture, say: whoever includes it is told that it is not there
            if text is not None:
                size += len(text)
                yield name
            if size > _MOST_BUNDLED:
                what = (
                    f"an include is computed, and there are more than {_MOST_BUNDLED} characters of templates"
                )
                raise ProjectError(what, subject=str(self._roots[0]), hint="include by a fixed name")

    def _file(self, name: str) -> Path | None:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\0" in name:
            return None
        return next((file for root in self._roots if (file := root / name).is_file()), None)


def _told(error: BaseException, name: str) -> tuple[str]:
    return (str(problem_of(error, name)),)
