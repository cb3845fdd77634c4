"""Loops that accumulate several things at once: each gets its builtin."""

from __future__ import annotations

import ast
import random
from collections.abc import Sequence
from typing import ClassVar, cast

from peagen_ray.evolution.mutators.genetic.base import (
    Draft,
    Operator,
    loaded,
    parse_statements,
    statements,
    stored,
)


class SplitSums(Operator):
    """``for x in xs: total += x; count += 1`` → ``total += sum(xs)`` and ``count += len(xs)``.

    For a loop of nothing but two or more sums, none of which reads another, over something that can be gone
    through more than once. Sums of an expression become ``sum(e for x in xs)``.
    """

    NAME: ClassVar[str] = "split-sums"
    WEIGHT: ClassVar[float] = 1.5

    def sites(self, draft: Draft) -> Sequence[object]:
        """Loops of sums."""
        loops = [n for f in draft.functions() for n in statements(f) if isinstance(n, ast.For)]
        return [loop for loop in loops if _is_loop_of_sums(loop)]

    def apply(self, draft: Draft, site: object, rng: random.Random) -> bool:  # noqa: ARG002
        """One statement for each sum, in the place of the loop."""
        loop = cast("ast.For", site)
        pairs = [cast("tuple[str, ast.expr]", _sum_of(statement)) for statement in loop.body]
        draft.replace(loop, *(_summed(loop, target, value) for target, value in pairs))
        return True


OPERATORS: tuple[Operator, ...] = (SplitSums(),)


def _is_loop_of_sums(loop: ast.For) -> bool:
    sums = [_sum_of(statement) for statement in loop.body]
    if len(sums) < 2 or None in sums or loop.orelse or not isinstance(loop.iter, ast.Name | ast.Attribute):
        return False
    targets = [found[0] for found in sums if found]
    read = set().union(*(loaded(found[1]) for found in sums if found)) | loaded(loop.iter)
    return len(set(targets)) == len(targets) and not read & set(targets)


def _sum_of(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """The variable and what is added to it, of ``a += e`` and ``a = a + e``."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
        return (statement.target.id, statement.value) if isinstance(statement.target, ast.Name) else None
    if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.BinOp)):
        return None
    (target, *more), value = statement.targets, statement.value
    if more or not isinstance(target, ast.Name) or not isinstance(value.op, ast.Add):
        return None
    is_own = isinstance(value.left, ast.Name) and value.left.id == target.id
    return (target.id, value.right) if is_own else None


def _summed(loop: ast.For, target: str, value: ast.expr) -> ast.stmt:
    over, item = ast.unparse(loop.iter), ast.unparse(loop.target)
    text = ast.unparse(value)
    if isinstance(value, ast.Constant) and value.value == 1:
        added = f"len({over})"
    elif not loaded(value) & stored(loop.target):
        added = f"len({over}) * ({text})"
    elif text == item:
        added = f"sum({over})"
    else:
        added = f"sum({text} for {item} in {over})"
    return parse_statements(f"{target} += {added}")[0]
