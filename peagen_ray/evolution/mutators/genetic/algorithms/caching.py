"""Helpers whose results are remembered for the time of one call of their caller."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.algorithms.memo import CACHE
from peagen_ray.evolution.mutators.genetic.base import (
    Draft,
    FunctionNode,
    Operator,
    every,
    parse_expression,
    stored,
)
from peagen_ray.evolution.mutators.genetic.canonical.trees import call, clone, name, walk_block
from peagen_ray.evolution.mutators.genetic.nodes import is_invariant, mutated
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

_MAKERS = frozenset({"list", "dict", "set", "sorted", "defaultdict", "Counter", "deque"})
_COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


@dataclass(frozen=True)
class HelperSite:
    """A loop that calls a helper.

    Attributes:
        caller: the function with the loop.
        loop: the loop, not within another.
        helper: the function that is called.
        calls: its calls in the loop, alike in what they pass on as it is.
        passed: the positions of arguments that cannot be a part of a key, and that the loop leaves alone.
    """

    caller: FunctionNode
    loop: ast.stmt
    helper: ast.FunctionDef
    calls: tuple[ast.Call, ...]
    passed: tuple[int, ...]


class CacheHelper(Edit[HelperSite]):
    """Remembers what a function of the file returned, while one loop of its caller runs.

    Before::

        for start in range(1, limit):
            length = chain_length(start, steps)
            ...

    After::

        cached_chain_length = functools.lru_cache(maxsize=None)(lambda start: chain_length(start, steps))
        for start in range(1, limit):
            length = cached_chain_length(start)
            ...

    Lists, dictionaries and sets that the loop leaves alone are passed on; what else is passed is the key.
    """

    NAME = "cache-helper"
    WEIGHT = 0.7

    def sites(self, draft: Draft) -> list[HelperSite]:
        """Loops in which a pure function of the file is called with arguments that vary."""
        pure = [f for f in draft.functions() if isinstance(f, ast.FunctionDef) and _is_cacheable(draft, f)]
        found = []
        for caller in draft.functions():
            if pure and isinstance(caller, ast.FunctionDef):
                for loop in _outer_loops(caller.body):
                    for helper in pure:
                        site = _site(caller, loop, helper) if helper is not caller else None
                        if site is not None:
                            found.append(site)
        return found

    def edit(self, draft: Draft, site: HelperSite) -> bool:
        """Make the cache before the loop, and call it there."""
        names = [a.arg for a in site.helper.args.args]
        keys = [n for i, n in enumerate(names) if i not in site.passed]
        args = [clone(site.calls[0].args[i]) if i in site.passed else name(n) for i, n in enumerate(names)]
        cached: ast.expr = name(site.helper.name)
        if site.passed:
            parameters = ast.arguments(
                posonlyargs=[],
                args=[ast.arg(arg=k) for k in keys],
                kwonlyargs=[],
                kw_defaults=[],
                defaults=[],
            )
            cached = ast.Lambda(args=parameters, body=call(site.helper.name, *args))
        fresh = draft.fresh(f"cached_{site.helper.name}")
        for each in site.calls:
            each.func = name(fresh)
            each.args = [a for i, a in enumerate(each.args) if i not in site.passed]
        made = ast.Call(func=parse_expression(CACHE), args=[cached], keywords=[])
        draft.insert_before(site.loop, ast.Assign(targets=[ast.Name(id=fresh, ctx=ast.Store())], value=made))
        draft.ensure_import("import functools")
        return True


def _outer_loops(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The loops of a block that are not within another, and the statements that comprehend."""
    inner: set[ast.stmt] = set()
    for statement in walk_block(block):
        if statement in inner:
            continue
        if isinstance(statement, (ast.For, ast.While)):
            inner.update(walk_block(statement.body))
            yield statement
        elif not isinstance(statement, ast.If | ast.With | ast.Try | FunctionNode | ast.ClassDef):
            if any(isinstance(n, _COMPREHENSIONS) for n in every(statement)):
                yield statement


def _site(caller: FunctionNode, loop: ast.stmt, helper: ast.FunctionDef) -> HelperSite | None:
    calls = tuple(
        n
        for n in every(loop)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == helper.name
    )
    count = len(helper.args.args)
    if not calls or any(len(c.args) != count or c.keywords for c in calls):
        return None
    containers = _containers(caller)
    kept = [i for i in range(count) if any(_is_one(c.args[i], containers) for c in calls)]
    alike = all(len({ast.dump(c.args[i]) for c in calls}) == 1 for i in kept)
    fixed = all(is_invariant(calls[0].args[i], loop) for i in kept)
    if not alike or not fixed or len(kept) == count:
        return None
    return HelperSite(caller, loop, helper, calls, tuple(kept))


def _is_one(node: ast.expr, containers: set[str]) -> bool:
    return isinstance(node, _DISPLAYS) or (isinstance(node, ast.Name) and node.id in containers)


def _containers(function: FunctionNode) -> set[str]:
    """Names that hold a list, a dictionary or a set as far as can be seen."""
    found = {place for place in mutated(function) if "." not in place}
    for argument in function.args.args:
        note = ast.unparse(argument.annotation).lower() if argument.annotation is not None else ""
        if note.startswith(("list", "dict", "set", "sequence", "mapping")):
            found.add(argument.arg)
    for node in every(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            maker = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
            product = isinstance(value, ast.BinOp) and isinstance(value.left, ast.List)
            if isinstance(value, _DISPLAYS) or maker in _MAKERS or product:
                found.add(node.targets[0].id)
    return found


def _is_cacheable(draft: Draft, function: ast.FunctionDef) -> bool:
    """Whether a module-level function returns something and changes nothing that it did not make itself."""
    args = function.args
    plain = function in draft.tree.body and not function.decorator_list
    if not plain or args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs:
        return False
    returns = any(isinstance(n, ast.Return) and n.value is not None for n in every(function))
    acts = any(
        isinstance(n, (ast.Yield, ast.YieldFrom, ast.Global, ast.Nonlocal))
        or (isinstance(n, ast.Name) and n.id in {"print", "input"})
        for n in every(function)
    )
    foreign = {place.split(".")[0] for place in mutated(function)} - stored(function)
    return returns and not acts and not foreign and bool(args.args)


OPERATORS: tuple[Operator, ...] = (CacheHelper(),)
