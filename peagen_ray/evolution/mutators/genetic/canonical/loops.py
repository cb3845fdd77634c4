"""Normal form of loops: ``for`` rather than ``while``, items rather than indices where either will do."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, cast

from peagen_ray.evolution.mutators.genetic.base import every, loaded, stored
from peagen_ray.evolution.mutators.genetic.canonical.changes import is_changed
from peagen_ray.evolution.mutators.genetic.canonical.expressions import negated, shifted
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.headers import by_item, headed
from peagen_ray.evolution.mutators.genetic.canonical.trees import (
    assign,
    call,
    clone,
    leaves_loop,
    name,
    target,
)
from peagen_ray.evolution.mutators.genetic.nodes import (
    equal,
    is_constant,
    is_pure,
    names_in,
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
    node = headed(form, node)
    node = by_item(form, node)
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
