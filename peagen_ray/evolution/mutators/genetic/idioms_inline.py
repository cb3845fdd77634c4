"""Helper functions written out where they are called: no call, and the patterns in them come to light."""

from __future__ import annotations

import ast
import copy

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator, stored
from peagen_ray.evolution.mutators.genetic.hoisting import Comprehension
from peagen_ray.evolution.mutators.genetic.inlining import (
    Helper,
    as_expression,
    calls_of,
    filled_in,
    helpers,
    is_simple,
    unused,
    with_result,
)
from peagen_ray.evolution.mutators.genetic.nodes import names_in
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

_MOST_CALLS = 20


class InlineExpression(Edit[Helper]):
    """A helper that only returns an expression is written out in every expression that calls it."""

    NAME = "inline-expression"
    WEIGHT = 1.5

    def sites(self, draft: Draft) -> list[Helper]:
        """The helpers that are called."""
        return [
            helper
            for helper in helpers(draft)
            if as_expression(helper.body) is not None and any(calls_of(draft, helper))
        ]

    def edit(self, draft: Draft, site: Helper) -> bool:
        """Write it out at every call where no argument would be computed twice."""
        expression = as_expression(site.body)
        assert expression is not None
        done = False
        for _ in range(_MOST_CALLS):
            made = None
            for _, call in calls_of(draft, site):
                arguments = site.arguments(call)
                made = None if arguments is None else filled_in(expression, arguments)
                if made is not None:
                    draft.replace_expression(call, made)
                    done = True
                    break
            if made is None:
                break
        return done


class InlineBody(Edit[Helper]):
    """A helper of several statements is written out before every statement that calls it."""

    NAME = "inline-body"
    WEIGHT = 1.5

    def sites(self, draft: Draft) -> list[Helper]:
        """The helpers that are called where statements can go."""
        return [
            helper
            for helper in helpers(draft)
            if as_expression(helper.body) is None
            and with_result(copy.deepcopy(helper.body), "result") is not None
            and any(_is_open(draft, call) for _, call in calls_of(draft, helper))
        ]

    def edit(self, draft: Draft, site: Helper) -> bool:
        """Write it out."""
        done = False
        for _ in range(_MOST_CALLS):
            calls = [(caller, call) for caller, call in calls_of(draft, site) if _is_open(draft, call)]
            if not calls or not _write_out(draft, site, *calls[0]):
                break
            done = True
        return done


def _is_open(draft: Draft, call: ast.Call) -> bool:
    """Whether statements before the call's own run exactly when the call does."""
    child: ast.AST = call
    up = draft.parent(call)
    while up is not None and not isinstance(up, ast.stmt):
        if isinstance(up, (*Comprehension.__args__, ast.Lambda)):
            return False
        if isinstance(up, ast.BoolOp) and child is not up.values[0]:
            return False
        if isinstance(up, ast.IfExp) and child is not up.test:
            return False
        child, up = up, draft.parent(up)
    return not isinstance(up, ast.While)


def _write_out(draft: Draft, helper: Helper, caller: FunctionNode, call: ast.Call) -> bool:
    arguments = helper.arguments(call)
    statement = draft.statement(call)
    if arguments is None or statement is None:
        return False
    taken = names_in(caller) | {argument.arg for argument in caller.args.args}
    result = unused(f"{helper.function.name.strip('_')}_result", taken)
    body = with_result(copy.deepcopy(helper.body), result)
    if body is None:
        return False
    before, body = _bound(body, arguments, taken | {result}, result)
    if isinstance(statement, ast.Expr) and statement.value is call:
        _drop_result(body, result)
        draft.replace(statement, *before, *body)
    else:
        draft.insert_before(statement, *before, *body)
        draft.replace_expression(call, ast.Name(id=result, ctx=ast.Load()))
    return True


def _bound(
    body: list[ast.stmt], arguments: dict[str, ast.expr], taken: set[str], result: str
) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """Assignments of the arguments that need them, and the body with its names made the caller's."""
    written = {name for statement in body for name in stored(statement)} - {result}
    values: dict[str, ast.expr] = {}
    before: list[ast.stmt] = []
    names: dict[str, str] = {}
    for name in sorted(written | arguments.keys()):
        value = arguments.get(name)
        if value is not None and name not in written and is_simple(value):
            values[name] = value
            continue
        names[name] = unused(name, taken | set(names.values()))
        if value is not None:
            target = ast.Name(id=names[name], ctx=ast.Store())
            before.append(ast.Assign(targets=[target], value=copy.deepcopy(value)))
    renamer = _Renamer(names, values)
    return before, [renamer.visit(statement) for statement in body]


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: dict[str, str], values: dict[str, ast.expr]) -> None:
        self._names = names
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._values:
            return copy.deepcopy(self._values[node.id])
        node.id = self._names.get(node.id, node.id)
        return node


def _drop_result(body: list[ast.stmt], result: str) -> None:
    """Take out the assignments of a result that nobody reads."""
    for block in _blocks(body):
        kept = [statement for statement in block if not _assigns(statement, result)]
        block[:] = kept or ([ast.Pass()] if block and block is not body else [])


def _blocks(block: list[ast.stmt]) -> list[list[ast.stmt]]:
    found = [block]
    for statement in block:
        for name in ("body", "orelse"):
            inner = getattr(statement, name, None)
            if isinstance(inner, list):
                found += _blocks(inner)
    return found


def _assigns(statement: ast.stmt, name: str) -> bool:
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return False
    return statement.targets[0].id == name and not any(
        isinstance(n, ast.Call) for n in ast.walk(statement.value)
    )


OPERATORS: tuple[Operator, ...] = (InlineExpression(), InlineBody())
