"""Target: the function, method or module to improve, found in a source text, loaded and called.

An entry is ``name`` (a function), ``Class.method`` (instance, static or class method; classes may nest) or
empty (the whole module, which the workload's own ``call(module, *args)`` exercises).
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import islice
from types import ModuleType
from typing import Any

from peagen_ray.errors import TargetError

MODULE_NAME = "__peagen_target__"
"""What every loaded target is called, so that a class has one name in the original and in a candidate."""

DRAIN_LIMIT = 1_000_000
"""How many items of a returned iterator are taken before it counts as endless."""

_PLAIN = frozenset({"staticmethod", "classmethod", "cache", "lru_cache", "override", "njit", "jit"})
"""Decorators that leave a signature as it is."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = _Function | ast.ClassDef


class TargetKind(StrEnum):
    """How an entry is called."""

    FUNCTION = "function"
    METHOD = "method"
    STATICMETHOD = "staticmethod"
    CLASSMETHOD = "classmethod"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as written: annotation and default are source text, None where there is none."""

    name: str
    annotation: str | None = None
    default: str | None = None
    keyword_only: bool = False
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """What the syntax tree says about an entry.

    Attributes:
        signature: as written, such as ``def f(a: int) -> int``; empty for a whole module.
        parameters: without ``self`` or ``cls``.
        init_parameters: of the class's own ``__init__``, for instance methods.
        line: where it is defined, from 1.
        is_wrapped: a decorator of unknown effect stands between the caller and the signature.
    """

    entry: str
    kind: TargetKind
    signature: str = ""
    parameters: tuple[Parameter, ...] = ()
    init_parameters: tuple[Parameter, ...] = ()
    is_generator: bool = False
    line: int = 1
    is_wrapped: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one call; ``init`` and ``init_kwargs`` make the object that a method is called on."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    init: tuple[Any, ...] | None = None
    init_kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call made ready: ``thunk()`` is the part to time, ``instance`` the object of a method, else None."""

    thunk: Callable[[], Any]
    instance: Any = None


@dataclass(slots=True, eq=False)
class Drained:
    """What a returned iterator yielded: producing is the work, so it is done before the clock stops.

    Attributes:
        truncated: it had more than the limit.
        error: what it raised instead of ending; once decoded, an ``Opaque`` of that type.
    """

    items: list[Any]
    truncated: bool = False
    error: Any = None


