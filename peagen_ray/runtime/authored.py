"""What language models wrote, kept beside the project and found again by all that it was made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from peagen_ray.config.model import Config
from peagen_ray.errors import RenderError
from peagen_ray.llm.opening import chosen
from peagen_ray.rendering.generating import Outline
from peagen_ray.rendering.parts import digest_of, encode
from peagen_ray.rendering.payload import Generated
from peagen_ray.runtime.paths import WORKSPACE
from peagen_ray.storage import replace_file

_FORM: Final = 1
"""Of what a name is made of; another one has everything asked for again."""


class Authored:
    """Texts by path, prompt, models and their options, and the contents of what the file depends on.

    A record is one file, named by a hash of all that; one that is not there is asked for.

    Args:
        project: the directory of the project.
        config: the effective configuration.
        forget: find nothing, so that all is asked for again; what comes of it is kept.
        say: told once if nothing can be kept.
    """

    def __init__(self, project: Path, config: Config, *, forget: bool, say: Callable[[str], None]) -> None:
        self._folder = project / WORKSPACE / "generated"
        self._models = _models(config)
        self._forget = forget
        self._say = say
        self._failed = False

    def text(self, outline: Outline, path: str) -> str | None:
        """What was written for a file of which all that it depends on is there; None if it is to be asked for."""
        name = None if self._forget else self._name(outline, path)
        if name is None:
            return None
        try:
            return (self._folder / name).read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            return None

    def keep(self, outline: Outline, path: str, text: str) -> None:
        """Keep what was written for a file, before :meth:`Outline.done` is told of it."""
        name = self._name(outline, path)
        if name is None or self._failed:
            return
        try:
            replace_file(self._folder / name, text.encode())
        except (OSError, UnicodeEncodeError) as error:
            self._failed = True
            self._say(
                f"{self._folder}: what models write cannot be kept, and will be asked for again: {error}"
            )

    def _name(self, outline: Outline, path: str) -> str | None:
        if not self._models:
            return None
        try:
            made_of = [_FORM, self._models, path, outline.prompt(path), sorted(outline.needed(path).items())]
            return digest_of(encode(made_of))
        except (RenderError, ValueError):
            return None


def _models(config: Config) -> list[Any]:
    """Who is asked, and how; nothing where there is no back-end."""
    if not config.llm.backends:
        return []
    asked = chosen(config.llm, config.mutate.backend)
    names = sorted([each.adapter or each.name, each.model or each.base_url] for each in asked)
    return [names, config.mutate.temperature, config.mutate.max_tokens]


def known_texts(authored: Authored, generated: Sequence[Generated], texts: dict[str, str]) -> dict[str, str]:
    """The texts of files that need not be asked for, by path.

    Args:
        authored: where they are kept.
        generated: the files.
        texts: the files that no model writes.
    """
    outline, found = Outline(generated, texts), dict[str, str]()
    while outline:
        for path in outline.ready():
            text = None if outline.missing(path) else authored.text(outline, path)
            outline.done(path, text)
            if text is not None:
                found[path] = text
    return found
