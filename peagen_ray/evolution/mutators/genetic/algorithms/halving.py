"""Each pair of places once, where a program tries both orders."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.canonical.expressions import conjunction, conjuncts
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.trees import call, clone, name, walk_block
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


@dataclass(frozen=True)
class Twice:
    """Two loops over the same places that skip the pairs of a place with itself."""

    form: Form
    outer: ast.For
    inner: ast.For
    test: ast.If
    apart: ast.expr


class HalfThePairs(Edit[Twice]):
    """Takes each pair of places once, where both orders are tried.

    Before::

        for i in range(len(words)):
            for j in range(len(words)):
                if i != j and distance(words[i], words[j]) < best:
                    best = distance(words[i], words[j])

    After::

        for i in range(len(words)):
            for j in range(i + 1, len(words)):
                if distance(words[i], words[j]) < best:
                    best = distance(words[i], words[j])

    That the order does not matter is not known; the evaluation tells.
    """

    NAME = "half-the-pairs"

    def sites(self, draft: Draft) -> list[Twice]:
        """Each such pair of loops."""
        found: list[Twice] = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                if isinstance(statement, ast.For):
                    found.extend(site for inner in statement.body if (site := _twice(form, statement, inner)))
        return found

    def edit(self, draft: Draft, site: Twice) -> bool:
        """Begin the inner loop behind the place of the outer one."""
        form, test, inner = site.form, site.test, site.inner
        rest = [c for c in conjuncts(test.test) if c is not site.apart]
        assert isinstance(inner.iter, ast.Call)
        begin = ast.BinOp(left=name(_target(site.outer)), op=ast.Add(), right=ast.Constant(value=1))
        span = call("range", begin, clone(inner.iter.args[1]))
        body: list[ast.stmt] = list(test.body)
        if rest:
            body = [ast.If(test=conjunction(rest), body=body, orelse=[])]
            form.inherit(body, [test])
        made = ast.For(target=inner.target, iter=span, body=[*_ghosts(form, inner), *body], orelse=[])
        form.inherit([made], [inner])
        form.put([inner], [made])
        form.commit()
        draft.touched()
        return True


def _ghosts(form: Form, loop: ast.For) -> list[ast.stmt]:
    return [s for s in loop.body if s in form.ghosts]


def _target(loop: ast.For) -> str:
    return loop.target.id if isinstance(loop.target, ast.Name) else ""


def _twice(form: Form, outer: ast.For, inner: ast.stmt) -> Twice | None:
    if not isinstance(inner, ast.For) or not _target(outer) or not _target(inner) or inner.orelse:
        return None
    if not is_call(outer.iter, "range", 2) or not equal(outer.iter, inner.iter):
        return None
    body = form.solid(inner.body)
    if len(body) != 1 or not isinstance(body[0], ast.If) or body[0].orelse:
        return None
    for condition in conjuncts(body[0].test):
        if isinstance(condition, ast.Compare) and isinstance(condition.ops[0], ast.NotEq):
            sides = [condition.left, condition.comparators[0]]
            if sorted(n.id for n in sides if isinstance(n, ast.Name)) == sorted(
                [_target(outer), _target(inner)]
            ):
                return Twice(form, outer, inner, body[0], condition)
    return None


OPERATORS: tuple[Operator, ...] = (HalfThePairs(),)
