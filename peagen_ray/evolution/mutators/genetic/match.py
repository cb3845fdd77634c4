"""Patterns written as Python text: find the code that they describe.

In a pattern, a name in capitals is a *metavariable*: as an expression it stands for any expression, as
a whole statement for any number of statements (none too). Twice the same name means twice the same code.

A pattern also finds code that says the same in another way: ``x = x + y`` for ``x += y``, a comparison or
a sum the other way round, ``range(0, n)``, an annotated assignment, an ``if`` with its branches exchanged,
``if …: continue`` before the rest of a loop's body, ``n`` where ``n = len(xs)`` went before. Between
statements of a pattern others may stand in the program, if an assignment can be moved past them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from types import MappingProxyType

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, parse_statements
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.nodes import (
    IGNORED_FIELDS,
    conjuncts,
    is_call,
    is_metavariable,
    lengths,
    movable,
    negated,
    own_blocks,
    own_nodes,
    shorter_range,
    without_guard,
)

Bindings = dict[str, "ast.expr | list[ast.stmt]"]

_Index = dict[type[ast.AST], list[tuple[int, tuple[ast.stmt, ...]]]]

_TYPES: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.AugAssign: (ast.AugAssign, ast.Assign),
    ast.Assign: (ast.Assign, ast.AnnAssign),
}
"""The types of statement that a pattern of this type may fit, where there are several."""
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

    @property
    def anchor(self) -> ast.stmt | ast.expr:
        """What is replaced: the expression, or the last of the statements."""
        return self.statements[-1] if self.expression is None else self.expression

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


_Found = Iterator[tuple[int, Match]]


def find(draft: Draft, pattern: str) -> Iterator[Match]:
    """Every place in the editable functions where ``pattern`` fits."""
    return (match for _, match in find_any(draft, (pattern,)))


def find_any(draft: Draft, patterns: tuple[str, ...]) -> Iterator[tuple[int, Match]]:
    """Every place where one of the patterns fits, with the index of that pattern; one pass for all."""
    statements, expressions = _by_type(patterns)
    needs_lengths = any("len(" in pattern for pattern in patterns)
    for function in draft.functions():
        matcher = _Matcher(lengths(function) if needs_lengths else {})
        if statements:
            yield from _find_statements(function, statements, matcher)
        if expressions:
            yield from _find_expressions(function, expressions, matcher)


def matches(
    pattern: str, node: ast.AST, lengths: Mapping[str, ast.Call] = MappingProxyType({})
) -> Bindings | None:
    """What the metavariables stand for when ``pattern`` fits this one node, else None.

    Args:
        pattern: of one statement or expression.
        node: where it should fit.
        lengths: names that are known to be the length of something.
    """
    (wanted,) = _pattern(pattern)
    if isinstance(wanted, ast.Expr) and isinstance(node, ast.expr):
        return next(_Matcher(lengths).node(wanted.value, node, {}), None)
    return next(_Matcher(lengths).node(wanted, node, {}), None)


@lru_cache(maxsize=2048)
def kinds(pattern: str) -> tuple[type[ast.AST], ...]:
    """The types of node that a pattern of one statement or expression may fit."""
    (wanted,) = _pattern(pattern)
    if isinstance(wanted, ast.Expr):
        return (type(wanted.value),)
    return _TYPES.get(type(wanted), (type(wanted),))


def matches_block(pattern: str, block: Sequence[ast.stmt]) -> Bindings | None:
    """What the metavariables stand for when ``pattern`` fits this whole block, else None."""
    return next(_Matcher().block(_pattern(pattern), list(block), {}), None)


def _find_expressions(
    function: FunctionNode, wanted: _Index, matcher: _Matcher
) -> Iterator[tuple[int, Match]]:
    for node in own_nodes(function):
        for index, (pattern,) in wanted.get(type(node), ()):
            assert isinstance(pattern, ast.Expr)
            assert isinstance(node, ast.expr)
            for found in islice(matcher.node(pattern.value, node, {}), 1):
                yield index, Match(found, function, expression=node)


def _find_statements(
    function: FunctionNode, wanted: _Index, matcher: _Matcher
) -> Iterator[tuple[int, Match]]:
    for block in own_blocks(function):
        for start, statement in enumerate(block):
            for index, pattern in wanted.get(type(statement), ()):
                for bindings, used in islice(matcher.sequence(pattern, block, start, {}), 1):
                    yield index, Match(bindings, function, statements=tuple(block[i] for i in used))


@lru_cache(maxsize=256)
def _by_type(patterns: tuple[str, ...]) -> tuple[_Index, _Index]:
    """Statement patterns and expression patterns with their indices, by the type of node they may fit."""
    statements: _Index = {}
    expressions: _Index = {}
    for index, text in enumerate(patterns):
        pattern = _pattern(text)
        first = pattern[0]
        if len(pattern) == 1 and isinstance(first, ast.Expr) and not isinstance(first.value, ast.Name):
            expressions.setdefault(type(first.value), []).append((index, pattern))
            continue
        for cls in _TYPES.get(type(first), (type(first),)):
            statements.setdefault(cls, []).append((index, pattern))
    return statements, expressions


class _Matcher:
    """Fits patterns to nodes; every method yields each way in which the metavariables can be bound."""

    def __init__(self, lengths: Mapping[str, ast.Call] = MappingProxyType({})) -> None:
        self._lengths = lengths

    def sequence(
        self, wanted: Sequence[ast.stmt], block: Sequence[ast.stmt], start: int, bindings: Bindings
    ) -> Iterator[tuple[Bindings, tuple[int, ...]]]:
        """Fit statements from ``start`` on; yields the indices of those that fit, too."""
        head, *tail = wanted
        if (name := _wildcard(head)) is not None:
            for end in range(len(block), start - 1, -1):
                bound = _bind(name, list(block[start:end]), bindings)
                if bound is not None and (tail or end == len(block)):
                    rest = self.sequence(tail, block, end, bound) if tail else iter([(bound, ())])
                    yield from ((b, (*range(start, end), *used)) for b, used in rest)
            return
        if start >= len(block) or not _may_fit(head, block[start]):
            return
        if not tail:
            yield from ((bound, (start,)) for bound in self.node(head, block[start], bindings))
            return
        for after in _followers(block, start, tail[0]):
            for bound in self.node(head, block[start], bindings):
                yield from ((b, (start, *used)) for b, used in self.sequence(tail, block, after, bound))

    def node(self, wanted: ast.AST, node: ast.AST, bindings: Bindings) -> Iterator[Bindings]:
        """Fit one node, in any of the ways to write it."""
        if isinstance(wanted, ast.Name) and is_metavariable(wanted.id):
            bound = _bind(wanted.id, node, bindings) if isinstance(node, ast.expr) else None
            if bound is not None:
                yield bound
            return
        if isinstance(wanted, ast.arg) and isinstance(node, ast.arg) and is_metavariable(wanted.arg):
            node, wanted = ast.Name(id=node.arg, ctx=ast.Load()), ast.Name(id=wanted.arg, ctx=ast.Load())
            yield from self.node(wanted, node, bindings)
            return
        if isinstance(node, ast.Name) and is_call(wanted, "len") and node.id in self._lengths:
            node = self._lengths[node.id]
        for view in _views(wanted, node):
            if type(view) is type(wanted):
                yield from self._fields(wanted, view, bindings)

    def block(
        self, wanted: Sequence[ast.stmt], block: list[ast.stmt], bindings: Bindings
    ) -> Iterator[Bindings]:
        """Fit a whole block."""
        if not wanted:
            if not block:
                yield bindings
            return
        head, *tail = wanted
        if (name := _wildcard(head)) is not None:
            for end in range(len(block), -1, -1) if tail else (len(block),):
                bound = _bind(name, block[:end], bindings)
                if bound is not None:
                    yield from self.block(tail, block[end:], bound)
            return
        if isinstance(head, ast.If) and not tail:
            block = without_guard(block)
        for bound in self.node(head, block[0], bindings) if block else ():
            yield from self.block(tail, block[1:], bound)

    def _fields(self, wanted: ast.AST, node: ast.AST, bindings: Bindings) -> Iterator[Bindings]:
        names = [name for name in wanted._fields if name not in IGNORED_FIELDS]
        values = [(getattr(wanted, name, None), getattr(node, name, None)) for name in names]
        yield from self._all(values, bindings)

    def _all(self, pairs: Sequence[tuple[object, object]], bindings: Bindings) -> Iterator[Bindings]:
        if not pairs:
            yield bindings
            return
        for bound in self._value(*pairs[0], bindings):
            yield from self._all(pairs[1:], bound)

    def _value(self, wanted: object, value: object, bindings: Bindings) -> Iterator[Bindings]:
        if isinstance(wanted, ast.AST):
            if isinstance(value, ast.AST):
                yield from self.node(wanted, value, bindings)
        elif isinstance(wanted, list) and isinstance(value, list):
            if wanted and isinstance(wanted[0], ast.stmt):
                yield from self.block(wanted, value, bindings)
            elif len(wanted) == len(value):
                yield from self._all(list(zip(wanted, value, strict=True)), bindings)
        elif type(wanted) is type(value) and wanted == value:
            yield bindings


def _followers(block: Sequence[ast.stmt], start: int, wanted: ast.stmt) -> Iterator[int]:
    """Where the statement of a pattern after the one at ``start`` may be."""
    if _wildcard(wanted) is not None:
        yield start + 1
        return
    passed = start
    for at in range(start + 1, len(block)):
        if _may_fit(wanted, block[at]):
            if not all(movable(block[start], block[i]) for i in range(passed + 1, at)):
                return
            passed = at - 1
            yield at


def _may_fit(wanted: ast.stmt, node: ast.stmt) -> bool:
    """Whether the kinds of statements within allow ``wanted`` to fit; a quick no for most."""
    if type(node) not in _TYPES.get(type(wanted), (type(wanted),)):
        return False
    if isinstance(wanted, ast.If) and isinstance(node, ast.If):
        if node.orelse or isinstance(node.body[0], ast.If):
            return True
        return not wanted.orelse and _blocks_may_fit(wanted.body, node.body)
    if isinstance(wanted, (ast.For, ast.While)) and isinstance(node, (ast.For, ast.While)):
        return _blocks_may_fit(wanted.body, node.body)
    return True


def _blocks_may_fit(wanted: Sequence[ast.stmt], block: Sequence[ast.stmt]) -> bool:
    for one, other in zip(wanted, block, strict=False):
        if _wildcard(one) is not None:
            return True
        guarded = isinstance(one, ast.If) and isinstance(other, ast.If) and len(block) > len(wanted)
        if guarded:
            return True
        if not _may_fit(one, other):
            return False
    return len(wanted) == len(block) or _wildcard(wanted[-1]) is not None


def _bind(name: str, value: ast.AST | list[ast.stmt], bindings: Bindings) -> Bindings | None:
    known = bindings.get(name)
    if known is None:
        return {**bindings, name: value}  # type: ignore[dict-item]
    return bindings if same_code(known, value) else None


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
    elif isinstance(wanted, ast.If) and isinstance(node, ast.If):
        yield from _other_branching(node)


def _as_augmented(node: ast.Assign) -> Iterator[ast.AugAssign]:
    if len(node.targets) != 1 or not isinstance(node.value, ast.BinOp):
        return
    target, value = node.targets[0], node.value
    if isinstance(target, (ast.Name, ast.Attribute, ast.Subscript)):
        if same_code(target, value.left):
            yield ast.AugAssign(target=target, op=value.op, value=value.right)
        elif isinstance(value.op, _COMMUTATIVE) and same_code(target, value.right):
            yield ast.AugAssign(target=target, op=value.op, value=value.left)


def _mirrored(node: ast.Compare) -> Iterator[ast.Compare]:
    other = _MIRRORED.get(type(node.ops[0]))
    if other is not None:
        yield ast.Compare(left=node.comparators[0], ops=[other()], comparators=[node.left])


def _other_branching(node: ast.If) -> Iterator[ast.If]:
    inner = node.body[0]
    if node.orelse:
        yield ast.If(test=negated(node.test), body=node.orelse, orelse=node.body)
    elif len(node.body) == 1 and isinstance(inner, ast.If) and not inner.orelse:
        both = ast.BoolOp(op=ast.And(), values=[*conjuncts(node.test), *conjuncts(inner.test)])
        yield ast.If(test=both, body=inner.body, orelse=[])


@lru_cache(maxsize=2048)
def _pattern(text: str) -> tuple[ast.stmt, ...]:
    return tuple(parse_statements(text))


def _wildcard(statement: ast.stmt) -> str | None:
    """The metavariable that is a whole statement of a pattern, if it is one."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name):
        return statement.value.id if is_metavariable(statement.value.id) else None
    return None
