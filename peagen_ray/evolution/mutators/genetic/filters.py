"""Loops that act only where a condition holds, and the look-up that stands for the waiting."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from peagen_ray.evolution.mutators.genetic.base import parse_expression
from peagen_ray.evolution.mutators.genetic.nodes import conjuncts, without_guard


def tests_of(loop: ast.For) -> list[ast.expr]:
    """What must hold before a loop's body does anything."""
    body = without_guard(loop.body)
    tests: list[ast.expr] = []
    while len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse:
        tests += conjuncts(body[0].test)
        body = body[0].body
    return tests


def body_of(loop: ast.For) -> list[ast.stmt]:
    """What a loop does where all of :func:`tests_of` holds."""
    body = without_guard(loop.body)
    while len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse:
        body = body[0].body
    return list(body)


def all_of(tests: Sequence[ast.expr]) -> ast.expr:
    """The conjunction of conditions, of which there is at least one."""
    return tests[0] if len(tests) == 1 else ast.BoolOp(op=ast.And(), values=list(tests))


def narrowed(loop: ast.For, tests: Sequence[ast.expr]) -> list[ast.stmt]:
    """The body of a loop of whose conditions only ``tests`` are left to be asked."""
    body = body_of(loop)
    return [ast.If(test=all_of(tests), body=body, orelse=[])] if tests else body


def look_up(groups: str, key: ast.expr) -> ast.expr:
    """``groups.get(key, ())``, where the groups are a variable or an attribute."""
    call = parse_expression(f"{groups}.get(None, ())")
    assert isinstance(call, ast.Call)
    call.args[0] = copy.deepcopy(key)
    return call
