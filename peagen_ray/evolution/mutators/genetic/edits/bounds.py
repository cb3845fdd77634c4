"""Edits of the bounds of loops: fewer rounds."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator
from typing import ClassVar

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, parse_expression
from peagen_ray.evolution.mutators.genetic.edits.base import LOOPS, GeneralEdit, readable
from peagen_ray.evolution.mutators.genetic.nodes import is_call, is_constant


class ShortenRange(GeneralEdit[ast.Call]):
    """A ``range`` starts one later or stops one earlier."""

    NAME = "shorten-range"

    def sites(self, draft: Draft) -> list[ast.Call]:
        """Every ``range``."""
        return list(_ranges(draft))

    def edit(self, draft: Draft, site: ast.Call, rng: random.Random) -> bool:
        """Take a round from one end."""
        start, stop, *step = site.args if len(site.args) > 1 else [ast.Constant(value=0), *site.args]
        if rng.random() < 0.5:
            start = _plus(start, 1)
        else:
            stop = _plus(stop, -1)
        site.args = [stop] if is_constant(start, 0) and not step else [start, stop, *step]
        draft.touched()
        return True


class RangeAfterOuter(GeneralEdit[tuple[ast.Call, str]]):
    """The ``range`` of an inner loop starts where the outer loop is, or ends there."""

    NAME = "range-after-outer"
    WEIGHT: ClassVar[float] = 0.4

    def sites(self, draft: Draft) -> list[tuple[ast.Call, str]]:
        """Every ``range`` of a loop within another, with the outer loop's variable."""
        return [(node, name) for node in _ranges(draft) for name in _outer_variables(draft, node)]

    def edit(self, draft: Draft, site: tuple[ast.Call, str], rng: random.Random) -> bool:
        """From after the outer variable, from it, up to it, or as many rounds fewer."""
        node, name = site
        start, stop, *step = node.args if len(node.args) > 1 else [ast.Constant(value=0), *node.args]
        outer = ast.Name(id=name, ctx=ast.Load())
        fewer = ast.BinOp(left=stop, op=ast.Sub(), right=outer)
        ends: list[list[ast.expr]] = [[_plus(outer, 1), stop], [outer, stop], [start, outer], [start, fewer]]
        node.args = [*rng.choice(ends), *step]
        if len(node.args) == 2 and is_constant(node.args[0], 0):
            node.args = node.args[1:]
        draft.touched()
        return True


class RangeToRoot(GeneralEdit[ast.Call]):
    """A ``range`` goes up to the square root of where it stopped, or to its half."""

    NAME = "range-to-root"

    def sites(self, draft: Draft) -> list[ast.Call]:
        """Every ``range`` without a step."""
        return [node for node in _ranges(draft) if len(node.args) < 3]

    def edit(self, draft: Draft, site: ast.Call, rng: random.Random) -> bool:
        """Replace the stop."""
        stop = site.args[-1]
        stop = _plus(stop, -1) if isinstance(stop, ast.BinOp) and is_constant(stop.right, 1) else stop
        if rng.random() < 0.7:
            draft.ensure_import("import math")
            made: ast.expr = parse_expression("math.isqrt(stop) + 1")
            assert isinstance(made, ast.BinOp)
            assert isinstance(made.left, ast.Call)
            made.left.args = [stop]
        else:
            made = _plus(ast.BinOp(left=stop, op=ast.FloorDiv(), right=ast.Constant(value=2)), 1)
        site.args[-1] = made
        draft.touched()
        return True


def _ranges(draft: Draft) -> Iterator[ast.Call]:
    for node in readable(draft):
        if isinstance(node, ast.Call) and node.args and is_call(node, "range") and not node.keywords:
            yield node


def _outer_variables(draft: Draft, node: ast.AST) -> Iterator[str]:
    child, up = node, draft.parent(node)
    while up is not None and not isinstance(up, ast.FunctionDef):
        if isinstance(up, LOOPS) and not isinstance(up, ast.While) and child is not up.iter:
            yield from (n.id for n in ast.walk(up.target) if isinstance(n, ast.Name))
        child, up = up, draft.parent(up)


def _plus(node: ast.expr, number: int) -> ast.expr:
    """``node + number``, shortened where a number is at its end already."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return ast.Constant(value=node.value + number)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        right = node.right
        if isinstance(right, ast.Constant) and type(right.value) is int:
            total = (right.value if isinstance(node.op, ast.Add) else -right.value) + number
            return _plus(node.left, total) if total else copy.deepcopy(node.left)
    op = ast.Add() if number > 0 else ast.Sub()
    return ast.BinOp(left=copy.deepcopy(node), op=op, right=ast.Constant(value=abs(number)))


OPERATORS: tuple[Operator, ...] = (ShortenRange(), RangeAfterOuter(), RangeToRoot())
