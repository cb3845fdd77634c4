"""Hash joins: a dictionary of groups in the place of an inner loop that looks for equal keys."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.algorithms.spans import Loop, Span, ascends, bound_in, homes
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.canonical.changes import is_part_changed
from peagen_ray.evolution.mutators.genetic.canonical.expressions import (
    conjunction,
    conjuncts,
    normalised,
    signed_terms,
    sum_of,
)
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.recipes import build
from peagen_ray.evolution.mutators.genetic.canonical.trees import call, clone, name, walk_block
from peagen_ray.evolution.mutators.genetic.canonical.unify import Value
from peagen_ray.evolution.mutators.genetic.nodes import is_call, is_constant, names_in, with_context
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


@dataclass(frozen=True)
class Join:
    """An inner loop that does something for the items whose key equals what an outer loop asks for.

    Attributes:
        form: the function in normal form.
        loop: the inner loop.
        around: the outermost loop in which the keys stay the same.
        span: which items it goes through.
        key: the key, an expression of the inner loop's variables.
        probe: what it must equal, an expression of other variables.
        rest: the other conditions.
        body: what is done.
    """

    form: Form
    loop: ast.For
    around: Loop
    span: Span
    key: ast.expr
    probe: ast.expr
    rest: tuple[ast.expr, ...]
    body: tuple[ast.stmt, ...]


class HashJoin(Edit[Join]):
    """Groups the items of an inner loop by the key that it compares, once, before the outer loop.

    Before::

        for order in orders:
            for user in users:
                if user["id"] == order["user"]:
                    result.append((user["name"], order["total"]))

    After::

        groups = {}
        for user in users:
            groups.setdefault(user["id"], []).append(user)
        for order in orders:
            for user in groups.get(order["user"], ()):
                result.append((user["name"], order["total"]))

    The items of a group keep their order, so ``break`` and ``return`` find the same first match. Sums that
    must equal something (``xs[i] + xs[j] == target``) are solved for the inner variable; an inner loop over
    ``range(i + 1, n)`` takes the part of the group that begins there; a list that grows is grouped as far
    as it has come. Where matches are only counted, their number is looked up.
    """

    NAME = "keyed-groups"
    WEIGHT = 3.0

    def sites(self, draft: Draft) -> list[Join]:
        """Each inner loop that does something only where a key equals something."""
        found = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                join = find_join(form, statement) if isinstance(statement, ast.For) else None
                if join is not None:
                    found.append(join)
        return found

    def edit(self, draft: Draft, site: Join) -> bool:
        """Make the groups, and loop over one of them."""
        form = site.form
        bindings = _bindings(site)
        before, inside = _texts(site)
        new = build(inside, bindings, form)
        form.inherit(new, [site.loop])
        form.put([site.loop], new)
        form.put_before(site.around, build(before, bindings, form))
        form.commit()
        draft.touched()
        for module in ("bisect", "collections"):
            if f"{module}." in before + inside:
                draft.ensure_import(f"import {module}")
        return True


def find_join(form: Form, loop: ast.For) -> Join | None:
    """The join that an inner loop makes; None when it makes none, or no outer loop repeats it."""
    body = form.solid(loop.body)
    if len(body) != 1 or not isinstance(body[0], ast.If) or body[0].orelse:
        return None
    conditions = conjuncts(body[0].test)
    for outer, span in homes(form, loop):
        fixed = {id(c): s for c in conditions if (s := sides(c, loop, outer, span)) is not None}
        if fixed:
            keys, probes = zip(*fixed.values(), strict=True)
            rest = tuple(c for c in conditions if id(c) not in fixed)
            key, probe = together(keys), together(probes)
            return Join(form, loop, outer, span, key, probe, rest, tuple(body[0].body))
    return None


def together(parts: Sequence[ast.expr]) -> ast.expr:
    """Several keys as one; what is no key because it is a list becomes a tuple."""
    made = [call("tuple", p) if is_call(p, "sorted") or is_call(p, "list") else p for p in parts]
    return made[0] if len(made) == 1 else ast.Tuple(elts=made, ctx=ast.Load())


def sides(condition: ast.expr, loop: ast.For, outer: Loop, span: Span) -> tuple[ast.expr, ast.expr] | None:
    """The key and what it must equal, for a condition that compares them."""
    if not isinstance(condition, ast.Compare) or not isinstance(condition.ops[0], ast.Eq):
        return None
    own = names_in(loop.target)
    bound = bound_in(outer) - own
    for key, probe in _solutions(condition, own):
        if names_in(key) & own and not names_in(probe) & own and not names_in(key) & bound:
            if span.grows or not is_part_changed(key, outer.body, own):
                return clone(key), clone(probe)
    return None


def _solutions(condition: ast.Compare, own: set[str]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Ways to write an equation with the inner variables on the left only."""
    left, right = condition.left, condition.comparators[0]
    yield left, right
    yield right, left
    if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mod) and is_constant(right, 0):
        for key, probe in _solved(signed_terms(left.left, 1), own):
            yield _modulo(key, left.right), _modulo(probe, left.right)
    yield from _solved([*signed_terms(left, 1), *signed_terms(right, -1)], own)


