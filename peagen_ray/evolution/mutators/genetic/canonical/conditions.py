"""Normal form of ``if``: flat, without guards, with ``min`` and ``max`` where they are meant."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import cast

from peagen_ray.evolution.mutators.genetic.base import every
from peagen_ray.evolution.mutators.genetic.canonical.expressions import (
    condition,
    conjunction,
    conjuncts,
    is_negative,
    negated,
    normalised,
    shifted,
)
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.trees import call, clone, ends
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, is_constant


def conditions(form: Form, block: Sequence[ast.stmt], in_loop: bool) -> list[ast.stmt]:
    """A block with its ``if`` statements in normal form; ``in_loop`` if it is a loop's own body."""
    out: list[ast.stmt] = []
    for statement in block:
        count = _count_in_branches(form, statement)
        if count is not None:
            out.extend(form.derive([statement], [count]))
        else:
            out.extend(_flattened(form, statement) if isinstance(statement, ast.If) else [statement])
    out = _counted(form, _returned(form, out))
    return _without_guards(form, out) if in_loop else out


def _flattened(form: Form, node: ast.If) -> list[ast.stmt]:
    """No ``else`` after a branch that leaves, one ``if`` for two nested ones, values for branches."""
    node.test = condition(node.test)
    if not form.solid(node.body) and form.solid(node.orelse):
        node = _become(form, node, negated(node.test), node.orelse, [])
    if form.solid(node.orelse) and ends(form.solid(node.orelse)) and not ends(form.solid(node.body)):
        node = _become(form, node, negated(node.test), node.orelse, node.body)
    if form.solid(node.orelse) and is_negative(node.test) and not ends(form.solid(node.body)):
        node = _become(form, node, negated(node.test), node.orelse, node.body)
    body = form.solid(node.body)
    if len(body) == 1 and isinstance(body[0], ast.If) and not node.orelse and not body[0].orelse:
        test = conjunction([*conjuncts(node.test), *conjuncts(body[0].test)])
        means = {**_temporaries(form, node), **form.binds.get(body[0], {})}
        node = _become(form, node, test, body[0].body, [])
        form.binds[node] = means
        body = form.solid(node.body)
    value = _valued(form, node)
    if value is not None:
        return form.derive([node], [value])
    if ends(body) and node.orelse:
        rest, first = node.orelse, _become(form, node, node.test, node.body, [])
        return form.derive([first], [first, *rest])
    return [node]


def _temporaries(form: Form, node: ast.If) -> dict[str, ast.expr]:
    """What the temporaries of a branch mean, which are not computed there once the branch is merged."""
    found = dict(form.binds.get(node, {}))
    for statement in node.body:
        if statement in form.ghosts and isinstance(statement, ast.Assign):
            to = statement.targets[0]
            if isinstance(to, ast.Name):
                found[to.id] = statement.value
    return found


def _become(form: Form, node: ast.If, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> ast.If:
    made = ast.If(test=test, body=body, orelse=orelse)
    form.derive([node], [made])
    return made


def _valued(form: Form, node: ast.If) -> ast.stmt | None:
    """``x = max(x, e)`` for ``if x < e: x = e``; ``x = a if c else b`` for two branches that assign."""
    body, orelse = form.solid(node.body), form.solid(node.orelse)
    given = _stored(body[0]) if len(body) == 1 else None
    other = _stored(orelse[0]) if len(orelse) == 1 else None
    if given is None:
        return None
    to, value = given
    if other is not None and equal(to, other[0]) and isinstance(to, (ast.Name, ast.Subscript)):
        chosen = ast.IfExp(test=node.test, body=value, orelse=other[1])
        return ast.Assign(targets=[to], value=normalised(chosen))
    if orelse or not isinstance(to, ast.Name):
        return None
    tests = conjuncts(node.test)
    for test in tests:
        extreme = _extreme(test, to, value)
        if extreme is not None:
            made = ast.Assign(targets=[to], value=extreme)
            others = [t for t in tests if t is not test]
            return ast.If(test=conjunction(others), body=[made], orelse=[]) if others else made
    return None


def _stored(node: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """What an assignment writes to, and its value written out: ``n + 1`` for ``n += 1``."""
    if isinstance(node, ast.Assign):
        return node.targets[0], node.value
    if isinstance(node, ast.AugAssign):
        read = clone(node.target)
        for each in every(read):
            if isinstance(each, (ast.Name, ast.Attribute, ast.Subscript)):
                each.ctx = ast.Load()
        return node.target, ast.BinOp(left=read, op=node.op, right=node.value)
    return None


def _extreme(test: ast.expr, to: ast.Name, value: ast.expr) -> ast.expr | None:
    """``max(x, e)`` where ``x = e`` depends on ``x < e``."""
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Lt, ast.LtE)):
        low, high = test.left, test.comparators[0]
        more = shifted(clone(high), 1) if isinstance(test.ops[0], ast.LtE) else high
        if equal(low, to) and (equal(high, value) or equal(more, value)):
            return call("max", low, value)
        if equal(high, to) and equal(low, value):
            return call("min", high, value)
    return None


