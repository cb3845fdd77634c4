"""Atoms: a quick look at whether a pattern can fit a function at all.

What a pattern is made of must be there, in any of the ways to write it that the matcher knows: most patterns
have nothing to look for in most functions, and this tells so in a microsecond.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from peagen_ray.evolution.mutators.genetic.base import every

Atom = str | type[ast.AST]

_KINDS: dict[type[ast.AST], str] = {
    ast.Lt: "order",
    ast.LtE: "order",
    ast.Gt: "order",
    ast.GtE: "order",
    ast.Eq: "equality",
    ast.NotEq: "equality",
    ast.Is: "identity",
    ast.IsNot: "identity",
    ast.In: "membership",
    ast.NotIn: "membership",
}
"""Comparisons that may stand for each other: mirrored, or negated with the branches exchanged."""

_FREE = frozenset(
    {
        ast.Assign, ast.AnnAssign, ast.AugAssign, ast.BinOp, ast.BoolOp, ast.And, ast.UnaryOp, ast.Not,
        ast.Constant, ast.Continue, ast.Pass, ast.Expr, ast.Load, ast.Store, ast.arguments, ast.arg,
        ast.Module,
    }
)  # fmt: skip
"""What the matcher sees in other code too, or what says nothing."""


def atoms_of(nodes: Iterable[ast.AST], *, is_pattern: bool = False) -> frozenset[Atom]:
    """What code is made of: types of nodes, names, attributes.

    Args:
        nodes: statements or expressions, looked at with everything within them.
        is_pattern: names in capitals stand for something else, so they do not count.
    """
    found: set[Atom] = set()
    for node in (inner for each in nodes for inner in every(each)):
        if isinstance(node, ast.Name):
            if not (is_pattern and node.id.isupper()):
                found.add(node.id)
            continue
        if isinstance(node, ast.Attribute):
            found.add(f".{node.attr}")
        cls = type(node)
        if cls not in _FREE:
            found.add(_KINDS.get(cls, cls))
    return frozenset(found)
