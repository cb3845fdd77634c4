"""Recursion turned into loops."""

from __future__ import annotations

import ast
from typing import cast

from peagen_ray.evolution.mutators.genetic.algorithms.recursion import (
    Recursion,
    recursions,
    returns_self_call,
)
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, every, parse_statements
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Recipe
from peagen_ray.evolution.mutators.genetic.canonical.trees import name
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


class TailRecursion(Edit[Recursion]):
    """Turns recursion whose result is returned at once into a loop.

    Before::

        def total(items, index, so_far):
            if index == len(items):
                return so_far
            return total(items, index + 1, so_far + items[index])

    After::

        def total(items, index, so_far):
            while True:
                if index == len(items):
                    return so_far
                index, so_far = index + 1, so_far + items[index]
    """

    NAME = "tail-recursion"

    def sites(self, draft: Draft) -> list[Recursion]:
        """Functions all of whose calls of themselves are returned, outside of loops."""
        return [r for r in recursions(draft) if not r.bound and _is_tail(r)]

    def edit(self, draft: Draft, site: Recursion) -> bool:
        """Put the body into an endless loop that goes round where the function called itself."""
        function = site.function
        documented = ast.get_docstring(function) is not None
        body = function.body[1:] if documented else function.body[:]
        for statement in returns_self_call(site, body):
            pairs = [(p, site.argument(cast("ast.Call", statement.value), p)) for p in site.parameters]
            moved = [(p, a if a is not None else site.default(p)) for p, a in pairs]
            moved = [(p, a) for p, a in moved if not (isinstance(a, ast.Name) and a.id == p)]
            new = [_parallel(moved)] if moved else []
            last = statement is body[-1]
            draft.replace(statement, *new, *([] if last else [ast.Continue()]))
        body = function.body[1:] if documented else function.body[:]
        loop = ast.While(test=ast.Constant(value=True), body=body, orelse=[])
        function.body[len(function.body) - len(body) :] = [loop]
        draft.touched()
        return True


def _is_tail(recursion: Recursion) -> bool:
    tail = returns_self_call(recursion, recursion.function.body)
    looped = any(
        isinstance(n, (ast.For, ast.While, ast.Try, ast.With)) and any(r in set(tail) for r in every(n))
        for n in every(recursion.function)
    )
    last = recursion.function.body[-1]
    return len(tail) == len(recursion.calls) and not looped and isinstance(last, (ast.Return, ast.If))


def _parallel(pairs: list[tuple[str, ast.expr]]) -> ast.stmt:
    """One assignment of several values, all computed before the first is stored."""
    if len(pairs) == 1:
        return ast.Assign(targets=[ast.Name(id=pairs[0][0], ctx=ast.Store())], value=pairs[0][1])
    targets = ast.Tuple(elts=[ast.Name(id=p, ctx=ast.Store()) for p, _ in pairs], ctx=ast.Store())
    return ast.Assign(targets=[targets], value=ast.Tuple(elts=[a for _, a in pairs], ctx=ast.Load()))


class BottomUp(Edit[Recursion]):
    """Computes what a recursive function of one number needs from the smallest number up.

    Before::

        def stairs(n):
            if n <= 1:
                return 1
            return stairs(n - 1) + stairs(n - 2)

    After::

        def stairs(n):
            known = []

            def step(n):
                if n <= 1:
                    return 1
                return known[n - 1] + known[n - 2]

            for number in range(n):
                known.append(step(number))
            return step(n)
    """

    NAME = "bottom-up"

    def sites(self, draft: Draft) -> list[Recursion]:
        """Functions of one number that call themselves, more than once, for smaller numbers."""
        return [r for r in recursions(draft) if not r.bound and len(r.parameters) == 1 and _descends(r)]

    def edit(self, draft: Draft, site: Recursion) -> bool:
        """Put a list of what is known in the place of the calls."""
        function, parameter = site.function, site.parameters[0]
        known, step, number = draft.fresh("known"), draft.fresh("step"), draft.fresh("number")
        for each in list(site.calls):
            draft.replace_expression(
                each, ast.Subscript(value=name(known), slice=each.args[0], ctx=ast.Load())
            )
        first = 1 if ast.get_docstring(function) is not None else 0
        new = parse_statements(
            f"""
{known} = []
def {step}({parameter}):
    pass
for {number} in range({parameter}):
    {known}.append({step}({number}))
return {step}({parameter})
"""
        )
        cast("ast.FunctionDef", new[1]).body = function.body[first:]
        function.body[first:] = new
        draft.touched()
        return True


def _descends(recursion: Recursion) -> bool:
    """Whether a function calls itself more than once, and only for smaller numbers as far as can be seen."""
    parameter = recursion.parameters[0]
    args = [recursion.argument(call, parameter) for call in recursion.calls]
    if len(args) < 2 or any(a is None for a in args):
        return False
    for arg in args:
        for node in every(cast("ast.expr", arg)):
            if isinstance(node, (ast.Subscript, ast.Attribute, ast.Call)):
                return False
            if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Add)):
                return False
        if isinstance(arg, ast.Name) and arg.id == parameter:
            return False
    return True


class FoldRecursion(Cookbook):
    """Turns recursion over the rest of a sequence, or down to a number, into a loop.

    Before::

        def total(items):
            if not items:
                return 0
            return items[0] + total(items[1:])

    After::

        def total(items):
            result = 0
            for item in reversed(items):
                result = item + result
            return result
    """

    NAME = "fold-recursion"
    RECIPES = (
        Recipe(
            """
def F(XS):
    if not XS:
        return BASE
    return STEP(XS[0], F(XS[1:]))
""",
            """
def F(XS):
    fresh_result = BASE
    for fresh_item in reversed(XS):
        fresh_result = STEP(fresh_item, fresh_result)
    return fresh_result
""",
        ),
        Recipe(
            """
def F(XS):
    if len(XS) == 1:
        return BASE(XS[0])
    return STEP(XS[0], F(XS[1:]))
""",
            """
def F(XS):
    fresh_result = BASE(XS[-1])
    for fresh_item in XS[-2::-1]:
        fresh_result = STEP(fresh_item, fresh_result)
    return fresh_result
""",
        ),
        Recipe(
            """
def F(XS):
    if len(XS) == 1:
        return BASE(XS[0])
    REST = F(XS[1:])
    return STEP(XS[0], REST)
""",
            """
def F(XS):
    REST = BASE(XS[-1])
    for fresh_item in XS[-2::-1]:
        REST = STEP(fresh_item, REST)
    return REST
""",
        ),
        Recipe(
            """
def F(N):
    if N == START:
        return BASE
    return STEP(N, F(N - 1))
""",
            """
def F(N):
    fresh_result = BASE
    for fresh_number in range(START + 1, N + 1):
        fresh_result = STEP(fresh_number, fresh_result)
    return fresh_result
""",
        ),
        Recipe(
            """
def F(N):
    if N <= START:
        return BASE
    return STEP(N, F(N - 1))
""",
            """
def F(N):
    fresh_result = BASE
    for fresh_number in range(START + 1, N + 1):
        fresh_result = STEP(fresh_number, fresh_result)
    return fresh_result
""",
        ),
    )


OPERATORS: tuple[Operator, ...] = (TailRecursion(), BottomUp(), FoldRecursion())
