"""Copying and substituting in syntax trees, faster than the standard library's ways."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from peagen_ray.evolution.mutators.genetic.base import FunctionNode, every

_N = TypeVar("_N", bound=ast.AST)

LOAD = ast.Load()
STORE = ast.Store()
Scope = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
Simple = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return)


def name(identifier: str) -> ast.Name:
    """A reading of a name."""
    return ast.Name(id=identifier, ctx=LOAD)


def target(identifier: str) -> ast.Name:
    """A name that is written to."""
    return ast.Name(id=identifier, ctx=STORE)


def call(function: str, *args: ast.expr) -> ast.Call:
    """A call of a function by its name."""
    return ast.Call(func=name(function), args=list(args), keywords=[])


def assign(identifier: str, value: ast.expr) -> ast.Assign:
    """``identifier = value``."""
    return ast.Assign(targets=[target(identifier)], value=value)


def item(sequence: ast.expr, index: ast.expr) -> ast.Subscript:
    """``sequence[index]``."""
    return ast.Subscript(value=sequence, slice=index, ctx=LOAD)


def clone(node: _N) -> _N:
    """A deep copy without positions."""
    return cast("_N", _rebuilt(node, _same))


def substituted(node: _N, values: Mapping[str, ast.expr]) -> _N:
    """A copy in which readings of some names are replaced; what they are bound to within is not looked at."""

    def visit(each: ast.AST) -> ast.AST | None:
        if isinstance(each, ast.Name) and each.id in values and isinstance(each.ctx, ast.Load):
            return clone(values[each.id])
        return None

    return cast("_N", _rebuilt(node, visit))


def renamed(node: _N, names: Mapping[str, str]) -> _N:
    """A copy in which names are replaced wherever they are read, written or declared."""

    def visit(each: ast.AST) -> ast.AST | None:
        if isinstance(each, ast.Name) and each.id in names:
            return ast.Name(id=names[each.id], ctx=each.ctx)
        return None

    made = _rebuilt(node, visit)
    for each in every(made):
        if isinstance(each, ast.ExceptHandler) and each.name is not None and each.name in names:
            each.name = names[each.name]
    return cast("_N", made)


def rebuilt(node: _N, visit: Callable[[ast.AST], ast.AST | None]) -> _N:
    """A copy in which ``visit`` may put something else in the place of a node, asked from the top down."""
    return cast("_N", _rebuilt(node, visit))


def _same(node: ast.AST) -> ast.AST | None:
    del node
    return None


def _rebuilt(node: ast.AST, visit: Callable[[ast.AST], ast.AST | None]) -> ast.AST:
    other = visit(node)
    if other is not None:
        return other
    fields: dict[str, object] = {}
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, ast.expr_context):
            fields[field] = value
        elif isinstance(value, ast.AST):
            fields[field] = _rebuilt(value, visit)
        elif isinstance(value, list):
            fields[field] = [_rebuilt(v, visit) if isinstance(v, ast.AST) else v for v in value]
        elif value is not None or field == "value":
            fields[field] = value
    return type(node)(**fields)


def expressions_of(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """The expressions that a statement holds directly, those of its blocks left out, by field."""
    for field, value in ast.iter_fields(statement):
        if isinstance(value, ast.expr):
            yield field, value


def walk_block(block: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement within a block, functions and classes within it not entered."""
    for statement in block:
        yield statement
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for inner in blocks(statement):
                yield from walk_block(inner)


def blocks(statement: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements that a statement holds, empty ones too."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(statement, field, None)
        if isinstance(block, list):
            yield block
    for part in [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]:
        yield part.body


def leaves_loop(block: Sequence[ast.stmt], kind: type[ast.stmt]) -> bool:
    """Whether a block holds a ``break`` (or ``continue``) of the loop around it."""
    for statement in block:
        if isinstance(statement, kind):
            return True
        if isinstance(statement, (ast.For, ast.While)):
            if leaves_loop(statement.orelse, kind):
                return True
        elif not isinstance(statement, (*Scope, ast.AsyncFor)) and any(
            leaves_loop(inner, kind) for inner in blocks(statement)
        ):
            return True
    return False


def ends(block: Sequence[ast.stmt]) -> bool:
    """Whether nothing after the block is reached."""
    if not block:
        return False
    last = block[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and ends(last.body) and ends(last.orelse)
    return isinstance(last, (ast.Return, ast.Raise, ast.Break, ast.Continue))


def parameters(function: FunctionNode) -> list[str]:
    """Names of a function's parameters, starred ones too."""
    args = function.args
    found = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return [a.arg for a in found if a is not None]
