"""Normal form of single statements: assignments, appends, what only documents."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import cast

from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.trees import assign, clone, name
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, is_constant, names_in

_COMMUTATIVE = (ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)


def simple_statements(form: Form, block: Sequence[ast.stmt]) -> list[ast.stmt]:
    """A block with its assignments in normal form.

    ``x: int = 3`` → ``x = 3``; ``x = x + e`` → ``x += e``; ``xs += [e]`` → ``xs.append(e)``;
    ``a, b = 0, 1`` → two assignments; ``t = a; a = b; b = t`` → ``a, b = b, a``.
    """
    out: list[ast.stmt] = []
    for statement in block:
        new = _simplified(form, statement)
        out.extend(form.derive([statement], new) if new is not None else [statement])
    return _swaps(form, out)


def least_first(form: Form, block: Sequence[ast.stmt]) -> list[ast.stmt]:
    """A block with ``x = min(xs, key=k); xs.remove(x)`` for ``xs.sort(key=k); x = xs.pop(0)``.

    Only for keys that are looked up in a table, since those may change between the sorts.
    """
    out: list[ast.stmt] = []
    for statement in block:
        solid = form.solid(out)
        before = solid[-1] if solid else None
        key = _sorted_by_table(before) if before is not None and before is out[-1] else None
        popped = _popped_first(statement)
        if key is None or popped is None or not equal(key[0], popped[1]):
            out.append(statement)
            continue
        variable, queue = popped
        least = ast.Call(
            func=name("min"), args=[clone(queue)], keywords=[ast.keyword(arg="key", value=key[1])]
        )
        remove = ast.Attribute(value=clone(queue), attr="remove", ctx=ast.Load())
        taken = ast.Expr(value=ast.Call(func=remove, args=[name(variable)], keywords=[]))
        assert before is not None
        out[-1:] = form.derive([before, statement], [assign(variable, least), taken])
    return out


def _sorted_by_table(node: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """What a statement sorts, and the key, where that is ``lambda x: d[x]`` or ``d.get``."""
    value = node.value if isinstance(node, (ast.Expr, ast.Assign)) else None
    if not isinstance(value, ast.Call) or len(value.keywords) != 1 or value.keywords[0].arg != "key":
        return None
    key = value.keywords[0].value
    if isinstance(key, ast.Lambda) and len(key.args.args) == 1:
        looked_up = isinstance(key.body, ast.Subscript) and equal(key.body.slice, name(key.args.args[0].arg))
    else:
        looked_up = isinstance(key, ast.Attribute) and key.attr == "get"
    if not looked_up:
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr == "sort":
        return value.func.value, key
    again = (
        isinstance(node, ast.Assign) and is_call(value, "sorted") and equal(node.targets[0], value.args[0])
    )
    return (value.args[0], key) if again else None


def _popped_first(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """The variable and the list of ``x = xs.pop(0)``."""
    value = node.value if isinstance(node, ast.Assign) else None
    if isinstance(node, ast.Assign) and isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        to = node.targets[0]
        first = value.func.attr == "pop" and len(value.args) == 1 and is_constant(value.args[0], 0)
        return (to.id, value.func.value) if first and isinstance(to, ast.Name) else None
    return None


def _simplified(form: Form, node: ast.stmt) -> list[ast.stmt] | None:
    """What a statement becomes; None when it stays."""
    documents = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if documents or isinstance(node, ast.Pass) or (isinstance(node, ast.AnnAssign) and node.value is None):
        form.ghosts.add(node)
        return None
    if isinstance(node, ast.AnnAssign):
        made = ast.Assign(targets=[node.target], value=cast("ast.expr", node.value))
        return _simplified(form, made) or [made]
    if isinstance(node, ast.Assign):
        return _assignment(form, node)
    if isinstance(node, ast.AugAssign):
        return _augmented(node)
    if isinstance(node, ast.Expr):
        return _extended(node)
    return None


def _assignment(form: Form, node: ast.Assign) -> list[ast.stmt] | None:
    if len(node.targets) > 1:
        if not isinstance(node.value, (ast.Constant, ast.Name)):
            return None
        parts = [ast.Assign(targets=[t], value=clone(node.value)) for t in node.targets]
        return [s for part in parts for s in _simplified(form, part) or [part]]
    to, value = node.targets[0], node.value
    if isinstance(to, (ast.Tuple, ast.List)):
        return _unpacked(form, to, value)
    if isinstance(value, ast.BinOp) and isinstance(to, (ast.Name, ast.Attribute, ast.Subscript)):
        if equal(to, value.left):
            made = ast.AugAssign(target=to, op=value.op, value=value.right)
        elif equal(to, value.right) and (_is_number(value.left) or isinstance(value.op, _COMMUTATIVE)):
            made = ast.AugAssign(target=to, op=value.op, value=value.left)
        else:
            return None
        return _augmented(made) or [made]
    return None


def _unpacked(form: Form, to: ast.Tuple | ast.List, value: ast.expr) -> list[ast.stmt] | None:
    """One assignment for each pair of ``a, b = 0, 1``, where none reads what one before it writes."""
    if not isinstance(value, (ast.Tuple, ast.List)) or len(value.elts) != len(to.elts):
        return None
    if any(isinstance(e, ast.Starred) for e in [*to.elts, *value.elts]):
        return None
    written: set[str] = set()
    for a, b in zip(to.elts, value.elts, strict=True):
        if names_in(b) & written or not isinstance(a, ast.Name):
            return None
        written.add(a.id)
    parts = [ast.Assign(targets=[a], value=b) for a, b in zip(to.elts, value.elts, strict=True)]
    return [s for part in parts for s in _simplified(form, part) or [part]]


def _augmented(node: ast.AugAssign) -> list[ast.stmt] | None:
    if isinstance(node.op, ast.Add) and isinstance(node.value, ast.List) and len(node.value.elts) == 1:
        element = node.value.elts[0]
        if not isinstance(element, ast.Starred):
            return [_append(node.target, element)]
    negative = isinstance(node.value, ast.Constant) and isinstance(node.value.value, (int, float))
    if isinstance(node.op, ast.Sub) and negative and cast("ast.Constant", node.value).value < 0:  # type: ignore[operator]
        value = ast.Constant(value=-cast("ast.Constant", node.value).value)  # type: ignore[operator]
        return [ast.AugAssign(target=node.target, op=ast.Add(), value=value)]
    return None


def _extended(node: ast.Expr) -> list[ast.stmt] | None:
    call = node.value
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "extend":
        if len(call.args) == 1 and isinstance(call.args[0], (ast.List, ast.Tuple)):
            elements = call.args[0].elts
            if not any(isinstance(e, ast.Starred) for e in elements):
                return [_append(clone(call.func.value), e) for e in elements] or None
    return None


def _append(sequence: ast.expr, element: ast.expr) -> ast.Expr:
    read = clone(sequence)
    if isinstance(read, (ast.Name, ast.Attribute, ast.Subscript)):
        read.ctx = ast.Load()
    append = ast.Attribute(value=read, attr="append", ctx=ast.Load())
    return ast.Expr(value=ast.Call(func=append, args=[element], keywords=[]))


def _swaps(form: Form, block: list[ast.stmt]) -> list[ast.stmt]:
    """``a, b = b, a`` for the three statements that do it with a third variable."""
    out: list[ast.stmt] = []
    index = 0
    while index < len(block):
        swap = _swap(block[index : index + 3])
        if swap is None:
            out.append(block[index])
            index += 1
        else:
            out.extend(form.derive(block[index : index + 3], [swap]))
            index += 3
    return out


def _swap(three: Sequence[ast.stmt]) -> ast.Assign | None:
    assigns = [s for s in three if isinstance(s, ast.Assign) and len(s.targets) == 1]
    if len(assigns) != 3:
        return None
    first, second, third = assigns
    kept, a, b = first.targets[0], first.value, second.value
    if not isinstance(kept, ast.Name) or not equal(third.value, name(kept.id)):
        return None
    if not (equal(second.targets[0], a) and equal(third.targets[0], b)) or isinstance(b, ast.Constant):
        return None
    left = ast.Tuple(elts=[second.targets[0], third.targets[0]], ctx=ast.Store())
    return ast.Assign(targets=[left], value=ast.Tuple(elts=[b, a], ctx=ast.Load()))


def _is_number(node: ast.expr) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return (isinstance(value, (int, float)) and not isinstance(value, bool)) or is_call(node, "len", 1)
