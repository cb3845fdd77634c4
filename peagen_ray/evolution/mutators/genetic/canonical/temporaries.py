"""Temporaries: variables that only name a value, which is put where they are read."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

from peagen_ray.evolution.mutators.genetic.base import every, loaded
from peagen_ray.evolution.mutators.genetic.canonical.changes import is_changed
from peagen_ray.evolution.mutators.genetic.canonical.expressions import condition, normalised
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.trees import blocks, parameters, substituted, walk_block

_CHEAP = frozenset({"abs", "len", "ord", "chr", "int", "float", "min", "max"})
_DEAR = frozenset({"str", "tuple", "sorted", "set", "isinstance", "bool"})
_METHODS = frozenset({"lower", "upper", "strip", "get", "split", "replace", "isalpha", "isdigit", "index"})
_PLAIN = (
    ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp,
    ast.IfExp, ast.Tuple, ast.Call, ast.Slice, ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
    ast.expr_context, ast.JoinedStr, ast.FormattedValue,
)  # fmt: skip
MOST_NODES = 60
"""Larger values keep their names."""


def inline_temporaries(form: Form) -> bool:
    """Put the values of temporaries where they are read; says whether there were any.

    A temporary is a local variable that is assigned once, from something cheap that does not change until
    its last reading. Its assignment becomes a ghost.
    """
    inside = list(walk_block(form.body))
    writes = Counter(parameters(form.function))
    reads: Counter[str] = Counter()
    for statement in form.body:
        for node in every(statement):
            if isinstance(node, ast.Name):
                (reads if isinstance(node.ctx, ast.Load) else writes)[node.id] += 1
    nested = {n for s in inside if isinstance(s, (ast.FunctionDef, ast.ClassDef)) for n in loaded(s)}
    return _block(form, form.body, writes, reads, nested)


def _block(
    form: Form, block: list[ast.stmt], writes: Counter[str], reads: Counter[str], nested: set[str]
) -> bool:
    found = False
    for index, statement in enumerate(block):
        if statement in form.ghosts:
            continue
        for inner in blocks(statement):
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found |= _block(form, inner, writes, reads, nested)
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            temporary = statement.targets[0].id
            if writes[temporary] == 1 and temporary not in nested:
                found |= _inline(form, statement, temporary, block[index + 1 :], reads)
    return found


def _inline(
    form: Form, statement: ast.Assign, temporary: str, after: Sequence[ast.stmt], reads: Counter[str]
) -> bool:
    value = statement.value
    if not reads[temporary] or not _is_light(value, temporary):
        return False
    uses = [(s, _readings(s, temporary)) for s in after]
    count = sum(n for _, n in uses)
    last = max((i for i, (_, n) in enumerate(uses) if n), default=-1)
    if not count or count != reads[temporary]:
        return False
    dear, sliced = _is_dear(value), _has_slice(value)
    if (dear and count > 1) or ((dear or sliced) and any(_is_deeper(s, temporary) for s, n in uses if n)):
        return False
    span = after[: last + 1]
    if is_changed(value, _before_last_use(span, temporary)):
        return False
    for each in walk_block(list(span)):
        _substitute(each, temporary, value)
    form.ghosts.add(statement)
    for node in every(value):
        if isinstance(node, ast.Name):
            reads[node.id] += count
    reads[temporary] = 0
    return True


def _before_last_use(block: Sequence[ast.stmt], temporary: str) -> list[ast.stmt]:
    """The statements of a block that may run before the last reading of a name in it."""
    last = max((i for i, s in enumerate(block) if _readings(s, temporary)), default=-1)
    if last < 0:
        return []
    statement, found = block[last], list(block[:last])
    if isinstance(statement, ast.If):
        return [*found, *(s for b in blocks(statement) for s in _before_last_use(b, temporary))]
    if isinstance(statement, (ast.Assign, ast.AugAssign, ast.Return, ast.Expr)):
        return found
    return [*found, statement]


def _readings(statement: ast.AST, wanted: str) -> int:
    return sum(
        isinstance(n, ast.Name) and n.id == wanted and isinstance(n.ctx, ast.Load) for n in every(statement)
    )


def _is_light(value: ast.expr, temporary: str) -> bool:
    size = 0
    for node in every(value):
        size += isinstance(node, ast.expr)
        if size > MOST_NODES or not isinstance(node, (*_PLAIN, ast.keyword)):
            return False
        if isinstance(node, ast.Name) and node.id == temporary:
            return False
        if isinstance(node, ast.Call) and not _is_known(node):
            return False
    return True


def _is_known(node: ast.Call) -> bool:
    if isinstance(node.func, ast.Name):
        return node.func.id in _CHEAP | _DEAR
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in _METHODS or (
            isinstance(node.func.value, ast.Name) and node.func.value.id == "math"
        )
    return False


def _is_dear(value: ast.expr) -> bool:
    """Whether a value should not be computed more often than it is."""
    calls = [n for n in every(value) if isinstance(n, ast.Call)]
    return any(not (isinstance(c.func, ast.Name) and c.func.id in _CHEAP) for c in calls)


def _has_slice(value: ast.expr) -> bool:
    return any(isinstance(n, ast.Slice) for n in every(value))


def _is_deeper(statement: ast.stmt, temporary: str) -> bool:
    """Whether a statement reads a name within a loop or a function of its own."""
    if isinstance(statement, (ast.For, ast.While)):
        return _readings(statement, temporary) > _readings(getattr(statement, "iter", ast.Pass()), temporary)
    inner = [s for b in blocks(statement) for s in b]
    return any(_is_deeper(s, temporary) for s in inner if _readings(s, temporary))


def _substitute(statement: ast.stmt, temporary: str, value: ast.expr) -> None:
    for field, part in ast.iter_fields(statement):
        if isinstance(part, ast.expr) and _readings(part, temporary):
            made = normalised(substituted(part, {temporary: value}))
            setattr(statement, field, condition(made) if field == "test" else made)
        elif isinstance(part, list):
            part[:] = [
                normalised(substituted(p, {temporary: value})) if isinstance(p, ast.expr) else p for p in part
            ]
