"""Normal form of loops: ``for`` rather than ``while``, items rather than indices where either will do."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence, Set
from typing import Any, cast

from peagen_ray.evolution.mutators.genetic.base import every, loaded, stored
from peagen_ray.evolution.mutators.genetic.canonical.expressions import negated, normalised, shifted
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.trees import (
    assign,
    call,
    clone,
    item,
    leaves_loop,
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
    is_metavariable,
    is_pure,
    mutated,
    names_in,
    overlap,
    place,
    places,
)

Follow = Sequence[Sequence[ast.stmt]]


def loops(form: Form, block: Sequence[ast.stmt], follow: Follow) -> list[ast.stmt]:
    """A block with its loops in normal form.

    Args:
        form: whose block it is.
        block: statements whose own blocks are in normal form already.
        follow: the blocks that run after this one, the nearest first.
    """
    out: list[ast.stmt] = []
    for index, statement in enumerate(block):
        new = [statement]
        if isinstance(statement, ast.While):
            new = _while(form, statement, out, [block[index + 1 :], *follow])
        elif isinstance(statement, ast.For):
            new = _for(form, statement)
        out.extend(new)
    return out


def _while(form: Form, node: ast.While, before: Sequence[ast.stmt], follow: Follow) -> list[ast.stmt]:
    body = form.solid(node.body)
    if is_constant(node.test, True) and body and isinstance(body[0], ast.If) and not node.orelse:
        leave = form.solid(body[0].body)
        if len(leave) == 1 and isinstance(leave[0], ast.Break) and not body[0].orelse:
            rest = node.body[node.body.index(body[0]) + 1 :]
            made = ast.While(test=negated(body[0].test), body=rest, orelse=[])
            form.derive([node], [made])
            node, body = made, form.solid(rest)
    counting = _counting(form, node, body, before, follow)
    if counting is None:
        return [node]
    return _for(form, cast("ast.For", form.derive([node], [counting])[0]))


def _counting(
    form: Form, node: ast.While, body: list[ast.stmt], before: Sequence[ast.stmt], follow: Follow
) -> ast.For | None:
    """``for i in range(a, b)`` for ``i = a``, then ``while i < b: …; i += 1``."""
    test, step = node.test, body[-1] if body else None
    if not isinstance(test, ast.Compare) or not isinstance(step, ast.AugAssign) or node.orelse:
        return None
    if not isinstance(step.target, ast.Name) or not isinstance(step.op, (ast.Add, ast.Sub)):
        return None
    index = step.target.id
    rest = [s for s in node.body if s is not step]
    span = _span(test, index, step)
    if span is None or any(index in stored(s) for s in rest) or leaves_loop(rest, ast.Continue):
        return None
    stop, by = span
    if is_changed(stop, rest) or is_changed(by, rest) or not _is_dead(index, follow):
        return None
    start = _start(form, index, before)
    args = [start, stop] if is_constant(by, 1) else [start, stop, by]
    return ast.For(target=target(index), iter=call("range", *args), body=rest or [ast.Pass()], orelse=[])


def _span(test: ast.Compare, index: str, step: ast.AugAssign) -> tuple[ast.expr, ast.expr] | None:
    """Where counting stops, and by how much it goes on."""
    low, op, high = test.left, test.ops[0], test.comparators[0]
    reach = 1 if isinstance(op, ast.LtE) else 0
    if not isinstance(op, (ast.Lt, ast.LtE)):
        return None
    if isinstance(step.op, ast.Add) and equal(low, name(index)) and index not in names_in(high):
        return shifted(clone(high), reach), clone(step.value)
    if isinstance(step.op, ast.Sub) and equal(high, name(index)) and is_constant(step.value, 1):
        if index not in names_in(low):
            return shifted(clone(low), -reach), ast.Constant(value=-1)
    return None


def _start(form: Form, index: str, before: Sequence[ast.stmt]) -> ast.expr:
    """What the index is when the loop begins: what was assigned last, if that still means the same."""
    later: list[ast.stmt] = []
    for statement in reversed(before):
        if isinstance(statement, ast.Assign) and equal(statement.targets[0], name(index)):
            value = statement.value
            if not is_changed(value, later) and not any(isinstance(n, ast.Call) for n in every(value)):
                form.ghosts.add(statement)
                return clone(value)
            break
        if index in stored(statement):
            break
        later.append(statement)
    return name(index)


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


def _is_dead(index: str, follow: Follow) -> bool:
    """Whether what a variable holds is not read by the blocks that come next."""
    for block in follow:
        for statement in block:
            if isinstance(statement, ast.Assign) and index in stored(statement):
                return index not in loaded(statement)
            if isinstance(statement, ast.For) and equal(statement.target, name(index)):
                return index not in loaded(statement.iter)
            if index in names_in(statement):
                return False
    return True


def _for(form: Form, node: ast.For) -> list[ast.stmt]:
    """A loop over what its items are taken from, and its ``else`` as a flag."""
    node = _headed(form, node)
    node = _by_item(form, node)
    _leave_when_decided(form, node)
    if not node.orelse:
        return [node]
    if not leaves_loop(node.body, ast.Break):
        made = ast.For(target=node.target, iter=node.iter, body=node.body, orelse=[])
        _inherit(form, node, made)
        return form.derive([node], [made, *node.orelse])
    return _flagged(form, node)


def _leave_when_decided(form: Form, node: ast.For) -> None:
    """``break`` after the ``flag = True`` of a loop that does nothing but set it."""
    body = form.solid(node.body)
    if len(body) != 1 or not isinstance(body[0], ast.If) or body[0].orelse:
        return
    inner = form.solid(body[0].body)
    if len(inner) == 1 and isinstance(inner[0], ast.Assign) and isinstance(inner[0].value, ast.Constant):
        to = inner[0].targets[0]
        if isinstance(to, ast.Name) and to.id not in names_in(body[0].test) and is_pure(body[0].test):
            body[0].body.append(ast.Break())


def _flagged(form: Form, node: ast.For) -> list[ast.stmt]:
    """A flag that tells whether the loop ended by itself, and an ``if`` for the ``else``."""
    flag = form.names.fresh("completed")
    body = _marked(node.body, flag)
    made = ast.For(target=node.target, iter=node.iter, body=body, orelse=[])
    _inherit(form, node, made)
    begin = assign(flag, ast.Constant(value=True))
    return form.derive([node], [begin, made, ast.If(test=name(flag), body=node.orelse, orelse=[])])


def _marked(block: Sequence[ast.stmt], flag: str) -> list[ast.stmt]:
    """The block with ``flag = False`` before each ``break`` of the loop around it."""
    out: list[ast.stmt] = []
    for statement in block:
        if isinstance(statement, ast.Break):
            out.append(assign(flag, ast.Constant(value=False)))
        elif isinstance(statement, ast.If) and leaves_loop([statement], ast.Break):
            statement = ast.If(
                test=statement.test,
                body=_marked(statement.body, flag),
                orelse=_marked(statement.orelse, flag),
            )
        out.append(statement)
    return out


def _inherit(form: Form, old: ast.stmt, new: ast.stmt) -> None:
    tables: tuple[dict[ast.stmt, Any], ...] = (form.binds, form.lost, form.made)
    for table in tables:
        if old in table:
            table[new] = table[old]


def _headed(form: Form, node: ast.For) -> ast.For:
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


def _by_item(form: Form, node: ast.For) -> ast.For:
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
