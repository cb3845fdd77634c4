"""Edits of what is kept in variables: computed once, put where it is used, not kept at all."""

from __future__ import annotations

import ast
import random
from collections import Counter
from typing import ClassVar

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator, loaded, stored
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.edits.base import GeneralEdit, expressions, loops
from peagen_ray.evolution.mutators.genetic.edits.donors import unplaced
from peagen_ray.evolution.mutators.genetic.nodes import own_nodes

_COSTLY = (ast.Call, ast.BinOp, ast.Attribute, ast.Subscript, ast.Compare, ast.ListComp, ast.SetComp, ast.Set)
_Loop = ast.For | ast.AsyncFor | ast.While


class HoistExpression(GeneralEdit[tuple[ast.expr, _Loop]]):
    """What a loop computes again and again is computed before it."""

    NAME = "hoist-expression"
    WEIGHT: ClassVar[float] = 0.4

    def sites(self, draft: Draft) -> list[tuple[ast.expr, _Loop]]:
        """Expressions that mention nothing that their loop binds, with the loop."""
        found: list[tuple[ast.expr, _Loop]] = []
        for loop in loops(draft):
            bound = stored(loop)
            parts = [*loop.body, *([loop.test] if isinstance(loop, ast.While) else [])]
            computed = (each for part in parts for each in expressions(part) if isinstance(each, _COSTLY))
            found += [(node, loop) for node in computed if not loaded(node) & bound]
        return found

    def edit(self, draft: Draft, site: tuple[ast.expr, _Loop], rng: random.Random) -> bool:
        """Name it before the loop and use the name wherever the loop says the same."""
        del rng
        node, loop = site
        name = draft.fresh(_stem(node))
        parts = [*loop.body, *([loop.test] if isinstance(loop, ast.While) else [])]
        alike = [each for part in parts for each in expressions(part) if same_code(each, node)]
        for each in alike:
            draft.replace_expression(each, ast.Name(id=name, ctx=ast.Load()))
        target = ast.Name(id=name, ctx=ast.Store())
        draft.insert_before(loop, ast.Assign(targets=[target], value=unplaced(node)))
        return True


class InlineVariable(GeneralEdit[tuple[ast.Assign, ast.Name]]):
    """A variable that is read once is not kept: its value stands where it was read."""

    NAME = "inline-variable"

    def sites(self, draft: Draft) -> list[tuple[ast.Assign, ast.Name]]:
        """Assignments, with the one place where the variable is read."""
        found: list[tuple[ast.Assign, ast.Name]] = []
        for function in draft.functions():
            uses = _uses(function)
            known = {id(node) for node in expressions_of(function)}
            for node in own_nodes(function):
                name = _assigned(node)
                if isinstance(node, ast.Assign) and len(uses.get(name, ())) == 2:
                    first, second = uses[name]
                    if isinstance(first.ctx, ast.Store) and id(second) in known:
                        found.append((node, second))
        return found

    def edit(self, draft: Draft, site: tuple[ast.Assign, ast.Name], rng: random.Random) -> bool:
        """Put the value in its place."""
        del rng
        node, use = site
        draft.replace_expression(use, node.value)
        draft.replace(node)
        return True


class DropDeadAssignment(GeneralEdit[ast.stmt]):
    """A variable that nobody reads is not assigned."""

    NAME = "drop-dead-assignment"
    WEIGHT: ClassVar[float] = 0.4

    def sites(self, draft: Draft) -> list[ast.stmt]:
        """Assignments to such variables."""
        found: list[ast.stmt] = []
        for function in draft.functions():
            read = Counter(n.id for n in ast.walk(function) if isinstance(n, ast.Name) and _is_read(n))
            outer = {name for n in own_nodes(function) for name in _declared(n)}
            for node in own_nodes(function):
                name = _assigned(node)
                if isinstance(node, ast.stmt) and name and not read[name] and name not in outer:
                    found.append(node)
        return found

    def edit(self, draft: Draft, site: ast.stmt, rng: random.Random) -> bool:
        """Drop the assignment."""
        del rng
        draft.replace(site)
        return True


class ReuseVariable(GeneralEdit[tuple[ast.expr, str]]):
    """An expression that a variable already holds is not computed again."""

    NAME = "reuse-variable"

    def sites(self, draft: Draft) -> list[tuple[ast.expr, str]]:
        """Expressions, with a variable to which the same was assigned."""
        found: list[tuple[ast.expr, str]] = []
        for function in draft.functions():
            values = [(n.value, _assigned(n)) for n in own_nodes(function) if isinstance(n, ast.Assign)]
            values = [(v, name) for v, name in values if name and isinstance(v, _COSTLY)]
            for node in expressions_of(function):
                if isinstance(node, _COSTLY):
                    found += [(node, name) for v, name in values if v is not node and same_code(v, node)]
        return found

    def edit(self, draft: Draft, site: tuple[ast.expr, str], rng: random.Random) -> bool:
        """Read the variable."""
        del rng
        node, name = site
        draft.replace_expression(node, ast.Name(id=name, ctx=ast.Load()))
        return True


def expressions_of(function: FunctionNode) -> list[ast.expr]:
    """Whatever a function computes, functions within it left out."""
    return [node for statement in function.body for node in expressions(statement)]


def _uses(function: FunctionNode) -> dict[str, list[ast.Name]]:
    """Every mention of each variable, functions within included."""
    found: dict[str, list[ast.Name]] = {}
    for node in (n for s in function.body for n in ast.walk(s)):
        if isinstance(node, ast.Name):
            found.setdefault(node.id, []).append(node)
    for uses in found.values():
        uses.sort(key=_is_read)
    return found


def _assigned(node: ast.AST) -> str:
    """The one variable that a statement does nothing but assign to; "" where there is none."""
    target: ast.expr | None = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        target = node.target
    return target.id if isinstance(target, ast.Name) else ""


def _is_read(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _declared(node: ast.AST) -> list[str]:
    return node.names if isinstance(node, (ast.Global, ast.Nonlocal)) else []


def _stem(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return f"{_stem(node.func)}_value" if isinstance(node.func, (ast.Name, ast.Attribute)) else "value"
    return node.id if isinstance(node, ast.Name) else "value"


OPERATORS: tuple[Operator, ...] = (HoistExpression(), InlineVariable(), DropDeadAssignment(), ReuseVariable())