def _returned(form: Form, block: list[ast.stmt]) -> list[ast.stmt]:
    """``return c`` for ``if c: return True`` and then ``return False``; so too ``max`` and ``min``."""
    solid = form.solid(block)
    if len(solid) < 2 or not isinstance(solid[-2], ast.If) or not isinstance(solid[-1], ast.Return):
        return block
    test, last = solid[-2], solid[-1]
    inner = form.solid(test.body)
    if test.orelse or len(inner) != 1 or not isinstance(inner[0], ast.Return):
        return block
    value = _chosen(test.test, inner[0].value, last.value)
    if value is None:
        return block
    at = block.index(test)
    made = form.derive(block[at : block.index(last) + 1], [ast.Return(value=value)])
    return [*block[:at], *made]


def _chosen(test: ast.expr, yes: ast.expr | None, no: ast.expr | None) -> ast.expr | None:
    """What is returned, as one expression, where that is shorter."""
    if is_constant(yes, True) and is_constant(no, False) and _is_bool(test):
        return test
    if is_constant(yes, False) and is_constant(no, True) and _is_bool(test):
        return negated(test)
    if isinstance(yes, ast.Constant) and isinstance(yes.value, bool) and no is not None and _is_bool(no):
        op = ast.Or() if yes.value else ast.And()
        return (
            ast.BoolOp(op=op, values=[test if yes.value else negated(test), no]) if _is_bool(test) else None
        )
    if isinstance(test, ast.Compare) and yes is not None and no is not None:
        if isinstance(test.ops[0], (ast.Lt, ast.LtE)):
            value = normalised(ast.IfExp(test=test, body=yes, orelse=no))
            return None if isinstance(value, ast.IfExp) else value
    return None


def _is_bool(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(map(_is_bool, node.values))
    return isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))


def _without_guards(form: Form, block: list[ast.stmt]) -> list[ast.stmt]:
    """``if not c: …`` for a loop body that goes on after ``if c: continue``."""
    if block and isinstance(block[-1], ast.Continue):
        form.ghosts.add(block[-1])
    for index, statement in enumerate(block):
        if not isinstance(statement, ast.If) or statement.orelse:
            continue
        body = form.solid(statement.body)
        if not body or not isinstance(body[-1], ast.Continue):
            continue
        rest = conditions(form, block[index + 1 :], in_loop=True)
        if len(body) == 1 and form.solid(rest):
            made = ast.If(test=negated(statement.test), body=rest, orelse=[])
            inner = form.solid(rest)
            old = [statement, *block[index + 1 :]]
            form.derive([*dict.fromkeys([statement, *rest, *old])], [made])
            if len(inner) == 1 and isinstance(inner[0], ast.If) and not inner[0].orelse:
                return [*block[:index], *_flattened(form, made)]
            return [*block[:index], made]
        if len(body) == 1:
            form.ghosts.add(statement)
        return [*block[: index + 1], *rest]
    return block


def _counted(form: Form, block: list[ast.stmt]) -> list[ast.stmt]:
    """``d[k] = d.get(k, 0) + e`` for ``if k not in d: d[k] = 0`` and then ``d[k] += e``."""
    out: list[ast.stmt] = []
    for statement in block:
        before = form.solid(out)[-1] if form.solid(out) else None
        made = _count_after_default(form, before, statement)
        if made is not None and before is out[-1]:
            out[-1:] = form.derive([before, statement], [made])
            continue
        out.append(statement)
    return out


def _count_in_branches(form: Form, node: ast.stmt) -> ast.stmt | None:
    """``d[k] = d.get(k, 0) + e`` for ``if k in d: d[k] += e``, ``else: d[k] = e``."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return None
    present, absent = form.solid(node.body), form.solid(node.orelse)
    if isinstance(node.test.ops[0], ast.NotIn):
        present, absent = absent, present
    elif not isinstance(node.test.ops[0], ast.In):
        return None
    if len(present) != 1 or len(absent) != 1:
        return None
    more, first = present[0], absent[0]
    if isinstance(more, ast.AugAssign) and isinstance(first, ast.Assign) and isinstance(more.op, ast.Add):
        if equal(more.target, first.targets[0]) and equal(more.value, first.value):
            return _count(more.target, node.test, more.value)
    return None


def _count_after_default(form: Form, before: ast.stmt | None, node: ast.stmt) -> ast.stmt | None:
    if not isinstance(before, ast.If) or not isinstance(node, ast.AugAssign) or before.orelse:
        return None
    body = form.solid(before.body)
    missing = isinstance(before.test, ast.Compare) and isinstance(before.test.ops[0], ast.NotIn)
    if len(body) == 1 and isinstance(body[0], ast.Assign) and missing and isinstance(node.op, ast.Add):
        if equal(body[0].targets[0], node.target) and is_constant(body[0].value, 0):
            return _count(node.target, cast("ast.Compare", before.test), node.value)
    return None


def _count(to: ast.expr, test: ast.Compare, value: ast.expr) -> ast.stmt | None:
    if not isinstance(to, ast.Subscript) or not equal(to.value, test.comparators[0]):
        return None
    if not equal(to.slice, test.left) or is_call(to.value, "range"):
        return None
    get = ast.Attribute(value=clone(to.value), attr="get", ctx=ast.Load())
    known = ast.Call(func=get, args=[clone(to.slice), ast.Constant(value=0)], keywords=[])
    return ast.Assign(targets=[to], value=ast.BinOp(left=known, op=ast.Add(), right=value))
