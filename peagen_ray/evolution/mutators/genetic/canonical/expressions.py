"""The normal form of expressions: one way to write what people write in many."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import cast

from peagen_ray.evolution.mutators.genetic.canonical.trees import call, clone
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, is_constant

_MIRROR: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
}
_INFINITIES = {"inf", "infinity", "+inf"}


def normalised(node: ast.expr, constants: Mapping[str, ast.expr] | None = None) -> ast.expr:
    """The normal form of an expression, edited in place where that is possible.

    Args:
        node: an expression without positions, which is used up.
        constants: what module-level names stand for.
    """
    return cast("ast.expr", _Normaliser(constants or {}).visit(node))


def condition(node: ast.expr) -> ast.expr:
    """The normal form of an expression, already normal, of which only the truth counts."""
    if isinstance(node, ast.BoolOp):
        node.values = [condition(value) for value in node.values]
        return node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = condition(node.operand)
        return negated(inner) if inner is not node.operand else node
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mod, ast.BitAnd)):
        return ast.Compare(left=node, ops=[ast.NotEq()], comparators=[ast.Constant(value=0)])
    if isinstance(node, ast.Call) and is_call(node, "bool", 1):
        return condition(node.args[0])
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _truth(node)
    return node


def _truth(node: ast.Compare) -> ast.expr:
    """``xs`` for ``len(xs) > 0``, ``flag`` for ``flag == True``, and their opposites."""
    left, op, right = node.left, node.ops[0], node.comparators[0]
    if isinstance(right, ast.Constant) and isinstance(right.value, bool):
        wanted = right.value is isinstance(op, (ast.Eq, ast.Is))
        if isinstance(op, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)):
            return left if wanted else negated(left)
    if _is_empty(right) and isinstance(op, (ast.Eq, ast.NotEq)):
        return negated(left) if isinstance(op, ast.Eq) else left
    if is_call(left, "len", 1):
        sequence = cast("ast.Call", left).args[0]
        empty = (isinstance(op, ast.Eq) and is_constant(right, 0)) or (
            isinstance(op, ast.Lt) and is_constant(right, 1)
        )
        if empty:
            return negated(sequence)
        if isinstance(op, ast.NotEq) and is_constant(right, 0):
            return sequence
    if isinstance(op, (ast.Lt, ast.LtE)) and is_call(right, "len", 1):
        sequence = cast("ast.Call", right).args[0]
        if is_constant(left, 0 if isinstance(op, ast.Lt) else 1):
            return sequence
    return node


def _is_empty(node: ast.expr) -> bool:
    """``""``, ``[]`` or ``()``."""
    return is_constant(node, "") or (isinstance(node, (ast.List, ast.Tuple)) and not node.elts)


def negated(node: ast.expr) -> ast.expr:
    """The opposite of a condition in normal form, in normal form."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return ast.BoolOp(op=other, values=[negated(value) for value in node.values])
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _mirrored(
            ast.Compare(left=node.left, ops=[_NEGATED[type(node.ops[0])]()], comparators=node.comparators)
        )
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return ast.Constant(value=not node.value)
    return ast.UnaryOp(op=ast.Not(), operand=node)


