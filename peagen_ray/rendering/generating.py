"""Files that a language model writes: their prompts, their order, and the most that they may cost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Final

from peagen_ray.errors import RenderError
from peagen_ray.rendering.environment import make_environment, problem_of
from peagen_ray.rendering.order import known_needs
from peagen_ray.rendering.payload import Generated
from peagen_ray.rendering.work import limited, render

_PROMPT_S: Final = 30.0
_MARK: Final = re.compile(r"\{[{%#]")


@dataclass(frozen=True)
class Bound:
    """The longest that the prompt of one file may be.

    Attributes:
        path: the file.
        size: bytes of the prompt; without the files in it that are yet to be written.
        included: files that it may include and that are yet to be written.
        problem: why it will not be asked for; empty if it will.
    """

    path: str
    size: int
    included: int = 0
    problem: str = ""


def prompt_of(one: Generated, texts: Mapping[str, str]) -> str:
    """What the language model is asked.

    Args:
        one: the file.
        texts: the files that are there already, by path; the prompt may include them.

    Raises:
        RenderError: the prompt cannot be made; names template, line and key.
    """
    environment = make_environment(
        lambda name: _verbatim(texts[name]) if name in texts else one.library.get(name), one.library.settings
    )
    environment.globals.update(one.data)
    try:
        with limited(_PROMPT_S):
            return render(environment, one.record.prompt, one.record.values)
    except Exception as error:  # a template may raise anything
        raise RenderError(str(problem_of(error, one.record.prompt)), subject=one.record.path) from error


def _verbatim(text: str) -> str:
    """A template that renders to the text, whatever is in it."""
    return _MARK.sub(lambda mark: "{{ '" + mark[0] + "' }}", text)


def bounds(
    generated: Sequence[Generated], texts: Mapping[str, str], written: Mapping[str, str]
) -> list[Bound]:
    """How long the prompt of each file that is yet to be written may be.

    Args:
        generated: the files.
        texts: the files that no model writes.
        written: what models wrote already.
    """
    known = {one.record.path for one in generated}
    found = []
    for one in (one for one in generated if one.record.path not in written):
        needs = {path: written.get(path, "") for path in known_needs(one.record.needs, known)}
        needed = needs.keys() - written.keys()
        try:
            size = len(prompt_of(one, {**texts, **needs}).encode())
        except (RenderError, UnicodeEncodeError) as error:
            found.append(Bound(one.record.path, 0, problem=getattr(error, "what", str(error))))
        else:
            found.append(Bound(one.record.path, size, len(needed)))
    return found


class Outline:
    """Which files can be asked for, as those that they depend on are written. Pure.

    A prompt may include what no model writes, and of what models write only what it depends on: so it is the same
    in whatever order answers come.

    Args:
        generated: the files.
        texts: the files that no model writes.
    """

    def __init__(self, generated: Sequence[Generated], texts: Mapping[str, str]) -> None:
        self._files = {one.record.path: one for one in generated}
        self._needs = {path: known_needs(one.record.needs, self._files) for path, one in self._files.items()}
        self._texts = texts
        self._written: dict[str, str] = {}
        self._sorter = TopologicalSorter({path: sorted(needs) for path, needs in self._needs.items()})
        self._sorter.prepare()

    def __bool__(self) -> bool:
        """Whether there is a file of which it is not known yet what became of it."""
        return self._sorter.is_active()

    def ready(self) -> list[str]:
        """The files, each told once, of which all that they depend on has been dealt with."""
        return sorted(self._sorter.get_ready())

    def missing(self, path: str) -> list[str]:
        """What a file depends on and was not written."""
        return sorted(self._needs[path] - self._written.keys())

    def prompt(self, path: str) -> str:
        """What to ask for a file that is ready; raises RenderError."""
        written = {each: self._written[each] for each in self._needs[path]}
        return prompt_of(self._files[path], {**self._texts, **written})

    def needed(self, path: str) -> dict[str, str]:
        """The texts that a file that is ready depends on, by path."""
        known = {**self._texts, **self._written}
        return {each: known[each] for each in known_needs(self._files[path].record.needs, known)}

    def done(self, path: str, text: str | None) -> None:
        """A file was written, or will not be."""
        if text is not None:
            self._written[path] = text
        self._sorter.done(path)
