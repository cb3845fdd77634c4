"""Inner loops: which items they go through, and what of that changes in the rounds of an outer loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import every, stored
from peagen_ray.evolution.mutators.genetic.canonical.changes import is_changed, resized
from peagen_ray.evolution.mutators.genetic.canonical.expressions import signed_terms
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.trees import call, clone, walk_block
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, names_in, overlap, place

Loop = ast.For | ast.While


@dataclass(frozen=True)
class Span:
    """Which items an inner loop goes through.

    Attributes:
        source: what holds them, for a loop over items; None for one over a range.
        start: where the range begins; None when it begins at a place that stays the same.
        stop: where it ends; None when that stays the same.
        base: where a table of them begins.
        end: where the range ends, or how long the source is.
        grows: whether the table of them is filled as far as is needed, rather than once.
    """

    source: ast.expr | None
    start: ast.expr | None
    stop: ast.expr | None
    base: ast.expr
    end: ast.expr
    grows: bool

    @property
    def items(self) -> ast.expr:
        """The source, or the whole range, as an expression."""
        if self.source is not None:
            return clone(self.source)
        return call("range", clone(self.base), clone(self.end))


def span_of(loop: ast.For, outer: Loop) -> Span | None:
    """Which items an inner loop goes through; None where an outer loop changes them in other ways than growing."""
    if is_call(loop.iter, "range"):
        args = loop.iter.args if isinstance(loop.iter, ast.Call) else []
        if len(args) != 2:
            return None
        start, stop = (None if is_fixed(a, outer) else clone(a) for a in args)
        base = clone(args[0]) if start is None else ast.Constant(value=0)
        return Span(None, start, stop, base, clone(args[1]), grows=stop is not None)
    fixed = is_fixed(loop.iter, outer)
    if fixed or (place(loop.iter) and _only_grows(loop.iter, outer)):
        length = call("len", clone(loop.iter))
        return Span(clone(loop.iter), None, None, ast.Constant(value=0), length, grows=not fixed)
    return None


def bound_in(outer: Loop) -> set[str]:
    """Names that a loop binds in each round."""
    bound = {n for s in outer.body for n in stored(s)}
    return bound | (stored(outer.target) if isinstance(outer, ast.For) else set())


def is_fixed(node: ast.expr, outer: Loop) -> bool:
    """Whether an expression means the same in every round of a loop."""
    return not names_in(node) & bound_in(outer) and not is_changed(node, outer.body)


def _only_grows(source: ast.expr, outer: Loop) -> bool:
    """Whether all that a loop does to the length of a list is to append."""
    if names_in(source) & bound_in(outer):
        return False
    for statement in walk_block(outer.body):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            func = statement.value.func
            if isinstance(func, ast.Attribute) and func.attr == "append" and equal(func.value, source):
                continue
        simple = not isinstance(statement, (ast.For, ast.While, ast.If, ast.With, ast.Try))
        if simple and _is_stored_into(source, statement):
            return False
        if simple and any(overlap(place(source), p) for p in resized(statement)):
            return False
    return True


def _is_stored_into(source: ast.expr, statement: ast.stmt) -> bool:
    """Whether a statement puts other items into a list."""
    return any(
        isinstance(n, ast.Subscript) and not isinstance(n.ctx, ast.Load) and equal(n.value, source)
        for n in every(statement)
    )


def ascends(stop: ast.expr, outer: Loop) -> bool:
    """Whether an expression is larger, or the same, in each round of an outer loop, as far as can be seen."""
    if is_call(stop, "len", 1):
        return True
    if not isinstance(outer, ast.For) or not is_call(outer.iter, "range", 2):
        return False
    terms = [(s, t) for s, t in signed_terms(stop, 1) if names_in(t)]
    plain = all(isinstance(t, ast.Name) and s > 0 for s, t in terms)
    return plain and bound_in(outer) & names_in(stop) == names_in(outer.target)


def homes(form: Form, loop: ast.For) -> Iterator[tuple[Loop, Span]]:
    """The loops around an inner loop, from the outside in, in which its items stay the same or grow."""
    if loop.orelse or _is_short(loop.iter):
        return
    for outer in reversed(form.loops_around(loop)):
        span = span_of(loop, outer)
        if span is not None:
            yield outer, span


def _is_short(source: ast.expr) -> bool:
    """Whether what a loop goes through is written out in the program."""
    if isinstance(source, ast.Call) and is_call(source, "range"):
        return all(isinstance(a, ast.Constant) for a in source.args)
    return isinstance(source, (ast.Tuple, ast.List, ast.Set, ast.Constant))
