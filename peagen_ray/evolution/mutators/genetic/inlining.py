"""What a helper function does, written in terms of the arguments of a call."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, stored
from peagen_ray.evolution.mutators.genetic.hoisting import Comprehension
from peagen_ray.evolution.mutators.genetic.nodes import names_in, own_nodes, renamed

_FORBIDDEN = (
    ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.Lambda, ast.FunctionDef, ast.ClassDef,
    ast.AsyncFunctionDef, ast.Import, ast.ImportFrom, ast.Try,
)  # fmt: skip


@dataclass(frozen=True)
class Helper:
    """A function that may be written out where it is called.

    Attributes:
        function: its definition.
        owner: the class that it is a method of, or None.
    """

    function: FunctionNode
    owner: ast.ClassDef | None = None

    @property
    def body(self) -> list[ast.stmt]:
        """Its statements without the docstring."""
        body = self.function.body
        first = body[0]
        documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        return body[1:] if documented else body

    def arguments(self, call: ast.Call) -> dict[str, ast.expr] | None:
        """What each parameter is in a call of it; None when the call is too clever."""
        spec = self.function.args
        names = [argument.arg for argument in [*spec.posonlyargs, *spec.args]]
        given: list[ast.expr] = list(call.args)
        if self.owner is not None and isinstance(call.func, ast.Attribute):
            given = [call.func.value, *given]
        clever = (
            spec.vararg or spec.kwarg or spec.kwonlyargs or any(isinstance(a, ast.Starred) for a in given)
        )
        if clever or len(given) > len(names):
            return None
        found = dict(zip(names, given, strict=False))
        found |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
        optional = names[len(names) - len(spec.defaults) :]
        for name, default in zip(optional, spec.defaults, strict=True):
            found.setdefault(name, default)
        return found if found.keys() == set(names) else None


def helpers(draft: Draft) -> list[Helper]:
    """The functions and methods of the module that could be written out: plain, and not recursive."""
    found: list[Helper] = []
    for node in draft.tree.body:
        if isinstance(node, FunctionNode):
            found.append(Helper(node))
        elif isinstance(node, ast.ClassDef):
            found += [Helper(each, node) for each in node.body if isinstance(each, FunctionNode)]
    return [each for each in found if _is_plain(each.function)]


def _is_plain(function: FunctionNode) -> bool:
    if function.decorator_list or isinstance(function, ast.AsyncFunctionDef):
        return False
    for node in own_nodes(function):
        if isinstance(node, _FORBIDDEN):
            return False
        if isinstance(node, ast.Call) and called_name(node) == function.name:
            return False
    return True


def called_name(call: ast.Call) -> str:
    """``f`` of ``f(x)`` and of ``self.f(x)``, else ""."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    func = call.func
    own = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "self"
    return func.attr if isinstance(func, ast.Attribute) and own else ""


def calls_of(draft: Draft, helper: Helper) -> Iterator[tuple[FunctionNode, ast.Call]]:
    """The calls of a helper in editable functions, itself left out, with the function that each is in."""
    for function in draft.functions():
        if function is helper.function:
            continue
        for node in own_nodes(function):
            if not isinstance(node, ast.Call) or called_name(node) != helper.function.name:
                continue
            if isinstance(node.func, ast.Attribute) is (helper.owner is not None):
                yield function, node


def as_expression(body: Sequence[ast.stmt]) -> ast.expr | None:
    """A body of returns, conditions and simple assignments as one expression, or None."""
    if not body:
        return None
    first, rest = body[0], body[1:]
    if isinstance(first, ast.Return):
        return copy.deepcopy(first.value) if first.value is not None else ast.Constant(value=None)
    if isinstance(first, ast.Assign) and isinstance(first.targets[0], ast.Name) and len(first.targets) == 1:
        inner = as_expression(rest)
        return None if inner is None else filled_in(inner, {first.targets[0].id: first.value})
    if isinstance(first, ast.If):
        then = as_expression(first.body)
        other = as_expression(first.orelse or rest)
        if then is not None and other is not None:
            return choice(copy.deepcopy(first.test), then, other)
    return None


def choice(test: ast.expr, then: ast.expr, other: ast.expr) -> ast.expr:
    """``then if test else other``, written shortly where one of them is a truth value."""
    truth = isinstance(test, (ast.Compare, ast.BoolOp)) or (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    )
    if truth and isinstance(then, ast.Constant) and then.value is True:
        if isinstance(other, ast.Constant) and other.value is False:
            return test
        return ast.BoolOp(op=ast.Or(), values=[test, other])
    return ast.IfExp(test=test, body=then, orelse=other)


