"""Normal form of what loops go through: ranges, and items where the index is used for nothing else."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import cast

from peagen_ray.evolution.mutators.genetic.base import every, stored
from peagen_ray.evolution.mutators.genetic.canonical.expressions import normalised, shifted
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.trees import (
    call,
    clone,
    item,
    name,
    rebuilt,
    substituted,
    target,
    walk_block,
)
from peagen_ray.evolution.mutators.genetic.nodes import (
    equal,
    is_call,
    is_constant,
    mutated,
    names_in,
    overlap,
    place,
    places,
)


def headed(form: Form, node: ast.For) -> ast.For:
    """``for i in range(0, len(xs))`` for ``for i, x in enumerate(xs)``, and the like."""
    source = node.iter
    if isinstance(source, ast.Call) and isinstance(source.func, ast.Attribute) and not source.args:
        if source.func.attr == "keys":
            return _retarget(form, node, node.target, source.func.value, {})
        if source.func.attr == "items":
            return _items(form, node, source.func.value)
    if is_call(source, "enumerate"):
        return _enumerated(form, node, cast("ast.Call", source))
    if is_call(source, "zip"):
        return _zipped(form, node, cast("ast.Call", source).args)
    if isinstance(source, ast.Subscript) and isinstance(source.slice, ast.Slice):
        return _sliced(form, node, source)
    span = _consecutive(source)
    return node if span is None else _retarget(form, node, node.target, span, {})


def _consecutive(source: ast.expr) -> ast.expr | None:
    """``range(-1, 2)`` for ``(-1, 0, 1)``."""
    elements = source.elts if isinstance(source, (ast.Tuple, ast.List)) else []
    numbers = [e.value for e in elements if isinstance(e, ast.Constant) and type(e.value) is int]
    if len(numbers) != len(elements) or len(numbers) < 2:
        return None
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return None
    return call("range", ast.Constant(value=numbers[0]), ast.Constant(value=numbers[-1] + 1))


def _items(form: Form, node: ast.For, mapping: ast.expr) -> ast.For:
    to = node.target
    if isinstance(to, ast.Tuple) and len(to.elts) == 2 and isinstance(to.elts[0], ast.Name):
        value = item(mapping, name(to.elts[0].id))
        return _retarget(form, node, to.elts[0], mapping, _meanings(to.elts[1], value))
    return node


def _enumerated(form: Form, node: ast.For, source: ast.Call) -> ast.For:
    to = node.target
    start = source.args[1] if len(source.args) > 1 else None
    if source.keywords:
        start = source.keywords[0].value
    if not (isinstance(to, ast.Tuple) and len(to.elts) == 2 and isinstance(to.elts[0], ast.Name)):
        return node
    sequence = source.args[0]
    if not _is_reference(sequence):
        return node
    over = call("range", ast.Constant(value=0), call("len", clone(sequence)))
    if start is None or is_constant(start, 0):
        index = to.elts[0]
        means = _meanings(to.elts[1], item(sequence, name(index.id)))
        return _retarget(form, node, index, over, means)
    made = form.names.fresh("index")
    means = _meanings(to.elts[1], item(sequence, name(made)))
    count = normalised(ast.BinOp(left=name(made), op=ast.Add(), right=clone(start)))
    return _retarget(form, node, target(made), over, {**means, to.elts[0].id: count}, made)


def _zipped(form: Form, node: ast.For, sources: list[ast.expr]) -> ast.For:
    """``for i in range(0, len(xs))`` for a loop over ``zip(xs, ys)``; slices ``xs[k:]`` begin later."""
    to = node.target
    parts = [_offset_of(s) for s in sources]
    if not isinstance(to, ast.Tuple) or len(to.elts) != len(sources) or not sources:
        return node
    made = form.names.fresh("index")
    means: dict[str, ast.expr] = {}
    known = []
    for element, part in zip(to.elts, parts, strict=True):
        if part is None:
            return node
        known.append(part)
        means |= _meanings(element, item(part[0], shifted(name(made), part[1])))
    base, most = known[0]
    alike = [k for b, k in known if equal(b, base)]
    stop = shifted(call("len", clone(base)), -max([most, *alike]))
    return _retarget(form, node, target(made), call("range", ast.Constant(value=0), stop), means, made)


def _offset_of(node: ast.expr) -> tuple[ast.expr, int] | None:
    if _is_reference(node):
        return node, 0
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and _is_reference(node.value):
        lower = node.slice.lower
        if isinstance(lower, ast.Constant) and isinstance(lower.value, int) and lower.value > 0:
            return (node.value, lower.value) if node.slice.upper is None and node.slice.step is None else None
    return None


def _sliced(form: Form, node: ast.For, source: ast.Subscript) -> ast.For:
    """``for i in range(a, b)`` for a loop over ``xs[a:b]``."""
    part = cast("ast.Slice", source.slice)
    if not isinstance(node.target, ast.Name) or part.step is not None or not _is_reference(source.value):
        return node
    lower = clone(part.lower) if part.lower is not None else ast.Constant(value=0)
    upper = clone(part.upper) if part.upper is not None else call("len", clone(source.value))
    if any(isinstance(e, ast.Constant) and cast("int", e.value) < 0 for e in (lower, upper)):
        return node
    made = form.names.fresh("index")
    means = {node.target.id: cast("ast.expr", item(source.value, name(made)))}
    return _retarget(form, node, target(made), call("range", lower, upper), means, made)


def _retarget(
    form: Form, node: ast.For, to: ast.expr, over: ast.expr, means: Mapping[str, ast.expr], made: str = ""
) -> ast.For:
    """The loop with another header, its old variables replaced by what they mean; itself if that fails."""
    written = set().union(*(stored(s) for s in node.body))
    changed = set().union(*(mutated(s) for s in node.body)) | written
    sources = set().union(*(places(e) for e in means.values())) if means else set()
    if written & set(means) or any(overlap(a, b) for a in sources - {made} for b in changed):
        return node
    _mean(node.body, means)
    new = ast.For(target=to, iter=clone(over), body=node.body, orelse=node.orelse)
    form.derive([node], [new])
    if node in form.faithful:
        form.faithful[new] = form.faithful[node]
    form.binds[new] = {**form.binds.get(node, {}), **means}
    form.made[new] = form.made.get(node, set()) | ({made} if made else set())
    return new


def _mean(block: Sequence[ast.stmt], means: Mapping[str, ast.expr]) -> None:
    """Put what names mean in their place, within the statements of a block."""
    for statement in walk_block(block):
        for field, value in ast.iter_fields(statement):
            if isinstance(value, ast.expr) and names_in(value) & set(means):
                setattr(statement, field, normalised(substituted(value, means)))
            elif isinstance(value, list):
                value[:] = [
                    normalised(substituted(v, means)) if isinstance(v, ast.expr) else v for v in value
                ]


def _meanings(to: ast.expr, value: ast.expr) -> dict[str, ast.expr]:
    """What the names of a target mean when it is assigned an expression."""
    if isinstance(to, ast.Name):
        return {to.id: value}
    if isinstance(to, (ast.Tuple, ast.List)):
        means: dict[str, ast.expr] = {}
        for index, element in enumerate(to.elts):
            means |= _meanings(element, item(clone(value), ast.Constant(value=index)))
        return means
    return {}


def _is_reference(node: ast.expr) -> bool:
    """``xs``, ``self.xs`` or ``rows[i]``."""
    if isinstance(node, ast.Subscript):
        return _is_reference(node.value) and not isinstance(node.slice, ast.Slice)
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and _is_reference(node.value))


def by_item(form: Form, node: ast.For) -> ast.For:
    """``for x in xs`` for a loop over its indices that are only used as ``xs[i]``."""
    sequence = _indexed(node)
    if sequence is None or not isinstance(node.target, ast.Name):
        return node
    index = node.target.id
    reads, others = _uses(node.body, index, sequence)
    written = set().union(*(stored(s) | mutated(s) for s in node.body))
    if not reads or others or any(overlap(place(sequence), b) for b in written):
        return node
    element, ghost = _item_name(form, node, sequence, index)

    def visit(each: ast.AST) -> ast.AST | None:
        if isinstance(each, ast.Subscript) and equal(each.slice, name(index)) and equal(each.value, sequence):
            return name(element)
        return None

    for statement in walk_block(node.body):
        for field, value in ast.iter_fields(statement):
            if isinstance(value, ast.expr):
                setattr(statement, field, rebuilt(value, visit))
            elif isinstance(value, list):
                value[:] = [rebuilt(v, visit) if isinstance(v, ast.expr) else v for v in value]
    new = ast.For(target=target(element), iter=clone(sequence), body=node.body, orelse=node.orelse)
    form.derive([node], [new])
    if node in form.faithful:
        form.faithful[new] = form.faithful[node]
    old = form.binds.get(node, {})
    form.binds[new] = {k: rebuilt(v, visit) for k, v in old.items() if k != element}
    form.lost[new] = {index}
    form.made[new] = set() if ghost else {element}
    return new


def _indexed(node: ast.For) -> ast.expr | None:
    """The sequence of whose indices a loop takes every one."""
    if not is_call(node.iter, "range", 2):
        return None
    start, stop = cast("ast.Call", node.iter).args
    if not is_constant(start, 0) or not is_call(stop, "len", 1):
        return None
    sequence = cast("ast.Call", stop).args[0]
    return sequence if _is_reference(sequence) else None


def _uses(block: Sequence[ast.stmt], index: str, sequence: ast.expr) -> tuple[int, bool]:
    """How often ``xs[i]`` is read in a block, and whether the index is used in any other way."""
    reads = uses = 0
    for statement in block:
        for node in every(statement):
            if isinstance(node, ast.Name) and node.id == index:
                uses += 1
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
                reads += equal(node.slice, name(index)) and equal(node.value, sequence)
    return reads, uses != reads


def _item_name(form: Form, node: ast.For, sequence: ast.expr, index: str) -> tuple[str, bool]:
    """A name for the item, and whether the program itself has it: ``x`` of ``x = xs[i]``."""
    wanted = item(sequence, name(index))
    for known, value in form.binds.get(node, {}).items():
        if equal(value, wanted):
            return known, True
    for statement in node.body:
        if isinstance(statement, ast.Assign) and equal(statement.value, wanted) and statement in form.ghosts:
            to = statement.targets[0]
            if isinstance(to, ast.Name):
                return to.id, True
    return form.names.fresh("item"), False
