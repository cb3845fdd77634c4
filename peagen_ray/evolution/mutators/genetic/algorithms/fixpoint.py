"""Rounds that need not be made: those after one that changed nothing."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, every, loaded, stored
from peagen_ray.evolution.mutators.genetic.canonical.trees import assign, leaves_loop, name
from peagen_ray.evolution.mutators.genetic.nodes import own_nodes
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


class StopAtRest(Edit[ast.For]):
    """Ends a loop that repeats the same steps when a round has changed nothing.

    Before::

        for _ in range(len(nodes)):
            for a, b, weight in edges:
                if distance[a] + weight < distance[b]:
                    distance[b] = distance[a] + weight

    After::

        for _ in range(len(nodes)):
            changed = False
            for a, b, weight in edges:
                if distance[a] + weight < distance[b]:
                    changed = True
                    distance[b] = distance[a] + weight
            if not changed:
                break
    """

    NAME = "stop-at-rest"
    WEIGHT = 1.5

    def sites(self, draft: Draft) -> list[ast.For]:
        """Loops whose variable is not read, and that change things under conditions only."""
        return [
            node
            for function in draft.functions()
            for node in own_nodes(function)
            if isinstance(node, ast.For) and _repeats(function, node)
        ]

    def edit(self, draft: Draft, site: ast.For) -> bool:
        """Note whether anything was changed, and leave when not."""
        changed = draft.fresh("changed")
        _note(site.body, changed)
        site.body.insert(0, assign(changed, ast.Constant(value=False)))
        rest = ast.UnaryOp(op=ast.Not(), operand=name(changed))
        site.body.append(ast.If(test=rest, body=[ast.Break()], orelse=[]))
        draft.touched()
        return True


def _repeats(function: ast.AST, loop: ast.For) -> bool:
    counters = stored(loop.target)
    reads = sum(
        isinstance(n, ast.Name) and n.id in counters and isinstance(n.ctx, ast.Load) for n in every(function)
    )
    if reads or loop.orelse or leaves_loop(loop.body, ast.Continue):
        return False
    if not any(isinstance(s, (ast.For, ast.While)) for s in loop.body):
        return False
    return _is_conditional(loop.body, set()) and _note(loop.body, "") > 0


def _is_conditional(block: Sequence[ast.stmt], known: set[str]) -> bool:
    """Whether a block changes nothing but under conditions, temporaries left out."""
    for statement in block:
        if isinstance(statement, ast.For):
            known |= stored(statement.target)
            if statement.orelse or not _is_conditional(statement.body, known):
                return False
        elif isinstance(statement, ast.Assign):
            targets = statement.targets
            if not all(isinstance(t, (ast.Name, ast.Tuple)) for t in targets) or not _are_names(targets):
                return False
            names = {n for t in targets for n in stored(t)}
            if names & loaded(statement.value) or _was_read(block, statement, names):
                return False
            known |= names
        elif not isinstance(statement, (ast.If, ast.Pass, ast.Continue, ast.Break)):
            return False
    return True


def _are_names(targets: Sequence[ast.expr]) -> bool:
    parts = [e for t in targets for e in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return all(isinstance(p, ast.Name) for p in parts)


def _was_read(block: Sequence[ast.stmt], statement: ast.Assign, names: set[str]) -> bool:
    """Whether an earlier statement of the block reads what this one assigns."""
    before = block[: list(block).index(statement)]
    return any(names & loaded(s) for s in before)


def _note(block: list[ast.stmt], changed: str) -> int:
    """Put ``changed = True`` into the conditional blocks that change something; how many there are."""
    count = 0
    for statement in list(block):
        if isinstance(statement, ast.For):
            count += _note(statement.body, changed)
        elif isinstance(statement, ast.If):
            for branch in (statement.body, statement.orelse):
                if _acts(branch):
                    count += 1
                    if changed:
                        branch.insert(0, assign(changed, ast.Constant(value=True)))
                else:
                    count += _note(branch, changed)
    return count


def _acts(block: Sequence[ast.stmt]) -> bool:
    idle = (ast.If, ast.For, ast.Pass, ast.Continue, ast.Break)
    return any(not isinstance(s, idle) for s in block)


OPERATORS: tuple[Operator, ...] = (StopAtRest(),)
