"""Pure results kept: of helpers for arguments that come again, of every item of an inner loop."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, parse_expression, stored
from peagen_ray.evolution.mutators.genetic.hoisting import (
    Comprehension,
    hoist_point,
    inner_names,
    loops_around,
)
from peagen_ray.evolution.mutators.genetic.nodes import (
    is_pure,
    mutated,
    names_in,
    overlap,
    own_nodes,
    places,
    pure_functions,
)
from peagen_ray.evolution.mutators.genetic.ordering import functions_of
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


@dataclass(frozen=True)
class CachedCall:
    """Calls of a pure helper of which some arguments stay the same while others come again.

    Attributes:
        calls: the calls.
        fixed: which arguments stay the same.
        before: the statement before which the cache can be made.
    """

    calls: tuple[ast.Call, ...]
    fixed: frozenset[int]
    before: ast.stmt


class PartialCache(Edit[CachedCall]):
    """A pure helper is cached by the arguments that vary; those that stay the same are bound."""

    NAME = "partial-cache"

    def sites(self, draft: Draft) -> list[CachedCall]:
        """The calls in loops, grouped by the helper and the arguments that stay the same."""
        found: dict[tuple[int, str, frozenset[int]], list[ast.Call]] = {}
        points: dict[int, ast.stmt] = {}
        for call in _helper_calls(draft):
            hoisted = [hoist_point(draft, call, argument) for argument in call.args]
            known = [point for point in hoisted if point is not None]
            if not known or len(known) == len(call.args):
                continue
            inner = max(known, key=lambda point: len(list(loops_around(draft, point))))
            fixed = frozenset(i for i, point in enumerate(hoisted) if point is not None)
            points[id(inner)] = inner
            bound = ",".join(map(ast.dump, [call.func, *(call.args[i] for i in sorted(fixed))]))
            found.setdefault((id(inner), bound, fixed), []).append(call)
        return [CachedCall(tuple(calls), fixed, points[at]) for (at, _, fixed), calls in found.items()]

    def edit(self, draft: Draft, site: CachedCall) -> bool:
        """Make the cache, and call it."""
        first = copy.deepcopy(site.calls[0])
        helper = ast.unparse(first.func)
        name = draft.fresh(f"cached_{helper}")
        parameters = [argument.arg for argument in functions_of(draft)[helper].args.args]
        varying = [parameters[i] for i in range(len(first.args)) if i not in site.fixed]
        made = parse_expression(f"functools.cache(lambda {', '.join(varying)}: None)")
        for i in range(len(first.args)):
            if i not in site.fixed:
                first.args[i] = parse_expression(parameters[i])
        assert isinstance(made, ast.Call)
        assert isinstance(made.args[0], ast.Lambda)
        made.args[0].body = first
        for call in site.calls:
            call.func = ast.Name(id=name, ctx=ast.Load())
            call.args = [argument for i, argument in enumerate(call.args) if i not in site.fixed]
        target = ast.Name(id=name, ctx=ast.Store())
        draft.insert_before(site.before, ast.Assign(targets=[target], value=made))
        draft.ensure_import("import functools")
        return True


def _helper_calls(draft: Draft) -> Iterator[ast.Call]:
    """Calls of pure functions of the module, with two positional arguments or more."""
    pure = pure_functions(draft)
    for function in draft.functions():
        for node in own_nodes(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in pure:
                clever = bool(node.keywords) or any(isinstance(a, ast.Starred) for a in node.args)
                known = len(functions_of(draft)[node.func.id].args.args)
                if not clever and 1 < len(node.args) <= known and node.func.id != function.name:
                    yield node


@dataclass(frozen=True)
class EachItem:
    """Something that is computed of every item of an inner loop, each time that the loop runs.

    Attributes:
        clause: the loop, or the clause of a comprehension.
        uses: where it is computed.
        before: the outer loop.
    """

    clause: ast.For | ast.comprehension
    uses: tuple[ast.expr, ...]
    before: ast.stmt


class PrecomputeEach(Edit[EachItem]):
    """What an inner loop computes of each item alone is computed for all items before the outer loop."""

    NAME = "precompute-each"

    def sites(self, draft: Draft) -> list[EachItem]:
        """Pure calls on the variable of an inner loop over what an outer loop leaves alone."""
        pure = pure_functions(draft)
        found: list[EachItem] = []
        for function in draft.functions():
            for node in own_nodes(function):
                if not isinstance(node, (ast.For, Comprehension)):
                    continue
                clause = node if isinstance(node, ast.For) else node.generators[0]
                before = hoist_point(draft, node, clause.iter)
                if before is not None and isinstance(clause.target, ast.Name):
                    found += _computed(draft, node, clause, before, pure)
        return found

    def edit(self, draft: Draft, site: EachItem) -> bool:
        """Make the list, and go through it beside the items."""
        target, iterable = site.clause.target, site.clause.iter
        value = draft.fresh(f"{ast.unparse(target)}_value")
        values = draft.fresh(f"{ast.unparse(target)}_values")
        clause = ast.comprehension(
            target=copy.deepcopy(target), iter=copy.deepcopy(iterable), ifs=[], is_async=0
        )
        made = ast.ListComp(elt=copy.deepcopy(site.uses[0]), generators=[clause])
        for use in site.uses:
            draft.replace_expression(use, ast.Name(id=value, ctx=ast.Load()))
        pair: list[ast.expr] = [target, ast.Name(id=value, ctx=ast.Store())]
        both: list[ast.expr] = [iterable, ast.Name(id=values, ctx=ast.Load())]
        site.clause.target = ast.Tuple(elts=pair, ctx=ast.Store())
        site.clause.iter = ast.Call(func=ast.Name(id="zip", ctx=ast.Load()), args=both, keywords=[])
        assigned = ast.Name(id=values, ctx=ast.Store())
        draft.insert_before(site.before, ast.Assign(targets=[assigned], value=made))
        return True


def _computed(
    draft: Draft,
    node: ast.For | ast.expr,
    clause: ast.For | ast.comprehension,
    before: ast.stmt,
    pure: frozenset[str],
) -> Iterator[EachItem]:
    assert isinstance(clause.target, ast.Name)
    item = clause.target.id
    changed = stored(before) | mutated(before)
    groups: dict[str, list[ast.expr]] = {}
    for each in ast.walk(node):
        if not isinstance(each, ast.Call) or item not in names_in(each) or not is_pure(each, pure):
            continue
        others = {name for name in places(each) if name.split(".")[0] != item}
        inner = (inner_names(draft, each) - {item}) & names_in(each)
        if (
            not inner
            and item not in mutated(before)
            and not any(overlap(a, b) for a in others for b in changed)
        ):
            groups.setdefault(ast.dump(each), []).append(each)
    yield from (EachItem(clause, tuple(group), before) for group in groups.values())


OPERATORS: tuple[Operator, ...] = (PartialCache(), PrecomputeEach())
