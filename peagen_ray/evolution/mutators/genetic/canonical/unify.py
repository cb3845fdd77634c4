"""Fitting patterns to normal form.

A pattern is Python text that is brought into normal form before it is compared, so that one pattern finds
every spelling. In it, names in capitals are *metavariables*:

* one that the pattern assigns, loops over or declares as a parameter is a variable: it stands for a name,
  and two of them for two names;
* any other stands for an expression, which must not mention the pattern's variables;
* ``F(I)`` stands for an expression that may mention the variable ``I``; where ``F(J)`` occurs too, it is
  the same expression with ``J`` in the place of ``I``;
* alone as a statement, it stands for any number of statements (none too), which may mention anything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from peagen_ray.evolution.mutators.genetic.base import every, parse_statements
from peagen_ray.evolution.mutators.genetic.canonical.form import Form, Names
from peagen_ray.evolution.mutators.genetic.canonical.normal import normal_form
from peagen_ray.evolution.mutators.genetic.canonical.trees import rebuilt, substituted
from peagen_ray.evolution.mutators.genetic.nodes import IGNORED_FIELDS, equal, is_metavariable, names_in

_COMMUTATIVE = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
_HOLE = "PLACEHOLDER"


@dataclass(frozen=True)
class Abstraction:
    """An expression with parameters: what ``F(I)`` stands for."""

    parameters: tuple[str, ...]
    body: ast.expr

    def applied(self, args: Sequence[ast.expr]) -> ast.expr:
        """The expression with the parameters replaced."""
        return substituted(self.body, dict(zip(self.parameters, args, strict=True)))


Value = ast.expr | list[ast.stmt] | Abstraction
Bindings = Mapping[str, Value]


@dataclass(frozen=True)
class Pattern:
    """A pattern in normal form.

    Attributes:
        body: its statements.
        variables: the names in it that stand for names.
        parameters: of a pattern of a whole function, its parameters; None for one of statements.
        function: of such a pattern, the metavariable of its name.
    """

    body: tuple[ast.stmt, ...]
    variables: frozenset[str]
    parameters: tuple[str, ...] | None = None
    function: str = ""


@lru_cache(maxsize=1024)
def pattern(text: str) -> Pattern:
    """The pattern that a text describes."""
    statements = parse_statements(text)
    whole = statements[0] if isinstance(statements[0], ast.FunctionDef) else None
    function = whole or _as_function(statements)
    form = normal_form(function, Names.of(function), {}, lambda _: None)
    body = tuple(_solid_tree(form, form.body))
    variables = {
        n.id for s in body for n in every(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    if whole is None:
        return Pattern(body, frozenset(variables))
    args = tuple(a.arg for a in whole.args.args)
    return Pattern(body, frozenset(variables | set(args) | {whole.name}), args, whole.name)


def _as_function(statements: list[ast.stmt]) -> ast.FunctionDef:
    (made,) = parse_statements("def pattern(): pass")
    assert isinstance(made, ast.FunctionDef)
    made.body = statements
    return made


def _solid_tree(form: Form, block: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements of a pattern without its ghosts; a metavariable alone is none."""
    for statement in block:
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(statement, name, None)
            if isinstance(inner, list):
                setattr(statement, name, _solid_tree(form, inner))
    return form.solid(block)


def fit_block(
    wanted: Pattern, form: Form, block: Sequence[ast.stmt], start: int
) -> Iterator[tuple[Bindings, int]]:
    """What the metavariables stand for, and where the match ends, for a match that begins at ``start``."""
    fitter = _Fitter(wanted, form)
    for bindings, end in fitter.sequence(wanted.body, block, start, {}):
        if fitter.is_closed(bindings):
            yield bindings, end


def fit_function(wanted: Pattern, form: Form) -> Iterator[Bindings]:
    """What the metavariables stand for when a pattern of a whole function fits one."""
    own = [a.arg for a in form.function.args.args]
    extra = form.function.args.kwonlyargs or form.function.args.vararg or form.function.args.kwarg
    if wanted.parameters is None or len(own) != len(wanted.parameters) or extra:
        return
    fitter = _Fitter(wanted, form)
    start: dict[str, Value] = {wanted.function: ast.Name(id=form.function.name, ctx=ast.Load())}
    start |= {p: ast.Name(id=a, ctx=ast.Load()) for p, a in zip(wanted.parameters, own, strict=True)}
    for bindings in fitter.block(wanted.body, form.body, start):
        if fitter.is_closed(bindings):
            yield bindings


