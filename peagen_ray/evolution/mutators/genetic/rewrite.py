"""Operators made of rules: a pattern and the template that replaces it."""

from __future__ import annotations

import ast
import copy
import random
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar, cast

from peagen_ray.evolution.mutators.genetic.base import (
    Draft,
    Operator,
    parse_expression,
    parse_statements,
)
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.match import Bindings, Match, find_any
from peagen_ray.evolution.mutators.genetic.nodes import (
    is_metavariable,
    lengths,
    position,
    with_context,
)
from peagen_ray.evolution.mutators.genetic.tidy import tidied

_S = TypeVar("_S")


class Edit(Operator, Generic[_S]):
    """An operator whose sites are of one type, and that has nothing left to choose at a site."""

    @abstractmethod
    def sites(self, draft: Draft) -> Sequence[_S]:
        """Where it applies, in the order of the source."""

    @abstractmethod
    def edit(self, draft: Draft, site: _S) -> bool:
        """Edit the draft in place at ``site``; False when nothing came of it."""

    def apply(self, draft: Draft, site: object, rng: random.Random) -> bool:
        """As :meth:`edit`; the generator is not used."""
        del rng
        return self.edit(draft, cast("_S", site))


def build(template: str, match: Match, draft: Draft) -> list[ast.stmt]:
    """Statements as the template says.

    The metavariables of the match are filled in, and ``fresh_word`` becomes a new name like ``word``.
    """
    statements = parse_statements(template)
    filler = _Filler(match.bindings, _fresh_names(statements, draft))
    filled: list[ast.stmt] = []
    for statement in statements:
        made = filler.visit(statement)
        filled.extend(made if isinstance(made, list) else [made])
    return [tidied(each, lengths(match.function)) for each in filled]


def build_expression(template: str, match: Match, draft: Draft) -> ast.expr:
    """An expression as the template says; see :func:`build`."""
    expression = parse_expression(template)
    made: ast.expr = _Filler(match.bindings, _fresh_names([expression], draft)).visit(expression)
    return tidied(made, lengths(match.function))


def _fresh_names(nodes: Sequence[ast.AST], draft: Draft) -> dict[str, str]:
    words = {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}
    words |= {n.arg for node in nodes for n in ast.walk(node) if isinstance(n, ast.arg)}
    return {w: draft.fresh(w.removeprefix("fresh_")) for w in sorted(words) if w.startswith("fresh_")}


class _Filler(ast.NodeTransformer):
    """Fills metavariables into a template; what it fills in is copied."""

    def __init__(self, bindings: Bindings, fresh: Mapping[str, str]) -> None:
        self._bindings = bindings
        self._fresh = fresh

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._fresh:
            return ast.Name(id=self._fresh[node.id], ctx=node.ctx)
        value = self._bindings.get(node.id) if is_metavariable(node.id) else None
        if value is None:
            return node
        if isinstance(value, list):
            raise KeyError(f"{node.id} stands for statements")
        return with_context(copy.deepcopy(value), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        value = self._bindings.get(node.arg)
        name = value.id if isinstance(value, ast.Name) else self._fresh.get(node.arg, node.arg)
        return ast.arg(arg=name, annotation=None)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        if isinstance(node.value, ast.Name):
            value = self._bindings.get(node.value.id)
            if isinstance(value, list):
                return copy.deepcopy(value)
        self.generic_visit(node)
        return node


def always(match: Match) -> bool:
    """The condition of a rule that has none."""
    del match
    return True


@dataclass(frozen=True)
class Rule:
    """What to look for, and what to put in its place.

    Attributes:
        pattern: a pattern, of statements or of one expression.
        template: what replaces it; statements for statements, an expression for an expression.
        where: says of a match whether it counts.
        imports: import statements that the template needs.
    """

    pattern: str
    template: str
    where: Callable[[Match], bool] = always
    imports: tuple[str, ...] = ()


class Rewrite(Edit[tuple[Rule, Match]]):
    """An operator that is a list of rules; of the rules that fit one place, the first is taken."""

    RULES: ClassVar[tuple[Rule, ...]]

    def sites(self, draft: Draft) -> list[tuple[Rule, Match]]:
        """The rule and the match of each place."""
        best: dict[int, tuple[int, Match]] = {}
        for index, match in find_any(draft, tuple(rule.pattern for rule in self.RULES)):
            known = best.get(id(match.anchor))
            if (known is None or index < known[0]) and self.RULES[index].where(match):
                best[id(match.anchor)] = (index, match)
        found = sorted(best.values(), key=lambda each: position(each[1].anchor))
        return [(self.RULES[index], match) for index, match in found]

    def edit(self, draft: Draft, site: tuple[Rule, Match]) -> bool:
        """Put the rule's template in the place of the match."""
        rule, match = site
        put(draft, match, rule.template)
        for statement in rule.imports:
            draft.ensure_import(statement)
        return True


def put(draft: Draft, match: Match, template: str) -> None:
    """Put what a template says in the place of a match: where its last statement was, or its expression."""
    if match.expression is not None:
        draft.replace_expression(match.expression, build_expression(template, match, draft))
        return
    new = _keep_annotation(match, build(template, match, draft))
    draft.replace(match.statements[-1], *new)
    for statement in match.statements[:-1]:
        draft.replace(statement)


def _keep_annotation(match: Match, new: list[ast.stmt]) -> list[ast.stmt]:
    notes = [s for s in match.statements if isinstance(s, ast.AnnAssign)]
    for index, statement in enumerate(new):
        for note in notes:
            if isinstance(statement, ast.Assign) and same_code(statement.targets, [note.target]):
                new[index] = ast.AnnAssign(
                    target=note.target,
                    annotation=copy.deepcopy(note.annotation),
                    value=statement.value,
                    simple=note.simple,
                )
    return new


def insert_after(draft: Draft, statement: ast.stmt, template: str, match: Match) -> None:
    """Put what a template says after a statement."""
    block, at = draft.block(statement)
    block[at + 1 : at + 1] = build(template, match, draft)
    draft.touched()
