"""Recursion that remembers: caches that live for one call from outside."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import cast

from peagen_ray.evolution.mutators.genetic.algorithms.recursion import (
    Recursion,
    Role,
    is_negative,
    recursions,
)
from peagen_ray.evolution.mutators.genetic.base import (
    Draft,
    FunctionNode,
    Operator,
    every,
    parse_expression,
)
from peagen_ray.evolution.mutators.genetic.canonical.trees import call, name
from peagen_ray.evolution.mutators.genetic.nodes import is_call, is_constant, negated
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

_OF_CONTAINERS = frozenset({"len", "sum", "sorted", "enumerate", "list", "set", "tuple"})
CACHE = "functools.lru_cache(maxsize=None)"
"""The decorator that remembers results."""


@dataclass(frozen=True)
class MemoSite:
    """A recursive function, and how its parameters become a key.

    Attributes:
        recursion: the function.
        frozen: pass what is no number as tuples, rather than slices as indices.
    """

    recursion: Recursion
    frozen: bool


class MemoiseRecursion(Edit[MemoSite]):
    """Remembers what a recursive function returned, for the time of one call from outside.

    Before::

        def ways(coins, amount):
            if amount == 0:
                return 1
            if amount < 0 or not coins:
                return 0
            return ways(coins, amount - coins[0]) + ways(coins[1:], amount)

    After::

        def ways(coins, amount):
            @functools.lru_cache(maxsize=None)
            def solve(start, amount):
                if amount == 0:
                    return 1
                if amount < 0 or start >= len(coins):
                    return 0
                return solve(start, amount - coins[start]) + solve(start + 1, amount)

            return solve(0, amount)

    Parameters that are only passed on are read from the function around; slices ``p[k:]`` and ``p[:-k]``
    become indices. At a second site, lists and sets are passed as tuples and frozen sets instead.
    """

    NAME = "memoise-recursion"
    WEIGHT = 3.0

    def sites(self, draft: Draft) -> list[MemoSite]:
        """Each recursive function that calls itself in two places, or in a loop; its slices as indices first."""
        found: list[MemoSite] = []
        for each in recursions(draft):
            if not _repeats(each):
                continue
            found.append(MemoSite(each, frozen=False))
            if any(not _is_scalar(each, p) for p in each.parameters):
                found.append(MemoSite(each, frozen=True))
        return found

    def edit(self, draft: Draft, site: MemoSite) -> bool:
        """Wrap the body in a cached function of the parameters that vary."""
        recursion, function = site.recursion, site.recursion.function
        roles = {p: recursion.role(p) for p in recursion.parameters}
        if site.frozen:
            roles = {p: r if r is Role.SAME else Role.KEY for p, r in roles.items()}
        varying = [p for p in recursion.parameters if roles[p] is not Role.SAME]
        if not varying:
            return False
        inner = draft.fresh("solve")
        indices = _index_names(draft, roles)
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        kept = function.body[: len(function.body) - len(body)]
        solve = ast.FunctionDef(
            name=inner,
            args=_arguments([indices.get(p, p) for p in varying]),
            body=list(body),
            decorator_list=[parse_expression(CACHE)],
        )
        for each in recursion.calls:
            args = [_next(recursion, each, p, roles[p], indices) for p in varying]
            each.func, each.args, each.keywords = name(inner), args, []
        for parameter, index in indices.items():
            _Indexed(parameter, index, roles[parameter], inner).visit(solve)
        start = [_first(recursion, p, roles[p], site.frozen) for p in varying]
        function.body[:] = [*kept, solve, ast.Return(value=call(inner, *start))]
        draft.touched()
        draft.ensure_import("import functools")
        return True


def _repeats(recursion: Recursion) -> bool:
    """Whether one call may lead to several."""
    looped = any(
        isinstance(n, (ast.For, ast.While, ast.comprehension, ast.GeneratorExp, ast.ListComp))
        and any(c in set(recursion.calls) for c in every(n))
        for n in every(recursion.function)
    )
    return looped or len(recursion.calls) > 1


def _is_scalar(recursion: Recursion, parameter: str) -> bool:
    """Whether a parameter is a number as far as can be seen: it is only passed on, or computed with."""
    if recursion.role(parameter) is not Role.KEY:
        return recursion.role(parameter) is Role.SAME
    return not any(_contains(node, parameter) for node in every(recursion.function))


def _contains(node: ast.AST, parameter: str) -> bool:
    """Whether a node uses a parameter as a container."""
    parts: list[ast.expr] = []
    if isinstance(node, (ast.Subscript, ast.Attribute)):
        parts = [node.value]
    elif isinstance(node, ast.Compare) and isinstance(node.ops[-1], (ast.In, ast.NotIn)):
        parts = [node.comparators[-1]]
    elif isinstance(node, (ast.For, ast.comprehension)):
        parts = [node.iter]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _OF_CONTAINERS:
        parts = node.args
    return any(isinstance(part, ast.Name) and part.id == parameter for part in parts)


def _index_names(draft: Draft, roles: dict[str, Role]) -> dict[str, str]:
    """A name for the index of each parameter that is passed on in slices."""
    sliced = [p for p, role in roles.items() if role in {Role.SUFFIX, Role.PREFIX}]
    stems = {p: "start" if roles[p] is Role.SUFFIX else "end" for p in sliced}
    if len(sliced) > 1:
        stems = {p: f"{p}_{stem}" for p, stem in stems.items()}
    return {p: draft.fresh(stem) for p, stem in stems.items()}


def _arguments(names: list[str]) -> ast.arguments:
    args = [ast.arg(arg=n) for n in names]
    return ast.arguments(posonlyargs=[], args=args, kwonlyargs=[], kw_defaults=[], defaults=[])


def _next(
    recursion: Recursion, node: ast.Call, parameter: str, role: Role, indices: dict[str, str]
) -> ast.expr:
    """What the inner function is called with instead."""
    arg = recursion.argument(node, parameter)
    if arg is None:
        return recursion.default(parameter)
    if role is Role.KEY:
        return arg
    index = name(indices[parameter])
    if isinstance(arg, ast.Name):
        return index
    part = cast("ast.Slice", cast("ast.Subscript", arg).slice)
    if role is Role.SUFFIX:
        return ast.BinOp(left=index, op=ast.Add(), right=cast("ast.expr", part.lower))
    return ast.BinOp(left=index, op=ast.Sub(), right=cast("ast.UnaryOp", part.upper).operand)


def _first(recursion: Recursion, parameter: str, role: Role, frozen: bool) -> ast.expr:
    """What the function calls the inner one with."""
    if role is Role.SUFFIX:
        return ast.Constant(value=0)
    if role is Role.PREFIX:
        return call("len", name(parameter))
    if frozen and not _is_scalar(recursion, parameter):
        return call("frozenset" if _is_set(recursion, parameter) else "tuple", name(parameter))
    return name(parameter)


def _is_set(recursion: Recursion, parameter: str) -> bool:
    """Whether a parameter is used like a set."""
    args = [recursion.argument(c, parameter) for c in recursion.calls]
    return any(
        isinstance(a, ast.BinOp) and isinstance(a.op, (ast.BitOr, ast.Sub)) and isinstance(a.right, ast.Set)
        for a in args
    )


class _Indexed(ast.NodeTransformer):
    """Says with an index into a sequence what was said with a slice of it."""

    def __init__(self, parameter: str, index: str, role: Role, inner: str) -> None:
        self._parameter = parameter
        self._index = index
        self._suffix = role is Role.SUFFIX
        self._inner = inner

    def _is_it(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == self._parameter

    def _rest(self) -> ast.expr:
        """The part of the sequence that is meant."""
        lower = name(self._index) if self._suffix else None
        upper = None if self._suffix else name(self._index)
        return ast.Subscript(
            value=name(self._parameter), slice=ast.Slice(lower=lower, upper=upper), ctx=ast.Load()
        )

    def _empty(self) -> ast.expr:
        if self._suffix:
            return parse_expression(f"{self._index} >= len({self._parameter})")
        return parse_expression(f"{self._index} <= 0")

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._rest() if node.id == self._parameter and isinstance(node.ctx, ast.Load) else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.Not) and self._is_it(node.operand):
            return self._empty()
        self.generic_visit(node)
        return node

    def _condition(self, test: ast.expr) -> ast.expr:
        if self._is_it(test):
            return negated(self._empty())
        return cast("ast.expr", self.visit(test))

    def visit_If(self, node: ast.If) -> ast.If:
        node.test = self._condition(node.test)
        node.body = [self.visit(s) for s in node.body]
        node.orelse = [self.visit(s) for s in node.orelse]
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.IfExp:
        node.test = self._condition(node.test)
        node.body, node.orelse = self.visit(node.body), self.visit(node.orelse)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        other = node.comparators[0]
        nothing = is_constant(other, "") or (isinstance(other, (ast.List, ast.Tuple)) and not other.elts)
        if self._is_it(node.left) and nothing and len(node.ops) == 1:
            if isinstance(node.ops[0], ast.Eq):
                return self._empty()
            if isinstance(node.ops[0], ast.NotEq):
                return negated(self._empty())
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if is_call(node, "len", 1) and self._is_it(node.args[0]):
            if self._suffix:
                return parse_expression(f"len({self._parameter}) - {self._index}")
            return name(self._index)
        self.generic_visit(node)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if not self._is_it(node.value) or isinstance(node.slice, ast.Slice):
            if self._is_it(node.value) and isinstance(node.slice, ast.Slice):
                node.value = self._rest()
                self.visit(node.slice)
                return node
            self.generic_visit(node)
            return node
        if self._suffix and not is_negative(node.slice):
            self.visit(node.slice)
            zero = is_constant(node.slice, 0)
            index = name(self._index)
            node.slice = index if zero else ast.BinOp(left=index, op=ast.Add(), right=node.slice)
        elif not self._suffix and is_negative(node.slice):
            back = cast("ast.UnaryOp", node.slice).operand
            node.slice = ast.BinOp(left=name(self._index), op=ast.Sub(), right=back)
        return node


class CacheNested(Edit[FunctionNode]):
    """Remembers what a function within a function returned.

    Before::

        def edit_distance(a, b):
            def distance(i, j):
                ...
                return 1 + min(distance(i - 1, j), distance(i, j - 1), distance(i - 1, j - 1))
            return distance(len(a), len(b))

    After: the same with ``@functools.lru_cache(maxsize=None)`` above ``def distance``. The cache is made with
    the function, in each call of the one around it.
    """

    NAME = "cache-nested"
    WEIGHT = 3.0

    def sites(self, draft: Draft) -> list[FunctionNode]:
        """Functions within functions that call themselves in two places, or in a loop."""
        return [
            r.function for r in recursions(draft) if _repeats(r) and draft.enclosing(r.function) is not None
        ]

    def edit(self, draft: Draft, site: FunctionNode) -> bool:
        """Decorate the function."""
        site.decorator_list.insert(0, parse_expression(CACHE))
        draft.ensure_import("import functools")
        return True


OPERATORS: tuple[Operator, ...] = (MemoiseRecursion(), CacheNested())
