"""Small functions of the same file, written where they are called."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from peagen_ray.evolution.mutators.genetic.base import FunctionNode, every, loaded, stored
from peagen_ray.evolution.mutators.genetic.canonical.expressions import normalised
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.trees import (
    Scope,
    assign,
    blocks,
    clone,
    ends,
    expressions_of,
    name,
    rebuilt,
    renamed,
    substituted,
    walk_block,
)
from peagen_ray.evolution.mutators.genetic.nodes import is_pure, names_in

MOST_STATEMENTS = 30
"""Longer functions are left alone."""

Helpers = Callable[[ast.Call], Form | None]
"""The form of the function that a call calls, if it is one that may be written in its place."""


def inlined(form: Form, block: Sequence[ast.stmt], helpers: Helpers) -> list[ast.stmt]:
    """A block with calls of small functions replaced by what they do."""
    out: list[ast.stmt] = []
    for statement in block:
        _inline_values(statement, helpers)
        new = _inlined(form, statement, helpers)
        out.extend(form.derive([statement], new) if new is not None else [statement])
    return out


def _inline_values(statement: ast.stmt, helpers: Helpers) -> None:
    """Put the value in the place of a call of a function that only computes one."""

    def visit(node: ast.AST) -> ast.AST | None:
        if isinstance(node, ast.stmt) or not isinstance(node, ast.Call):
            return None
        helper = helpers(node)
        value = _only_value(helper) if helper is not None else None
        if helper is None or value is None:
            return None
        given = _arguments(helper.function, node)
        return None if given is None else normalised(substituted(value, given))

    for field, value in expressions_of(statement):
        if any(isinstance(n, ast.Call) and helpers(n) is not None for n in every(value)):
            setattr(statement, field, rebuilt(value, visit))


def _only_value(helper: Form) -> ast.expr | None:
    body = helper.solid(helper.body)
    if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
        return body[0].value if is_pure(body[0].value) else None
    return None


def _inlined(form: Form, statement: ast.stmt, helpers: Helpers) -> list[ast.stmt] | None:
    """What a statement becomes that calls a function as its whole value; None when it stays."""
    value = getattr(statement, "value", None)
    if not isinstance(value, ast.Call) or not isinstance(statement, (ast.Assign, ast.Return, ast.Expr)):
        return _hoisted(form, statement, helpers)
    helper = helpers(value)
    if helper is None or not _is_inlinable(helper):
        return _hoisted(form, statement, helpers)
    given = _arguments(helper.function, value)
    if given is None:
        return None
    if isinstance(statement, ast.Return):
        return _body(form, helper, given)
    body = _body(form, helper, given)
    to = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if to is None and not any(isinstance(s, ast.Return) for s in walk_block(body)):
        return body
    if to is not None and not isinstance(to, ast.Name):
        return None
    result = to.id if isinstance(to, ast.Name) else form.names.fresh("result")
    if result in names_in(value) or result in {n for s in body for n in names_in(s)}:
        return None
    return _assigned(body, result)


def _hoisted(form: Form, statement: ast.stmt, helpers: Helpers) -> list[ast.stmt] | None:
    """A call within a condition, a value or what a loop goes through, evaluated first, put before it."""
    field = {ast.If: "test", ast.For: "iter"}.get(type(statement), "value")
    root = getattr(statement, field, None)
    simple = isinstance(statement, (ast.If, ast.For, ast.Assign, ast.AugAssign, ast.Expr, ast.Return))
    if not simple or not isinstance(root, ast.expr):
        return None
    for call in _first_calls(root):
        helper = helpers(call)
        if helper is None or (call is root and field == "value") or not _is_inlinable(helper):
            continue
        given = _arguments(helper.function, call)
        if given is None:
            continue
        result = form.names.fresh("result")
        made = _assigned(_body(form, helper, given), result)
        if made is not None:
            setattr(statement, field, rebuilt(root, lambda n: name(result) if n is call else None))  # noqa: B023
            return [*made, statement]
    return None


def _first_calls(node: ast.expr) -> Iterator[ast.Call]:
    """Calls that are evaluated whatever happens."""
    if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return
    children: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.BoolOp):
        children = [node.values[0]]
    elif isinstance(node, ast.IfExp):
        children = [node.test]
    for child in children:
        if isinstance(child, ast.expr):
            yield from _first_calls(child)
    if isinstance(node, ast.Call):
        yield node


def _is_inlinable(helper: Form) -> bool:
    inside = list(walk_block(helper.body))
    if len(inside) > MOST_STATEMENTS:
        return False
    if any(isinstance(s, (*Scope, ast.Global, ast.Nonlocal, ast.Try, ast.With)) for s in inside):
        return False
    nodes = (n for s in helper.body for n in every(s))
    return not any(isinstance(n, (ast.Yield, ast.YieldFrom, ast.Await)) for n in nodes)


def _arguments(function: FunctionNode, call: ast.Call) -> dict[str, ast.expr] | None:
    """What each parameter is given; None for a call or a function that is not plain."""
    args = function.args
    if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs or function.decorator_list:
        return None
    names = [a.arg for a in args.args]
    values = list(call.args)
    if isinstance(call.func, ast.Attribute):
        values.insert(0, call.func.value)
    if any(isinstance(v, ast.Starred) for v in values) or any(k.arg is None for k in call.keywords):
        return None
    given = dict(zip(names, values, strict=False))
    given |= {cast("str", k.arg): k.value for k in call.keywords}
    defaults = names[len(names) - len(args.defaults) :]
    for parameter, default in zip(defaults, args.defaults, strict=True):
        given.setdefault(parameter, clone(default))
    return given if set(given) == set(names) and len(values) <= len(names) else None


def _body(form: Form, helper: Form, given: Mapping[str, ast.expr]) -> list[ast.stmt]:
    """A copy of a function's body for these arguments, its own variables called like nothing else."""
    written = set().union(*(stored(s) for s in helper.body))
    prelude: list[ast.stmt] = []
    names: dict[str, str] = {}
    values: dict[str, ast.expr] = {}
    taken = (
        {n for v in given.values() for n in names_in(v)} | names_in(form.function) | set(_args(form.function))
    )
    for own in sorted(written - set(given)):
        if own in taken:
            names[own] = form.names.fresh(own)
    for parameter, value in given.items():
        if parameter in written:
            names[parameter] = form.names.fresh(parameter)
            prelude.append(assign(names[parameter], clone(value)))
        elif isinstance(value, ast.Name) or _is_plain(value):
            values[parameter] = value
        else:
            made = form.names.fresh(parameter)
            prelude.append(assign(made, clone(value)))
            values[parameter] = name(made)
    copies = [renamed(clone(s), names) for s in helper.solid(helper.body)]
    _without_ghosts(helper, helper.solid(helper.body), copies)
    for statement in walk_block(copies):
        for field, expression in ast.iter_fields(statement):
            if isinstance(expression, ast.expr):
                setattr(statement, field, normalised(substituted(expression, values)))
            elif isinstance(expression, list):
                expression[:] = [substituted(e, values) if isinstance(e, ast.expr) else e for e in expression]
    return [*prelude, *copies]


