"""Patterns written as Python text: find the code that they describe.

In a pattern, a name in capitals is a *metavariable*: as an expression it stands for any expression, as
a whole statement for any number of statements (none too). Twice the same name means twice the same code.

A pattern also finds code that says the same in another way: ``x = x + y`` for ``x += y``, a comparison or
a sum the other way round, ``range(0, n)``, an annotated assignment, an ``if`` with its branches exchanged,
a loop body that opens with ``if …: continue``. Between statements of a pattern others may stand in the
program, as long as an assignment can be moved past them.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, parse_statements
from peagen_ray.evolution.mutators.genetic.nodes import (
    IGNORED_FIELDS,
    equal,
    is_metavariable,
    movable,
    negated,
    own_blocks,
    own_nodes,
    shorter_range,
)

Bindings = dict[str, "ast.expr | list[ast.stmt]"]

_COMMUTATIVE = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Is: ast.Is,
    ast.IsNot: ast.IsNot,
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
}


@dataclass(frozen=True)
class Match:
    """Code that a pattern found.

    Attributes:
        bindings: what each metavariable stands for.
        statements: the statements that were found, in the order of the source; empty for an expression.
        expression: the expression that was found; None for statements.
        function: the function that it is in.
    """

    bindings: Bindings
    function: FunctionNode
    statements: tuple[ast.stmt, ...] = ()
    expression: ast.expr | None = None

    def __getitem__(self, name: str) -> ast.expr:
        """The expression that a metavariable stands for."""
        value = self.bindings[name]
        if isinstance(value, list):
            raise KeyError(f"{name} stands for statements")
        return value

    def body(self, name: str) -> list[ast.stmt]:
        """The statements that a metavariable stands for."""
        value = self.bindings[name]
        if not isinstance(value, list):
            raise KeyError(f"{name} stands for an expression")
        return value

    def having(self, **more: ast.expr | list[ast.stmt]) -> Match:
        """The same match with more metavariables known."""
        return Match({**self.bindings, **more}, self.function, self.statements, self.expression)


def find(draft: Draft, pattern: str) -> Iterator[Match]:
    """Every place in the editable functions where ``pattern`` fits, in the order of the source."""
    statements = _pattern(pattern)
    if len(statements) == 1 and isinstance(statements[0], ast.Expr):
        yield from _find_expressions(draft, statements[0].value)
    else:
        yield from _find_statements(draft, statements)


def matches(pattern: str, node: ast.AST) -> Bindings | None:
    """What the metavariables stand for when ``pattern`` fits this one node, else None."""
    (wanted,) = _pattern(pattern)
    if isinstance(wanted, ast.Expr) and isinstance(node, ast.expr):
        return next(_match(wanted.value, node, {}), None)
    return next(_match(wanted, node, {}), None)


def matches_block(pattern: str, block: Sequence[ast.stmt]) -> Bindings | None:
    """What the metavariables stand for when ``pattern`` fits this whole block, else None."""
    return next(_match_block(_pattern(pattern), list(block), {}), None)


def _find_expressions(draft: Draft, wanted: ast.expr) -> Iterator[Match]:
    for function in draft.functions():
        for node in own_nodes(function):
            if isinstance(node, ast.expr):
                found = next(_match(wanted, node, {}), None)
                if found is not None:
                    yield Match(found, function, expression=node)


def _find_statements(draft: Draft, wanted: Sequence[ast.stmt]) -> Iterator[Match]:
    for function in draft.functions():
        for block in own_blocks(function):
            for start in range(len(block)):
                found = next(_match_sequence(wanted, block, start, {}), None)
                if found is not None:
                    bindings, used = found
                    yield Match(bindings, function, statements=tuple(block[i] for i in used))


def _match_sequence(
    wanted: Sequence[ast.stmt], block: Sequence[ast.stmt], start: int, bindings: Bindings
) -> Iterator[tuple[Bindings, tuple[int, ...]]]:
    head, *tail = wanted
    if _is_wildcard(head):
        for end in range(len(block), start - 1, -1):
            bound = _bind(_wildcard(head), list(block[start:end]), bindings)
            if bound is not None and (tail or end == len(block)):
                rest = _match_sequence(tail, block, end, bound) if tail else iter([(bound, ())])
                yield from ((b, (*range(start, end), *used)) for b, used in rest)
        return
    if start >= len(block):
        return
    for bound in _match(head, block[start], bindings):
        if not tail:
            yield bound, (start,)
            continue
        for nxt in range(start + 1, len(block) + 1):
            yield from ((b, (start, *used)) for b, used in _match_sequence(tail, block, nxt, bound))
            if nxt >= len(block) or _is_wildcard(tail[0]) or not movable(block[start], block[nxt]):
                break


def _match(wanted: ast.AST, node: ast.AST, bindings: Bindings) -> Iterator[Bindings]:
    if isinstance(wanted, ast.Name) and is_metavariable(wanted.id):
        bound = _bind(wanted.id, node, bindings) if isinstance(node, ast.expr) else None
        if bound is not None:
            yield bound
        return
    for view in _views(wanted, node):
        if type(view) is type(wanted):
            yield from _match_fields(wanted, view, bindings)


def _match_fields(wanted: ast.AST, node: ast.AST, bindings: Bindings) -> Iterator[Bindings]:
    found = [bindings]
    for name in wanted._fields:
        if name in IGNORED_FIELDS:
            continue
        a, b = getattr(wanted, name, None), getattr(node, name, None)
        found = [more for each in found for more in _match_value(a, b, each)]
        if not found:
            return
    yield from found


def _match_value(wanted: object, value: object, bindings: Bindings) -> Iterator[Bindings]:
    if isinstance(wanted, ast.AST):
        if isinstance(value, ast.AST):
            yield from _match(wanted, value, bindings)
    elif isinstance(wanted, list):
        if not isinstance(value, list):
            return
        if wanted and isinstance(wanted[0], ast.stmt):
            yield from _match_block(wanted, value, bindings)
        elif len(wanted) == len(value):
            found = [bindings]
            for a, b in zip(wanted, value, strict=True):
                found = [more for each in found for more in _match_value(a, b, each)]
            yield from found
    elif type(wanted) is type(value) and wanted == value:
        yield bindings


def _match_block(wanted: Sequence[ast.stmt], block: list[ast.stmt], bindings: Bindings) -> Iterator[Bindings]:
    if not wanted:
        if not block:
            yield bindings
        return
    head, *tail = wanted
    if _is_wildcard(head):
        for end in range(len(block), -1, -1) if tail else (len(block),):
            bound = _bind(_wildcard(head), block[:end], bindings)
            if bound is not None:
                yield from _match_block(tail, block[end:], bound)
    elif block and len(block) >= sum(not _is_wildcard(w) for w in wanted):
        for bound in _match(head, block[0], bindings):
            yield from _match_block(tail, block[1:], bound)


def _bind(name: str, value: ast.AST | list[ast.stmt], bindings: Bindings) -> Bindings | None:
    known = bindings.get(name)
    if known is None:
        return {**bindings, name: value}  # type: ignore[dict-item]
    return bindings if equal(known, value) else None


def _views(wanted: ast.AST, node: ast.AST) -> Iterator[ast.AST]:
    """``node`` and other ways to write the same that have the form of ``wanted``."""
    yield node
    if isinstance(wanted, ast.AugAssign) and isinstance(node, ast.Assign):
        yield from _as_augmented(node)
    elif isinstance(wanted, ast.Assign) and isinstance(node, ast.AnnAssign) and node.value is not None:
        yield ast.Assign(targets=[node.target], value=node.value)
    elif isinstance(wanted, ast.Compare) and isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield from _mirrored(node)
    elif isinstance(wanted, ast.BinOp) and isinstance(node, ast.BinOp) and isinstance(node.op, _COMMUTATIVE):
        yield ast.BinOp(left=node.right, op=node.op, right=node.left)
    elif isinstance(wanted, ast.Call) and isinstance(node, ast.Call):
        yield from shorter_range(node)
    elif isinstance(wanted, ast.If) and isinstance(node, ast.If) and node.orelse:
        yield ast.If(test=negated(node.test), body=node.orelse, orelse=node.body)
    elif isinstance(wanted, (ast.For, ast.While)) and isinstance(node, (ast.For, ast.While)):
        yield from _without_guard(node)


def _as_augmented(node: ast.Assign) -> Iterator[ast.AugAssign]:
    if len(node.targets) != 1 or not isinstance(node.value, ast.BinOp):
        return
    target, value = node.targets[0], node.value
    if isinstance(target, (ast.Name, ast.Attribute, ast.Subscript)):
        if equal(target, value.left):
            yield ast.AugAssign(target=target, op=value.op, value=value.right)
        elif isinstance(value.op, _COMMUTATIVE) and equal(target, value.right):
            yield ast.AugAssign(target=target, op=value.op, value=value.left)


def _mirrored(node: ast.Compare) -> Iterator[ast.Compare]:
    other = _MIRRORED.get(type(node.ops[0]))
    if other is not None:
        yield ast.Compare(left=node.comparators[0], ops=[other()], comparators=[node.left])


def _without_guard(node: ast.For | ast.While) -> Iterator[ast.For | ast.While]:
    first = node.body[0]
    if len(node.body) == 1 or not isinstance(first, ast.If) or first.orelse:
        return
    if isinstance(first.body[0], ast.Continue):
        view = copy.copy(node)
        view.body = [ast.If(test=negated(first.test), body=node.body[1:], orelse=[])]
        yield view


@lru_cache(maxsize=2048)
def _pattern(text: str) -> tuple[ast.stmt, ...]:
    return tuple(parse_statements(text))


def _is_wildcard(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Name)
        and is_metavariable(statement.value.id)
    )


def _wildcard(statement: ast.stmt) -> str:
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Name)
    return statement.value.id
