"""Only the items that an inner loop does something for, where that depends on one of several keys."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.algorithms.joins import sides, together
from peagen_ray.evolution.mutators.genetic.algorithms.spans import Loop, Span, homes
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.canonical.expressions import conjuncts
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.recipes import build
from peagen_ray.evolution.mutators.genetic.canonical.trees import name, walk_block
from peagen_ray.evolution.mutators.genetic.canonical.unify import Value
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

Sides = tuple[ast.expr, ast.expr]


@dataclass(frozen=True)
class Relevant:
    """An inner loop that does nothing for an item unless one of its keys equals something.

    Attributes:
        form: the function in normal form.
        loop: the inner loop.
        around: the outermost loop in which the keys stay the same.
        span: which items it goes through.
        keys: the keys, and what they must equal.
    """

    form: Form
    loop: ast.For
    around: Loop
    span: Span
    keys: tuple[Sides, ...]


class RelevantItems(Edit[Relevant]):
    """Goes through the items only for which an inner loop does something, found by their keys.

    Before::

        for person in people:
            for a, b in friendships:
                if a == person:
                    friends.append(b)
                elif b == person:
                    friends.append(a)

    After::

        relevant = {}
        for a, b in friendships:
            for key in {a, b}:
                relevant.setdefault(key, []).append((a, b))
        for person in people:
            for a, b in relevant.get(person, ()):
                if a == person:
                    friends.append(b)
                elif b == person:
                    friends.append(a)

    The conditions are asked again, so that what is found too much does no harm.
    """

    NAME = "relevant-items"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Relevant]:
        """Each such inner loop with more than one condition."""
        found = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                made = _relevant(form, statement) if isinstance(statement, ast.For) else None
                if made is not None:
                    found.append(made)
        return found

    def edit(self, draft: Draft, site: Relevant) -> bool:
        """Make an index of the items, and go through what it has."""
        form = site.form
        before, inside = _texts(site)
        bindings = _bindings(site)
        new = build(inside, bindings, form)
        form.inherit(new, [site.loop])
        form.put([site.loop], new)
        form.put_before(site.around, build(before, bindings, form))
        form.commit()
        draft.touched()
        return True


def _relevant(form: Form, loop: ast.For) -> Relevant | None:
    body = form.solid(loop.body)
    for outer, span in homes(form, loop):
        if span.grows or span.start is not None:
            continue
        keys: list[Sides] = []
        for statement in body:
            found = _wakes(form, statement, loop, outer, span)
            if found is None:
                return None
            keys.extend(found)
        distinct = {(ast.dump(k), ast.dump(p)): (k, p) for k, p in keys}
        if len(distinct) > 1:
            return Relevant(form, loop, outer, span, tuple(distinct.values()))
    return None


def _wakes(form: Form, node: ast.stmt, loop: ast.For, outer: Loop, span: Span) -> list[Sides] | None:
    """The equations of which one must hold for a statement to do something; None when others suffice."""
    if not isinstance(node, ast.If):
        return None
    found = _needed(node.test, loop, outer, span)
    others = form.solid(node.orelse)
    for statement in others:
        more = _wakes(form, statement, loop, outer, span)
        if more is None:
            return None
        found = found + more if found is not None else None
    return found


def _needed(test: ast.expr, loop: ast.For, outer: Loop, span: Span) -> list[Sides] | None:
    """The equations of which one must hold for a condition to hold."""
    for part in conjuncts(test):
        found = sides(part, loop, outer, span)
        if found is not None:
            return [found]
        if isinstance(part, ast.BoolOp):
            each = [_needed(value, loop, outer, span) for value in part.values]
            if all(e is not None for e in each):
                return [s for e in each if e is not None for s in e]
    return None


def _texts(site: Relevant) -> tuple[str, str]:
    """What is written before the outer loop, and in the place of the inner one."""
    one_probe = len({ast.dump(p) for _, p in site.keys}) == 1
    one_key = len({ast.dump(k) for k, _ in site.keys}) == 1
    keys = [f"KEY{i}" for i in range(len(site.keys))]
    probes = [f"PROBE{i}" for i in range(len(site.keys))]
    by_place = not one_probe and site.span.source is not None
    item = "PLACE" if by_place else "ITEM"
    head = "for PLACE, ITEM in enumerate(SOURCE):" if by_place else "for ITEM in SOURCE:"
    add = f"INDEX.setdefault({keys[0]}, []).append({item})"
    if not one_key:
        add = f"for KEY in {{{', '.join(keys)}}}:\n        INDEX.setdefault(KEY, []).append({item})"
    before = f"INDEX = {{}}\n{head}\n    {add}\n"
    if one_probe:
        return before, "for ITEM in INDEX.get(PROBE0, ()):\n    BODY"
    rows = ", ".join(f"*INDEX.get({p}, ())" for p in dict.fromkeys(probes))
    if not by_place:
        return before, f"for ITEM in sorted({{{rows}}}):\n    BODY"
    return (
        f"ITEMS = list(SOURCE)\n{before}",
        f"for PLACE in sorted({{{rows}}}):\n    ITEM = ITEMS[PLACE]\n    BODY",
    )


def _bindings(site: Relevant) -> dict[str, Value]:
    fresh = site.form.names.fresh
    bindings: dict[str, Value] = {
        "INDEX": name(fresh("relevant")),
        "ITEMS": name(fresh("rows")),
        "PLACE": name(fresh("place")),
        "KEY": name(fresh("key")),
        "ITEM": site.loop.target,
        "SOURCE": site.span.items,
        "BODY": list(site.loop.body),
    }
    for index, (key, probe) in enumerate(site.keys):
        bindings[f"KEY{index}"] = together([key])
        bindings[f"PROBE{index}"] = together([probe])
    return bindings


OPERATORS: tuple[Operator, ...] = (RelevantItems(),)