def _args(function: FunctionNode) -> list[str]:
    return [a.arg for a in function.args.args]


def _without_ghosts(helper: Form, old: Sequence[ast.stmt], new: Sequence[ast.stmt]) -> None:
    for a, b in zip(old, new, strict=True):
        for olds, news in zip(blocks(a), blocks(b), strict=True):
            _without_ghosts(helper, olds, news)
            solid = [n for o, n in zip(olds, news, strict=True) if o not in helper.ghosts]
            news[:] = solid or ([ast.Pass()] if news else [])


def _is_plain(value: ast.expr) -> bool:
    if isinstance(value, ast.Attribute):
        return _is_plain(value.value)
    return isinstance(value, (ast.Constant, ast.Name))


def _assigned(block: list[ast.stmt], result: str) -> list[ast.stmt] | None:
    """A function's body with ``result = …`` for each ``return``; None where that cannot be said."""
    for index, statement in enumerate(block):
        if isinstance(statement, ast.Return):
            return [*block[:index], assign(result, statement.value or ast.Constant(value=None))]
        if not any(isinstance(s, ast.Return) for s in walk_block([statement])):
            continue
        before, rest = block[:index], block[index + 1 :]
        if isinstance(statement, ast.If):
            return _branched(before, statement, rest, result)
        if isinstance(statement, (ast.For, ast.While)) and not statement.orelse:
            return _broken_off(before, statement, rest, result)
        return None
    return [*block, assign(result, ast.Constant(value=None))]


def _branched(
    before: list[ast.stmt], node: ast.If, rest: list[ast.stmt], result: str
) -> list[ast.stmt] | None:
    body = _assigned(node.body if ends(node.body) else [*node.body, *map(clone, rest)], result)
    orelse = _assigned([*node.orelse, *rest], result)
    if body is None or orelse is None:
        return None
    return [*before, ast.If(test=node.test, body=body, orelse=orelse)]


def _broken_off(
    before: list[ast.stmt], loop: ast.For | ast.While, rest: list[ast.stmt], result: str
) -> list[ast.stmt] | None:
    """``result = c`` and a loop with ``result = e; break``, for one with ``return e`` and then ``return c``."""
    other: ast.expr = ast.Constant(value=None)
    if rest:
        last = rest[0]
        if (
            len(rest) > 1
            or not isinstance(last, ast.Return)
            or not isinstance(last.value, (ast.Constant, ast.UnaryOp))
        ):
            return None
        other = last.value
    inner = [s for s in walk_block(loop.body) if isinstance(s, (ast.For, ast.While))]
    if any(isinstance(s, ast.Return) for deeper in inner for s in walk_block([deeper])):
        return None
    _break_at_returns(loop.body, result)
    return [*before, assign(result, other), loop]


def _break_at_returns(block: list[ast.stmt], result: str) -> None:
    for statement in list(block):
        if isinstance(statement, ast.Return):
            value = statement.value or ast.Constant(value=None)
            at = block.index(statement)
            block[at:] = [assign(result, value), ast.Break()]
        for inner in blocks(statement):
            _break_at_returns(inner, result)


def calls(function: FunctionNode) -> set[str]:
    """Names of the functions that a function calls or mentions."""
    return {n for s in function.body for n in loaded(s)} | {
        n.attr for s in function.body for n in every(s) if isinstance(n, ast.Attribute)
    }
