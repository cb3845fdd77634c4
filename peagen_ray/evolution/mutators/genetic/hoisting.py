"""Where something that a loop computes again and again can be computed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, stored
from peagen_ray.evolution.mutators.genetic.nodes import is_invariant, places

Loop = ast.For | ast.AsyncFor | ast.While
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def loops_around(draft: Draft, node: ast.AST) -> Iterator[ast.For | ast.AsyncFor | ast.While]:
    """The loops of a function that evaluate ``node`` once a round, from the innermost outwards."""
    child, up = node, draft.parent(node)
    while up is not None and not isinstance(up, (FunctionNode, ast.Lambda, ast.ClassDef)):
        if isinstance(up, Loop) and _in_round(up, child):
            yield up
        child, up = up, draft.parent(up)


def _in_round(loop: ast.For | ast.AsyncFor | ast.While, child: ast.AST) -> bool:
    """Whether a direct child of a loop is evaluated in every round: its body, or the test of ``while``."""
    if isinstance(loop, ast.While) and child is loop.test:
        return True
    return any(child is statement for statement in loop.body)


def hoist_point(draft: Draft, node: ast.expr | ast.stmt, expression: ast.expr) -> ast.stmt | None:
    """The statement before which ``expression``, wanted at ``node``, can be computed once for many rounds.

    It is the outermost loop that leaves alone what the expression mentions, or else the statement around a
    comprehension that does. None where there is no such thing.
    """
    best: ast.stmt | None = None
    if inner_names(draft, node) & {place.split(".")[0] for place in places(expression)}:
        return None
    if _is_comprehended(draft, node):
        best = draft.statement(node)
    for loop in loops_around(draft, node):
        if not is_invariant(expression, loop):
            break
        best = loop
    return best


def inner_names(draft: Draft, node: ast.AST) -> set[str]:
    """Names that comprehensions and lambdas around ``node`` bind."""
    names: set[str] = set()
    up = draft.parent(node)
    while up is not None and not isinstance(up, ast.stmt):
        if isinstance(up, Comprehension):
            names |= {name for clause in up.generators for name in stored(clause.target)}
        elif isinstance(up, ast.Lambda):
            names |= {arg.arg for arg in up.args.args}
        up = draft.parent(up)
    return names


def _is_comprehended(draft: Draft, node: ast.AST) -> bool:
    """Whether a comprehension evaluates ``node`` once a round: anything but its first source is."""
    child, up = node, draft.parent(node)
    while up is not None and not isinstance(up, ast.stmt):
        if isinstance(up, Comprehension) and child is not up.generators[0]:
            return True
        if isinstance(up, ast.comprehension) and child is not up.iter:
            return True
        child, up = up, draft.parent(up)
    return False