class _Fitter:
    def __init__(self, wanted: Pattern, form: Form | None) -> None:
        self._variables = wanted.variables
        self._form = form

    def is_closed(self, bindings: Bindings) -> bool:
        """Whether no expression mentions a variable that it may not."""
        bound = {v.id for n, v in bindings.items() if n in self._variables and isinstance(v, ast.Name)}
        for key, value in bindings.items():
            if key in self._variables or isinstance(value, list):
                continue
            body = value.body if isinstance(value, Abstraction) else value
            if names_in(body) & bound:
                return False
        return True

    def _ghost(self, statement: ast.stmt) -> bool:
        return self._form is not None and statement in self._form.ghosts

    def sequence(
        self, wanted: Sequence[ast.stmt], block: Sequence[ast.stmt], at: int, bindings: Bindings
    ) -> Iterator[tuple[Bindings, int]]:
        """Ways in which statements fit a part of a block that begins at ``at``."""
        if not wanted:
            yield bindings, at
            return
        hole = _statement_hole(wanted[0], self._variables)
        if hole is not None:
            for end in range(len(block), at - 1, -1):
                bound = self._bind(hole, list(block[at:end]), bindings)
                if bound is not None:
                    yield from self.sequence(wanted[1:], block, end, bound)
            return
        here = at
        while here < len(block) and self._ghost(block[here]):
            here += 1
        if here < len(block):
            for bound in self.statement(wanted[0], block[here], bindings):
                yield from self.sequence(wanted[1:], block, here + 1, bound)

    def block(
        self, wanted: Sequence[ast.stmt], block: Sequence[ast.stmt], bindings: Bindings
    ) -> Iterator[Bindings]:
        """Ways in which statements fit a whole block."""
        if not wanted:
            if not any(not self._ghost(s) for s in block):
                yield bindings
            return
        for bound, end in self.sequence(wanted, block, 0, bindings):
            if all(self._ghost(s) for s in block[end:]):
                yield self._with_ghosts(wanted, block, bound)

    def _with_ghosts(
        self, wanted: Sequence[ast.stmt], block: Sequence[ast.stmt], bound: Bindings
    ) -> Bindings:
        """The temporaries of a block go with the next statements that may read them."""
        if self._form is None or not any(self._ghost(s) for s in block):
            return bound
        holes = [h for s in wanted if (h := _statement_hole(s, self._variables)) is not None]
        made = dict(bound)
        waiting: list[ast.stmt] = []
        for statement in block:
            home = next((h for h in holes if _holds(bound[h], statement)), None)
            if home is None:
                waiting.extend([statement] if self._ghost(statement) else [])
            elif waiting:
                mine = made[home]
                assert isinstance(mine, list)
                made[home] = [*waiting, *mine]
                waiting = []
        return made

    def statement(self, wanted: ast.stmt, node: ast.stmt, bindings: Bindings) -> Iterator[Bindings]:
        """Ways in which one statement fits another."""
        if type(wanted) is not type(node):
            return
        yield from self._fields(wanted, node, bindings)

    def expression(self, wanted: ast.expr, node: ast.expr, bindings: Bindings) -> Iterator[Bindings]:
        """Ways in which an expression fits another."""
        if isinstance(wanted, ast.Name):
            yield from self._named(wanted.id, node, bindings)
        elif isinstance(wanted, ast.Call) and self._is_abstract(wanted.func):
            yield from self._abstract(wanted, node, bindings)
        elif isinstance(wanted, ast.BoolOp) and isinstance(node, ast.BoolOp):
            if type(wanted.op) is type(node.op) and len(wanted.values) == len(node.values):
                yield from self._any_order(wanted.values, node.values, bindings)
        elif type(wanted) is type(node):
            for view in _views(node):
                yield from self._fields(wanted, view, bindings)

    def _any_order(
        self, wanted: Sequence[ast.expr], values: Sequence[ast.expr], bindings: Bindings
    ) -> Iterator[Bindings]:
        """Ways in which conditions fit, whatever their order."""
        if not wanted:
            yield bindings
            return
        for index, value in enumerate(values):
            for bound in self.expression(wanted[0], value, bindings):
                yield from self._any_order(wanted[1:], [*values[:index], *values[index + 1 :]], bound)

    def _named(self, key: str, node: ast.expr, bindings: Bindings) -> Iterator[Bindings]:
        if key in self._variables:
            if isinstance(node, ast.Name):
                taken = any(n != key and n in self._variables and equal(v, node) for n, v in bindings.items())
                bound = None if taken else self._bind(key, node, bindings)
                if bound is not None:
                    yield bound
        elif is_metavariable(key):
            bound = self._bind(key, node, bindings)
            if bound is not None:
                yield bound
        elif isinstance(node, ast.Name) and node.id == key:
            yield bindings

    def _is_abstract(self, func: ast.expr) -> bool:
        return isinstance(func, ast.Name) and is_metavariable(func.id) and func.id not in self._variables

    def _abstract(self, wanted: ast.Call, node: ast.expr, bindings: Bindings) -> Iterator[Bindings]:
        assert isinstance(wanted.func, ast.Name)
        args = [self._instance(a, bindings) for a in wanted.args]
        if any(a is None for a in args):
            return
        known = bindings.get(wanted.func.id)
        actual = [a for a in args if a is not None]
        if isinstance(known, Abstraction):
            if equal(known.applied(actual), node):
                yield bindings
            return
        holes = tuple(f"{_HOLE}{i}" for i in range(len(actual)))

        def visit(each: ast.AST) -> ast.AST | None:
            for hole, arg in zip(holes, actual, strict=True):
                if isinstance(each, ast.expr) and equal(each, arg):
                    return ast.Name(id=hole, ctx=ast.Load())
            return None

        yield {**bindings, wanted.func.id: Abstraction(holes, rebuilt(node, visit))}

    def _instance(self, wanted: ast.expr, bindings: Bindings) -> ast.expr | None:
        """An argument of ``F(…)`` with its metavariables replaced; None when one is not known yet."""
        for n in every(wanted):
            if (isinstance(n, ast.Name) and is_metavariable(n.id)) or (
                isinstance(n, ast.Name) and n.id in self._variables
            ):
                if not isinstance(bindings.get(n.id), ast.expr):
                    return None
        known = {k: v for k, v in bindings.items() if isinstance(v, ast.expr)}
        return substituted(wanted, known)

    def _bind(self, key: str, value: ast.expr | list[ast.stmt], bindings: Bindings) -> Bindings | None:
        known = bindings.get(key)
        if known is None:
            return {**bindings, key: value}
        return bindings if equal(known, value) else None

    def _fields(self, wanted: ast.AST, node: ast.AST, bindings: Bindings) -> Iterator[Bindings]:
        names = [n for n in wanted._fields if n not in IGNORED_FIELDS]
        yield from self._values(
            [getattr(wanted, n, None) for n in names], [getattr(node, n, None) for n in names], bindings
        )

    def _values(
        self, wanted: Sequence[object], values: Sequence[object], bindings: Bindings
    ) -> Iterator[Bindings]:
        """Ways in which values fit, one after another."""
        if not wanted:
            yield bindings
            return
        for bound in self._value(wanted[0], values[0], bindings):
            yield from self._values(wanted[1:], values[1:], bound)

    def _value(self, wanted: object, value: object, bindings: Bindings) -> Iterator[Bindings]:
        if isinstance(wanted, ast.expr):
            if isinstance(value, ast.expr):
                yield from self.expression(wanted, value, bindings)
        elif isinstance(wanted, ast.AST):
            if type(wanted) is type(value) and isinstance(value, ast.AST):
                yield from self._fields(wanted, value, bindings)
        elif isinstance(wanted, list):
            if not isinstance(value, list):
                return
            if any(isinstance(w, ast.stmt) for w in wanted) or any(isinstance(v, ast.stmt) for v in value):
                yield from self.block(wanted, value, bindings)
            elif len(wanted) == len(value):
                yield from self._values(wanted, value, bindings)
        elif _alike(wanted, value):
            yield bindings


