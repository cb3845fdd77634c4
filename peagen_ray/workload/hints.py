"""A workload made from the type hints of the entry."""

from __future__ import annotations

import ast
import inspect
import pickle
import typing
from collections.abc import Sized
from types import ModuleType
from typing import Any

from peagen_ray.errors import WorkloadError
from peagen_ray.workload import _plans as plans
from peagen_ray.workload._annotations import Compiler, Refused
from peagen_ray.workload._arguments import Argument, Arguments
from peagen_ray.workload._draw import Bulk, Drawing, Edge, examples
from peagen_ray.workload.base import Workload
from peagen_ray.workload.equality import raised
from peagen_ray.workload.file import load_target
from peagen_ray.workload.target import Call, TargetInfo, TargetKind, inspect_source, install
from peagen_ray.workload.template import template

_ACCIDENTS = frozenset({"TypeError", "AttributeError", "RecursionError", "MemoryError"})
_EDGE_SIZE = 9
_MINED = 40
_MINED_LENGTH = 12
_EDGE_SURPLUS = 2


class HintWorkload(Workload):
    """Inputs from type hints: large plain ones of any size, and small unusual ones by hypothesis.

    Args:
        source: the original, which is run and stays installed.
        entry: what is called in it.
        path: what to call it in messages.

    Raises:
        TargetError: no such entry, or the original cannot be loaded.
        WorkloadError: the hints do not say enough; the hint of the error is a workload file to write.
    """

    def __init__(self, source: str, entry: str, path: str) -> None:
        self._info = inspect_source(source, entry, path)
        self._path = path
        if self._info.kind is TargetKind.MODULE:
            raise self._refusal("a whole module says nothing about its inputs")
        self._errors = _raised_names(source)
        self._mined = _mentioned_texts(source)
        module = load_target(source, path)
        install(module)
        self._arguments = Arguments(self._compile(module), entry)

    def call(self, seed: int, size: int) -> Call:
        """See ``Workload``: collections have ``size`` elements, and an integer alone is about ``size``."""
        return self._make(Bulk(seed, size, self._mined))

    def edges(self, seed: int, count: int) -> list[Call]:
        """See ``Workload``: sizes from 0 to 9."""
        from hypothesis import reject, strategies
        from hypothesis.errors import HypothesisException

        def make(data: Any) -> Call:
            try:
                size = data.draw(strategies.integers(0, _EDGE_SIZE))
                return self._make(Edge(data, size, self._mined))
            except WorkloadError:
                return reject()

        try:
            drawn = examples(make, seed=seed, count=_EDGE_SURPLUS * count)
        except HypothesisException as error:
            raise self._refusal(f"no small inputs can be made: {error}") from error
        return _different(drawn)[:count]

    def accepts(self, call: Call, observation: bytes) -> bool:
        """See ``Workload``.

        Exceptions count, such as an ``IndexError`` on an empty list. Those that no caller could want do not:
        a ``TypeError``, endless recursion, or an ``IndexError`` where two collections are not equally long;
        unless the source raises them by name.
        """
        name = raised(observation)
        if name is None or name.rpartition(".")[2] in self._errors:
            return True
        if name == "IndexError":
            lengths = {
                len(value) for value in (*call.args, *call.kwargs.values()) if isinstance(value, Sized)
            }
            return len(lengths) <= 1
        return name not in _ACCIDENTS

    def _make(self, d: Drawing) -> Call:
        slots: dict[str, Any] = {"args": [], "kwargs": {}, "init": [], "init_kwargs": {}}
        try:
            drawn = self._arguments.draw(d)
        except Exception as error:
            if type(error).__module__.startswith("hypothesis"):
                raise
            raise self._refusal(f"making its arguments raised {type(error).__name__}: {error}") from error
        for argument, value in drawn.items():
            if argument.slot.startswith("*"):
                slots[argument.slot[1:]].extend(value)
            elif argument.slot.endswith("kwargs"):
                slots[argument.slot][argument.name] = value
            else:
                slots[argument.slot].append(value)
        is_method = self._info.kind is TargetKind.METHOD
        return Call(
            tuple(slots["args"]),
            slots["kwargs"],
            tuple(slots["init"]) if is_method else None,
            slots["init_kwargs"],
        )

    def _compile(self, module: ModuleType) -> list[Argument]:
        owner, function = _resolve(module, self._info)
        compiler = Compiler(owner)
        arguments = self._of(function, compiler, "args", skip=owner is not None)
        if owner is not None and self._info.kind is TargetKind.METHOD:
            arguments += self._of(inspect.getattr_static(owner, "__init__"), compiler, "init", skip=True)
        if not arguments:
            raise self._refusal(f"{self._info.entry} takes no arguments")
        return arguments

    def _of(self, function: Any, compiler: Compiler, slot: str, *, skip: bool) -> list[Argument]:
        try:
            hints = typing.get_type_hints(function, include_extras=True)
            parameters = list(inspect.signature(function).parameters.values())
        except (NameError, TypeError, ValueError, AttributeError) as error:
            raise self._refusal(f"its type hints cannot be resolved: {error}") from error
        is_static = self._info.kind is TargetKind.STATICMETHOD
        return [
            self._argument(parameter, hints, compiler, slot)
            for parameter in (parameters[1:] if skip and not is_static else parameters)
            if _is_given(parameter, hints)
        ]

    def _argument(
        self, parameter: inspect.Parameter, hints: dict[str, Any], compiler: Compiler, slot: str
    ) -> Argument:
        name = parameter.name
        if name not in hints:
            raise self._refusal(f"parameter {name} has no type hint")
        try:
            plan = compiler.plan(hints[name])
        except Refused as error:
            raise self._refusal(f"the hint of parameter {name} {error}") from error
        if parameter.kind is parameter.VAR_POSITIONAL:
            return Argument(name, plans.Sequence(list, plan), f"*{slot}")
        optional = parameter.default is not parameter.empty
        by_name = optional or parameter.kind is parameter.KEYWORD_ONLY
        return Argument(
            name,
            plan,
            f"{slot}_kwargs" if by_name and slot == "init" else "kwargs" if by_name else slot,
            optional,
        )

    def _refusal(self, what: str) -> WorkloadError:
        text = template(self._info)
        return WorkloadError(
            what,
            subject=f"{self._path}, line {self._info.line}",
            hint=f"write its inputs into a file such as this one, and pass it with --workload:\n\n{text}",
        )


