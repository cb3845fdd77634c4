"""Templates: found in the person's own directories first, drawn in a sandbox."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.prompts.context import PromptContext
from peagen_ray.evolution.prompts.quoting import fenced, plain, quoted, shortened

if TYPE_CHECKING:
    from jinja2 import TemplateError, TemplateSyntaxError
    from jinja2.sandbox import SandboxedEnvironment

MUTATE: Final = "agent_mutate.j2"
"""One change of one program, with nothing known of others."""
EVOLVE: Final = "agent_evolve.j2"
"""One step of a run."""
_OWN: Final = Path(__file__).with_name("templates")


class Templates:
    """The templates of a search path, ours behind it.

    Templates see the fields of :class:`~peagen_ray.evolution.prompts.context.PromptContext` by name, and the filters
    ``fenced``, ``plain``, ``quoted`` and ``shortened``. A name that is not there is an error.

    Args:
        search_path: directories that come before ours.

    Raises:
        ConfigError: one of them is no directory.
    """

    def __init__(self, search_path: Sequence[Path] = ()) -> None:
        missing = next((path for path in search_path if not path.is_dir()), None)
        if missing is not None:
            raise ConfigError(
                "no such directory", subject=str(missing), hint="correct [templates] search_path"
            )
        self._environment = _environment((*search_path, _OWN))

    def render(self, name: str, context: PromptContext) -> str:
        """The prompt that a template makes; the same context gives the same text.

        Raises:
            ConfigError: there is no such template, or it is broken; says in which file and line.
        """
        from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

        try:
            text = self._environment.get_template(name).render(_variables(context))
        except TemplateSyntaxError as error:
            raise _syntax(error) from error
        except TemplateNotFound as error:
            raise ConfigError(f"no template {error.name!r}", subject=name, hint=_HINT) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"a template is not UTF-8: {error}", subject=name, hint=_HINT) from error
        except TemplateError as error:
            raise _broken(error, name) from error
        except Exception as error:  # a template can make anything be raised; it is the template that is wrong
            raise _broken(error, name) from error
        return text.strip("\n") + "\n"


_HINT: Final = "correct the template, or take its directory out of [templates] search_path"


@lru_cache(maxsize=8)
def _environment(path: tuple[Path, ...]) -> SandboxedEnvironment:
    """Compiling our templates takes longer than drawing them; a file that was changed is read again."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(path),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"fenced": fenced, "plain": plain, "quoted": quoted, "shortened": shortened}
    return environment


def _variables(context: PromptContext) -> dict[str, Any]:
    known = {each.name: getattr(context, each.name) for each in fields(context)}
    return known | {name: getattr(context, name) for name in ("has_block", "hot", "is_python")}


def _syntax(error: TemplateSyntaxError) -> ConfigError:
    where = f"{error.filename or error.name}, line {error.lineno}"
    return ConfigError(f"the template is broken: {error.message}", subject=where, hint=_HINT)


def _broken(error: Exception | TemplateError, name: str) -> ConfigError:
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.endswith(".j2")]
    where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else name
    return ConfigError(f"the template cannot be drawn: {error}", subject=where, hint=_HINT)
