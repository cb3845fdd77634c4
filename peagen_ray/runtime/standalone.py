"""A function made to stand in a file of its own, with the imports, constants and functions that it needs.

What a notebook's cell or an interpreter's prompt defines is in no file that a fresh process could import.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any, Final

from peagen_ray.errors import TargetError

_LONGEST: Final = 100_000
"""Characters of a constant that is written down."""


def standalone(function: Callable[..., Any]) -> str:
    """The source of a function, behind the definitions of all that it uses and that is no builtin.

    Raises:
        TargetError: its source is not to be had, or it uses something that cannot be written into a file.
    """
    pieces = _Pieces()
    pieces.add(function)
    imports = sorted(set(pieces.imports))
    head = "\n".join(imports) + "\n\n\n" if imports else ""
    return head + "\n\n".join(pieces.definitions)


class _Pieces:
    """Definitions in an order in which each finds those before it."""

    def __init__(self) -> None:
        self.imports: list[str] = []
        self.definitions: list[str] = []
        self._seen: set[str] = set()

    def add(self, function: Any, name: str = "") -> None:
        """A function or a class, after what it uses; a lambda under the name by which it is used."""
        source = f"{name} = {source_of(function)}" if is_lambda(function) else source_of(function)
        self._seen.add(function.__name__)
        scope = _scope(function)
        for used in _used(source, function):
            if used in scope and used not in self._seen:
                self._seen.add(used)
                self._define(used, scope[used], function)
        self.definitions.append(source if source.endswith("\n") else f"{source}\n")

    def _define(self, name: str, value: Any, user: Any) -> None:
        line = _import(name, value)
        if line is not None:
            self.imports.append(line)
        elif inspect.isfunction(value) or inspect.isclass(value):
            self.add(value, name)
            if value.__name__ != name and not is_lambda(value):
                self.definitions.append(f"{name} = {value.__name__}\n")
        elif (text := _literal(value)) is not None:
            self.definitions.append(f"{name} = {text}\n")
        else:
            raise TargetError(
                f"it uses {name}, a {type(value).__name__}, which cannot be written into a file",
                subject=user.__name__,
                hint="make it inside the function, or give the path of a file",
            )


def source_of(function: Any) -> str:
    """Its source, from the margin on, of a lambda the expression; raises TargetError."""
    name = getattr(function, "__qualname__", "") or repr(function)
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise TargetError(f"its source is not to be had: {error}", subject=name) from error
    return _expression(source, name) if is_lambda(function) else source


def is_lambda(function: Any) -> bool:
    """Whether it has no name of its own."""
    return getattr(function, "__name__", "") == "<lambda>"


def _expression(source: str, name: str) -> str:
    """The lambda in the statement that it was found in."""
    try:
        found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Lambda)]
    except SyntaxError:
        found = []
    if len(found) != 1:
        raise TargetError(
            "its source cannot be told from what is around it", subject=name, hint="define it with def"
        )
    return ast.unparse(found[0])


def _scope(function: Any) -> dict[str, Any]:
    """What its free names mean."""
    if inspect.isclass(function):
        methods = [each for each in vars(function).values() if inspect.isfunction(each)]
        return {name: value for method in methods for name, value in _scope(method).items()}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    scope: dict[str, Any] = dict(function.__globals__)
    return scope | {name: cell.cell_contents for name, cell in cells if not _empty(cell)}


def _empty(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty one raises
    except ValueError:
        return True
    return False


def _used(source: str, function: Any) -> list[str]:
    """Names that it reads from around it: in its code, its annotations, its defaults and its decorators."""
    tree = ast.parse(source)
    read = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    if inspect.isclass(function):
        return sorted(read)
    outside = set(_names(function.__code__))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [node.args, *node.decorator_list, *([node.returns] if node.returns else [])]
            outside |= {each.id for part in parts for each in ast.walk(part) if isinstance(each, ast.Name)}
    return sorted(read & outside)


def _names(code: CodeType) -> Iterator[str]:
    yield from (*code.co_names, *code.co_freevars)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _import(name: str, value: Any) -> str | None:
    """The line that imports it; None if none does."""
    if isinstance(value, ModuleType):
        return f"import {name}" if value.__name__ == name else f"import {value.__name__} as {name}"
    module, own = getattr(value, "__module__", None), getattr(value, "__name__", None) or name
    if not isinstance(module, str) or module == "__main__" or not str(own).isidentifier():
        return None
    try:
        found = getattr(importlib.import_module(module), own, None)
    except ImportError:
        return None
    if found is not value or "<locals>" in getattr(value, "__qualname__", ""):
        return None
    return f"from {module} import {own}" + ("" if own == name else f" as {name}")


def _literal(value: Any) -> str | None:
    """A constant as source text; None if it is none."""
    text = repr(value)
    try:
        same = len(text) <= _LONGEST and ast.literal_eval(text) == value
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return text if same else None
