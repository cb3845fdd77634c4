"""Sums as signed terms: solving an equality for the part that some variables are in."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from peagen_ray.evolution.mutators.genetic.nodes import names_in

Term = tuple[int, ast.expr]


def isolated(test: ast.expr, names: set[str]) -> tuple[ast.expr, ast.expr] | None:
    """Two expressions that are equal where ``test`` holds: one of ``names``, and one without them.

    Of ``a + x == t`` with ``x`` it is ``x`` and ``t - a``; of ``(a + x) % k == 0`` it is ``x % k`` and
    ``-a % k``. None when the test is no such equality. The first may mention other variables too.
    """
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return None
    left, right = test.left, test.comparators[0]
    if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mod) and not names_in(left.right) & names:
        parts = _solved([*terms(left.left), *_negative(terms(right))], names)
        if parts is not None and not names_in(right) & names:
            return _modulo(parts[0], left.right), _modulo(parts[1], left.right)
    return _solved([*terms(left), *_negative(terms(right))], names)


def terms(node: ast.expr, sign: int = 1) -> list[Term]:
    """The terms of a sum with their signs; the integer 0 has none."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        other = sign if isinstance(node.op, ast.Add) else -sign
        return [*terms(node.left, sign), *terms(node.right, other)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return terms(node.operand, -sign)
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value == 0:
        return []
    return [(sign, node)]


def summed(parts: Sequence[Term]) -> ast.expr:
    """The sum of terms as an expression, a positive one first where there is one."""
    ordered = sorted(parts, key=lambda term: -term[0])
    if not ordered:
        return ast.Constant(value=0)
    sign, total = ordered[0]
    if sign < 0:
        total = ast.UnaryOp(op=ast.USub(), operand=total)
    for each, term in ordered[1:]:
        total = ast.BinOp(left=total, op=ast.Add() if each > 0 else ast.Sub(), right=term)
    return total


def _negative(parts: Sequence[Term]) -> list[Term]:
    return [(-sign, term) for sign, term in parts]


def _solved(parts: Sequence[Term], names: set[str]) -> tuple[ast.expr, ast.expr] | None:
    """Of terms that add up to zero: the sum of those with ``names``, and what it must be."""
    inner = [term for term in parts if names_in(term[1]) & names]
    outer = [term for term in parts if not names_in(term[1]) & names]
    if not inner:
        return None
    if inner[0][0] < 0:
        return summed(_negative(inner)), summed(outer)
    return summed(inner), summed(_negative(outer))


def _modulo(node: ast.expr, modulus: ast.expr) -> ast.expr:
    return ast.BinOp(left=node, op=ast.Mod(), right=modulus)
