"""Which files of a directory git would leave alone: every ``.gitignore`` that applies, as git reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathspec import RegexPattern

FILE: Final = ".gitignore"

_DIRECTORY: Final = "ps_d"
"""The group of a pattern's expression that is the slash after a directory that it matches."""


@dataclass(frozen=True)
class Ignoring:
    """The rules that hold in one directory: its own before those of the directories above.

    Attributes:
        place: the directory, absolute.
        above: the rules of the directory above; None at the top.
    """

    place: Path
    above: Ignoring | None = None

    @classmethod
    def at(cls, directory: Path) -> Ignoring:
        """The rules of a directory that is to be read, with those of the repository that it lies in."""
        chain = [directory.absolute(), *directory.absolute().parents]
        top = next((number for number, each in enumerate(chain) if (each / ".git").exists()), 0)
        rules: Ignoring | None = None
        for each in reversed(chain[: top + 1]):
            rules = cls(each, rules)
        assert rules is not None
        return rules

    def below(self, name: str) -> Ignoring:
        """The rules of a directory in this one."""
        return Ignoring(self.place / name, self)

    def ignores(self, name: str, *, directory: bool) -> bool:
        """Whether an entry of this directory is ignored, provided that the directory itself is not."""
        path = PurePosixPath(name)
        rules: Ignoring | None = self
        while rules is not None:
            found = _verdict(rules.patterns, f"{path}/" if directory else str(path))
            if found is not None:
                return found
            path = rules.place.name / path
            rules = rules.above
        return False

    @cached_property
    def patterns(self) -> tuple[RegexPattern, ...]:
        """Those of the directory's own file, the last one first, since that is the one that counts."""
        file = self.place / FILE
        try:
            text = file.read_bytes().decode("utf-8", "surrogateescape") if file.is_file() else ""
        except OSError:
            text = ""
        return tuple(_patterns(text.splitlines()))[::-1]


def _verdict(patterns: Iterable[RegexPattern], path: str) -> bool | None:
    """Whether the patterns ignore the path itself; None if they say nothing of it."""
    for pattern in patterns:
        found = pattern.match_file(path)
        if found is None:
            continue
        # A pattern that matches only a directory above has been heeded there: to git it says nothing of what is inside.
        inside = found.match.groupdict().get(_DIRECTORY) is not None
        if not inside or found.match.end(_DIRECTORY) == len(path):
            return bool(pattern.include)
    return None


def _patterns(lines: Iterable[str]) -> Iterator[RegexPattern]:
    """The patterns of a file's lines; a line that is none is passed over, as git does."""
    from pathspec import GitIgnoreSpec, RegexPattern

    for line in lines:
        # To git this is what is inside of the directory; pathspec would take the directory itself too.
        rule = f"{line}/*" if line.endswith("/**") else line
        try:
            spec = GitIgnoreSpec.from_lines([rule])
        except ValueError:
            continue
        yield from (
            each for each in spec.patterns if isinstance(each, RegexPattern) and each.include is not None
        )
