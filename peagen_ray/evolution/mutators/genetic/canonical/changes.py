"""Whether statements may change what an expression means."""

from __future__ import annotations

import ast
from collections.abc import Sequence, Set
from typing import cast

from peagen_ray.evolution.mutators.genetic.base import every, stored
from peagen_ray.evolution.mutators.genetic.nodes import (
    MUTATING_METHODS,
    is_call,
    is_metavariable,
    mutated,
    overlap,
    place,
    places,
)


def is_changed(value: ast.expr, block: Sequence[ast.stmt], but: Set[str] = frozenset()) -> bool:
    """Whether statements may change what an expression means; of ``len(xs)`` only the length counts.

    Args:
        value: the expression.
        block: the statements.
        but: names that do not count.
    """
    lengths = {id(n.args[0]) for n in every(value) if isinstance(n, ast.Call) and is_call(n, "len", 1)}
    lone = {place(cast("ast.expr", n)) for n in every(value) if id(n) in lengths}
    read = places(value) - {"len", "abs", "min", "max", "range", "int", "float", "sorted", "math"} - but
    for statement in block:
        if _is_hole(statement):
            return True
        changed = stored(statement) | (mutated(statement) if read - lone else set()) | resized(statement)
        if any(overlap(a, b) for a in read for b in changed):
            return True
    return False


def _is_hole(statement: ast.stmt) -> bool:
    """Whether a statement of a pattern stands for any others."""
    nodes = (n.value for n in every(statement) if isinstance(n, ast.Expr))
    return any(isinstance(v, ast.Name) and is_metavariable(v.id) for v in nodes)


def resized(statement: ast.stmt) -> set[str]:
    """Places that may become longer or shorter."""
    found: set[str] = set()
    for node in every(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in {"sort", "reverse"} and node.func.attr in _GROWING:
                found.add(place(node.func.value))
        elif isinstance(node, ast.Subscript):
            if isinstance(node.ctx, ast.Del) or (
                isinstance(node.ctx, ast.Store) and isinstance(node.slice, ast.Slice)
            ):
                found.add(place(node.value))
    return found - {""}


_GROWING = frozenset({"append", "pop", "remove", "insert", "extend", "clear", "add", "discard", "popleft"})


def is_part_changed(value: ast.expr, block: Sequence[ast.stmt], but: Set[str] = frozenset()) -> bool:
    """As :func:`is_changed`, where other fields of the same things may change.

    Of ``row["id"]`` and ``row.id`` only what is stored as ``"id"`` counts, as far as fields are written out.
    """
    fields = {_field(n) for n in every(value)} - {None}
    if not fields:
        return is_changed(value, block, but)
    read = places(value) - but
    roots = {p.split(".")[0] for p in read}
    for node in (n for s in block for n in every(s)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            changed, field = node.id, None
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
            changed, field = place(node), _field(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changed = place(node.func.value) if node.func.attr in MUTATING_METHODS else ""
            field = _field(node.func.value)
        else:
            continue
        other = field is not None and field not in fields
        if changed and not other and (changed.split(".")[0] in roots):
            return True
    return False


def _field(node: ast.AST) -> object:
    """``"id"`` of ``row["id"]`` and of ``row.id``, 0 of ``row[0]``; None where it is not written out."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value
    return node.attr if isinstance(node, ast.Attribute) else None
