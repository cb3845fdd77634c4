"""What a recursive function does with its parameters from one call to the next."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, every, statements, stored
from peagen_ray.evolution.mutators.genetic.canonical.trees import clone
from peagen_ray.evolution.mutators.genetic.nodes import mutated


class Role(Enum):
    """What becomes of a parameter in the calls of a function by itself."""

    SAME = "same"
    """Passed on as it is."""
    SUFFIX = "suffix"
    """Passed on as it is or as ``p[k:]``."""
    PREFIX = "prefix"
    """Passed on as it is or as ``p[:-k]``."""
    KEY = "key"
    """Anything else."""


@dataclass(frozen=True)
class Recursion:
    """A function that calls itself, with plain parameters.

    Attributes:
        function: the function.
        calls: its calls of itself, within it.
        parameters: the names of its parameters, ``self`` left out.
        bound: the name of ``self`` for a method, else "".
    """

    function: ast.FunctionDef
    calls: tuple[ast.Call, ...]
    parameters: tuple[str, ...]
    bound: str = ""

    def argument(self, call: ast.Call, parameter: str) -> ast.expr | None:
        """What a call passes for a parameter; None where the default is taken."""
        index = self.parameters.index(parameter)
        if index < len(call.args):
            return call.args[index]
        return next((k.value for k in call.keywords if k.arg == parameter), None)

    def default(self, parameter: str) -> ast.expr:
        """What a parameter is when nothing is passed for it."""
        args = self.function.args
        names = [a.arg for a in args.args]
        at = names.index(parameter) - (len(names) - len(args.defaults))
        return clone(args.defaults[at]) if at >= 0 else ast.Constant(value=None)

    def role(self, parameter: str) -> Role:
        """What becomes of a parameter."""
        args = [self.argument(call, parameter) for call in self.calls]
        if parameter in stored(self.function):
            return Role.KEY
        kinds = {_kind(arg, parameter) for arg in args}
        for role in (Role.SAME, Role.SUFFIX, Role.PREFIX):
            if kinds <= {Role.SAME, role}:
                return role
        return Role.KEY


def recursions(draft: Draft) -> list[Recursion]:
    """The editable functions that call themselves and do nothing but compute, as far as can be seen."""
    found = (recursion(draft, function) for function in draft.functions())
    return [each for each in found if each is not None]


def recursion(draft: Draft, function: FunctionNode) -> Recursion | None:
    """How a function calls itself; None when it does not, or is not plain."""
    args = function.args
    if not isinstance(function, ast.FunctionDef) or function.decorator_list:
        return None
    if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs:
        return None
    names = [a.arg for a in args.args]
    method = isinstance(draft.parent(function), ast.ClassDef)
    bound = names[0] if method and names else ""
    names = names[1:] if bound else names
    calls = tuple(n for n in every(function) if isinstance(n, ast.Call) and _calls(n, function.name, bound))
    plain = all(not any(isinstance(a, ast.Starred) for a in c.args) for c in calls)
    if not calls or not names or not plain or any(len(c.args) > len(names) for c in calls):
        return None
    if _acts(function) or set(names) & {place.split(".")[0] for place in mutated(function)}:
        return None
    return Recursion(function, calls, tuple(names), bound)


def _calls(node: ast.Call, name: str, bound: str) -> bool:
    func = node.func
    if bound:
        return isinstance(func, ast.Attribute) and func.attr == name and _is_name(func.value, bound)
    return _is_name(func, name)


def _is_name(node: ast.expr | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _acts(function: ast.FunctionDef) -> bool:
    """Whether a function does something that a remembered result would not do again."""
    for node in every(function):
        if isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal)):
            return True
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"print", "input"}
        ):
            return True
    return False


def _kind(arg: ast.expr | None, parameter: str) -> Role:
    if _is_name(arg, parameter):
        return Role.SAME
    if isinstance(arg, ast.Subscript) and _is_name(arg.value, parameter) and isinstance(arg.slice, ast.Slice):
        low, high, step = arg.slice.lower, arg.slice.upper, arg.slice.step
        if low is not None and high is None and step is None and not is_negative(low):
            return Role.SUFFIX
        if low is None and high is not None and step is None and is_negative(high):
            return Role.PREFIX
    return Role.KEY


def is_negative(node: ast.expr) -> bool:
    """Whether an expression is a negative number as it is written."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def returns_self_call(recursion: Recursion, body: Sequence[ast.stmt]) -> list[ast.Return]:
    """The statements that return what a call of the function itself returns."""
    own = set(recursion.calls)
    inside = [*body, *(s for top in body for s in statements(top))]
    return [s for s in inside if isinstance(s, ast.Return) and s.value in own]