def _holds(value: Value, statement: ast.stmt) -> bool:
    return isinstance(value, list) and any(each is statement for each in value)


def _alike(wanted: object, value: object) -> bool:
    """Whether constants are the same; 0 is 0.0 too, but not False."""
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    if isinstance(wanted, (int, float)) and isinstance(value, (int, float)):
        return wanted == value
    return type(wanted) is type(value) and wanted == value


def _views(node: ast.expr) -> Iterator[ast.expr]:
    """``node`` and the other order in which to write it."""
    yield node
    if isinstance(node, ast.BinOp) and isinstance(node.op, _COMMUTATIVE):
        yield ast.BinOp(left=node.right, op=node.op, right=node.left)
    elif (
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.right, ast.Constant)
    ):
        if isinstance(node.right.value, (int, float)):
            less = ast.Constant(value=-node.right.value)
            yield ast.BinOp(left=node.left, op=ast.Add(), right=less)
            yield ast.BinOp(left=less, op=ast.Add(), right=node.left)
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
        yield ast.Compare(left=node.comparators[0], ops=node.ops, comparators=[node.left])
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"min", "max"}:
        if len(node.args) == 2 and not node.keywords:
            yield ast.Call(func=node.func, args=node.args[::-1], keywords=[])


def _statement_hole(statement: ast.stmt, variables: frozenset[str]) -> str | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name):
        key = statement.value.id
        return key if is_metavariable(key) and key not in variables else None
    return None
