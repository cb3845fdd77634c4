"""Computed once and kept in a local variable: invariants of loops, repeated parts, look-ups of methods."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, stored
from peagen_ray.evolution.mutators.genetic.hoisting import hoist_point, inner_names, loops_around
from peagen_ray.evolution.mutators.genetic.nodes import (
    PURE_FUNCTIONS,
    is_pure,
    mutated,
    names_in,
    overlap,
    own_blocks,
    own_nodes,
    place,
    places,
    pure_functions,
)
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

_FRESH_OBJECTS = frozenset(
    {"dict", "enumerate", "filter", "iter", "list", "map", "range", "reversed", "set", "zip"}
)
"""Calls whose result may be used up or changed, so that one cannot stand for many."""
_WORDS = {
    "len": "length",
    "sorted": "ordered",
    "str": "text",
    "sum": "total",
    "max": "highest",
    "min": "lowest",
}
"""What the result of a function is called, where there is a better word than its name."""


@dataclass(frozen=True)
class Shared:
    """An expression that is computed more often than needed.

    Attributes:
        uses: the places where it stands, all in one function.
        before: the statement before which it can be computed for all of them.
    """

    uses: tuple[ast.expr, ...]
    before: ast.stmt


class _AssignOnce(Edit[Shared]):
    """What operators have in common that assign an expression and use the variable."""

    def edit(self, draft: Draft, site: Shared) -> bool:
        """Assign it, and read the variable where it stood."""
        name = draft.fresh(word_for(site.uses[0]))
        value = copy.deepcopy(site.uses[0])
        for use in site.uses:
            draft.replace_expression(use, ast.Name(id=name, ctx=ast.Load()))
        target = ast.Name(id=name, ctx=ast.Store())
        draft.insert_before(site.before, ast.Assign(targets=[target], value=value))
        return True


class HoistInvariant(_AssignOnce):
    """What stays the same in a loop is computed before it: lengths, rows, attributes, pure calls."""

    NAME = "hoist-invariant"

    def sites(self, draft: Draft) -> list[Shared]:
        """The expressions, each with all of its uses; the larger ones before their parts."""
        found: dict[tuple[int, str], list[ast.expr]] = {}
        points: dict[int, ast.stmt] = {}
        for node in _candidates(draft):
            point = hoist_point(draft, node, node)
            if point is not None:
                points[id(point)] = point
                found.setdefault((id(point), ast.dump(node)), []).append(node)
        return [Shared(tuple(uses), points[point]) for (point, _), uses in found.items()]


def _candidates(draft: Draft) -> Iterator[ast.expr]:
    pure = pure_functions(draft)
    for function in draft.functions():
        for node in own_nodes(function):
            if _is_candidate(draft, node, pure):
                yield cast("ast.expr", node)


def _is_candidate(draft: Draft, node: ast.AST, pure: frozenset[str]) -> bool:
    if not isinstance(node, ast.expr) or not is_costly(node):
        return False
    return not _is_called(draft, node) and is_pure(node, pure)


def is_costly(node: ast.expr) -> bool:
    """Whether reading a variable is cheaper, and the value can stand for many."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        return name not in _FRESH_OBJECTS and bool(places(node) - PURE_FUNCTIONS)
    if isinstance(node, (ast.Subscript, ast.Attribute)):
        return isinstance(node.ctx, ast.Load) and bool(names_in(node))
    return isinstance(node, (ast.BinOp, ast.Compare)) and bool(names_in(node))


def _is_called(draft: Draft, node: ast.expr) -> bool:
    """Whether it is the ``f`` of ``f(x)``, or the ``xs.append`` of a call."""
    up = draft.parent(node)
    return isinstance(up, ast.Call) and up.func is node


def word_for(node: ast.expr) -> str:
    """A name for the value of an expression."""
    if isinstance(node, ast.Call):
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "value")
        return _WORDS.get(called, f"{called}_value")
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_") or "value"
    if isinstance(node, ast.Name):
        return f"local_{node.id}"
    if isinstance(node, ast.Subscript):
        return "part" if isinstance(node.slice, ast.Slice) else "row" if _is_table(node) else "item"
    return "value"


def _is_table(node: ast.Subscript) -> bool:
    return isinstance(node.value, (ast.Name, ast.Attribute)) and isinstance(node.slice, ast.Name)


class ShareValue(_AssignOnce):
    """What is computed twice in a row is computed once."""

    NAME = "share-value"

    def sites(self, draft: Draft) -> list[Shared]:
        """The repeated expressions of each block, up to where something that they mention changes."""
        keys = {
            id(node): ast.dump(node)
            for node in _candidates(draft)
            if not inner_names(draft, node) & names_in(node)
        }
        found: list[Shared] = []
        for function in draft.functions():
            for block in own_blocks(function):
                groups: dict[str, list[tuple[int, ast.expr]]] = {}
                for at, statement in enumerate(block):
                    for node in ast.walk(statement):
                        if isinstance(node, ast.expr) and id(node) in keys:
                            groups.setdefault(keys[id(node)], []).append((at, node))
                changes = [stored(statement) | mutated(statement) for statement in block] if groups else []
                for uses in (group for group in groups.values() if len(group) > 1):
                    found += _stretches(block, changes, uses)
        return found


def _stretches(
    block: Sequence[ast.stmt], changes: Sequence[set[str]], uses: Sequence[tuple[int, ast.expr]]
) -> Iterator[Shared]:
    """The runs of at least two uses within which nothing changes what they mention.

    Args:
        block: the statements.
        changes: what each of them binds or changes.
        uses: where the expression stands, with the index of the statement.
    """
    names = places(uses[0][1])
    touched = [any(overlap(a, b) for a in names for b in changed) for changed in changes]
    run: list[tuple[int, ast.expr]] = []
    for at, node in uses:
        if run and any(touched[run[-1][0] : at + 1]):
            yield from _shared(block, run)
            run = []
        if not touched[at]:
            run.append((at, node))
    yield from _shared(block, run)


def _shared(block: Sequence[ast.stmt], run: Sequence[tuple[int, ast.expr]]) -> Iterator[Shared]:
    if len(run) > 1:
        yield Shared(tuple(node for _, node in run), block[run[0][0]])


class BindLocally(_AssignOnce):
    """A method or global function that a loop calls is looked up once."""

    NAME = "bind-locally"
    WEIGHT = 0.3

    def sites(self, draft: Draft) -> list[Shared]:
        """The calls in each outermost loop, grouped by what they call."""
        found: dict[tuple[int, str], list[ast.expr]] = {}
        points: dict[int, ast.stmt] = {}
        for function in draft.functions():
            local = stored(function) | {argument.arg for argument in function.args.args}
            for node in own_nodes(function):
                called = node.func if isinstance(node, ast.Call) else None
                loops = list(loops_around(draft, node)) if called is not None else []
                if called is not None and loops and _is_steady(called, loops[-1], local):
                    points[id(loops[-1])] = loops[-1]
                    found.setdefault((id(loops[-1]), ast.dump(called)), []).append(called)
        return [Shared(tuple(uses), points[point]) for (point, _), uses in found.items()]


def _is_steady(called: ast.expr, loop: ast.stmt, local: set[str]) -> bool:
    """Whether what is called is the same in every round of the loop, and worth a variable."""
    if isinstance(called, ast.Attribute):
        known = place(called.value)
        return (
            bool(known) and isinstance(called.value, (ast.Name, ast.Attribute)) and known not in stored(loop)
        )
    return isinstance(called, ast.Name) and called.id not in local


OPERATORS: tuple[Operator, ...] = (HoistInvariant(), ShareValue(), BindLocally())