def is_negative(test: ast.expr) -> bool:
    """Whether a condition in normal form says that something is not so."""
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0], (ast.NotEq, ast.NotIn, ast.IsNot))
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def conjuncts(node: ast.expr) -> list[ast.expr]:
    """The conditions that must all hold."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [part for value in node.values for part in conjuncts(value)]
    return [node]


def conjunction(parts: list[ast.expr]) -> ast.expr:
    """All of the conditions as one; ``True`` for none."""
    if not parts:
        return ast.Constant(value=True)
    return parts[0] if len(parts) == 1 else ast.BoolOp(op=ast.And(), values=parts)


def shifted(node: ast.expr, by: int) -> ast.expr:
    """``node + by`` in normal form; the node is used up."""
    return sum_of([*signed_terms(node, 1), (1, ast.Constant(value=by))])


class _Normaliser(ast.NodeTransformer):
    def __init__(self, constants: Mapping[str, ast.expr]) -> None:
        self._constants = constants

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._constants and isinstance(node.ctx, ast.Load):
            return clone(self._constants[node.id])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if node.attr == "inf" and isinstance(node.value, ast.Name) and node.value.id in {"math", "np"}:
            return call("float", ast.Constant(value="inf"))
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return negated(condition(node.operand))
        value = node.operand.value if isinstance(node.operand, ast.Constant) else None
        if isinstance(node.op, ast.USub) and isinstance(value, (int, float)) and not isinstance(value, bool):
            return ast.Constant(value=-value)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        values: list[ast.expr] = []
        for value in node.values:
            flat = isinstance(value, ast.BoolOp) and type(value.op) is type(node.op)
            values.extend(cast("ast.BoolOp", value).values if flat else [value])
        node.values = values
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if len(node.ops) == 1:
            return _mirrored(node)
        operands = [node.left, *node.comparators]
        pairs = zip(operands, node.ops, operands[1:], strict=False)
        return ast.BoolOp(
            op=ast.And(),
            values=[_mirrored(ast.Compare(left=clone(a), ops=[op], comparators=[b])) for a, op, b in pairs],
        )

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Sub)):
            return sum_of(signed_terms(node, 1)) if _has_integer(node) else node
        if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.Constant):
            return ast.BinOp(left=node.right, op=node.op, right=node.left)
        if isinstance(node.op, ast.Pow) and is_constant(node.right, 2) and _is_short(node.left):
            return ast.BinOp(left=node.left, op=ast.Mult(), right=clone(node.left))
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        node.test = condition(node.test)
        if isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], (ast.Lt, ast.LtE)):
            low, high = node.test.left, node.test.comparators[0]
            if equal(node.body, low) and equal(node.orelse, high):
                return call("min", high, low)
            if equal(node.body, high) and equal(node.orelse, low):
                return call("max", low, high)
        if is_negative(node.test):
            node.test, node.body, node.orelse = negated(node.test), node.orelse, node.body
        if isinstance(node.body, ast.Constant) and isinstance(node.orelse, ast.Constant):
            if node.body.value is True and node.orelse.value is False:
                return node.test
            if node.body.value is False and node.orelse.value is True:
                return negated(node.test)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if node.keywords or not isinstance(node.func, ast.Name):
            return node
        function, args = node.func.id, node.args
        if function == "range":
            return _range(node)
        if function in {"list", "tuple", "dict"} and not args:
            kinds = {"list": ast.List(elts=[], ctx=ast.Load()), "tuple": ast.Tuple(elts=[], ctx=ast.Load())}
            return kinds.get(function) or ast.Dict(keys=[], values=[])
        if function == "pow" and len(args) == 2:
            return ast.BinOp(left=args[0], op=ast.Pow(), right=args[1])
        if function == "float" and len(args) == 1 and isinstance(args[0], ast.Constant):
            text = args[0].value
            if isinstance(text, str) and text.lower() in _INFINITIES:
                return call("float", ast.Constant(value="inf"))
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and is_call(node.value, "sorted") and is_constant(node.slice, 0):
            if len(node.value.args) == 1 and all(k.arg == "key" for k in node.value.keywords):
                least = call("min", *node.value.args)
                least.keywords = node.value.keywords
                return least
        if isinstance(node.slice, ast.Slice):
            if is_constant(node.slice.lower, 0):
                node.slice.lower = None
            if node.slice.upper is not None and _is_length(node.slice.upper, node.value):
                node.slice.upper = None
            if is_constant(node.slice.step, 1):
                node.slice.step = None
        elif isinstance(node.slice, ast.BinOp) and isinstance(node.slice.op, ast.Sub):
            if _is_length(node.slice.left, node.value) and isinstance(node.slice.right, ast.Constant):
                node.slice = ast.Constant(value=-cast("int", node.slice.right.value))
        return node


def _mirrored(node: ast.Compare) -> ast.expr:
    op, left, right = node.ops[0], node.left, node.comparators[0]
    if type(op) in _MIRROR:
        left, op, right = right, _MIRROR[type(op)](), left
    if isinstance(op, (ast.In, ast.NotIn)):
        right = _plain_container(right)
    if isinstance(op, (ast.Eq, ast.NotEq)) and isinstance(left, ast.Constant):
        left, right = right, left
    if isinstance(right, ast.Constant) and right.value is None and isinstance(op, (ast.Eq, ast.NotEq)):
        op = ast.Is() if isinstance(op, ast.Eq) else ast.IsNot()
    if isinstance(op, ast.LtE) and _offset(right) < 0:
        op, right = ast.Lt(), shifted(right, 1)
    elif isinstance(op, ast.Lt) and _offset(right) > 0:
        op, right = ast.LtE(), shifted(right, -1)
    return ast.Compare(left=left, ops=[op], comparators=[right])


def _plain_container(node: ast.expr) -> ast.expr:
    """``d`` for ``d.keys()`` and for ``list(d)``, of which only membership is asked."""
    if isinstance(node, ast.Call) and not node.keywords:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "keys" and not node.args:
            return node.func.value
        if is_call(node, "list", 1):
            return _plain_container(node.args[0])
    return node


def _offset(node: ast.expr) -> int:
    """The ``-1`` of ``n - 1``; 0 where there is none."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        value = node.right.value if isinstance(node.right, ast.Constant) else None
        if isinstance(value, int):
            return value if isinstance(node.op, ast.Add) else -value
    return 0