def filled_in(expression: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr | None:
    """``expression`` with values in the place of names; None where a costly value would be computed twice."""
    uses = [n.id for n in ast.walk(expression) if isinstance(n, ast.Name)]
    if any(uses.count(name) > 1 and not is_simple(value) for name, value in values.items()):
        return None
    bound = {
        name
        for node in ast.walk(expression)
        if isinstance(node, Comprehension)
        for clause in node.generators
        for name in stored(clause.target)
    }
    taken = {name for value in values.values() for name in names_in(value)}
    for name in sorted(bound & taken):
        others = bound | taken | set(uses)
        expression = renamed(
            expression, name, next(n for i in range(2, 99) if (n := f"{name}_{i}") not in others)
        )
    return _Filler(values).visit(copy.deepcopy(expression))  # type: ignore[no-any-return]


def is_simple(value: ast.expr) -> bool:
    """Whether it costs next to nothing to compute: names, constants, attributes and items of them."""
    if isinstance(value, (ast.Attribute, ast.Subscript)):
        index = value.slice if isinstance(value, ast.Subscript) else ast.Constant(value=0)
        return is_simple(value.value) and (is_simple(index) or _is_step(index))
    return isinstance(value, (ast.Name, ast.Constant)) or _is_step(value)


def _is_step(value: ast.expr) -> bool:
    """Whether it is like ``i + 1``."""
    return isinstance(value, ast.BinOp) and all(
        isinstance(each, (ast.Name, ast.Constant)) for each in (value.left, value.right)
    )


class _Filler(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self._values.get(node.id)
        return node if value is None or not isinstance(node.ctx, ast.Load) else copy.deepcopy(value)


def with_result(body: Sequence[ast.stmt], result: str) -> list[ast.stmt] | None:
    """A function's body as statements that leave what it returns in a variable.

    A ``return`` in a loop becomes an assignment and a ``break``, and what follows the loop its ``else``.
    None where that cannot be done: a ``return`` in a loop within a loop, or one loop after another.
    """
    if not body:
        return [_assign(result, ast.Constant(value=None))]
    first, rest = body[0], body[1:]
    if isinstance(first, ast.Return):
        return [_assign(result, first.value or ast.Constant(value=None))]
    if not _returns(first):
        after = with_result(rest, result)
        return None if after is None else [first, *after]
    if isinstance(first, ast.If):
        then = with_result([*first.body, *([] if _ends(first.body) else rest)], result)
        other = with_result([*first.orelse, *([] if _ends(first.orelse) else rest)], result)
        return None if then is None or other is None else [ast.If(test=first.test, body=then, orelse=other)]
    if isinstance(first, (ast.For, ast.While)) and not first.orelse:
        return _with_result_loop(first, rest, result)
    return None


def _with_result_loop(
    loop: ast.For | ast.While, rest: Sequence[ast.stmt], result: str
) -> list[ast.stmt] | None:
    inner = (n for n in ast.walk(loop) if n is not loop and isinstance(n, (ast.For, ast.While, ast.Break)))
    after = with_result(rest, result)
    if after is None or any(isinstance(n, ast.Break) or _returns(n) for n in inner):
        return None
    loop.body = _breaking(loop.body, result)
    loop.orelse = after
    return [loop]


def _breaking(body: Sequence[ast.stmt], result: str) -> list[ast.stmt]:
    made: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.Return):
            return [*made, _assign(result, statement.value or ast.Constant(value=None)), ast.Break()]
        if isinstance(statement, ast.If):
            statement.body = _breaking(statement.body, result)
            statement.orelse = _breaking(statement.orelse, result)
        made.append(statement)
    return made


def _returns(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Return) for each in ast.walk(node))


def _ends(block: Sequence[ast.stmt]) -> bool:
    """Whether nothing after a block runs."""
    if not block:
        return False
    last = block[-1]
    if isinstance(last, ast.If):
        return _ends(last.body) and _ends(last.orelse)
    return isinstance(last, (ast.Return, ast.Raise))


def _assign(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=value)


def unused(stem: str, taken: Collection[str]) -> str:
    """``stem``, or ``stem_2``, and so on: the first that is not taken."""
    names = (stem if i == 1 else f"{stem}_{i}" for i in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