def _solved(terms: list[tuple[int, ast.expr]], own: set[str]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """A sum that is zero, with the terms that mention the inner variables on the left."""
    mine = [(s, t) for s, t in terms if names_in(t) & own]
    other = [(s, t) for s, t in terms if not names_in(t) & own]
    if (
        not mine
        or not other
        or any(isinstance(t, ast.Constant) and isinstance(t.value, str) for _, t in terms)
    ):
        return
    sign = mine[0][0]
    key = sum_of([(s * sign, clone(t)) for s, t in mine])
    yield key, sum_of([(-s * sign, clone(t)) for s, t in other])


def _modulo(node: ast.expr, by: ast.expr) -> ast.expr:
    return normalised(ast.BinOp(left=node, op=ast.Mod(), right=clone(by)))


def _bindings(site: Join) -> dict[str, Value]:
    span, fresh = site.span, site.form.names.fresh
    body: list[ast.stmt] = list(site.body)
    if site.rest:
        body = [ast.If(test=conjunction([clone(c) for c in site.rest]), body=body, orelse=[])]
        site.form.inherit(body, [site.loop])
    counted = _counted(site)
    return {
        "GROUPS": name(fresh("groups" if counted is None or span.grows or span.start else "counts")),
        "ROWS": name(fresh("rows")),
        "FILLED": name(fresh("filled")),
        "ITEM": site.loop.target,
        "KEY": site.key,
        "PROBE": site.probe,
        "SOURCE": span.items,
        "BASE": span.base,
        "START": span.start or span.base,
        "STOP": span.end,
        "COUNT": with_context(clone(counted), ast.Load()) if counted is not None else site.key,
        "BODY": body,
    }


def _counted(site: Join) -> ast.expr | None:
    """What is counted up by one for each match, where that is all that is done."""
    solid = site.form.solid(site.body)
    if len(solid) == 1 and isinstance(solid[0], ast.AugAssign) and not site.rest:
        if isinstance(solid[0].op, ast.Add) and is_constant(solid[0].value, 1):
            if not names_in(solid[0].target) & names_in(site.loop.target):
                return solid[0].target
    return None


def _texts(site: Join) -> tuple[str, str]:
    """What is written before the outer loop, and in the place of the inner one."""
    span, counts = site.span, _counted(site) is not None
    rows = _rows(site)
    if not span.grows:
        before = "GROUPS = {}\nfor ITEM in SOURCE:\n    GROUPS.setdefault(KEY, []).append(ITEM)"
        if rows == "ROWS":
            if counts:
                return "GROUPS = collections.Counter(KEY for ITEM in SOURCE)", "COUNT += GROUPS[PROBE]"
            return before, "for ITEM in GROUPS.get(PROBE, ()):\n    BODY"
        fill = ""
    elif span.source is None:
        before = "GROUPS = {}\nFILLED = BASE"
        fill = "for ITEM in range(FILLED, STOP):\n    GROUPS.setdefault(KEY, []).append(ITEM)\n"
        fill += "FILLED = max(FILLED, STOP)\n"
    else:
        before = "GROUPS = {}\nFILLED = 0"
        fill = "for ITEM in SOURCE[FILLED:]:\n    GROUPS.setdefault(KEY, []).append(ITEM)\nFILLED = len(SOURCE)\n"
    inside = f"{fill}ROWS = GROUPS.get(PROBE, ())\n"
    if counts:
        return before, f"{inside}COUNT += len({rows})"
    return before, f"{inside}for ITEM in {rows}:\n    BODY"


def _rows(site: Join) -> str:
    """The part of a group that the inner loop goes through."""
    low = "bisect.bisect_left(ROWS, START)" if site.span.start is not None else ""
    stop = site.span.stop
    high = "" if stop is None or ascends(stop, site.around) else "bisect.bisect_left(ROWS, STOP)"
    return f"ROWS[{low}:{high}]" if low or high else "ROWS"


OPERATORS: tuple[Operator, ...] = (HashJoin(),)
