"""Hash joins: an inner loop that waits for equal keys becomes one look-up."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, parse_statements, stored
from peagen_ray.evolution.mutators.genetic.filters import look_up, narrowed, tests_of
from peagen_ray.evolution.mutators.genetic.hoisting import Comprehension, loops_around
from peagen_ray.evolution.mutators.genetic.match import matches
from peagen_ray.evolution.mutators.genetic.nodes import (
    conjuncts,
    is_call,
    is_pure,
    mutated,
    names_in,
    overlap,
    own_nodes,
    places,
    position,
    shorter_range,
    with_context,
)
from peagen_ray.evolution.mutators.genetic.rewrite import Edit
from peagen_ray.evolution.mutators.genetic.terms import isolated


@dataclass(frozen=True)
class Source:
    """What an inner loop goes through, made independent of the loops around it.

    Attributes:
        target: what the loop binds.
        iterable: a superset of what it goes through.
        bounds: conditions that leave what it goes through.
    """

    target: ast.expr
    iterable: ast.expr
    bounds: tuple[ast.expr, ...] = ()


@dataclass(frozen=True)
class Join:
    """An inner loop, or clause of a comprehension, that only acts where two keys are equal.

    Attributes:
        node: the loop or the clause.
        before: the statement before which the groups can be made.
        source: what is grouped.
        inner: the key of an item.
        outer: the key that is looked for.
        rest: the other conditions.
    """

    node: ast.For | ast.comprehension
    before: ast.stmt
    source: Source
    inner: ast.expr
    outer: ast.expr
    rest: tuple[ast.expr, ...]


class HashJoin(Edit[Join]):
    """Group the inner items by their key once; each round of the outer loop looks up its group."""

    NAME = "hash-join"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Join]:
        """Inner loops and clauses with an equality between an inner and an outer key."""
        found: list[Join] = []
        for function in draft.functions():
            for node in own_nodes(function):
                if isinstance(node, ast.For):
                    found += _joins(draft, node, node, tests_of(node))
                elif isinstance(node, Comprehension):
                    for clause in node.generators:
                        tests = [each for test in clause.ifs for each in conjuncts(test)]
                        found += _joins(draft, clause, node, tests)
        return sorted(found, key=lambda join: position(join.inner))

    def edit(self, draft: Draft, site: Join) -> bool:
        """Make the groups and look one up."""
        groups = draft.fresh("groups")
        draft.insert_before(site.before, *_grouping(groups, site))
        found = look_up(groups, site.outer)
        rest = [*site.source.bounds, *site.rest]
        node = site.node
        node.target, node.iter = site.source.target, found
        if isinstance(node, ast.comprehension):
            node.ifs = rest
        else:
            node.body = narrowed(node, rest)
        draft.touched()
        return True


def _grouping(groups: str, join: Join) -> list[ast.stmt]:
    made = parse_statements(f"{groups} = {{}}\nfor x in xs:\n    {groups}.setdefault(key, []).append(item)")
    loop = made[1]
    assert isinstance(loop, ast.For)
    loop.target, loop.iter = copy.deepcopy(join.source.target), copy.deepcopy(join.source.iterable)
    step = loop.body[0]
    assert isinstance(step, ast.Expr)
    append = step.value
    assert isinstance(append, ast.Call)
    assert isinstance(append.func, ast.Attribute)
    assert isinstance(append.func.value, ast.Call)
    append.func.value.args[0] = copy.deepcopy(join.inner)
    append.args = [with_context(copy.deepcopy(join.source.target), ast.Load())]
    return made


def _joins(
    draft: Draft, node: ast.For | ast.comprehension, around: ast.For | ast.expr, tests: Sequence[ast.expr]
) -> Iterator[Join]:
    loops = list(loops_around(draft, around))
    source = _source(draft, node, loops) if tests else None
    if source is None:
        return
    inner_names = stored(source.target)
    for test in tests:
        keys = isolated(test, inner_names) if is_pure(test) else None
        if keys is None:
            continue
        fixed = places(keys[0]) | places(source.iterable)
        before = _point(draft, node, around, loops, {p for p in fixed if p.split(".")[0] not in inner_names})
        if before is not None:
            rest = tuple(each for each in tests if each is not test)
            yield Join(node, before, source, keys[0], keys[1], rest)
            return


def _point(
    draft: Draft,
    node: ast.For | ast.comprehension,
    around: ast.For | ast.expr,
    loops: Sequence[ast.For | ast.AsyncFor | ast.While],
    fixed: set[str],
) -> ast.stmt | None:
    """The outermost statement before which what ``fixed`` names is what it is in the inner loop."""
    best: ast.stmt | None = None
    if isinstance(around, Comprehension):
        bound, is_nested = _bound_before(draft, node, around)
        if any(name.split(".")[0] in bound for name in fixed):
            return None
        best = draft.statement(around) if is_nested else None
    for loop in loops:
        changed = stored(loop) | mutated(loop)
        if any(overlap(name, other) for name in fixed for other in changed):
            break
        best = loop
    return best


def _bound_before(draft: Draft, node: object, around: ast.expr) -> tuple[set[str], bool]:
    """What outer clauses bind where a clause runs, and whether there are any."""
    bound: set[str] = set()
    is_nested = False
    child: object = node
    up: ast.AST | None = around
    while up is not None and not isinstance(up, ast.stmt):
        if isinstance(up, Comprehension):
            for clause in up.generators:
                if clause is child:
                    break
                bound |= stored(clause.target)
                is_nested = True
        child, up = up, draft.parent(up)
    return bound, is_nested


def _source(
    draft: Draft,
    node: ast.For | ast.comprehension,
    loops: Sequence[ast.For | ast.AsyncFor | ast.While],
) -> Source | None:
    """What a loop goes through, with bounds that depend on the loops around it made conditions."""
    target, iterable = node.target, node.iter
    if not is_pure(iterable):
        return None
    if isinstance(iterable, ast.Call) and is_call(iterable, "range") and isinstance(target, ast.Name):
        return _whole_range(target, iterable, _loop_limits(loops))
    sliced = matches("XS[A:]", iterable)
    if sliced is not None and isinstance(sliced["XS"], ast.expr) and isinstance(sliced["A"], ast.expr):
        at = ast.Name(id=draft.fresh("at"), ctx=ast.Load())
        numbered = ast.Call(func=ast.Name(id="enumerate", ctx=ast.Load()), args=[sliced["XS"]], keywords=[])
        pair = ast.Tuple(elts=[ast.Name(id=at.id, ctx=ast.Store()), target], ctx=ast.Store())
        return Source(pair, numbered, (_at_least(at, sliced["A"]),))
    return Source(target, iterable)


def _loop_limits(loops: Sequence[ast.For | ast.AsyncFor | ast.While]) -> dict[str, ast.expr]:
    """For each variable of an outer ``for i in range(…)``, the end of the range."""
    limits: dict[str, ast.expr] = {}
    for loop in loops:
        if isinstance(loop, ast.For) and isinstance(loop.target, ast.Name) and is_call(loop.iter, "range"):
            assert isinstance(loop.iter, ast.Call)
            args = loop.iter.args
            limits[loop.target.id] = args[0] if len(args) == 1 else args[1]
    return limits


def _whole_range(target: ast.Name, call: ast.Call, limits: dict[str, ast.expr]) -> Source | None:
    args = next(shorter_range(call), call).args
    if len(args) > 2:
        return Source(target, call)
    index = ast.Name(id=target.id, ctx=ast.Load())
    bounds: list[ast.expr] = []
    first, last = (args[0], args[1]) if len(args) == 2 else (None, args[0])
    if first is not None and names_in(first) & limits.keys():
        bounds.append(_at_least(index, first))
        first = None
    if isinstance(last, ast.Name) and last.id in limits:
        bounds.append(ast.Compare(left=index, ops=[ast.Lt()], comparators=[last]))
        last = limits[last.id]
    ends = [last] if first is None else [first, last]
    whole = ast.Call(func=ast.Name(id="range", ctx=ast.Load()), args=ends, keywords=[])
    return Source(target, whole, tuple(bounds))


def _at_least(index: ast.Name, first: ast.expr) -> ast.expr:
    """``j > i`` for ``range(i + 1, …)``, else ``j >= first``."""
    found = matches("I + 1", first)
    if found is not None and isinstance(found["I"], ast.expr):
        return ast.Compare(left=index, ops=[ast.Gt()], comparators=[found["I"]])
    return ast.Compare(left=index, ops=[ast.GtE()], comparators=[first])


OPERATORS: tuple[Operator, ...] = (HashJoin(),)