def _different(calls: list[Call]) -> list[Call]:
    """The calls without repetitions, in order."""
    found: dict[bytes, Call] = {}
    for call in calls:
        found.setdefault(pickle.dumps(call), call)  # not encoded: that would drain iterators
    return list(found.values())


def _resolve(module: ModuleType, info: TargetInfo) -> tuple[type | None, Any]:
    """The class that a method belongs to, or None, and the function itself."""
    *owners, name = info.entry.split(".")
    owner: Any = module
    for part in owners:
        owner = getattr(owner, part)
    function = inspect.getattr_static(owner, name)
    function = inspect.unwrap(getattr(function, "__func__", function))
    return owner if owners else None, function


def _is_given(parameter: inspect.Parameter, hints: dict[str, Any]) -> bool:
    """Whether calls give this parameter a value.

    Left out are those with a default that have no hint, are private, or whose default is None or a container:
    such parameters carry state between the calls of a recursive function more often than a choice.
    """
    if parameter.kind is parameter.VAR_KEYWORD:
        return False
    if parameter.kind is parameter.VAR_POSITIONAL:
        return parameter.name in hints
    if parameter.default is parameter.empty:
        return True
    plain = isinstance(parameter.default, bool | int | float | str | bytes)
    return parameter.name in hints and plain and not parameter.name.startswith("_")


def _mentioned_texts(source: str) -> tuple[str, ...]:
    """Short texts among the source's constants, and the characters of those that are no words: a dictionary.

    As fuzzers have them: a function that looks for brackets or units sees some only if its inputs hold them.
    Docstrings and annotations do not count.
    """
    tree = ast.parse(source)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if annotation is not None:
                skipped |= {id(inner) for inner in ast.walk(annotation)}
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            text = node.value
            if 0 < len(text) <= _MINED_LENGTH:
                found[text] = None
            if not text.isalpha():
                found.update(dict.fromkeys(char for char in text[:_MINED_LENGTH] if not char.isalnum()))
    return tuple(found)[:_MINED]


def _raised_names(source: str) -> frozenset[str]:
    """Names of the exceptions that a source text raises, or defines."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised_ = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            names.add(ast.unparse(raised_).rpartition(".")[2])
        elif isinstance(node, ast.Assert):
            names.add("AssertionError")
    return frozenset(names)
