"""A workload written as a Python file."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from peagen_ray.errors import TargetError, WorkloadError
from peagen_ray.workload.base import Workload
from peagen_ray.workload.target import (
    MODULE_NAME,
    Call,
    TargetInfo,
    TargetKind,
    inspect_source,
    install,
    load_module,
)

WORKLOAD_NAME = "__peagen_workload__"
"""What the module of a workload file is called."""

_CALL_KEYS = frozenset({"args", "kwargs", "init", "init_kwargs"})
_EDGE_SIZES = 4


class FileWorkload(Workload):
    """A workload file, loaded. Arguments are those of ``base.load_workload``."""

    def __init__(self, text: str, source: str, entry: str, path: str, target_path: str) -> None:
        self.path = path
        self._info = inspect_source(source, entry, target_path)
        if MODULE_NAME in text:
            install(load_target(source, target_path))
        self._module = self._load(text)
        self._inputs = self._function("inputs", "inputs(rng, size)")
        if self._inputs is None:
            raise WorkloadError("it defines no inputs(rng, size)", subject=path, hint="see workload init")
        self._check = self._function("check", "check(args, output)")
        if self._info.kind is TargetKind.MODULE and self._function("call", "call(module, *args)") is None:
            raise WorkloadError(
                "it defines no call(module, *args), which a whole module needs",
                subject=path,
                hint="define it, or name a function with --entry-fn",
            )
        self.has_check = self._check is not None
        self._sized = hasattr(self._module, "sizes")
        if self._sized:
            self.sizes = self._read_sizes(self._module.sizes)

    def call(self, seed: int, size: int) -> Call:
        """The arguments that ``inputs(rng, size)`` makes; ``rng`` is seeded with both."""
        assert self._inputs is not None
        rng = random.Random(f"{seed}/{size}")
        try:
            made = self._inputs(rng, size)
        except Exception as error:  # noqa: BLE001  (the user's code: told with its line)
            self._blame(error, f"inputs(rng, {size})")
        call = self._as_call(made)
        _check_arity(call, self._info, self.path)
        return call

    def edges(self, seed: int, count: int) -> list[Call]:
        """Calls of the four smallest sizes, in turn; sizes that the file cannot make are left out."""
        start = self.sizes[0] if self._sized else 0
        found = []
        for index in range(count):
            try:
                found.append(self.call(seed + index, start + index % _EDGE_SIZES))
            except WorkloadError:
                continue
        return found

    def _load(self, text: str) -> ModuleType:
        try:
            module = load_module(text, WORKLOAD_NAME, self.path)
        except SyntaxError as error:
            where = f"{self.path}, line {error.lineno}"
            raise WorkloadError(f"syntax error: {error.msg}", subject=where) from error
        except (Exception, SystemExit) as error:  # noqa: BLE001  (the user's code: told with its line)
            self._blame(error, "it")
        install(module)
        return module

    def _function(self, name: str, form: str) -> Callable[..., Any] | None:
        found = getattr(self._module, name, None)
        if found is not None and not callable(found):
            raise WorkloadError(f"{name} is no function", subject=self.path, hint=f"define {form}")
        return found

    def _read_sizes(self, sizes: Any) -> tuple[int, int]:
        good = isinstance(sizes, tuple | list) and len(sizes) == 2 and set(map(type, sizes)) == {int}
        if not good or not 0 <= sizes[0] <= sizes[1]:
            raise WorkloadError(
                f"sizes is {sizes!r:.60}", subject=self.path, hint="write sizes = (smallest, largest)"
            )
        return sizes[0], sizes[1]

    def _as_call(self, made: Any) -> Call:
        if isinstance(made, Call):
            return made
        if isinstance(made, tuple):
            return Call(made)
        if isinstance(made, dict) and made and made.keys() <= _CALL_KEYS:
            return self._spelled_out(made)
        return Call((made,))

    def _spelled_out(self, made: dict[str, Any]) -> Call:
        def arguments(name: str) -> tuple[Any, ...]:
            value = made.get(name, ())
            return tuple(value) if isinstance(value, tuple | list) else (value,)

        def named(name: str) -> dict[str, Any]:
            value = made.get(name, {})
            if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
                raise WorkloadError(f"inputs returned {name!r} that is no dict of names", subject=self.path)
            return value

        return Call(arguments("args"), named("kwargs"), arguments("init"), named("init_kwargs"))

    def _judge(self, call: Call, output: Any) -> str | None:
        if self._check is None:
            return super()._judge(call, output)
        try:
            verdict = self._check(call.args, output)
            wrong = isinstance(verdict, str) or (verdict is not None and not verdict)
        except AssertionError as error:
            return f"check: {str(error)[:200] or f'assertion in line {_line(error, self.path)}'}"
        except Exception as error:  # noqa: BLE001  (the user's code, on a stranger's output)
            line = _line(error, self.path)
            return f"check raised {type(error).__name__} in line {line}: {str(error)[:200]}"
        if not wrong:
            return None
        return f"check: {verdict[:200]}" if isinstance(verdict, str) else "check says that it is wrong"

    def _blame(self, error: BaseException, what: str) -> NoReturn:
        raise WorkloadError(
            f"{what} raised {type(error).__name__}: {error}",
            subject=f"{self.path}, line {_line(error, self.path)}",
        ) from error


def load_target(source: str, path: str) -> ModuleType:
    """Run the original.

    Raises:
        TargetError: it raises; the message names its line.
    """
    try:
        return load_module(source, MODULE_NAME, path)
    except (Exception, SystemExit) as error:
        where = f"{path}, line {_line(error, path)}"
        raise TargetError(f"loading it raised {type(error).__name__}: {error}", subject=where) from error


def _line(error: BaseException, path: str) -> int:
    """The last line of ``path`` in the traceback of an error; 1 where there is none."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return next((line for line in reversed(lines) if line), 1)


def _check_arity(call: Call, info: TargetInfo, path: str) -> None:
    """Raise WorkloadError where the target cannot take that many arguments: no call would succeed."""
    if info.kind is TargetKind.MODULE or info.is_wrapped:
        return
    positional = [p for p in info.parameters if not p.keyword_only and not p.variadic]
    open_ended = any(p.variadic and not p.keyword_only for p in info.parameters)
    required = [p.name for p in positional if p.default is None and p.name not in call.kwargs]
    given = len(call.args)
    if given < len(required) or (given > len(positional) and not open_ended):
        names = ", ".join(p.name for p in info.parameters)
        raise WorkloadError(
            f"inputs returned {given} argument{'' if given == 1 else 's'}, {info.entry}({names}) takes "
            f"{len(required)}{'' if len(required) == len(positional) else f' to {len(positional)}'}",
            subject=path,
            hint="return a tuple with one item for each argument",
        )