def inspect_source(source: str, entry: str, path: str = "<source>") -> TargetInfo:
    """Find ``entry`` in ``source`` without running anything.

    Args:
        source: a Python module.
        entry: ``name``, ``Class.method``, or empty for the whole module.
        path: what to call the source in messages.

    Raises:
        TargetError: a syntax error, no such entry (the nearest names are given), or one that cannot be called
            and timed (a class, a property, a coroutine).
    """
    try:
        tree = ast.parse(source, filename=path)
    except SyntaxError as error:
        raise TargetError(
            f"syntax error: {error.msg}", subject=f"{path}, line {error.lineno}", hint="fix the source first"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes, or nested too deeply
        raise TargetError(f"not Python source: {error}", subject=path, hint="fix the source first") from error
    if not entry:
        return TargetInfo("", TargetKind.MODULE)
    *owners, name = entry.split(".")
    scope: list[ast.stmt] = tree.body
    owner: ast.ClassDef | None = None
    for part in owners:
        found = _definitions(scope).get(part)
        if not isinstance(found, ast.ClassDef):
            raise _not_found(tree, entry, path)
        owner, scope = found, found.body
    node = _definitions(scope).get(name)
    if node is None:
        raise _not_found(tree, entry, path)
    return _describe(node, owner, entry, path)


def callable_entries(source: str) -> list[str]:
    """Every entry that a source text offers, in the order written: functions, then ``Class.method``."""
    return _entries(ast.parse(source).body)


def load_module(source: str, name: str = MODULE_NAME, path: str = "<candidate>") -> ModuleType:
    """Run a source text as a module and return it; it is in ``sys.modules`` only while it runs.

    ``path`` becomes its ``__file__`` and the file named in tracebacks, whose lines are shown.

    Raises:
        Exception: whatever the source raises, ``SyntaxError`` included.
    """
    module = ModuleType(name)
    module.__file__ = path
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    code = compile(source, path, "exec", dont_inherit=True)
    with installed(module):
        exec(code, module.__dict__)  # noqa: S102  (running the target is the purpose)
    return module


def install(module: ModuleType) -> None:
    """Put ``module`` into ``sys.modules``: from now on its name, in a pickle for example, means this one."""
    sys.modules[module.__name__] = module


@contextlib.contextmanager
def installed(module: ModuleType) -> Iterator[ModuleType]:
    """Install ``module`` for the length of a ``with`` block, then put back what was there."""
    before = sys.modules.get(module.__name__)
    install(module)
    try:
        yield module
    finally:
        if before is None:
            sys.modules.pop(module.__name__, None)
        else:
            sys.modules[module.__name__] = before


class Target:
    """An entry of a loaded module, ready to be called.

    Args:
        module: from ``load_module``.
        call: for a whole module, the workload's ``call(module, *args)``.

    Raises:
        TargetError: the module has no such entry, or it is no callable.
    """

    def __init__(self, module: ModuleType, entry: str, call: Callable[..., Any] | None = None) -> None:
        self.entry = entry
        self._maker: Callable[..., Any] | None = None
        self._function: Callable[..., Any]
        if entry:
            self._function = self._resolve(module)
        elif call is None:
            raise TargetError(
                "a whole module has no entry to call",
                hint="define call(module, *args) in the workload file, or name an entry",
            )
        else:
            self._function = partial(call, module)

    def prepare(self, call: Call) -> Prepared:
        """Make the object, for a method, and return what is left to time.

        Raises:
            Exception: whatever the class's constructor raises.
        """
        if self._maker is None:
            return Prepared(partial(self._function, *call.args, **call.kwargs))
        instance = self._maker(*(call.init or ()), **call.init_kwargs)
        name = self.entry.rpartition(".")[2]
        return Prepared(partial(getattr(instance, name), *call.args, **call.kwargs), instance)

    def _resolve(self, module: ModuleType) -> Callable[..., Any]:
        *owners, name = self.entry.split(".")
        owner: Any = module
        try:
            for part in owners:
                owner = getattr(owner, part)
            function = getattr(owner, name)
            written = inspect.getattr_static(owner, name)
        except AttributeError:
            raise TargetError("no such entry in the loaded module", subject=self.entry) from None
        if not callable(function):
            raise TargetError(f"not callable, but {type(function).__name__}", subject=self.entry)
        if isinstance(owner, type) and not isinstance(written, staticmethod | classmethod):
            self._maker = owner
        return function  # type: ignore[no-any-return]


def bind(module: ModuleType, entry: str, call: Callable[..., Any] | None = None) -> Target:
    """The entry of a loaded module; ``bind(...).prepare(call).thunk()`` calls it. See ``Target``."""
    return Target(module, entry, call)


def drain(value: Any, limit: int = DRAIN_LIMIT) -> Any:
    """``value`` itself, or ``Drained`` where it is an iterator. Belongs inside the timed part."""
    kind = type(value)
    if kind.__module__ == "builtins" and not hasattr(kind, "__next__"):
        return value
    if not (hasattr(kind, "__next__") and hasattr(kind, "__iter__")):
        return value
    items: list[Any] = []
    try:
        items.extend(islice(value, limit + 1))  # keeps what was yielded before an error
    except Exception as error:  # noqa: BLE001  (what the target raises is its outcome)
        return Drained(items, error=error)
    truncated = len(items) > limit
    return Drained(items[:limit], truncated=True) if truncated else Drained(items)


def _definitions(body: list[ast.stmt]) -> dict[str, _Definition]:
    """Functions and classes of one scope, also those under ``if`` or ``try``; the last of a name wins."""
    found: dict[str, _Definition] = {}
    for node in body:
        if isinstance(node, _Definition):
            found[node.name] = node
        else:
            for block in ("body", "orelse", "handlers", "finalbody", "cases"):
                found.update(_definitions(getattr(node, block, [])))
    return found


def _entries(body: list[ast.stmt], prefix: str = "") -> list[str]:
    functions: list[str] = []
    methods: list[str] = []
    for name, node in _definitions(body).items():
        if isinstance(node, ast.ClassDef):
            methods += _entries(node.body, f"{prefix}{name}.")
        else:
            functions.append(prefix + name)
    return functions + methods


def _not_found(tree: ast.Module, entry: str, path: str) -> TargetError:
    entries = _entries(tree.body)
    near = difflib.get_close_matches(entry, entries, n=3, cutoff=0.5) or entries[:5]
    hint = f"it has {', '.join(near)}" if near else "it defines no function"
    return TargetError(f"no function {entry!r}", subject=path, hint=hint)


def _describe(node: _Definition, owner: ast.ClassDef | None, entry: str, path: str) -> TargetInfo:
    where = f"{path}, line {node.lineno}"
    if isinstance(node, ast.ClassDef):
        methods = [name for name in _entries(node.body, f"{entry}.") if not name.endswith("__")]
        hint = f"name a method of it: {', '.join(methods[:5])}" if methods else "name a function"
        raise TargetError(f"{entry!r} is a class", subject=where, hint=hint)
    if isinstance(node, ast.AsyncFunctionDef):
        raise TargetError(
            f"{entry!r} is a coroutine function, whose time depends on what it waits for",
            subject=where,
            hint="name a plain function, such as one that calls asyncio.run on it",
        )
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    if owner is not None and decorators & {"property", "cached_property", "functools.cached_property"}:
        raise TargetError(f"{entry!r} is a property", subject=where, hint="name a method that it calls")
    kind = _kind(owner, decorators)
    parameters = _parameters(node.args)
    return TargetInfo(
        entry=entry,
        kind=kind,
        signature=_signature(node),
        parameters=parameters[1:] if kind in (TargetKind.METHOD, TargetKind.CLASSMETHOD) else parameters,
        init_parameters=_init_parameters(owner) if owner and kind is TargetKind.METHOD else (),
        is_generator=_is_generator(node),
        line=node.lineno,
        is_wrapped=any(
            decorator.partition("(")[0].rpartition(".")[2] not in _PLAIN for decorator in decorators
        ),
    )


def _kind(owner: ast.ClassDef | None, decorators: set[str]) -> TargetKind:
    if owner is None:
        return TargetKind.FUNCTION
    if "staticmethod" in decorators:
        return TargetKind.STATICMETHOD
    return TargetKind.CLASSMETHOD if "classmethod" in decorators else TargetKind.METHOD


def _signature(node: ast.FunctionDef) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"def {node.name}({ast.unparse(node.args)}){returns}"


def _init_parameters(owner: ast.ClassDef) -> tuple[Parameter, ...]:
    init = _definitions(owner.body).get("__init__")
    if isinstance(init, ast.FunctionDef):
        return _parameters(init.args)[1:]
    if not any("dataclass" in ast.unparse(decorator) for decorator in owner.decorator_list):
        return ()
    return tuple(
        Parameter(
            node.target.id, ast.unparse(node.annotation), ast.unparse(node.value) if node.value else None
        )
        for node in owner.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    )


def _parameters(arguments: ast.arguments) -> tuple[Parameter, ...]:
    positional = arguments.posonlyargs + arguments.args
    missing = len(positional) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*[None] * missing, *arguments.defaults]
    found = [_parameter(arg, default) for arg, default in zip(positional, defaults, strict=True)]
    if arguments.vararg:
        found.append(_parameter(arguments.vararg, None, variadic=True))
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(_parameter(arg, default, keyword_only=True))
    if arguments.kwarg:
        found.append(_parameter(arguments.kwarg, None, keyword_only=True, variadic=True))
    return tuple(found)


def _parameter(
    arg: ast.arg, default: ast.expr | None, *, keyword_only: bool = False, variadic: bool = False
) -> Parameter:
    return Parameter(
        arg.arg,
        ast.unparse(arg.annotation) if arg.annotation else None,
        ast.unparse(default) if default else None,
        keyword_only,
        variadic,
    )


def _is_generator(node: ast.FunctionDef) -> bool:
    """Whether the function's own body yields; functions defined inside it do not count."""
    todo: list[ast.AST] = list(node.body)
    while todo:
        current = todo.pop()
        if isinstance(current, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(current, _Definition | ast.Lambda):
            todo += ast.iter_child_nodes(current)
    return False
