"""The Jinja2 environment of every template: sandboxed, strict, and the same output for the same input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from jinja2 import BaseLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

_DICT_ATTRIBUTES: Final = frozenset(dir(dict))
_NONDETERMINISTIC: Final = {"filters": ("random",), "globals": ("lipsum",)}
_LONGEST_REPEAT: Final = 10_000_000
"""Items of a text or list that a template may make by multiplication."""
_LONGEST_POWER: Final = 100_000
"""Bits of a whole number that a template may make as a power."""


@dataclass(frozen=True)
class Settings:
    """How templates are read.

    Attributes:
        autoescape: escape what is printed for HTML.
        trim_blocks: remove the first newline after a block.
        lstrip_blocks: remove blanks before a block.
        keep_trailing_newline: keep the newline at the end of a template.
        lenient: what is missing may be tested and looped over, as if it were empty; printing it is an error still.
    """

    autoescape: bool = False
    trim_blocks: bool = False
    lstrip_blocks: bool = False
    keep_trailing_newline: bool = True
    lenient: bool = False


@dataclass(frozen=True)
class Problem:
    """Why a template could not be rendered.

    Attributes:
        what: what happened.
        template: name of the template that it happened in.
        line: the line there, from 1; None where that is not known.
        key: the variable or attribute that is missing, if that is the reason.
    """

    what: str
    template: str
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        place = f"{self.template}:{self.line}" if self.line else self.template
        return f"{place}: {self.what}"

    def to_wire(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


class MissingKey(UndefinedError):
    """A template uses a variable or attribute that is not there."""

    def __init__(self, message: str | None = None, *, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class TooLarge(TemplateError):
    """A template makes more than it may."""


class Strict(StrictUndefined):
    """What is missing: any use of it raises :class:`MissingKey`."""

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: Any = None, exc: Any = UndefinedError
    ) -> None:
        key = "" if name is None else str(name)
        error: Any = partial(MissingKey, key=key) if exc is UndefinedError else exc
        super().__init__(hint, obj, name, error)

    def __repr__(self) -> str:
        """Within a list that is printed it would pass for a text."""
        return self._fail_with_undefined_error()


class Lenient(Strict):
    """What is missing, and may be tested, compared or looped over."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return isinstance(other, Lenient)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(type(self))

    def __contains__(self, item: object) -> bool:  # type: ignore[override]
        return False

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        return iter(())

    def __len__(self) -> int:  # type: ignore[override]
        return 0


class Sources(BaseLoader):
    """Templates by name; nothing else can be included.

    Args:
        get: the source text of a name, None where there is none.
    """

    def __init__(self, get: Callable[[str], str | None]) -> None:
        self._get = get

    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:  # noqa: ARG002
        """The source; its name stands for the file in tracebacks."""
        source = self._get(template)
        if source is None:
            raise TemplateNotFound(template)
        return source, template, lambda: True


class Environment(ImmutableSandboxedEnvironment):
    """Runs no foreign code, changes no data, and has no source of chance."""

    intercepted_binops = frozenset({"*", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As Jinja has it: an attribute first, then an item. Of plain data that is decided at a glance."""
        if type(obj) is dict and attribute not in _DICT_ATTRIBUTES and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiplication, within bounds."""
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            _check_power(left, right)
        if operator == "*":
            _check_repeat(left, right)
            _check_repeat(right, left)
        return super().call_binop(context, operator, left, right)


def _check_repeat(many: Any, times: Any) -> None:
    if (
        isinstance(many, str | list | tuple)
        and isinstance(times, int)
        and len(many) * times > _LONGEST_REPEAT
    ):
        raise TooLarge(f"{len(many)} times {times} is more than {_LONGEST_REPEAT} items")


def _check_power(base: int, exponent: int) -> None:
    if base.bit_length() * exponent > _LONGEST_POWER:
        raise TooLarge(f"a power of more than {_LONGEST_POWER} bits")


def make_environment(
    sources: Mapping[str, str] | Callable[[str], str | None], settings: Settings
) -> Environment:
    """The environment for templates of these names."""
    get = sources.get if isinstance(sources, Mapping) else sources
    made = Environment(
        loader=Sources(get),
        autoescape=settings.autoescape,
        trim_blocks=settings.trim_blocks,
        lstrip_blocks=settings.lstrip_blocks,
        keep_trailing_newline=settings.keep_trailing_newline,
        undefined=Lenient if settings.lenient else Strict,
        extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"],
        cache_size=-1,
        auto_reload=False,
    )
    for name in _NONDETERMINISTIC["filters"]:
        made.filters.pop(name, None)
    for name in _NONDETERMINISTIC["globals"]:
        made.globals.pop(name, None)
    return made


# ---- what went wrong, and where --------------------------------------------------------------------


def problem_of(error: BaseException, template: str) -> Problem:
    """What an error of rendering or reading a template means.

    Args:
        error: the error.
        template: the template that was being rendered; the error may be of another, which it includes.
    """
    if isinstance(error, TemplateSyntaxError):
        return Problem(f"wrong syntax: {error.message}", error.name or template, error.lineno)
    name, line = _place(error) or (template, None)
    match error:
        case MissingKey():
            return Problem(f"{_quoted(error.key)} is missing: {error.message}", name, line, error.key)
        case TemplateNotFound():
            return Problem(f"there is no template {error.message or error.name!r} to include", name, line)
        case SecurityError():
            return Problem(f"not allowed in a template: {error}", name, line)
        case TemplateError():
            return Problem(str(error), name, line)
        case RecursionError():
            return Problem("includes or calls itself without end", name, line)
        case MemoryError():
            return Problem("needs more memory than there is", name, line)
    return Problem(f"{type(error).__name__}: {error}", name, line)


def _place(error: BaseException) -> tuple[str, int] | None:
    """The innermost line of a template that a traceback passes through: Jinja puts it there."""
    found, trace = None, error.__traceback__
    while trace is not None:
        scope = trace.tb_frame.f_globals
        if "__jinja_exception__" in scope:
            found = str(scope.get("__file__")), trace.tb_lineno
        trace = trace.tb_next
    return found


def _quoted(key: str) -> str:
    return repr(key) if key else "a value"