def _has_integer(node: ast.expr) -> bool:
    return any(
        isinstance(term, ast.Constant) and type(term.value) is int for _, term in signed_terms(node, 1)
    )


def signed_terms(node: ast.expr, sign: int) -> list[tuple[int, ast.expr]]:
    """The signed terms of a sum, in order."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        other = sign if isinstance(node.op, ast.Add) else -sign
        return [*signed_terms(node.left, sign), *signed_terms(node.right, other)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return signed_terms(node.operand, -sign)
    return [(sign, node)]


def sum_of(terms: Sequence[tuple[int, ast.expr]]) -> ast.expr:
    """The sum of signed terms, its integers added up and put last."""
    total = 0
    rest: list[tuple[int, ast.expr]] = []
    for sign, term in terms:
        if isinstance(term, ast.Constant) and type(term.value) is int:
            total += sign * term.value
            continue
        opposite = next((t for t in rest if t[0] == -sign and equal(t[1], term)), None)
        if opposite is None:
            rest.append((sign, term))
        else:
            rest.remove(opposite)
    if not rest:
        return ast.Constant(value=total)
    first = next((t for t in rest if t[0] > 0), None)
    if first is None:
        result: ast.expr = ast.Constant(value=total)
        total = 0
    else:
        rest.remove(first)
        result = first[1]
    for sign, term in rest:
        result = ast.BinOp(left=result, op=ast.Add() if sign > 0 else ast.Sub(), right=term)
    if total:
        op = ast.Add() if total > 0 else ast.Sub()
        result = ast.BinOp(left=result, op=op, right=ast.Constant(value=abs(total)))
    return result


def _range(node: ast.Call) -> ast.expr:
    """``range(0, n)`` for ``range(n)`` and for ``range(0, n, 1)``."""
    args = node.args
    if len(args) == 3 and is_constant(args[2], 1):
        args = args[:2]
    if len(args) == 1:
        args = [ast.Constant(value=0), *args]
    return ast.Call(func=node.func, args=args, keywords=[])


def _is_length(node: ast.expr, sequence: ast.expr) -> bool:
    return is_call(node, "len", 1) and equal(cast("ast.Call", node).args[0], sequence)


def _is_short(node: ast.expr) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute)) or (
        isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
    )
